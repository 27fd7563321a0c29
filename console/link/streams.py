"""Streams of a link, seen from the console: bytes of a log as the agent reads them from the engine.

Back-pressure goes end to end: the agent may send what its credit allows, credit is given when the
reader here has taken the bytes, and a reader that does not read stops its own stream's source only.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any

from agents.protocol import (
    CloseStream,
    Credit,
    Frame,
    Message,
    ProtocolError,
    ReceiveWindow,
    StreamOpened,
)

OPEN_TIMEOUT_S = 15


class HostOffline(Exception):
    """The host's agent is not connected; the text says so."""


class StreamFailed(Exception):
    """The agent could not open the stream, or it broke; the text is the agent's sentence."""


class Stream:
    """One stream. Iterate over it for the bytes; leaving it (`async with`) closes it on the host."""

    def __init__(
        self, stream_id: int, send: Callable[[Message], Awaitable[None]], forget: Callable[[], None]
    ) -> None:
        self.id = stream_id
        self.meta: dict[str, Any] = {}
        self._send = send
        self._forget = forget
        self._window = ReceiveWindow()
        self._chunks: collections.deque[bytes] = collections.deque()  # bounded by the window
        self._arrived = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self.loop.create_future()
        self._ended = False
        self._closed = False
        self._error: Exception | None = None

    # What the session calls.

    def on_opened(self, message: StreamOpened) -> None:
        self.meta = message.meta
        if not self._opened.done():
            self._opened.set_result(None)

    def on_frame(self, frame: Frame) -> None:
        """Raises ProtocolError when the agent ignores its credit."""
        if self._ended:
            raise ProtocolError("a stream goes on after its end")
        self._window.receive(len(frame.payload))
        if frame.payload:
            self._chunks.append(frame.payload)
        self._ended = frame.is_end
        self._arrived.set()

    def on_closed(self, error: Exception | None) -> None:
        """No more will come: after a clean end (None), or because of `error`."""
        self._ended = self._closed = True
        self._error = self._error or error
        self._arrived.set()
        if not self._opened.done():
            self._opened.set_exception(error or StreamFailed("The host closed the stream before it began."))

    # What the reader calls.

    async def opened(self) -> None:
        """Wait for the agent's answer. Raises StreamFailed, HostOffline."""
        try:
            await asyncio.wait_for(asyncio.shield(self._opened), OPEN_TIMEOUT_S)
        except TimeoutError as error:
            raise StreamFailed(f"The host did not answer within {OPEN_TIMEOUT_S} s. Try again.") from error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                yield chunk
                if (grant := self._window.take(len(chunk))) and not self._closed:
                    await self._send(Credit(self.id, grant))
            if self._ended:
                break
            self._arrived.clear()
            await self._arrived.wait()
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self._forget()
        if not self._opened.done():
            self._opened.cancel()
        elif not self._opened.cancelled():
            self._opened.exception()  # seen, so that the loop does not complain of it
        if not self._closed:
            self._closed = True
            await self._send(CloseStream(self.id))

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
