"""A new user's whole way, from the set-up link to a running container and its log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.rig.engines import Engine
from tests.up import Up

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PASSWORD = "a password of my own"


@pytest.fixture
def fresh(engine: Engine) -> Iterator[Up]:
    """A console that nobody has signed in to."""
    up = Up("--engine", engine.url, GANTRY_ADMIN_PASSWORD="")
    up.start()
    yield up
    up.close()


def test_from_the_setup_link_to_a_running_container(fresh: Up, new_page: Callable[..., Page]) -> None:
    printed = re.search(r"http://\S+/setup/\S+", fresh.text())
    assert printed, fresh.text()
    page = new_page()
    page.goto(printed[0])
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill("another one")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("The two passwords differ")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()

    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    expect(page.get_by_text("1 of 1 online")).to_be_visible()

    page.get_by_role("link", name="Containers").first.click()
    page.get_by_role("link", name="Create container").first.click()
    page.get_by_label("Image").fill("busybox:local")
    page.get_by_label("Name", exact=True).fill("my-first")
    page.get_by_label("Command").fill("""sh -c 'while true; do echo "hello from $WHO"; sleep 1; done'""")
    page.get_by_label("Environment").fill("WHO=me")
    page.get_by_label("Ports").fill("8080:http")
    page.get_by_role("button", name="Create container").click()
    expect(page.get_by_text("Line 1 must be such as 8080:80")).to_be_visible()
    page.get_by_label("Ports").fill("")
    page.get_by_role("button", name="Create container").click()

    expect(page.get_by_role("heading", name="Create my-first")).to_be_visible()
    expect(page.locator("#g-operation .g-badge").get_by_text("succeeded")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("WHO=me")

    page.get_by_role("link", name="Containers").first.click()
    page.get_by_role("link", name="my-first").first.click()
    expect(page.locator("#g-object-head").get_by_text("running", exact=True)).to_be_visible()
    page.get_by_role("link", name="Logs").click()
    expect(page.get_by_text("hello from me").first).to_be_visible()

    # The link works once; the password from now on.
    again = page.request.get(printed[0])
    assert again.status == 410
    assert "link" in again.text()
