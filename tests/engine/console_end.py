"""The console's end of the link for the agent's tests: a real server on a real port that speaks agents/protocol.py.

It keeps a mirror the way a console does (compare digests, fetch what differs, apply numbered changes), checks
every record and number on the way, and runs the agent as the process that users run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from uvicorn.protocols.utils import ClientDisconnected

from agents.catalogue import OBJECT_KINDS
from agents.protocol import (
    SUBPROTOCOL,
    TO_CONSOLE,
    Accepted,
    Changes,
    CloseStream,
    Compare,
    Confirm,
    Credit,
    Demultiplexer,
    Fetch,
    Heartbeat,
    Hello,
    Manifest,
    Message,
    OpenStream,
    Outcome,
    Perform,
    ReceiveWindow,
    StreamOpened,
    Welcome,
    digest,
    dump,
    fingerprint,
    load,
    load_frame,
    record_of,
)

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 30.0

T = TypeVar("T")


async def until(found: Callable[[], T], timeout_s: float = WAIT_S, what: str = "") -> T:
    """Look again until `found` gives something true, which is given back."""
    end = time.monotonic() + timeout_s
    while not (value := found()):
        assert time.monotonic() < end, f"not within {timeout_s} s: {what or found}"
        await asyncio.sleep(0.02)
    return value


class StreamEnd:
    """The reader of one stream. Grants credit as it goes unless `is_reading` is off."""

    def __init__(self, link: LinkEnd, number: int) -> None:
        self.link = link
        self.number = number
        self.meta: dict[str, Any] | None = None
        self.data = bytearray()
        self.has_ended = False
        self.closed: CloseStream | None = None
        self.is_reading = True
        self._window = ReceiveWindow()
        self._untaken = 0

    def receive(self, payload: bytes, is_end: bool) -> int:
        """Credit to grant."""
        assert self.closed is None
        self._window.receive(len(payload))
        self.data += payload
        self.has_ended |= is_end
        self._untaken += len(payload)
        return self._take() if self.is_reading else 0

    def _take(self) -> int:
        size, self._untaken = self._untaken, 0
        return self._window.take(size)

    async def go_on(self) -> None:
        self.is_reading = True
        if size := self._take():
            await self.link.send(Credit(self.number, size))

    async def whole(self, timeout_s: float = WAIT_S) -> bytes:
        """All bytes, after a clean end."""
        await until(lambda: self.closed, timeout_s, "end of stream")
        assert self.closed is not None
        assert self.closed.error == ""
        assert self.has_ended
        return bytes(self.data)

    def text(self, tty: bool = False) -> dict[str, str]:
        """stdout and stderr so far."""
        parts = {"stdout": bytearray(), "stderr": bytearray()}
        for name, piece in Demultiplexer(tty=tty).feed(bytes(self.data)):
            parts[name] += piece
        return {name: piece.decode() for name, piece in parts.items()}


class LinkEnd:
    """One connection of an agent."""

    def __init__(self, console: ConsoleEnd, send: Callable[[dict[str, Any]], Any]) -> None:
        self.console = console
        self.hello: Hello | None = None
        self.received: list[Message] = []
        self.streams: dict[int, StreamEnd] = {}
        self.is_open = True
        self.number = 0
        self.authorization = ""
        self._send = send

    async def send(self, message: Message) -> None:
        await self.send_text(dump(message))

    async def send_text(self, text: str) -> None:
        try:
            await self._send({"type": "websocket.send", "text": text})
        except ClientDisconnected:
            self.is_open = False

    async def close(self, code: int, reason: str = "") -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def of(self, shape: type[T]) -> list[T]:
        return [message for message in self.received if isinstance(message, shape)]

    async def open(self, kind: str, **params: Any) -> StreamEnd:
        stream = StreamEnd(self, len(self.streams) + 1)
        self.streams[stream.number] = stream
        await self.send(OpenStream(stream.number, kind, params))
        return stream

    async def take(self, event: dict[str, Any]) -> None:
        if event.get("bytes") is not None:
            frame = load_frame(event["bytes"])
            stream = self.streams[frame.stream]
            if size := stream.receive(frame.payload, frame.is_end):
                await self.send(Credit(frame.stream, size))
            return
        message = load(event["text"], TO_CONSOLE)
        assert message is not None, event["text"][:200]
        self.received.append(message)
        await self._answer(message)

    async def _answer(self, message: Message) -> None:
        mirror = self.console.mirror
        if isinstance(message, Hello):
            self.hello = message
            await self.send(Welcome(self.console.host, "test", self.console.heartbeat_s, self.console.lost_after_s))
            await self._compare(message.digests)
        elif isinstance(message, Heartbeat):
            await self.send(Heartbeat(time.time()))
            await self._compare(message.digests)
        elif isinstance(message, Changes):
            self.number += 1
            assert message.number == self.number
            for document in message.objects:
                record_of(message.kind, document)
                mirror[message.kind][document["id"]] = document
            for engine_id in message.removed:
                mirror[message.kind].pop(engine_id, None)
        elif isinstance(message, Manifest):
            assert message.number == self.number
            have = {engine_id: fingerprint(document) for engine_id, document in mirror[message.kind].items()}
            for engine_id in have.keys() - message.fingerprints.keys():
                del mirror[message.kind][engine_id]
            wanted = [key for key, mark in message.fingerprints.items() if have.get(key) != mark]
            for start in range(0, len(wanted), 5000):
                await self.send(Fetch(message.kind, wanted[start : start + 5000]))
        elif isinstance(message, Outcome):
            self.console.outcomes.setdefault(message.operation, []).append(message)
            if self.console.confirms:
                await self.send(Confirm(message.operation))
        elif isinstance(message, StreamOpened):
            self.streams[message.stream].meta = message.meta
        elif isinstance(message, CloseStream):
            self.streams[message.stream].closed = message

    async def _compare(self, digests: dict[str, str]) -> None:
        if not digests:
            return
        self.console.is_listed = True
        if differing := [kind for kind in OBJECT_KINDS if digests[kind] != self.console.digest(kind)]:
            self.console.comparisons.append(differing)
            await self.send(Compare(differing))


class ConsoleEnd:
    """A console with one host, whose join token is 'good'."""

    def __init__(self) -> None:
        self.host = str(uuid.uuid4())
        self.heartbeat_s = 1.0
        self.lost_after_s = 5.0
        self.confirms = True
        self.refusal: int | None = None  # close code for new links
        self.enrolments: list[dict[str, Any]] = []
        self.enrol_status = 200
        self.enrol_detail = ""
        self.credential = ""
        self.links: list[LinkEnd] = []
        self.mirror: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in OBJECT_KINDS}
        self.is_listed = False
        self.outcomes: dict[str, list[Outcome]] = {}
        self.comparisons: list[list[str]] = []
        self.port = 0
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> LinkEnd:
        return self.links[-1]

    def digest(self, kind: str) -> str:
        return digest((engine_id, fingerprint(document)) for engine_id, document in self.mirror[kind].items())

    def containers(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return {document["name"]: document for document in self.mirror["container"].values()}

    def names(self, kind: str) -> set[str]:
        return {document.get("name") or document["id"] for document in self.mirror[kind].values()}

    def tags(self) -> set[str]:
        return {tag for document in self.mirror["image"].values() for tag in document["tags"]}

    async def connected(self, timeout_s: float = WAIT_S) -> LinkEnd:
        """The link that is up now, greeted."""
        await until(lambda: self.links and self.link.is_open and self.link.hello, timeout_s, "a link")
        return self.link

    async def listed(self, timeout_s: float = WAIT_S) -> LinkEnd:
        """A link whose agent has listed its engine, and the mirror is like it."""
        link = await self.connected(timeout_s)
        await until(lambda: self.is_listed, timeout_s, "digests")
        await asyncio.sleep(0.3)
        return link

    async def ask(self, kind: str, *, deadline_s: float = 300, operation: str | None = None, **params: Any) -> str:
        """Send a Perform; the operation's UUID."""
        operation = operation or str(uuid.uuid4())
        await self.link.send(Perform(operation, kind, params, deadline_s))
        return operation

    async def outcome(self, operation: str, timeout_s: float = WAIT_S) -> Outcome:
        await until(lambda: operation in self.outcomes, timeout_s, "an outcome")
        return self.outcomes[operation][-1]

    async def do(self, kind: str, *, wait_s: float = WAIT_S, **params: Any) -> Outcome:
        return await self.outcome(await self.ask(kind, **params), wait_s)

    async def accepted(self, operation: str) -> None:
        await until(lambda: any(m.operation == operation for m in self.link.of(Accepted)), what="Accepted")

    async def start(self) -> None:
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            host="127.0.0.1",
            port=self.port,
            log_level="error",
            ws="websockets-sansio",
            ws_max_size=4 * 1024 * 1024,
            ws_per_message_deflate=False,
            lifespan="off",
            interface="asgi3",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._task = asyncio.ensure_future(self._server._serve())
        await until(lambda: self._server.started, what="the server")  # type: ignore[union-attr]

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    async def _app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._enrol(receive, send)
        elif scope["type"] == "websocket":
            await self._link(scope, receive, send)

    async def _enrol(self, receive: Any, send: Any) -> None:
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        asked = json.loads(body)
        self.enrolments.append(asked)
        status, answer = self.enrol_status, {"detail": self.enrol_detail}
        if status == 200:
            self.credential = asked["credential"]
            answer = {"host": self.host}
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    async def _link(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] != "/agent/link" or SUBPROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        headers = dict(scope["headers"])
        if self.refusal is not None:
            await send({"type": "websocket.close", "code": self.refusal, "reason": "This host was revoked"})
            return
        link = LinkEnd(self, send)
        link.authorization = headers[b"authorization"].decode()
        self.links.append(link)
        try:
            while (event := await receive())["type"] == "websocket.receive":
                await link.take(event)
        finally:
            link.is_open = False


