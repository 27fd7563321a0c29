"""`python -m tests.browser.pictures [NAME …]`: the pictures in docs/pictures, of every page or those that are named.

They are of `./gantry demo`: real pages of a real console, with simulated hosts. Light, dark and as on a phone.
Takes some minutes; needs what the browser's tests need, but no engine.
"""

from __future__ import annotations

import base64
import contextlib
import struct
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.demo import Demo
from tests.up import PASSWORD, REPO, eventually

FOLDER = REPO / "docs" / "pictures"
BYTES_AT_MOST = 250_000
FORMS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "color_scheme": "light"},
}
SHARP = ("overview", "containers", "container", "logs")  # at two pixels to one: what README and guide show
HOSTS, CONTAINERS = 12, 24

Shoot = Callable[[Page], None]


@dataclass
class Stage:
    """The demo, and the objects that the pictures are of."""

    demo: Demo
    form: str = ""

    @property
    def is_phone(self) -> bool:
        return self.form == "phone"

    def path(self, kind: str, **wanted: str) -> str:
        """The page of the first object of a kind that has these values."""
        query = "&".join(f"{name}={value}" for name, value in wanted.items())
        found = self.demo.rest(f"/{kind}?{query}&limit=1")[0]
        return f"/{kind}/{found['id']}"

    def host(self, name: str) -> str:
        return next(f"/hosts/{row['id']}" for row in self.demo.hosts(self.demo.token) if row["name"] == name)


def main() -> None:
    names = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as ends:
        demo = Demo("--seed", "1", "--changes-per-s", "0.1", hosts=HOSTS, containers=CONTAINERS)
        ends.callback(demo.close)
        stage = Stage(demo.begin())
        prepare(stage)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            photograph(browser, stage, names)
            browser.close()


def prepare(stage: Stage) -> None:
    """Until everything has happened that is to be seen: a host is gone, people have asked for things."""
    rest = stage.demo.rest
    prod = stage.host("prod-fra-01").rpartition("/")[2]
    report = {
        "host": prod, "name": "shop-report-1", "image": "python:3.13-slim", "command": ["sleep", "86400"],
        "start": True, "labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "report"},
    }  # fmt: skip
    made = rest("/containers?wait=60", report)
    taken = {
        "host": prod, "name": "shop-search-1", "image": stage.demo.container("shop-web-1")["image"], "start": True,
        "ports": [{"container_port": 8443, "host_port": 8443}], "labels": {"com.docker.compose.project": "shop"},
    }  # fmt: skip
    rest("/containers?wait=60", taken)
    rest("/images/pull?wait=60", {"host": prod, "reference": "nginx:1.27.2"})
    rest("/volumes?wait=30", {"host": prod, "name": "shop_backup"})
    rest(f"{stage.path('containers', name='shop-cart-1')}/restart?wait=30", {})
    eventually(lambda: rest("/hosts?state=offline"), "one host is offline")
    rest(f"/containers/{made['result']['container']}/stop", {"timeout_s": 900})  # under way in every picture
    time.sleep(12)  # for what is only seen after a while: figures, and lines in logs


def photograph(browser: Browser, stage: Stage, names: list[str]) -> None:
    url = stage.demo.url
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/login")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}/")
    state = context.storage_state()
    context.close()
    for form, options in FORMS.items():
        stage.form = form
        for sharpness in (1, 2):
            with contextlib.closing(
                browser.new_context(
                    storage_state=state, base_url=url, **{"device_scale_factor": sharpness, **options}
                )
            ) as context:
                for name, shoot in PAGES.items():
                    if (not names or name in names) and (name in SHARP) == (sharpness == 2):
                        take(context, FOLDER / f"{name}-{form}.png", lambda page: shoot(stage, page))  # noqa: B023


# --- the pages ---------------------------------------------------------------------------------


def of(path: str) -> Callable[[Stage, Page], None]:
    def shoot(stage: Stage, page: Page) -> None:
        page.goto(path)

    return shoot


def object_page(kind: str, tail: str = "", **wanted: str) -> Callable[[Stage, Page], None]:
    def shoot(stage: Stage, page: Page) -> None:
        page.goto(stage.path(kind, **wanted) + tail)

    return shoot


def host(stage: Stage, page: Page) -> None:
    page.goto(stage.host("data-fra-01"))


def containers(stage: Stage, page: Page) -> None:
    page.goto("/containers?group=host&host=prod-fra-01&host=prod-ash-01&host=stage-fra-01")
    page.locator("[data-live-mark]", has_text="Live,").wait_for()
    if not stage.is_phone:
        for name in ("bank-api-1", "bank-api-2"):
            page.get_by_role("checkbox", name=f"Select {name}").first.check()


def logs(stage: Stage, page: Page) -> None:
    if not stage.is_phone:
        page.set_viewport_size({"width": 1280, "height": 640})  # so much text makes a large file
    page.goto(stage.path("containers", name="bank-ledger-1", host="prod-ash-01") + "/logs")
    page.get_by_text("heap exhausted").first.wait_for()
    page.get_by_placeholder("Find in the log").fill("heap")
    page.locator("[data-log-query]").blur()


def pull(stage: Stage, page: Page) -> None:
    """In the middle of a pull."""
    data = stage.host("data-fra-01").rpartition("/")[2]
    tag = {"light": "2.18.0", "dark": "2.18.1", "phone": "2.18.2"}[stage.form]
    asked = stage.demo.rest("/images/pull", {"host": data, "reference": f"opensearchproject/opensearch:{tag}"})
    page.goto(f"/operations/{asked['id']}")
    page.wait_for_timeout(5000)


def sign_in(stage: Stage, page: Page) -> None:
    page.context.clear_cookies()
    page.goto("/login")


PAGES: dict[str, Callable[[Stage, Page], None]] = {
    "overview": of("/"),
    "hosts": of("/hosts"),
    "host": host,
    "containers": containers,
    "container": object_page("containers", name="shop-db-1", host="prod-fra-01"),
    "logs": logs,
    "container-create": of("/containers/create"),
    "images": of("/images"),
    "image": object_page("images", name="redis"),
    "networks": of("/networks"),
    "network": object_page("networks", name="shop_default"),
    "volumes": of("/volumes"),
    "volume": object_page("volumes", name="shop_db"),
    "operations": of("/operations"),
    "operation": pull,
    "tokens": of("/tokens"),
    "add-host": of("/hosts/add"),
    "components": of("/components"),
    "sign-in": sign_in,  # the last: it ends the session
}


# --- how they are taken ------------------------------------------------------------------------


def take(context: BrowserContext, path: Path, shoot: Shoot) -> None:
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
