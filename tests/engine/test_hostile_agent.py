"""What an agent that is broken, old, foreign or hostile can do to a real console: nothing but lose its own link."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from agents.protocol import (
    CLOSE_BAD_MESSAGE,
    CLOSE_DUPLICATE,
    CLOSE_REFUSED,
    CLOSE_SUPERSEDED,
    EMPTY_DIGESTS,
    SUBPROTOCOL,
    TO_AGENT,
    Changes,
    Compare,
    Frame,
    Heartbeat,
    Hello,
    Manifest,
    Message,
    OpenStream,
    Outcome,
    StreamOpened,
    Welcome,
    dump,
    dump_frame,
    load,
)
from tests.unit.records import container, container_id
from tests.up import Up, eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

CREDENTIAL = "h" * 43
SOME_ID = "5f0c7b1e-2a44-4a57-9d51-8a0f6a3f7f10"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    up = Up("--no-agent")
    up.start()
    yield up
    up.close()


@pytest.fixture(scope="module")
def token(up: Up) -> str:
    return up.gantry("token", "--user", "admin")


class Line:
    """A websocket to the console's end of the link, on which anything can be said."""

    def __init__(self, url: str, host: str, credential: str) -> None:
        self.url = url.replace("http://", "ws://", 1) + "/agent/link"
        self.host = host
        self.credential = credential
        self.instance = str(uuid.uuid4())
        self.opened: list[ClientConnection] = []

    async def dial(self, *, credential: str = "", subprotocol: str = SUBPROTOCOL) -> ClientConnection:
        headers = {"Authorization": f"Bearer {self.host}.{credential or self.credential}"}
        line = await connect(
            self.url, additional_headers=headers, subprotocols=[websockets.Subprotocol(subprotocol)], compression=None
        )
        self.opened.append(line)
        return line

    async def greeted(self, **fields: Any) -> ClientConnection:
        """A link on which Hello and Welcome were said."""
        line = await self.dial()
        hello = {"protocol": 1, "agent_version": "0.1", "instance": self.instance, "clock": time.time(), **fields}
        await line.send(dump(Hello(**hello)))
        await hear(line, Welcome)
        return line


async def hear(line: ClientConnection, shape: type[Message]) -> Any:
    """The next message of that shape."""
    async with asyncio.timeout(10):
        while True:
            text = await line.recv()
            assert isinstance(text, str)
            message = load(text, TO_AGENT)
            if isinstance(message, shape):
                return message


async def closed_with(line: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(10):
        await line.wait_closed()
    return line.close_code or 0, line.close_reason or ""


def join(up: Up, token: str, name: str) -> str:
    join_token = rest(up, token, "/join-tokens", b"{}")["secret"]
    body = json.dumps({"token": join_token, "credential": CREDENTIAL, "name": name}).encode()
    request = urllib.request.Request(f"{up.url}/agent/enrol", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["host"])


@pytest.fixture
async def agent(up: Up, token: str) -> AsyncIterator[Line]:
    """A host that has joined, and may misbehave."""
    line = Line(up.url, join(up, token, f"odd-{uuid.uuid4().hex[:8]}"), CREDENTIAL)
    yield line
    for connection in line.opened:
        await connection.close()


def rest(up: Up, token: str, path: str, body: bytes | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{up.url}/api/v1{path}", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


async def test_a_wrong_credential_is_refused_with_a_sentence(agent: Line) -> None:
    code, reason = await closed_with(await agent.dial(credential="x" * 43))
    assert code == CLOSE_REFUSED
    assert "does not know" in reason


async def test_another_subprotocol_is_refused(agent: Line) -> None:
    code, reason = await closed_with(await agent.dial(subprotocol="chat"))
    assert code == CLOSE_BAD_MESSAGE
    assert SUBPROTOCOL in reason


@pytest.mark.parametrize(
    "first",
    [
        "",
        "hello",
        "[" * 100_000,
        "{}",
        '{"type": "Hello"}',
        '{"type": "Heartbeat"}',
        json.dumps({"type": "Hello", "protocol": 99, "agent_version": "9", "instance": SOME_ID, "clock": 1}),
        '{"type": "Hello", "protocol": 1, "agent_version": 1e999, "instance": "x", "clock": NaN}',
        b"\x00\x01",
    ],
)
async def test_garbage_instead_of_hello_closes_the_link(agent: Line, first: str | bytes) -> None:
    line = await agent.dial()
    await line.send(first)
    assert (await closed_with(line))[0] == CLOSE_BAD_MESSAGE


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        json.dumps({"type": "Changes", "kind": "container", "number": "one"}),
        json.dumps({"type": "Changes", "kind": "secrets", "number": 1}),
        json.dumps({"type": "Outcome", "operation": "../../etc/passwd", "state": "succeeded"}),
        json.dumps({"type": "Outcome", "operation": SOME_ID, "state": "won"}),
        b"",
        b"abc",
        b"\x00\x00\x00\x01\x00" + b"x" * 300_000,
    ],
)
async def test_garbage_on_an_open_link_closes_it_and_nothing_else(agent: Line, up: Up, message: str | bytes) -> None:
    line = await agent.greeted()
    await line.send(message)
    assert (await closed_with(line))[0] == CLOSE_BAD_MESSAGE
    assert up.is_ready()
    await agent.greeted()  # it is let in again


