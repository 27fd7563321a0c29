"""`./gantry demo` as a person runs it, small: without an engine, and without root."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from tests.demo import Demo
from tests.up import eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

HOSTS = 3


def without_rights() -> list[str]:
    """What runs a command as a user who owns these files and may nothing else: root tests in a namespace of users."""
    if os.getuid() != 0:
        return []
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    found = subprocess.run([*command, "grep", "CapEff", "/proc/self/status"], capture_output=True, text=True)
    assert not found.stdout or int(found.stdout.split()[1], 16) == 0
    return command if found.returncode == 0 else []  # where the kernel gives nobody such a namespace


@pytest.fixture(scope="module")
def quiet() -> Iterator[Demo]:
    """Nothing happens there by itself."""
    demo = Demo("--seed", "5", "--changes-per-s", "0", hosts=HOSTS, containers=10)
    yield demo.begin()
    demo.close()


@pytest.fixture(scope="module")
def lively(quiet: Demo) -> Iterator[Demo]:
    """Of the same seed, run by somebody who is not root."""
    demo = Demo("--seed", "5", "--changes-per-s", "4", hosts=HOSTS, containers=10, before=without_rights())
    yield demo.begin()
    demo.close()


def test_it_says_how_to_sign_in_and_that_it_is_a_demo(quiet: Demo) -> None:
    assert "sign in as `admin` with the password" in quiet.text()
    assert "password" not in (quiet.data / "log" / "gantry.log").read_text()
    page = urllib.request.urlopen(f"{quiet.url}/login", timeout=10).read().decode()
    assert "hosts and containers are simulated" in page


def test_an_operation_is_done_and_shows(quiet: Demo) -> None:
    cart = quiet.container("shop-cart-1")
    asked = quiet.rest(f"/containers/{cart['id']}/stop?wait=30", {"timeout_s": 5})
    assert asked["state"] == "succeeded", asked
    assert quiet.container("shop-cart-1")["state"] == "exited"


def test_what_fails_fails_with_the_engine_s_words(quiet: Demo) -> None:
    host = quiet.hosts(quiet.token)[0]
    asked = quiet.rest("/images/pull?wait=30", {"host": host["id"], "reference": "nginx:nosuch"})
    assert asked["state"] == "failed"
    assert "not found" in asked["error"]


def test_a_log_goes_on_while_it_is_followed(quiet: Demo) -> None:
    web = quiet.container("shop-web-1")
    with quiet.open(f"/containers/{web['id']}/logs?follow=1&tail=1") as log:
        lines = [log.readline() for _ in range(4)]  # the last one, and three that are written meanwhile
    assert all(b"request" in line for line in lines)
    assert len(set(lines)) == 4


def test_things_happen_by_themselves(lively: Demo) -> None:
    def pictures() -> set[tuple[str, str, str]]:
        return {(c["engine_id"], c["state"], c["health"]) for c in lively.rest("/containers?limit=100")}

    before = pictures()
    eventually(lambda: len(pictures() - before) >= 3, "three containers have changed", 60)


def test_the_same_seed_is_the_same_fleet(quiet: Demo, lively: Demo) -> None:
    assert len(quiet.fixtures()) > 3 * HOSTS
    assert set(quiet.fixtures()) <= set(lively.fixtures())


def test_a_second_start_goes_on_with_the_same_hosts(lively: Demo) -> None:
    before = {host["id"] for host in lively.hosts(lively.token)}
    assert lively.stop() == 0
    assert lively.running() == []
    lively.begin()
    assert {host["id"] for host in lively.hosts(lively.token)} == before
