"""REST against a running console and a link: logs, inspect, waiting, removal. The agent is scripted, so no engine."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from agents.protocol import STREAM_WINDOW_BYTES, OpenStream
from tests.console import Console
from tests.fake_agent import FakeAgent, frame
from tests.unit.records import container, container_id

pytest_plugins = ("tests.console_fixture",)
pytestmark = pytest.mark.timeout(120)


def eventually(find: Callable[[], Any], what: str, timeout_s: float = 20) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := find()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)
    return found


@pytest.fixture
def agent(console: Console) -> Iterator[FakeAgent]:
    _, _, token = console.ask("POST", "/join-tokens")
    made = FakeAgent(console.url, token["secret"])
    made.add("container", container(1))
    with made:
        eventually(lambda: listed(console, made), "the mirror")
        yield made
    console.ask("DELETE", f"/hosts/{made.host_id}")


def listed(console: Console, agent: FakeAgent) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = console.ask("GET", f"/containers?host={agent.host_id}")[2]["results"]
    return found


def path_of(console: Console, agent: FakeAgent) -> str:
    return f"/containers/{listed(console, agent)[0]['id']}"


def problem(answer: tuple[int, dict[str, str], Any], status: int) -> dict[str, Any]:
    assert answer[0] == status, answer
    assert answer[1]["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer[2]
    return document


def read(console: Console, path: str, **headers: str) -> tuple[str, str]:
    with console.open("GET", path, **headers) as response:
        assert response.status == 200, response.read()
        return response.headers["Content-Type"], response.read().decode()


def test_a_linked_host_is_online_and_its_containers_current(console: Console, agent: FakeAgent) -> None:
    [shown] = listed(console, agent)
    assert (shown["state"], shown["is_current"], shown["host"]["state"]) == ("running", True, "online")


def test_an_ask_is_done_by_the_agent_and_waited_for(console: Console, agent: FakeAgent) -> None:
    status, headers, operation = console.ask("POST", f"{path_of(console, agent)}/stop?wait=20", {"timeout_s": 3})
    assert (status, operation["state"]) == (200, "succeeded"), operation
    [perform] = agent.performed
    assert (perform.operation, perform.kind) == (operation["id"], "container.stop")
    assert perform.params == {"container": container_id(1), "timeout_s": 3}
    assert console.ask("GET", headers["location"].removeprefix("/api/v1"))[2] == operation


def test_who_waits_is_told_when_it_ends(console: Console, agent: FakeAgent) -> None:
    agent.concludes = False
    path = path_of(console, agent)
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(console.ask("POST", f"{path}/start?wait=60")))
    waiting.start()
    eventually(lambda: agent.performed, "the ask")
    agent.conclude(agent.performed[0], "failed", "No space left on device.")
    waiting.join(20)  # the wait alone would take 60
    assert (answers[0][0], answers[0][2]["state"], answers[0][2]["error"]) == (
        200,
        "failed",
        "No space left on device.",
    )


def test_an_object_that_an_operation_made_is_named_by_our_id(console: Console, agent: FakeAgent) -> None:
    agent.concludes = False
    ask = {"host": agent.host_id, "image": "nginx", "env": {"A": "secret"}}
    _, _, operation = console.ask("POST", "/containers", ask)
    perform = eventually(lambda: agent.performed, "the ask")[0]
    assert perform.params["env"] == {"A": "secret"}
    agent.conclude(perform, container=container_id(1))
    _, _, ended = console.ask("GET", f"/operations/{operation['id']}?wait=20")
    assert ended["result"] == {"container": listed(console, agent)[0]["id"], "engine_id": container_id(1)}
    assert ended["params"]["env"] == {"A": "•••"}


def test_a_log_is_text_and_its_streams_are_told_apart_in_json(console: Console, agent: FakeAgent) -> None:
    agent.log = lambda opened: [frame("one\ntw"), frame("oops\n", stderr=True), frame("o\n<b>\x1b[31m"), frame("\n")]
    path = f"{path_of(console, agent)}/logs"
    assert read(console, path) == ("text/plain; charset=utf-8", "one\noops\ntwo\n<b>\x1b[31m\n")
    media, text = read(console, path, Accept="application/x-ndjson")
    assert media == "application/x-ndjson"
    assert [json.loads(line) for line in text.splitlines()] == [
        {"time": None, "stream": "stdout", "text": "one"},
        {"time": None, "stream": "stderr", "text": "oops"},
        {"time": None, "stream": "stdout", "text": "two"},
        {"time": None, "stream": "stdout", "text": "<b>\x1b[31m"},
    ]
    assert read(console, f"{path}?format=json")[1] == text


def test_what_is_asked_of_a_log_reaches_the_agent(console: Console, agent: FakeAgent) -> None:
    query = "follow=true&tail=5&since=2026-01-31T03:00:00Z&until=1769900000.5&timestamps=1&stdout=false"
    agent.log = lambda opened: [frame("2026-01-31T03:00:00.123456789Z late\n", stderr=True)]
    path = f"{path_of(console, agent)}/logs?{query}"
    assert read(console, path)[1] == "2026-01-31T03:00:00.123456789Z late\n"
    assert json.loads(read(console, f"{path}&format=json")[1])["time"] == "2026-01-31T03:00:00.123456789Z"
    assert agent.streams[0].opened.params == {
        "container": container_id(1), "follow": True, "tail": 5, "since_s": 1769828400.0, "until_s": 1769900000.5,
        "timestamps": True, "stdout": False, "stderr": True,
    }  # fmt: skip


def test_a_tty_has_no_frames_and_one_line_end(console: Console, agent: FakeAgent) -> None:
    agent.log_meta = {"tty": True}
    agent.log = lambda opened: ["ünï\r\nlast".encode()]
    assert read(console, f"{path_of(console, agent)}/logs")[1] == "ünï\nlast\n"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("tail=x", "tail"),
        ("tail=99999999", "tail"),
        ("since=yesterday", "since"),
        ("until=nan", "until"),
        ("follow=maybe", "follow"),
        ("stdout=0&stderr=0", "stdout"),
        ("format=xml", "format"),
        ("tial=5", "tial"),
    ],
)
def test_a_wrong_parameter_of_a_log_is_named(console: Console, agent: FakeAgent, query: str, parameter: str) -> None:
    document = problem(console.ask("GET", f"{path_of(console, agent)}/logs?{query}"), 400)
    assert list(document["errors"]) == [parameter]


def test_a_log_that_the_host_refuses_is_502_with_its_sentence(console: Console, agent: FakeAgent) -> None:
    agent.refusal = "The log driver none keeps no log. Choose another one."
    assert problem(console.ask("GET", f"{path_of(console, agent)}/logs"), 502)["detail"] == agent.refusal


def test_what_is_no_log_ends_with_a_sentence(console: Console, agent: FakeAgent) -> None:
    agent.log = lambda opened: [frame("one\n"), b"\xff\xff garbage of whatever kind"]
    assert read(console, f"{path_of(console, agent)}/logs")[1] == "one\ngantry: The host sent what is no log.\n"


def test_a_link_that_breaks_ends_a_followed_log_with_a_sentence(console: Console, agent: FakeAgent) -> None:
    agent.log = lambda opened: endless("tick\n", pause_s=0.05)
    path = f"{path_of(console, agent)}/logs?follow=true"
    with console.open("GET", path) as response:
        assert response.readline() == b"tick\n"
        agent._socket.close()
        rest = response.read().decode()
    assert rest.splitlines()[-1].startswith("gantry: The link to fake-1 broke.")


def test_an_offline_host_has_no_log_and_no_inspect(console: Console, agent: FakeAgent) -> None:
    path = path_of(console, agent)
    agent._socket.close()
    eventually(lambda: console.ask("GET", path)[2]["state"] == "unknown", "offline")
    for what in ("logs", "inspect"):
        assert "offline" in problem(console.ask("GET", f"{path}/{what}"), 409)["detail"]


def endless(text: str, *, pause_s: float = 0) -> Iterable[bytes]:
    while True:
        yield frame(text)
        if pause_s:
            time.sleep(pause_s)


def raw_get(console: Console, path: str) -> socket.socket:
    """A GET whose answer is read as slowly as the test wants."""
    address = urllib.parse.urlsplit(console.url)
    client = socket.create_connection((address.hostname, address.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = f"GET /api/v1{path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {console.token}\r\n\r\n"
    client.sendall(head.encode())
    return client


def test_a_follower_who_leaves_ends_the_stream_on_the_host(console: Console, agent: FakeAgent) -> None:
    agent.log = lambda opened: endless("tick\n", pause_s=0.05)
    client = raw_get(console, f"{path_of(console, agent)}/logs?follow=true")
    assert client.recv(100).startswith(b"HTTP/1.1 200")
    client.close()
    assert agent.streams[0].closed.wait(10)


def test_a_silent_followed_log_ends_too_when_the_client_leaves(console: Console, agent: FakeAgent) -> None:
    never = threading.Event()

    def silent(opened: OpenStream) -> Iterable[bytes]:
        never.wait(60)
        return []

    agent.log = silent
    client = raw_get(console, f"{path_of(console, agent)}/logs?follow=true")
    eventually(lambda: agent.streams, "the stream")
    time.sleep(0.3)
    client.close()
    assert agent.streams[0].closed.wait(10)
    never.set()


def test_a_client_that_does_not_read_stops_the_source_and_others_go_on(console: Console, agent: FakeAgent) -> None:
    agent.log = lambda opened: endless("x" * 1000 + "\n")
    client = raw_get(console, f"{path_of(console, agent)}/logs?follow=true")
    stream = eventually(lambda: agent.streams, "the stream")[0]

    def stands_still() -> bool:
        before = stream.sent_bytes
        time.sleep(0.5)
        return bool(stream.sent_bytes == before)

    eventually(stands_still, "back-pressure")
    # The window, and what the sockets and the server's own buffers hold.
    assert stream.sent_bytes < STREAM_WINDOW_BYTES + 8 * 1024 * 1024
    assert console.ask("GET", "/me")[0] == 200
    client.close()
    assert stream.closed.wait(10)


def test_inspect_is_the_engines_document(console: Console, agent: FakeAgent) -> None:
    document = {"Id": container_id(1), "Config": {"Env": ["A=•••"]}, "Name": "/shop-web-1"}
    agent.log = lambda opened: [json.dumps(document).encode()]
    path = f"{path_of(console, agent)}/inspect"
    status, headers, shown = console.ask("GET", path)
    assert (status, headers["content-type"], shown) == (200, "application/json", document)
    assert agent.streams[0].opened.kind == "container.inspect"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 200_000, b" " * 5_000_000])
def test_an_inspect_that_can_not_be_read_is_502(console: Console, agent: FakeAgent, content: bytes) -> None:
    agent.log = lambda opened: [content]
    problem(console.ask("GET", f"{path_of(console, agent)}/inspect"), 502)


def test_a_removed_hosts_link_is_closed_at_once(console: Console, agent: FakeAgent) -> None:
    assert console.ask("DELETE", f"/hosts/{agent.host_id}")[0] == 204
    assert agent.closed.wait(5)
    assert agent._socket.close_code == 4401


def test_a_host_that_another_process_removed_loses_its_link_with_the_next_heartbeat(
    console: Console, agent: FakeAgent
) -> None:
    revoke = f"Host.objects.filter(pk='{agent.host_id}').update(revoked_at=timezone.now())"
    console.manage(
        "shell", "-c", f"from django.utils import timezone; from console.hosts.models import Host; {revoke}"
    )
    assert agent.closed.wait(15)
    assert agent._socket.close_code == 4401


def test_a_body_without_end_is_refused_at_once_whoever_sends_it(console: Console) -> None:
    address = urllib.parse.urlsplit(console.url)
    client = socket.create_connection((address.hostname, address.port))
    client.settimeout(5)
    client.sendall(f"POST /login HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 99999999999\r\n\r\n".encode())
    answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"2097152 bytes is the most" in answer
    client.close()


def test_a_body_in_chunks_without_a_length_is_read(console: Console) -> None:
    address = urllib.parse.urlsplit(console.url)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    headers = {"Authorization": f"Bearer {console.token}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/tokens", iter([b'{"name": ', b'"chunks"}']), headers, encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, json.load(response)["name"]) == (201, "chunks")
    connection.request("POST", "/api/v1/tokens", (b"x" * 100_000 for _ in range(30)), headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