class AgentProcess:
    """The agent as users run it, and what it says."""

    def __init__(self, state: Path, console_url: str, engine_url: str | None, *, token: str | None = "good") -> None:
        self.state = state
        self.log_path = state.with_suffix(".log")
        self.process: asyncio.subprocess.Process | None = None
        self.command = [sys.executable, "-m", "agents"]
        self.arguments = ["run", "--console", console_url, "--state", str(state)]
        if engine_url is not None:
            self.arguments += ["--engine", engine_url]
        if token is not None:
            self.arguments += ["--join-token", token]

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, *self.arguments, cwd=ROOT, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"}
            )

    async def ended(self, timeout_s: float = WAIT_S) -> int:
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), timeout_s)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
        return await self.ended()

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)

    def rss_kib(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]

    def files(self) -> int:
        """How many it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def console_end() -> AsyncIterator[ConsoleEnd]:
    console = ConsoleEnd()
    await console.start()
    try:
        yield console
    finally:
        await console.stop()


@contextlib.asynccontextmanager
async def agent_of(console: ConsoleEnd, state: Path, engine_url: str | None) -> AsyncIterator[AgentProcess]:
    """An agent that has joined, and stops in the end."""
    agent = AgentProcess(state, console.url, engine_url)
    await agent.start()
    try:
        yield agent
    finally:
        status = await agent.stop()
        log = agent.log
        assert "Traceback" not in log, log
        assert status in (0, -signal.SIGKILL, -signal.SIGTERM), log  # the last: it had only just been started
