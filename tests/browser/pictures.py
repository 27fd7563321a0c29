"""`python -m tests.browser.pictures`: the pictures in docs/pictures, of a console with real hosts and containers.

Nothing in them is made up but names: four engines of the rig, a fleet of small containers on them, agents that really
report them, one of which is stopped at the end. Takes about two minutes; needs what the browser's tests need.
"""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.rig.engines import Engine, EngineVersion, available_engines
from tests.rig.hosts import Network
from tests.rig.images import busybox
from tests.up import PASSWORD, REPO, Up, eventually

FOLDER = REPO / "docs" / "pictures"
BYTES_AT_MOST = 200_000
FORMS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 900}, "device_scale_factor": 2, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "device_scale_factor": 2, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "color_scheme": "light"},
}
GONE = "edge-01"
HOSTS = ("prod-01", "prod-02", "stage-01", GONE)

SERVE = r"""
echo "$(date +%T) INFO  http.server listening on :8443"
n=0
while true; do n=$((n + 1)); printf '\033[32mINFO\033[0m  http.server GET /cart/%s 200\n' $n; sleep 2; done
"""
LEDGER = r"""
say() { printf '%b  \033[36m%-13s\033[0m %b\n' "$1" "$2" "$3"; sleep 0.15; }
info='\033[32mINFO\033[0m ' debug='\033[90mDEBUG\033[0m' warn='\033[33mWARN\033[0m ' error='\033[1;31mERROR\033[0m'
say "$info" ledger.boot 'starting ledger 4.12.0, profile production'
say "$info" ledger.db 'connected to bank-db-1:5432, 20 connections, 38 ms'
say "$info" ledger.replay 'replaying journal from 23:00, 1,284,113 entries'
for batch in 1 2 3 4 5; do
  say "$debug" ledger.replay "batch=$batch entries=65536 heap=\033[34m$((batch * 91))M\033[0m"
done
say "$warn" ledger.cache 'heap above 90 % of the limit; evicting 12,400 accounts' >&2
say "$error" ledger.replay 'cannot allocate 65536 entries: heap exhausted' >&2
exit 3
"""
SLEEP = "sleep 99999"
STUBBORN = "trap '' TERM; while true; do sleep 1; done"
PASSES, FAILS = "true", "echo 'GET /healthz 503, bank-ledger: connection refused'; exit 1"

