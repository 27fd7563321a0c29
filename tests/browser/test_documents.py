"""What only an engine can tell, in pages: fetched when the page is there, again by a button, kept while it lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.rig.engines import Engine
from tests.up import Up

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def documented(up: Up, browser_engine: Engine) -> Iterator[Any]:
    client = browser_engine.client
    network = client.networks.create("documents-net")
    container = client.containers.run(
        "busybox:local", ["sh", "-c", "echo > /made-by-it; exec sleep 999"], name="documents", detach=True,
        network="documents-net", stop_signal="SIGKILL", labels={"hostile": HOSTILE}, environment={"TOKEN": "hunter2"},
    )  # fmt: skip
    yield container
    container.remove(force=True)
    network.remove()


def open_tab(page: Page, up: Up, tab: str) -> Locator:
    """The container's tab; what its engine fills of it."""
    page.goto(f"{up.url}/containers?q=documents")
    page.get_by_role("link", name="documents", exact=True).click()
    page.get_by_role("link", name=tab, exact=True).click()
    return page.locator("[data-fetched]")


def test_processes_are_fetched_again_by_the_button(
    page: Page, up: Up, documented: Any
) -> None:
    shown = open_tab(page, up, "Processes")
    expect(shown).to_contain_text("sleep 999")
    documented.exec_run(["sleep", "777"], detach=True)
    expect(shown).not_to_contain_text("sleep 777")
    page.get_by_role("button", name="Again").click()
    expect(shown).to_contain_text("sleep 777")


def test_what_was_fetched_stays_when_the_page_changes_under_it(
    page: Page, up: Up, documented: Any
) -> None:
    shown = open_tab(page, up, "Changes")
    expect(shown).to_contain_text("/made-by-it")
    documented.pause()
    expect(page.locator("#g-object-head")).to_contain_text("paused")
    expect(shown).to_contain_text("/made-by-it")
    documented.unpause()
    expect(page.locator("#g-object-head")).to_contain_text("running")


def test_a_document_is_searched_and_its_secrets_are_masked(page: Page, up: Up, documented: Any) -> None:
    shown = open_tab(page, up, "Inspect")
    expect(shown.get_by_text("HostConfig")).to_be_visible()
    find = page.get_by_role("searchbox", name="Find a name or a value")
    find.fill("token=")
    expect(shown.locator(".is-hit")).to_have_text("0 TOKEN=•••")
    expect(shown.get_by_text("HostConfig")).to_be_hidden()
    find.fill("onerror")
    expect(shown.locator(".is-hit")).to_contain_text(HOSTILE)
    find.fill("")
    expect(shown.get_by_text("HostConfig")).to_be_visible()
    assert "hunter2" not in page.content()
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    assert download.value.suggested_filename == "documents.json"


def test_members_of_a_network_and_layers_of_an_image(page: Page, up: Up, documented: Any) -> None:
    page.goto(f"{up.url}/networks?q=documents-net")
    page.get_by_role("link", name="documents-net").click()
    expect(page.locator("#fetched-inspect table")).to_contain_text("documents")
    page.goto(f"{up.url}/images?q=busybox")
    page.get_by_role("link", name="busybox:local").click()
    expect(page.locator("#fetched-history")).to_contain_text("the newest first")
    page.goto(f"{up.url}/hosts")
    page.locator("tbody a").first.click()
    expect(page.locator("#fetched-usage")).to_contain_text("1 of 1")


def test_a_console_that_does_not_answer_is_said_in_the_part(
    chromium: Browser, session: Any, up: Up, documented: Any
) -> None:
    with chromium.new_context(storage_state=session) as context:  # one that may log the failed request
        page = context.new_page()
        shown = open_tab(page, up, "Processes")
        expect(shown).to_contain_text("sleep 999")
        page.route("**/parts/**", lambda route: route.abort())
        page.get_by_role("button", name="Again").click()
        expect(shown.get_by_role("alert")).to_contain_text("does not answer")
        page.unroute("**/parts/**")
        page.get_by_role("button", name="Again").click()
        expect(shown).to_contain_text("sleep 999")
