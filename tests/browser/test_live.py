"""Pages change by themselves when something on a host does, and operations are asked for by button."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.rig.engines import Engine
from tests.rig.images import build_layers
from tests.rig.registry import Registry
from tests.up import PASSWORD, REPO, Up

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def run(browser_engine: Engine) -> Iterator[Callable[..., Any]]:
    """Starts a container as somebody with the docker CLI does; it is gone after the test."""
    started = []

    def start(name: str, *command: str, **options: Any) -> Any:
        options = {"name": name, "detach": True, "stop_signal": "SIGKILL", **options}
        container = browser_engine.client.containers.run("busybox:local", [*command] or ["sleep", "999"], **options)
        started.append(container)
        return container

    yield start
    for container in browser_engine.client.containers.list(all=True):
        container.remove(force=True)


def row(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def test_a_container_of_the_docker_cli_appears_and_changes_without_a_reload(
    page: Page, up: Up, run: Callable[..., Any]
) -> None:
    page.goto(f"{up.url}/containers")
    expect(page.locator("[data-live-mark]")).to_contain_text("Live,")
    page.evaluate("window.isSamePage = true")
    container = run("by-hand")
    expect(row(page, "by-hand")).to_contain_text("running")
    container.stop()
    expect(row(page, "by-hand")).to_contain_text("exited (137)")
    container.remove()
    expect(row(page, "by-hand")).to_have_count(0)
    assert page.evaluate("window.isSamePage")


def test_a_stopped_agent_turns_its_host_and_rows_grey_and_comes_back(
    page: Page, up: Up, run: Callable[..., Any]
) -> None:
    run("still-there")
    page.goto(f"{up.url}/containers")
    expect(row(page, "still-there")).to_contain_text("running")
    pid = up.pid_of("agent")
    os.kill(pid, signal.SIGSTOP)
    try:
        expect(row(page, "still-there")).to_contain_text("last running", timeout=20_000)
        page.goto(f"{up.url}/hosts")
        expect(page.get_by_role("row").filter(has_text="offline")).to_have_count(1)
        page.goto(f"{up.url}/")
        expect(page.get_by_text("shown as last known").first).to_be_visible()
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(page.get_by_text("1 of 1 online")).to_be_visible(timeout=30_000)


def test_stop_start_and_remove_by_button(page: Page, up: Up, run: Callable[..., Any]) -> None:
    run("buttons")
    page.goto(f"{up.url}/containers")
    row(page, "buttons").get_by_role("link", name="buttons").click()
    head = page.locator("#g-object-head")
    head.get_by_role("button", name="Stop", exact=True).click()
    expect(head.get_by_text("exited (137)")).to_be_visible()
    expect(page.locator("#g-toasts")).to_contain_text("Stop buttons")
    head.get_by_role("button", name="Start", exact=True).click()
    expect(head.get_by_text("running", exact=True)).to_be_visible()
    head.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Remove…").click()
    dialog = page.locator("#g-dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    expect(dialog).to_contain_text("It cannot be brought back")
    dialog.get_by_role("button", name="Remove 1 container").click()
    expect(page.get_by_text("It is not there any more.")).to_be_visible()
    expect(page.locator("#g-toasts")).to_contain_text("Done on")
    page.goto(f"{up.url}/containers")
    expect(row(page, "buttons")).to_have_count(0)


def test_several_are_stopped_at_once(page: Page, up: Up, run: Callable[..., Any]) -> None:
    for number in range(3):
        run(f"many-{number}")
    page.goto(f"{up.url}/containers?q=many-")
    for number in range(3):
        expect(row(page, f"many-{number}")).to_contain_text("running")
        row(page, f"many-{number}").get_by_role("checkbox").check()
    bulk = page.locator("#g-bulk")
    expect(bulk).to_contain_text("3 selected")
    bulk.get_by_role("button", name="Stop").click()
    page.locator("#g-dialog").get_by_role("button", name="Stop 3 containers").click()
    for number in range(3):
        expect(row(page, f"many-{number}")).to_contain_text("exited (137)")


def test_a_failure_is_told_with_the_engines_words(page: Page, up: Up, run: Callable[..., Any]) -> None:
    page.goto(f"{up.url}/containers/create")
    page.get_by_label("Image").fill("no-such-image:9")
    page.get_by_role("button", name="Create container").click()
    expect(page.locator("#g-operation .g-banner")).to_contain_text("The engine says:", timeout=30_000)
    expect(page.locator("#g-operation")).to_contain_text("failed")


def test_a_pull_shows_its_progress_and_its_image(
    page: Page, up: Up, browser_engine: Engine, registry: Registry
) -> None:
    build_layers(browser_engine, "layers:local", layers_bytes=[2_000_000, 1_000_000])
    reference = registry.push(browser_engine, "layers:local", "team/layers:1")
    browser_engine.client.images.remove("layers:local", force=True)
    page.goto(f"{up.url}/images")
    page.get_by_role("button", name="Pull").or_(page.get_by_role("link", name="Pull")).first.click()
    page.locator("#g-dialog").get_by_label("Reference").fill(reference)
    page.locator("#g-dialog").get_by_role("button", name="Pull", exact=True).click()
    expect(page.locator("#g-operation .g-badge").get_by_text("succeeded")).to_be_visible(timeout=30_000)
    page.goto(f"{up.url}/images")
    expect(page.get_by_role("link", name=reference)).to_be_visible()


def test_hostile_text_stays_text(page: Page, up: Up, run: Callable[..., Any]) -> None:
    script = r"printf '%b' '\033[31mred\033[0m plain\n'; echo \"$0\"; printf 'bin \377\001 end\n'; sleep 999"
    run("hostile", "sh", "-c", script.replace('\\"', '"'), HOSTILE, labels={"x": HOSTILE, "rtl": "\u202egnp.exe"})
    page.goto(f"{up.url}/containers")
    row(page, "hostile").get_by_role("link", name="hostile").click()
    expect(page.get_by_role("heading", name="hostile")).to_be_visible()
    expect(page.locator("main")).to_contain_text("<script>")
    page.get_by_role("link", name="Logs").click()
    expect(page.get_by_text("<script>document.title").first).to_be_visible()
    red = page.get_by_text("red", exact=True).first
    expect(red).to_be_visible()
    assert "owned" not in page.title()
    assert page.locator("main img").count() == 0


def test_a_log_is_followed_over_a_restart(page: Page, up: Up, run: Callable[..., Any]) -> None:
    container = run("again", "sh", "-c", "echo begun at $(date +%s%N); sleep 999")
    page.goto(f"{up.url}/containers")
    row(page, "again").get_by_role("link", name="again").click()
    page.get_by_role("link", name="Logs").click()
    expect(page.get_by_text("begun at")).to_have_count(1)
    container.restart()
    expect(page.get_by_text("begun at")).to_have_count(2, timeout=20_000)


def test_logging_in_and_out(new_page: Callable[..., Page], up: Up) -> None:
    page = new_page()
    page.goto(f"{up.url}/containers")
    expect(page).to_have_url(f"{up.url}/login?next=/containers")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{up.url}/containers")
    page.locator(".g-avatar").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{up.url}/login")


def test_adding_a_host_shows_three_ways_and_notices_the_host(
    page: Page, up: Up, browser_engine: Engine, tmp_path: Path
) -> None:
    page.goto(f"{up.url}/hosts/add")
    page.get_by_role("button", name="Make a join token").click()
    for way in ("systemd", "docker run", "compose"):
        expect(page.get_by_role("heading", name=way, exact=True)).to_be_visible()
    token = page.evaluate("document.body.textContent.match(/gtj_[A-Za-z0-9_-]{20,}/)[0]")
    agent = subprocess.Popen(
        [sys.executable, str(REPO / "gantry"), "agent", "--console", up.url, "--join-token", token,
         "--engine", browser_engine.url, "--state", str(tmp_path), "--name", "new-host"],
        env=up.env, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        expect(page.get_by_role("heading", name="new-host has joined")).to_be_visible(timeout=30_000)
        page.get_by_role("link", name="Open host").click()
        expect(page.get_by_role("heading", name="new-host")).to_be_visible()
        address = page.url.replace("/hosts/", "/api/v1/hosts/")
        page.goto(f"{up.url}/hosts")
        page.request.delete(
            address,
            headers={"Authorization": f"Bearer {up.gantry('token', '--user', 'admin')}"},
        )
    finally:
        agent.terminate()
        agent.wait(20)


def test_a_cut_websocket_is_told_and_the_page_asks_by_itself(page: Page, up: Up, run: Callable[..., Any]) -> None:
    sockets: list[Any] = []
    page.route_web_socket("**/ws/live", lambda ws: sockets.append(ws) or ws.connect_to_server())
    page.goto(f"{up.url}/containers")
    expect(page.locator("[data-live-mark]")).to_contain_text("Live,")
    page.route_web_socket("**/ws/live", lambda ws: ws.close())
    sockets[0].close()
    expect(page.get_by_text("Live updates paused.")).to_be_visible()
    run("while-cut")
    expect(row(page, "while-cut")).to_contain_text("running", timeout=20_000)


def test_filters_of_the_menu_add_up_and_groups_have_rows(page: Page, up: Up, run: Callable[..., Any]) -> None:
    for stack in ("shop", "bank", "other"):
        run(f"{stack}-1", labels={"com.docker.compose.project": stack, "team": "red"})
    page.goto(f"{up.url}/containers")
    expect(row(page, "other-1")).to_contain_text("running")
    menu = page.locator("#g-filter-menu")
    for stack in ("shop", "bank"):
        page.get_by_role("button", name="Add filter").click()
        menu.locator("summary", has_text="Stack").click()
        menu.get_by_role("link", name=stack, exact=True).click()
        expect(page.locator(".g-chip").filter(has_text=stack)).to_be_visible()
    expect(row(page, "shop-1")).to_be_visible()
    expect(row(page, "bank-1")).to_be_visible()
    expect(row(page, "other-1")).to_have_count(0)
    page.get_by_role("button", name="Add filter").click()
    menu.locator("summary", has_text="Label").click()
    menu.get_by_role("textbox", name="Label").fill("team=blue")
    menu.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("No container matches")).to_be_visible()
    page.go_back()
    page.get_by_title("Group").click()
    page.get_by_role("link", name="Stack", exact=True).filter(visible=True).first.click()
    expect(page.locator("tr.is-group")).to_have_count(2)


def test_a_dialog_says_that_a_volume_is_used(page: Page, up: Up, run: Callable[..., Any]) -> None:
    run("holds-it", volumes={"held": {"bind": "/data"}})
    page.goto(f"{up.url}/volumes?q=held")
    row(page, "held").get_by_role("link", name="held", exact=True).click()
    page.get_by_role("button", name="Remove…").click()
    dialog = page.locator("#g-dialog")
    expect(dialog).to_contain_text("used by holds-it")
    expect(dialog).to_contain_text("The engine will refuse")
    expect(dialog.get_by_role("button", name="Remove 1 volume")).to_be_disabled()


def test_a_host_is_renamed_from_its_page(page: Page, up: Up) -> None:
    page.goto(f"{up.url}/hosts?state=online")
    name = page.locator("#g-list .g-name a").first.inner_text()
    page.locator("#g-list .g-name a").first.click()
    for wanted, before in (("a name", name), ("renamed", name), (name, "renamed")):
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("button", name="Rename…").click()
        field = page.locator("#g-dialog").get_by_label("Name")
        expect(field).to_have_value(before)
        field.fill(wanted)
        page.get_by_role("button", name="Rename host").click()
        if " " in wanted:
            expect(page.locator("#g-dialog .g-error")).to_contain_text("letters, digits")
            page.keyboard.press("Escape")
        else:
            expect(page.get_by_role("heading", name=wanted, exact=True)).to_be_visible()


def test_a_token_is_made_shown_once_and_revoked(page: Page, up: Up) -> None:
    page.goto(up.url)
    page.locator(".g-avatar").click()
    page.get_by_role("link", name="REST tokens").click()
    page.get_by_label("Name").fill("nightly")
    page.get_by_role("button", name="Make token").click()
    secret = page.locator("#g-secret").inner_text()
    assert secret.startswith("gtt_")
    page.goto(f"{up.url}/tokens")
    expect(page.get_by_text(secret)).to_have_count(0)
    page.get_by_role("button", name="Revoke nightly…").click()
    page.locator("#g-dialog").get_by_role("button", name="Revoke 1 token").click()
    expect(page.get_by_role("button", name="Revoke nightly…")).to_have_count(0)


def test_back_leads_to_the_page_and_not_to_its_last_part(page: Page, up: Up, run: Callable[..., Any]) -> None:
    page.goto(f"{up.url}/containers")
    run("changes-it")
    expect(row(page, "changes-it")).to_contain_text("running")
    row(page, "changes-it").get_by_role("link", name="changes-it").click()
    expect(page.get_by_role("heading", name="changes-it")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Containers", exact=True)).to_be_visible()
    expect(page.locator("[data-live-mark]")).to_contain_text("Live,")
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page).to_have_url(f"{up.url}/")