async def test_a_frame_that_is_too_large_closes_the_link(agent: Line, up: Up) -> None:
    line = await agent.greeted()
    with contextlib.suppress(websockets.ConnectionClosed):  # the server may hang up while it is being sent
        await line.send("x" * 5 * 1024 * 1024)
    assert (await closed_with(line))[0] != 1000
    assert up.is_ready()


async def test_messages_of_a_newer_version_are_ignored(agent: Line) -> None:
    line = await agent.greeted()
    await line.send(json.dumps({"type": "Telemetry", "mood": "fine"}))
    await line.send(json.dumps({"type": "Heartbeat", "clock": time.time(), "battery": 7}))
    assert await hear(line, Heartbeat)


async def test_another_hosts_objects_are_out_of_reach(agent: Line, up: Up, token: str) -> None:
    victim = Line(up.url, join(up, token, f"victim-{uuid.uuid4().hex[:8]}"), CREDENTIAL)
    its = await victim.greeted()
    await its.send(dump(Changes("container", 1, [container(1)])))
    listing = f"/containers?host={victim.host}"
    await asyncio.to_thread(eventually, lambda: rest(up, token, listing)["count"] == 1, "the victim's container")
    line = await agent.greeted()
    await line.send(dump(Changes("container", 1, [container(1, name="mine-now")], [container_id(1)])))
    await line.send(dump(Manifest("container", 1, {})))
    await line.send(dump(Outcome(str(uuid.uuid4()), "succeeded", {"container": container_id(1)})))
    mine = f"/containers?host={agent.host}"
    await asyncio.to_thread(eventually, lambda: rest(up, token, mine)["count"] == 0, "its own row, made and removed")
    [row] = rest(up, token, listing)["results"]
    assert row["name"] == "shop-web-1"
    await its.close()


async def test_a_copied_identity_is_refused_while_the_first_is_there(agent: Line) -> None:
    first = await agent.greeted()
    twin = Line(agent.url, agent.host, CREDENTIAL)
    twin.url = agent.url
    line = await twin.dial()
    await line.send(dump(Hello(1, "0.1", twin.instance, time.time())))
    code, reason = await closed_with(line)
    assert code == CLOSE_DUPLICATE
    assert "state folder" in reason
    assert await hear(first, Heartbeat)


async def test_the_same_agent_connecting_anew_takes_over(agent: Line) -> None:
    first = await agent.greeted()
    second = await agent.greeted()
    assert (await closed_with(first))[0] == CLOSE_SUPERSEDED
    assert await hear(second, Heartbeat)


async def test_a_stream_beyond_its_credit_closes_the_link(agent: Line, up: Up, token: str) -> None:
    line = await agent.greeted(digests=EMPTY_DIGESTS)
    await line.send(dump(Changes("container", 1, [container(1)])))
    listing = f"/containers?host={agent.host}"
    await asyncio.to_thread(eventually, lambda: rest(up, token, listing)["count"] == 1, "its container")
    [row] = rest(up, token, listing)["results"]
    reading = asyncio.create_task(asyncio.to_thread(read_slowly, up, token, row["id"]))
    opened = await hear(line, OpenStream)
    await line.send(dump(StreamOpened(opened.stream, {"tty": True})))
    with contextlib.suppress(websockets.ConnectionClosed):
        for _ in range(1000):
            await line.send(dump_frame(Frame(opened.stream, b"x" * 65_000)))
            await asyncio.sleep(0)
    assert (await closed_with(line))[0] == CLOSE_BAD_MESSAGE
    await reading


def read_slowly(up: Up, token: str, container_pk: str) -> None:
    """Ask for a log and take hardly anything of it."""
    request = urllib.request.Request(
        f"{up.url}/api/v1/containers/{container_pk}/logs?follow=1", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read(10)
            time.sleep(2)
    except OSError:
        pass


async def test_wrong_digests_cost_a_comparison_and_no_more(agent: Line) -> None:
    line = await agent.greeted(digests={**EMPTY_DIGESTS, "image": "0" * 16})
    assert (await hear(line, Compare)).kinds == ["image"]
    await line.send(dump(Manifest("image", 0, {})))
    await line.send(dump(Heartbeat(time.time(), {**EMPTY_DIGESTS, "image": "0" * 16})))
    assert (await hear(line, Compare)).kinds == ["image"]


async def test_a_clock_that_is_off_is_shown_on_its_host(agent: Line, up: Up, token: str) -> None:
    await agent.greeted(clock=time.time() - 120)
    found = await asyncio.to_thread(
        eventually,
        lambda: (h := rest(up, token, f"/hosts/{agent.host}"))["is_clock_off"] and h,
        "the clock is told of",
    )
    assert isinstance(found, dict)
    assert -125 < found["clock_offset_s"] < -115