# host, stack, name, image, script, further options
FLEET: tuple[tuple[str, str, str, str, str, dict[str, Any]], ...] = (
    ("prod-01", "shop", "shop-web-1", "acme/shop-web:2.31.4", SERVE, {"port": 8443, "check": PASSES}),
    ("prod-01", "shop", "shop-web-2", "acme/shop-web:2.31.4", STUBBORN, {"port": 8444}),
    ("prod-01", "shop", "shop-cart-1", "acme/shop-cart:2.31.4", SLEEP, {"check": PASSES}),
    ("prod-01", "shop", "shop-cache-1", "redis:7.4-alpine", SLEEP, {}),
    ("prod-01", "shop", "shop-db-1", "postgres:16.4", SLEEP, {"port": 5432, "check": PASSES, "volume": "shop_data"}),
    ("prod-01", "shop", "shop-migrate-1", "acme/shop-web:2.31.4", "echo 41 migrations; exit 0", {}),
    ("prod-01", "gateway", "gateway-proxy-1", "caddy:2.8.4", SLEEP, {"port": 443, "check": PASSES}),
    ("prod-02", "shop", "shop-checkout-1", "acme/shop-checkout:2.31.4", SLEEP, {"port": 8081, "check": FAILS}),
    ("prod-02", "bank", "bank-api-1", "acme/bank-api:4.12.0", SERVE, {"port": 9090, "check": PASSES}),
    ("prod-02", "bank", "bank-api-2", "acme/bank-api:4.12.0", SERVE, {"port": 9091, "check": PASSES}),
    ("prod-02", "bank", "bank-ledger-1", "acme/ledger:4.12.0", LEDGER, {"restart": "always", "volume": "journal"}),
    ("prod-02", "bank", "bank-db-1", "postgres:16.4", SLEEP, {"check": PASSES, "volume": "bank_db"}),
    ("prod-02", "bank", "bank-fraud-1", "acme/fraud:1.9.2", SLEEP, {"paused": True}),
    ("prod-02", "telemetry", "telemetry-agent-1", "grafana/alloy:1.4", SLEEP, {}),
    ("stage-01", "shop", "shop-web-1", "acme/shop-web:2.32.0-rc1", SERVE, {"port": 8443, "check": PASSES}),
    ("stage-01", "shop", "shop-import-1", "acme/shop-import:2.32.0-rc1",
     "echo 'FATAL shop-db-1:5432: password authentication failed' >&2; exit 1", {}),
    ("stage-01", "shop", "shop-db-1", "postgres:16.4", SLEEP, {"check": PASSES}),
    ("stage-01", "telemetry", "telemetry-agent-1", "grafana/alloy:1.4", SLEEP, {}),
    (GONE, "gateway", "gateway-proxy-1", "caddy:2.8.4", SLEEP, {"port": 443, "check": PASSES}),
    (GONE, "gateway", "gateway-sync-1", "acme/edge-sync:0.8.1", SLEEP, {}),
    (GONE, "gateway", "gateway-init-1", "acme/edge-sync:0.8.1", "exit 0", {}),
    (GONE, "telemetry", "telemetry-agent-1", "grafana/alloy:1.4", SLEEP, {}),
)  # fmt: skip


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    versions = available_engines() or [EngineVersion.V20_10]
    with Network() as network, contextlib.ExitStack() as ends:
        hosts = [network.host(versions[n % len(versions)], name=name, start=False) for n, name in enumerate(HOSTS)]
        network.start(hosts)
        engines = {host.hostname: host.engine for host in hosts}
        ends.callback(thaw, list(engines.values()))
        for name, *container in FLEET:
            furnish(engines[name], *container)  # type: ignore[arg-type]
        up = Up("--no-agent", GANTRY_HEARTBEAT_S="1", GANTRY_LOST_AFTER_S="4")
        up.start()
        ends.callback(up.stop)
        rest = Rest(up)
        agents = {name: ends.enter_context(agent(up, name, engine)) for name, engine in engines.items()}
        eventually(lambda: len(rest("/containers?limit=100")) == len(FLEET), "all containers are reported")
        do_something(rest)
        eventually(lambda: rest("/containers?health=unhealthy"), "one is unhealthy")
        eventually(lambda: not rest("/containers?health=starting"), "all others were checked")
        agents[GONE].terminate()
        eventually(lambda: rest("/hosts?state=offline"), "one host is offline")
        time.sleep(15)  # for more lines in the log
        shop_web = rest("/containers?name=shop-web-2")[0]
        rest(f"/containers/{shop_web['id']}/stop", {"timeout_s": 300})  # under way in every picture
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            ids = [
                rest(f"/containers?{query}")[0]["id"]
                for query in ("name=bank-ledger-1", "name=shop-db-1&host=prod-01")
            ]
            photograph(browser, up, *ids)
            browser.close()


def furnish(engine: Engine, stack: str, name: str, image: str, script: str, more: dict[str, Any]) -> None:
    """Start one container as compose would have done."""
    labels = {"com.docker.compose.project": stack, "com.docker.compose.service": name.split("-")[1]}
    options: dict[str, Any] = {"labels": labels, "stop_signal": "SIGTERM"}
    if port := more.get("port"):
        options["ports"] = {f"{port}/tcp": port}
    if check := more.get("check"):
        every = 2_000_000_000
        options["healthcheck"] = {"test": ["CMD-SHELL", check], "interval": every, "timeout": every, "retries": 1}
    if restart := more.get("restart"):
        options["restart_policy"] = {"Name": restart}
    if volume := more.get("volume"):
        options["volumes"] = {volume: {"bind": "/data"}}
    busybox(engine, image)
    container = engine.client.containers.run(image, ["sh", "-c", script], name=name, detach=True, **options)
    if more.get("paused"):
        container.pause()


def thaw(engines: list[Engine]) -> None:
    """A frozen process can't be ended with its host."""
    for engine in engines:
        for container in engine.client.containers.list(filters={"status": "paused"}):
            container.unpause()


