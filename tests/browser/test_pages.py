"""Every page, light and dark and on a phone: nothing that axe finds, nothing that scrolls sideways."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import AXE
from tests.rig.engines import Engine
from tests.up import Up, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LISTS = ("/", "/hosts", "/containers", "/images", "/networks", "/volumes", "/operations")
FORMS = (
    "/tokens",
    "/components",
    "/hosts/add",
    "/containers/create",
    "/images/pull",
    "/networks/create",
    "/volumes/create",
)
LONG = "a" * 120
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def furnished(up: Up, browser_engine: Engine) -> Iterator[list[str]]:
    """Something of every kind, and the addresses of all pages."""
    client = browser_engine.client
    client.volumes.create("pages-data", labels={"team": "shop"})
    client.networks.create("pages-net", driver="bridge")
    client.containers.run(
        "busybox:local", ["sleep", "999"], name="pages-running", detach=True, network="pages-net",
        volumes={"pages-data": {"bind": "/data"}}, labels={LONG: "<b>" * 100}, ports={"80/tcp": None},
    )  # fmt: skip
    client.containers.run("busybox:local", ["sh", "-c", "exit 3"], name=f"pages-{LONG}", detach=True)
    client.containers.create("busybox:local", name="pages-created")
    token = up.gantry("token", "--user", "admin")
    ask = Rest(up, token)
    eventually(lambda: len(ask("/containers?q=pages-")) == 3, "the containers are mirrored")
    eventually(lambda: ask("/volumes?name=pages-data"), "the volume is mirrored")
    running = next(c for c in ask("/containers?q=pages-") if c["name"] == "pages-running")
    ask(f"/containers/{running['id']}/restart?wait=30", {"timeout_s": 0})
    addresses = [*LISTS, *FORMS, f"/containers/{running['id']}"]
    addresses += [f"/containers/{running['id']}/{tab}" for tab in ("logs", "processes", "changes", "inspect")]
    for kind in ("hosts", "images", "networks", "volumes", "operations"):
        addresses.append(f"/{kind}/{ask(f'/{kind}')[0]['id']}")
    yield addresses
    for container in client.containers.list(all=True):
        container.remove(force=True)
    client.networks.get("pages-net").remove()
    client.volumes.get("pages-data").remove()


class Rest:
    def __init__(self, up: Up, token: str) -> None:
        self.up = up
        self.token = token

    def __call__(self, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.up.url}/api/v1{path}", data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        return found.get("results", found)


def be_whole(page: Page) -> None:
    """Wait until the page and what hosts fill of it are there, and open what is folded."""
    expect(page.locator("main h1, main h2").first).to_be_visible()
    expect(page.locator("[data-fetched][aria-busy=true]")).to_have_count(0)
    page.evaluate("document.querySelectorAll('.g-tree details').forEach(part => { part.open = true })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    new_page: Callable[..., Page], session: dict[str, object], up: Up, furnished: list[str], scheme: str
) -> None:
    page = new_page(storage_state=session, color_scheme=scheme, bypass_csp=True)
    found: dict[str, list[str]] = {}
    for address in furnished:
        page.goto(up.url + address)
        be_whole(page)
        page.add_script_tag(path=AXE)
        result = page.evaluate("tags => axe.run(document, {runOnly: tags})", WCAG)
        for violation in result["violations"]:
            nodes = [node["html"][:120] for node in violation["nodes"][:3]]
            found.setdefault(address, []).append(f"{violation['id']}: {nodes}")
    assert not found, found


def test_no_page_scrolls_sideways_on_a_phone(
    new_page: Callable[..., Page], session: dict[str, object], up: Up, furnished: list[str]
) -> None:
    page = new_page(storage_state=session, viewport={"width": 390, "height": 844})
    wide = []
    for address in furnished:
        page.goto(up.url + address)
        be_whole(page)
        if page.evaluate("document.documentElement.scrollWidth") > 390:
            wide.append(address)
    assert not wide


def test_nothing_comes_from_elsewhere_and_nothing_is_inline(page: Page, up: Up, furnished: list[str]) -> None:
    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if not request.url.startswith(up.url) else None)
    for address in furnished:
        answer = page.goto(up.url + address)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
    assert not [url for url in foreign if not url.startswith("data:")]


def test_an_unknown_address_says_so(page: Page, up: Up, new_page: Callable[..., Page]) -> None:
    answer = page.request.get(f"{up.url}/containers/00000000-0000-0000-0000-000000000000")
    assert answer.status == 404
    assert "Gantry" in answer.text()


def test_the_theme_that_was_chosen_stays(page: Page, up: Up) -> None:
    page.goto(up.url)
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_the_api_is_documented_in_the_browser(page: Page, up: Up) -> None:
    page.goto(f"{up.url}/api/v1/docs")
    expect(page.get_by_text("/api/v1/containers", exact=False).first).to_be_visible()
    expect(page.get_by_text("Stop a running container").first).to_be_visible()
