"""An agent without an engine: it speaks agents/protocol.py on a real websocket, and does what a test tells it to.

Not for what an agent does on an engine (tests/engine has the real one for that), but for the console's end:
odd answers, slow streams, operations that end when the test wants.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from agents.catalogue import OBJECT_KINDS, ObjectKind
from agents.protocol import (
    PROTOCOL_VERSION,
    SUBPROTOCOL,
    TO_AGENT,
    Accepted,
    Changes,
    CloseStream,
    Compare,
    Credit,
    Fetch,
    Frame,
    Heartbeat,
    Hello,
    Manifest,
    Message,
    OpenStream,
    Outcome,
    Perform,
    SendWindow,
    StreamOpened,
    digest,
    dump,
    dump_frame,
    fingerprint,
    load,
    split,
)

Log = Callable[[OpenStream], Iterable[bytes]]


def frame(text: str, *, stderr: bool = False) -> bytes:
    """A frame of the engine's multiplexed stream."""
    payload = text.encode()
    return bytes([2 if stderr else 1, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


class FakeStream:
    """What was sent of one stream, and whether the console closed it."""

    def __init__(self, opened: OpenStream) -> None:
        self.opened = opened
        self.sent_bytes = 0
        self.closed = threading.Event()
        self.window = SendWindow()
        self.credit = threading.Condition()


class FakeAgent:
    """Use it with `with`: it enrols, links, and mirrors `objects`."""

    def __init__(self, url: str, join_token: str, *, name: str = "fake-1") -> None:
        self.url = url
        self.objects: dict[ObjectKind, dict[str, dict[str, Any]]] = {kind: {} for kind in OBJECT_KINDS}
        self.performed: list[Perform] = []
        self.streams: list[FakeStream] = []
        self.concludes = True  # operations succeed at once
        self.log: Log = lambda opened: []
        self.log_meta: dict[str, Any] = {}
        self.refusal = ""  # what streams are refused with
        self.closed = threading.Event()
        self._number = 0
        self._sending = threading.Lock()
        self._stack = contextlib.ExitStack()
        credential = secrets.token_urlsafe(32)
        body = json.dumps({"token": join_token, "credential": credential, "name": name}).encode()
        request = urllib.request.Request(f"{url}/agent/enrol", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            self.host_id: str = json.load(response)["host"]
        self._authorization = f"Bearer {self.host_id}.{credential}"

    def add(self, kind: ObjectKind, *documents: dict[str, Any]) -> None:
        for document in documents:
            self.objects[kind][document["id"]] = document

    def __enter__(self) -> FakeAgent:
        address = self.url.replace("http", "ws", 1) + "/agent/link"
        headers = {"Authorization": self._authorization}
        link = connect(
            address, additional_headers=headers, subprotocols=[SUBPROTOCOL], compression=None, max_size=None
        )
        self._socket: ClientConnection = self._stack.enter_context(link)
        digests = {kind: digest(self._marks(kind).items()) for kind in OBJECT_KINDS}
        self.send(Hello(PROTOCOL_VERSION, "0.1.0", str(uuid.uuid4()), time.time(), digests=digests))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._reader.join(10)

    def send(self, message: Message) -> None:
        with self._sending:
            self._socket.send(dump(message))

    def conclude(self, perform: Perform, state: Any = "succeeded", error: str = "", **result: Any) -> None:
        self.send(Outcome(perform.operation, state, result, error))

    def _marks(self, kind: ObjectKind) -> dict[str, str]:
        return {engine_id: fingerprint(document) for engine_id, document in self.objects[kind].items()}

    def _read(self) -> None:
        try:
            for text in self._socket:
                if (message := load(str(text), TO_AGENT)) is not None:
                    self._on(message)
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            for stream in self.streams:
                stream.closed.set()

    def _on(self, message: Message) -> None:
        if isinstance(message, Heartbeat):
            self.send(Heartbeat(time.time()))
        elif isinstance(message, Compare):
            for kind in message.kinds:
                self.send(Manifest(kind, self._number, self._marks(kind)))
        elif isinstance(message, Fetch):
            self._number += 1
            self.send(Changes(message.kind, self._number, [self.objects[message.kind][i] for i in message.ids]))
        elif isinstance(message, Perform):
            self.performed.append(message)
            self.send(Accepted(message.operation))
            if self.concludes:
                self.conclude(message)
        elif isinstance(message, OpenStream):
            self._open(message)
        elif isinstance(message, (Credit, CloseStream)):
            self._on_stream(message)

    def _open(self, message: OpenStream) -> None:
        if self.refusal:
            self.send(CloseStream(message.stream, self.refusal))
            return
        stream = FakeStream(message)
        self.streams.append(stream)
        self.send(StreamOpened(message.stream, self.log_meta))
        threading.Thread(target=self._pour, args=(stream,), daemon=True).start()

    def _on_stream(self, message: Credit | CloseStream) -> None:
        for stream in self.streams:
            if stream.opened.stream != message.stream:
                continue
            with stream.credit:
                if isinstance(message, Credit):
                    stream.window.grant(message.size_bytes)
                else:
                    stream.closed.set()
                stream.credit.notify_all()

    def _pour(self, stream: FakeStream) -> None:
        """Send what the log gives, as far as there is credit, until the console closes the stream."""
        try:
            for chunk in self.log(stream.opened):
                for piece in split(chunk):
                    with stream.credit:
                        while stream.window.available < len(piece) and not stream.closed.is_set():
                            stream.credit.wait(1)
                        if stream.closed.is_set():
                            return
                        stream.window.spend(len(piece))
                    stream.sent_bytes += len(piece)
                    with self._sending:
                        self._socket.send(dump_frame(Frame(stream.opened.stream, piece)))
            self.send(CloseStream(stream.opened.stream))
        except ConnectionClosed:
            pass
