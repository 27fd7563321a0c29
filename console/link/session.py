"""One agent's link while it is open: what arrives is sorted, what must be written is written in order."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError

from agents.catalogue import STREAMS
from agents.protocol import (
    CLOSE_BAD_MESSAGE,
    MAX_BINARY_BYTES,
    MAX_TEXT_BYTES,
    TO_CONSOLE,
    CloseStream,
    Credit,
    EngineState,
    Heartbeat,
    Hello,
    Message,
    OpenStream,
    ProtocolError,
    StreamOpened,
    dump,
    load,
    load_frame,
)
from agents.shapes import encode
from console.hosts.models import Host
from console.link import receivers, state
from console.link.streams import HostOffline, Stream, StreamFailed
from console.link.writer import write

logger = logging.getLogger("gantry.link")

INBOX_MESSAGES = 64  # waiting for the writer; when it is full the agent's socket is not read
STREAMS_AT_MOST = 200
CLOSE_TRY_AGAIN = 1013  # RFC 6455's registry: 'try again later'

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Session:
    """The link to one host. Lives in the event loop of the web process that accepted it."""

    def __init__(self, host: Host, hello: Hello, send: Send) -> None:
        self.host = host
        self.host_id: uuid.UUID = host.pk
        self.hello = hello
        self.heard_at = time.monotonic()
        self.closing: tuple[int, str] | None = None
        self._asgi_send = send
        self._sending = asyncio.Lock()
        self._inbox: asyncio.Queue[Message] = asyncio.Queue(INBOX_MESSAGES)
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._streams: dict[int, Stream] = {}
        self._stream_ids = itertools.count(1)
        self._receivers = receivers.for_host(host)

    async def send(self, message: Message) -> None:
        """Raises HostOffline when the link is gone."""
        await self._send_event({"type": "websocket.send", "text": dump(message)})

    def is_lost(self) -> bool:
        """Nothing was heard for so long that the link no longer counts as one."""
        return time.monotonic() - self.heard_at > settings.LOST_AFTER_S

    def wake(self) -> None:
        """Look into the database for what waits for this host. From the event loop only."""
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """End the link; `reason` reaches the agent's log."""
        self.closing = self.closing or (code, reason)
        self._ended.set()

    async def open_stream(self, kind: str, params: object) -> Stream:
        """Raises StreamFailed, HostOffline."""
        assert kind in STREAMS
        if len(self._streams) >= STREAMS_AT_MOST:
            raise StreamFailed(f"{STREAMS_AT_MOST} streams are open on this host already. Close some and try again.")
        stream_id = next(self._stream_ids)
        stream = Stream(stream_id, self._send_if_open, functools.partial(self._forget, stream_id))
        self._streams[stream_id] = stream
        try:
            await self.send(OpenStream(stream_id, kind, encode(params)))
            await stream.opened()
        except BaseException:
            await stream.close()
            raise
        return stream

    def _forget(self, stream_id: int) -> None:
        self._streams.pop(stream_id, None)

    # --- the life of the link ---

    async def run(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """Serve the link until it ends. Returns with `closing` set when this side wants it closed."""
        tasks = [
            asyncio.create_task(coroutine)
            for coroutine in (self._read(receive), self._write_rows(), self._heartbeat(), self._ended.wait())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except ProtocolError as error:
            self.closing = (CLOSE_BAD_MESSAGE, str(error))
        except DatabaseError as error:  # its disk is full, or it is away: the agent has it all and comes back
            logger.error("%s: what its agent reports can't be written: %s", self.host.name, error)
            self.closing = (CLOSE_TRY_AGAIN, "the console can't write to its database now")
        finally:
            self._ended.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            gone = HostOffline(f"The link to {self.host.name} broke. It comes back by itself.")
            for stream in list(self._streams.values()):
                stream.on_closed(gone)

    async def _read(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            self.heard_at = time.monotonic()
            if (data := event.get("bytes")) is not None:
                self._on_binary(data)
            elif (message := load(event["text"], TO_CONSOLE)) is not None:
                await self._on_message(message)

    def _on_binary(self, data: bytes) -> None:
        if len(data) > MAX_BINARY_BYTES:
            raise ProtocolError("a binary frame is too large")
        frame = load_frame(data)
        if stream := self._streams.get(frame.stream):  # else it was closed here a moment ago
            stream.on_frame(frame)

    async def _on_message(self, message: Message) -> None:
        if isinstance(message, Hello):
            raise ProtocolError("Hello comes once, and first")
        if isinstance(message, (StreamOpened, CloseStream, Credit)):
            self._on_stream(message)
            return
        if isinstance(message, Heartbeat) and not message.digests:
            return
        await self._inbox.put(message)

    def _on_stream(self, message: StreamOpened | CloseStream | Credit) -> None:
        stream = self._streams.get(message.stream)
        if stream is None:
            return
        if isinstance(message, StreamOpened):
            stream.on_opened(message)
        elif isinstance(message, CloseStream):
            self._streams.pop(message.stream, None)
            stream.on_closed(StreamFailed(message.error) if message.error else None)

    async def _write_rows(self) -> None:
        await self._reply(await write(self._opened))
        waker = asyncio.create_task(self._wake.wait())
        arrival = asyncio.create_task(self._inbox.get())
        try:
            while True:
                await asyncio.wait((waker, arrival), return_when=asyncio.FIRST_COMPLETED)
                if waker.done():
                    self._wake.clear()
                    waker = asyncio.create_task(self._wake.wait())
                    await self._reply(await write(self._woken))
                if arrival.done():
                    batch = [arrival.result()]
                    while not self._inbox.empty():
                        batch.append(self._inbox.get_nowait())
                    arrival = asyncio.create_task(self._inbox.get())
                    await self._reply(await write(self._receive, batch))
        finally:
            waker.cancel()
            arrival.cancel()

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(settings.HEARTBEAT_S)
            if self.is_lost():
                self.closing = (1001, "nothing was heard of the agent")
                return
            await self.send(Heartbeat(clock=time.time()))

    # --- in the writer thread ---

    def _opened(self) -> Sequence[Message]:
        state.note_opened(self.host, self.hello)
        return [message for receiver in self._receivers for message in receiver.opened(self.hello)]

    def _woken(self) -> Sequence[Message]:
        return [message for receiver in self._receivers for message in receiver.woken()]

    def _receive(self, batch: list[Message]) -> Sequence[Message]:
        replies: list[Message] = []
        for message in batch:
            if isinstance(message, EngineState):
                state.note_engine(self.host, message.engine, message.error)
            if isinstance(message, Heartbeat):
                state.note_clock(self.host, message.clock)
            for receiver in self._receivers:
                replies.extend(self._receive_one(receiver, message))
        return replies

    def _receive_one(self, receiver: receivers.Receiver, message: Message) -> Sequence[Message]:
        try:
            return receiver.receive(message)
        except (DataError, IntegrityError) as error:  # it would be the same each time: it must not cost the link
            logger.error("%s: a %s was left out: %s", self.host.name, type(message).__name__, error)
            return ()

    # --- sending ---

    async def _reply(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await self.send(message)

    async def _send_if_open(self, message: Message) -> None:
        try:
            await self.send(message)
        except HostOffline:
            pass  # the streams of a link end with it

    async def _send_event(self, event: dict[str, Any]) -> None:
        if self._ended.is_set():
            raise HostOffline(f"The link to {self.host.name} is closed.")
        async with self._sending:
            try:
                await self._asgi_send(event)
            except (OSError, RuntimeError) as error:  # the server's ways to say that the socket is gone
                self._ended.set()
                raise HostOffline(f"The link to {self.host.name} broke.") from error


assert MAX_TEXT_BYTES <= 4 * 1024 * 1024, "the server's --ws-max-size admits it"
