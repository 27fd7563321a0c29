"""Streams from the engine to the console: a container's log, a whole document.

Each has a credit window. While it is used up nothing is read from the engine, so a slow reader slows its own
source and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from agents import documents
from agents import engine_http as http
from agents.catalogue import STREAMS, ContainerLogs, parse_stream
from agents.documents import Refused
from agents.engine import Engine, EngineError, EngineGone
from agents.operations.errors import explain
from agents.outbox import Outbox
from agents.protocol import (
    FRAME_PAYLOAD_BYTES,
    CloseStream,
    Credit,
    Frame,
    OpenStream,
    SendWindow,
    StreamOpened,
    dump,
    dump_frame,
)
from agents.shapes import Misfit
from agents.texts import sentence

log = logging.getLogger("agent.streams")

STREAMS_MOST = 200


class Stream:
    """The agent's end of one stream."""

    def __init__(self, number: int, outbox: Outbox) -> None:
        self.number = number
        self._outbox = outbox
        self._window = SendWindow()
        self._granted = asyncio.Event()

    def opened(self, **meta: Any) -> None:
        self._outbox.send(StreamOpened(self.number, meta))

    def grant(self, size: int) -> None:
        self._window.grant(size)
        self._granted.set()

    async def send(self, data: bytes) -> None:
        """Waits until the console has taken enough."""
        at = 0
        while at < len(data):
            while not self._window.available:
                self._granted.clear()
                await self._granted.wait()
            piece = data[at : at + min(FRAME_PAYLOAD_BYTES, self._window.available)]
            self._window.spend(len(piece))
            at += len(piece)
            await self._outbox.push(self.number, dump_frame(Frame(self.number, piece)))

    async def end(self) -> None:
        await self._outbox.push(self.number, dump_frame(Frame(self.number, b"", is_end=True)))

    async def close(self, error: str = "") -> None:
        """After all that was sent before."""
        await self._outbox.push(self.number, dump(CloseStream(self.number, sentence(error, 4000))))


class Streams:
    """The streams of one connection."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._engine = engine
        self._outbox = outbox
        self._open: dict[int, tuple[Stream, asyncio.Task[None]]] = {}

    def open(self, message: OpenStream) -> None:
        if message.stream in self._open:
            log.warning("the console opened stream %d twice", message.stream)
            return
        if len(self._open) >= STREAMS_MOST:
            text = f"This host has {STREAMS_MOST} streams open already: close some first."
            self._outbox.send(CloseStream(message.stream, text))
            return
        stream = Stream(message.stream, self._outbox)
        task = asyncio.get_running_loop().create_task(self._serve(stream, message))
        self._open[message.stream] = (stream, task)

    def credit(self, message: Credit) -> None:
        if message.stream in self._open:
            self._open[message.stream][0].grant(message.size_bytes)

    def close(self, message: CloseStream) -> None:
        if message.stream in self._open:
            self._open.pop(message.stream)[1].cancel()
        self._outbox.drop(message.stream)

    async def close_all(self) -> None:
        tasks = [task for _, task in self._open.values()]
        self._open.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, stream: Stream, message: OpenStream) -> None:
        error = ""
        try:
            params = parse_stream(message.kind, message.params)
            await _SOURCES[message.kind](self._engine, stream, params)
            await stream.end()
        except Misfit as misfit:
            error = f"This agent can't give that: {misfit}."
        except (Refused, EngineGone) as refused:
            error = str(refused)
        except EngineError as refusal:
            error = explain(refusal.message)
        except (OSError, http.BadAnswer):
            error = "The engine went away in the middle: open it again when it is back."
        except Exception as crash:
            log.exception("stream %s crashed", message.kind)
            error = f"The agent made a mistake ({type(crash).__name__}); its log has more."
        await stream.close(error)
        if message.stream in self._open and self._open[message.stream][0] is stream:
            del self._open[message.stream]


async def _logs(engine: Engine, stream: Stream, params: ContainerLogs) -> None:
    document = await documents.inspect_container(engine, params.container)
    tty = (document.get("Config") or {}).get("Tty") is True
    driver = ((document.get("HostConfig") or {}).get("LogConfig") or {}).get("Type") or "?"
    try:
        response = await engine.open("GET", f"/containers/{params.container}/logs", logs_query(params))
    except EngineError as error:
        if error.status == 501 or "configured logging driver does not support reading" in error.message:
            raise Refused(
                f"The log of this container can't be read on its host: its log driver is {sentence(driver, 60)}, "
                "which keeps nothing there. Look where that driver sends the log."
            ) from error
        raise
    try:
        stream.opened(tty=tty)
        while data := await response.read():
            await stream.send(data)
    finally:
        response.close()


def logs_query(params: ContainerLogs) -> dict[str, str]:
    """The query of `GET /containers/{id}/logs`. Times are Unix seconds: the engine refuses RFC 3339 there."""
    query = {
        "stdout": str(int(params.stdout)),
        "stderr": str(int(params.stderr)),
        "follow": str(int(params.follow)),
        "timestamps": str(int(params.timestamps)),
        "tail": "all" if params.tail is None else str(params.tail),
    }
    if params.since_s:
        query["since"] = f"{params.since_s:.6f}"
    if params.until_s:
        query["until"] = f"{params.until_s:.6f}"
    return query


async def _document(kind: str, engine: Engine, stream: Stream, params: Any) -> None:
    text = await documents.read(engine, kind, params)
    stream.opened()
    await stream.send(text)


_SOURCES: dict[str, Callable[[Engine, Stream, Any], Awaitable[None]]] = {
    "container.logs": _logs,
    **{kind: partial(_document, kind) for kind in documents.DOCUMENTS},
}
if missing := sorted(STREAMS.keys() ^ _SOURCES.keys()):
    raise LookupError(f"catalogue and agents/streams.py disagree on: {', '.join(missing)}")
