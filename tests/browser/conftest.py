"""Chromium on a real console with a real engine. A page that logs an error, or breaks the Content-Security-Policy,
fails its test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.rig.engines import Engine, EngineVersion
from tests.rig.hosts import Network
from tests.rig.images import busybox
from tests.up import PASSWORD, Up

pytest_plugins = ("tests.rig.fixtures",)

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
AXE = Path(os.environ["GANTRY_ENV"]) / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def browser_engine(network: Network) -> Engine:
    """An engine for the browser's tests alone: they look at whole lists."""
    host = network.host(EngineVersion.V20_10, name="browser-host")
    busybox(host.engine)
    return host.engine


@pytest.fixture(scope="session")
def up(browser_engine: Engine) -> Iterator[Up]:
    """A console with its local agent on that engine."""
    up = Up("--engine", browser_engine.url, GANTRY_HEARTBEAT_S="1", GANTRY_LOST_AFTER_S="4")
    up.start()
    yield up
    up.close()


def is_wrong(message: ConsoleMessage) -> bool:
    """An error, but not the browser's own word on a form that came back, on an object that is gone, or on leaving."""
    own_words = (
        "status of 422", "status of 404", "Response Status Error Code 404", "htmx:sendAbort", "htmx:afterRequest",
    )  # fmt: skip
    return message.type == "error" and not any(words in message.text for words in own_words)


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages in contexts of their own; at the end none may have logged an error."""
    errors: list[str] = []
    contexts = []

    def make(**options: object) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: errors.append(message.text) if is_wrong(message) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not errors, errors


@pytest.fixture(scope="session")
def session(up: Up, chromium: Browser) -> dict[str, object]:
    """The cookies of somebody who has logged in."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{up.url}/login")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{up.url}/")
    state = dict(context.storage_state())
    context.close()
    return state


@pytest.fixture
def page(new_page: Callable[..., Page], session: dict[str, object]) -> Page:
    """A page of somebody who has logged in."""
    return new_page(storage_state=session)
