"""Joining, staying connected, and what a console may send: the agent as a process and a real websocket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.protocol import (
    CLOSE_DUPLICATE,
    CLOSE_REFUSED,
    MAX_TEXT_BYTES,
    Compare,
    Credit,
    Fetch,
    Heartbeat,
    Manifest,
)
from tests.engine.console_end import AgentProcess, ConsoleEnd, agent_of, console_end, until
from tests.rig.engines import Engine

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = pytest.mark.engine

NOWHERE = "unix:///nonexistent/docker.sock"


@pytest.fixture
async def console() -> AsyncIterator[ConsoleEnd]:
    async with console_end() as console:
        yield console


async def test_joining_stores_a_credential_of_its_own(console: ConsoleEnd, tmp_path: Path) -> None:
    state = tmp_path / "a"
    async with agent_of(console, state, NOWHERE) as agent:
        link = await console.connected()
        assert link.hello is not None
        assert link.hello.engine is None
        assert "--engine" in link.hello.engine_error
        identity = json.loads((state / "identity.json").read_text())
        assert stat.S_IMODE(os.stat(state / "identity.json").st_mode) == 0o600
        assert identity["host"] == console.host
        assert len(identity["credential"]) >= 43
        assert console.enrolments[0]["token"] == "good"
        assert console.enrolments[0]["credential"] == identity["credential"]
        assert link.authorization == f"Bearer {console.host}.{identity['credential']}"
        assert identity["credential"] not in agent.log
        await agent.stop()
        agent.arguments = agent.arguments[:-2]  # no token any more
        await agent.start()
        await until(lambda: len(console.links) == 2)
        assert len(console.enrolments) == 1


async def test_a_crash_between_asking_and_storing_costs_nothing(console: ConsoleEnd, tmp_path: Path) -> None:
    state = tmp_path / "a"
    console.enrol_status = 500
    agent = AgentProcess(state, console.url, NOWHERE)
    await agent.start()
    await until(lambda: console.enrolments)
    await agent.kill()
    console.enrol_status = 200
    async with agent_of(console, state, NOWHERE):
        await console.connected()
    assert len({asked["credential"] for asked in console.enrolments}) == 1


async def test_a_refused_token_ends_the_agent_with_the_consoles_words(console: ConsoleEnd, tmp_path: Path) -> None:
    console.enrol_status, console.enrol_detail = 403, "This join token has expired: make a new one."
    agent = AgentProcess(tmp_path / "a", console.url, NOWHERE)
    await agent.start()
    assert await agent.ended() == 2
    assert agent.log.strip().endswith("This join token has expired: make a new one.")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--console", "ftp://x"], "is not an address"),
        (["--engine", "ssh://host"], "give unix:///path/to/docker.sock"),
        (["--state", "/dev/null/x"], "choose another with --state"),
    ],
)
async def test_what_can_not_work_is_one_sentence(tmp_path: Path, change: list[str], words: str) -> None:
    agent = AgentProcess(tmp_path / "a", "http://127.0.0.1:9", NOWHERE)
    agent.arguments += change
    await agent.start()
    assert await agent.ended() == 2
    assert words in agent.log
    assert "Traceback" not in agent.log


async def test_without_a_token_it_says_how_to_join(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "a", "http://127.0.0.1:9", NOWHERE, token=None)
    await agent.start()
    assert await agent.ended() == 2
    assert "--join-token" in agent.log


async def test_a_second_agent_in_the_same_folder_is_refused(console: ConsoleEnd, tmp_path: Path) -> None:
    async with agent_of(console, tmp_path / "a", NOWHERE):
        await console.connected()
        second = AgentProcess(tmp_path / "a", console.url, NOWHERE)
        second.log_path = tmp_path / "second.log"
        await second.start()
        assert await second.ended() == 2
        assert "Another agent runs" in second.log


async def test_a_console_that_comes_late_is_found(tmp_path: Path) -> None:
    console = ConsoleEnd()
    await console.start()
    await console.stop()
    agent = AgentProcess(tmp_path / "a", console.url, NOWHERE)
    await agent.start()
    await until(lambda: "No console answers at " + console.url in agent.log)
    await console.start()
    await console.connected()
    assert await agent.stop() == 0
    await console.stop()


async def test_a_restarted_console_gets_its_agent_back_soon(
    engine: Engine, console: ConsoleEnd, tmp_path: Path
) -> None:
    async with agent_of(console, tmp_path / "a", engine.url):
        await console.listed()
        await console.stop()
        engine.client.volumes.create("meanwhile")
        await console.start()
        begun = time.monotonic()
        await until(lambda: len(console.links) == 2 and console.link.hello)
        assert time.monotonic() - begun < 10
        await until(lambda: "meanwhile" in console.names("volume"))


async def test_a_revoked_host_is_told_once(console: ConsoleEnd, tmp_path: Path) -> None:
    async with agent_of(console, tmp_path / "a", NOWHERE) as agent:
        await console.connected()
        console.refusal = CLOSE_REFUSED
        await console.link.close(CLOSE_REFUSED, "This host was revoked")
        await until(lambda: "does not accept this host any more: This host was revoked" in agent.log)
        await asyncio.sleep(2)
        assert len(console.links) == 1
        assert agent.log.count("does not accept") == 1


async def test_a_twin_is_named(console: ConsoleEnd, tmp_path: Path) -> None:
    async with agent_of(console, tmp_path / "a", NOWHERE) as agent:
        await console.connected()
        await console.link.close(CLOSE_DUPLICATE, "another agent with the same identity is connected")
        await until(lambda: "another agent with the same identity" in agent.log)
        await until(lambda: len(console.links) == 2)


async def test_a_console_that_falls_silent_is_given_up(console: ConsoleEnd, tmp_path: Path) -> None:
    console.heartbeat_s, console.lost_after_s = 0.5, 1.5
    async with agent_of(console, tmp_path / "a", NOWHERE) as agent:
        link = await console.connected()

        async def say_nothing(message: object) -> None:
            return None

        link.send = say_nothing  # type: ignore[method-assign]
        await until(lambda: len(console.links) == 2, 10)
        assert "Nothing was heard of the console" in agent.log


async def test_garbage_does_not_end_the_agent(engine: Engine, console: ConsoleEnd, tmp_path: Path) -> None:
    async with agent_of(console, tmp_path / "a", engine.url) as agent:
        link = await console.listed()
        for text in (
            "",
            "{",
            "[]",
            "null",
            '"x"',
            '{"type": 5}',
            '{"type": "Perform"}',
            '{"type": "Perform", "operation": "x", "kind": 1, "params": [], "deadline_s": "a"}',
            '{"type": "Nothing", "x": 1}',
            '{"type": "Hello"}',
            '{"type": "Fetch", "kind": "container", "ids": ["' + "x" * 400 + '"]}',
            '{"type": "Fetch", "kind": "container", "ids": ["nothere"]}',
            '{"type": "Credit", "stream": 99, "size_bytes": 5}',
            '{"type": "CloseStream", "stream": 99}',
            '{"type": "OpenStream", "stream": 0, "kind": "x", "params": {}}',
            '{"type": "Confirm", "operation": "00000000-0000-0000-0000-000000000000"}',
            "[" * 100000,
            '{"type": "Heartbeat", "clock": NaN}',
        ):
            await link.send_text(text)
        await link._send({"type": "websocket.send", "bytes": b"\x00"})
        assert (await console.do("volume.create", name="still")).state == "succeeded"
        assert link.is_open
        assert agent.log.count("can't understand") == 1
        await link.send_text("x" * (MAX_TEXT_BYTES + 1))
        await until(lambda: len(console.links) == 2 and console.link.hello)
        assert (await console.do("volume.create", name="again")).state == "succeeded"


async def test_a_flood_of_questions_is_answered_in_bounds(
    engine: Engine, console: ConsoleEnd, tmp_path: Path
) -> None:
    async with agent_of(console, tmp_path / "a", engine.url) as agent:
        link = await console.listed()
        rss = agent.rss_kib()
        for _ in range(3000):
            await link.send(Compare(["container", "image", "network", "volume"]))
            await link.send(Fetch("network", list(console.mirror["network"])))
            await link.send(Credit(7, 5))
        assert (await console.do("volume.create", name="after")).state == "succeeded"
        assert link.of(Manifest)
        assert agent.rss_kib() - rss < 16 * 1024


async def test_digests_agree_at_each_heartbeat(engine: Engine, console: ConsoleEnd, tmp_path: Path) -> None:
    async with agent_of(console, tmp_path / "a", engine.url):
        link = await console.listed()
        assert len(console.comparisons) == 1
        engine.client.volumes.create("vol")
        await until(lambda: "vol" in console.names("volume"))
        await link.close(1012)
        await until(lambda: len(console.links) == 2 and console.link.hello)
        await until(lambda: console.link.of(Heartbeat))
        assert len(console.comparisons) == 1  # nothing differed


async def test_a_stop_is_clean(engine: Engine, console: ConsoleEnd, tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "a", console.url, engine.url)
    for number in (signal.SIGTERM, signal.SIGINT):
        await agent.start()
        await console.listed()
        assert await agent.stop(number) == 0
    assert "Traceback" not in agent.log