@contextlib.contextmanager
def agent(up: Up, name: str, engine: Engine) -> Iterator[subprocess.Popen[bytes]]:
    """An agent of the console on that engine."""
    with tempfile.TemporaryDirectory(prefix="ga-", dir="/tmp") as state:
        process = subprocess.Popen(
            [sys.executable, str(REPO / "gantry"), "agent", "--console", up.url, "--join-token",
             up.gantry("join-token"), "--engine", engine.url, "--state", state, "--name", name],
            env=up.env, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


class Rest:
    def __init__(self, up: Up) -> None:
        self.up = up
        self.token = up.gantry("token", "--user", "admin")

    def __call__(self, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.up.url}/api/v1{path}", data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        return found.get("results", found)


def do_something(rest: Rest) -> None:
    """Operations as people ask for them: some succeed, one fails for a port that is taken."""
    prod = next(host for host in rest("/hosts") if host["name"] == "prod-01")
    cart = rest("/containers?name=shop-cart-1")[0]
    rest(f"/containers/{cart['id']}/restart?wait=30", {"timeout_s": 0})
    rest("/networks?wait=30", {"host": prod["id"], "name": "shop_private"})
    rest("/volumes?wait=30", {"host": prod["id"], "name": "shop_backup"})
    taken = {
        "host": prod["id"], "name": "shop-search-1", "image": "acme/shop-web:2.31.4",
        "ports": [{"container_port": 8443, "host_port": 8443}], "start": True,
        "labels": {"com.docker.compose.project": "shop"},
    }  # fmt: skip
    rest("/containers?wait=30", taken)


def photograph(browser: Browser, up: Up, ledger: str, database: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{up.url}/login")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{up.url}/")
    state = context.storage_state()
    context.close()
    for form, options in FORMS.items():
        context = browser.new_context(storage_state=state, **options)
        for name, shoot in {
            "overview": lambda page: page.goto(f"{up.url}/"),
            "containers": lambda page: containers(page, up, is_phone=form == "phone"),  # noqa: B023
            "container": lambda page: page.goto(f"{up.url}/containers/{database}"),
            "logs": lambda page: logs(page, up, ledger, is_phone=form == "phone"),  # noqa: B023
        }.items():
            take(context, FOLDER / f"{name}-{form}.png", shoot)
        context.close()


def containers(page: Page, up: Up, *, is_phone: bool) -> None:
    page.goto(f"{up.url}/containers?group=host")
    page.locator("[data-live-mark]", has_text="Live,").wait_for()
    if not is_phone:
        for name in ("bank-api-1", "bank-api-2"):
            page.get_by_role("checkbox", name=f"Select {name}").check()


def logs(page: Page, up: Up, container: str, *, is_phone: bool) -> None:
    if not is_phone:
        page.set_viewport_size({"width": 1280, "height": 640})  # so much text makes a large file
    page.goto(f"{up.url}/containers/{container}/logs")
    page.get_by_text("heap exhausted").first.wait_for()
    page.get_by_placeholder("Find in the log").fill("heap")
    page.locator("[data-log-query]").blur()


def take(context: BrowserContext, path: Path, shoot: Any) -> None:
    page = context.new_page()
    shoot(page)
    page.wait_for_timeout(1200)  # the first hint's refresh, and its tint, are over
    path.write_bytes(packed(context, page.screenshot()))
    page.close()
    size = path.stat().st_size
    print(f"{path.relative_to(REPO)}  {size // 1000} kB", flush=True)
    if size > BYTES_AT_MOST:
        raise SystemExit(f"{path.name} is larger than {BYTES_AT_MOST // 1000} kB: take less of the page.")


# Counts a picture's colours, keeps the 256 commonest, and says of each pixel which of them is nearest.
INDEX = """async url => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const palette = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([pixel]) => pixel);
  const far = (a, b) => [0, 8, 16].reduce((sum, bits) => sum + (((a >> bits) & 255) - ((b >> bits) & 255)) ** 2, 0);
  const places = new Map(palette.map((pixel, place) => [pixel, place]));
  for (const pixel of counts.keys()) {
    if (places.has(pixel)) continue;
    let best = 0;
    for (let place = 1; place < palette.length; place++)
      if (far(pixel, palette[place]) < far(pixel, palette[best])) best = place;
    places.set(pixel, best);
  }
  let indices = "";
  for (const pixel of pixels) indices += String.fromCharCode(places.get(pixel));
  return { width: image.width, height: image.height, palette, indices: btoa(indices) };
}"""


def packed(context: BrowserContext, png: bytes) -> bytes:
    """The same picture with a palette, a third as large: the interface has few colours."""
    page = context.new_page()
    found = page.evaluate(INDEX, f"data:image/png;base64,{base64.b64encode(png).decode()}")
    page.close()
    width, height, indices = found["width"], found["height"], base64.b64decode(found["indices"])
    palette = b"".join(struct.pack("<I", pixel)[:3] for pixel in found["palette"])
    rows = b"".join(b"\0" + indices[at : at + width] for at in range(0, len(indices), width))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    framed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


if __name__ == "__main__":
    main()
