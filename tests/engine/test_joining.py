"""What 'Add host' gives to paste is run as a person would, and brings a host."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.hosts.joining import STATE, Way, ways
from tests.rig.engines import Engine
from tests.rig.pool import HostFactory
from tests.up import Up, eventually

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

BARE_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    up = Up("--no-agent")
    up.start()
    yield up
    up.close()


@pytest.fixture(scope="module")
def token(up: Up) -> str:
    return up.gantry("token", "--user", "admin")


@pytest.fixture
def way(up: Up, request: pytest.FixtureRequest) -> Way:
    """One of the ways, with a fresh join token."""
    return next(way for way in ways(up.url, up.gantry("join-token")) if way.name == request.param)


def online(up: Up, token: str) -> list[str]:
    request = urllib.request.Request(
        f"{up.url}/api/v1/hosts?state=online", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return [host["id"] for host in json.load(answer)["results"]]


def environment(engine: Engine, **more: str) -> dict[str, str]:
    """Of a machine that has nothing of ours."""
    return {"PATH": os.defpath, "DOCKER_HOST": engine.url, **more}


def joins(argv: list[str], env: dict[str, str], up: Up, token: str) -> None:
    before = online(up, token)
    agent = subprocess.Popen(argv, env=env, cwd="/", stderr=subprocess.PIPE)
    try:
        eventually(lambda: set(online(up, token)) - set(before), "the host is online", 60)
    finally:
        agent.terminate()
        agent.communicate(timeout=30)


@pytest.mark.parametrize("way", ["systemd"], indirect=True)
def test_the_one_file_runs_on_a_bare_python(way: Way, up: Up, token: str, engine: Engine, tmp_path: Path) -> None:
    text = way.text.replace(STATE, str(tmp_path))
    [fetch] = re.findall(r"^python3 -c .*$", text, re.M)
    subprocess.run(shlex.split(fetch), check=True, timeout=120)
    unit = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    given = dict(pair.split("=", 1) for pair in unit["Environment"].split())
    argv = shlex.split(unit["ExecStart"])
    assert argv[0] == BARE_PYTHON
    joins([BARE_PYTHON, "-I", "-S", *argv[1:]], environment(engine, **given), up, token)


@pytest.mark.parametrize("way", ["docker run"], indirect=True)
def test_what_docker_run_starts_fetches_the_agent_and_joins(
    way: Way, up: Up, token: str, engine: Engine, tmp_path: Path
) -> None:
    argv = shlex.split(way.text.replace("\\\n", " ").replace(STATE, str(tmp_path)))
    start = argv.index("python3")
    given = dict(argv[at + 1].split("=", 1) for at, word in enumerate(argv) if word == "-e")
    joins([BARE_PYTHON, *argv[start + 1 :]], environment(engine, **given), up, token)


@pytest.mark.parametrize("way", ["compose"], indirect=True)
def test_the_compose_file_is_one(way: Way, hosts: HostFactory, tmp_path: Path) -> None:
    [host] = hosts("28.5")
    file = tmp_path / "compose.yml"
    file.write_text(way.text)
    command = ["docker", "compose", "--file", str(file), "config", "--format", "json"]
    done = subprocess.run(command, env=host.engine.cli_environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    service: dict[str, Any] = json.loads(done.stdout)["services"]["gantry-agent"]
    assert service["labels"] == {"io.gantry.system": "agent"}
    assert service["command"][:2] == ["python3", "-c"]
    compile(service["command"][2], "compose", "exec")
