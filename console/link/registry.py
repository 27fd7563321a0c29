"""The links that this web process holds, and the ways to them from any thread."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from agents.protocol import CLOSE_REFUSED, CLOSE_SUPERSEDED
from console.link import hints, state
from console.link.session import Session
from console.link.streams import HostOffline, Stream
from console.link.writer import write

logger = logging.getLogger("gantry.link")


class Duplicate(Exception):
    """Another agent with the same identity is connected; the text tells what to do."""


_sessions: dict[uuid.UUID, Session] = {}
_loop: asyncio.AbstractEventLoop | None = None


def admit(session: Session) -> None:
    """Make `session` the host's link. The same agent's earlier link ends. Raises Duplicate."""
    current = _sessions.get(session.host_id)
    if current is not None and current.hello.instance != session.hello.instance and not current.is_lost():
        raise Duplicate(
            "another agent with this identity is connected; on a cloned machine "
            "delete the agent's state folder and join anew"
        )
    if current is not None:
        current.close(CLOSE_SUPERSEDED, "the agent has connected anew")
    _sessions[session.host_id] = session


async def dismiss(session: Session) -> None:
    if _sessions.get(session.host_id) is session:
        del _sessions[session.host_id]
        await write(state.note_closed, session.host_id)


def wake(host_id: uuid.UUID) -> None:
    """Something waits for the host in the database. From any thread, in any process; never waits."""
    if _loop is None or _loop.is_closed() or host_id not in _sessions:
        hints.wake_elsewhere(host_id)
        return
    _loop.call_soon_threadsafe(_wake_here, host_id)


def disconnect(host_id: uuid.UUID, reason: str) -> None:
    """End the link of a host whose credential is no longer good. From any thread of this process."""
    if _loop is not None and not _loop.is_closed():
        _loop.call_soon_threadsafe(_close_here, host_id, reason)


async def open_stream(host_id: uuid.UUID, host_name: str, kind: str, params: object) -> Stream:
    """Open a stream on the host; use it with `async with`. Raises HostOffline, StreamFailed."""
    session = _sessions.get(host_id)
    if session is None:
        raise HostOffline(f"{host_name} is offline: its agent is not connected. Check the machine and its agent.")
    return await session.open_stream(kind, params)


def open_stream_from_thread(host_id: uuid.UUID, host_name: str, kind: str, params: object) -> Stream:
    """The same from a synchronous view, in a thread of this process."""
    if _loop is None:
        raise HostOffline("This process holds no links.")
    return asyncio.run_coroutine_threadsafe(open_stream(host_id, host_name, kind, params), _loop).result(30)


def read_whole_from_thread(host_id: uuid.UUID, host_name: str, kind: str, params: object, *, limit: int) -> bytes:
    """All bytes of a stream that ends by itself, such as an inspect. Raises HostOffline, StreamFailed, ValueError."""
    if _loop is None:
        raise HostOffline("This process holds no links.")

    async def read() -> bytes:
        parts: list[bytes] = []
        size = 0
        async with await open_stream(host_id, host_name, kind, params) as stream:
            async for chunk in stream:
                size += len(chunk)
                if size > limit:
                    raise ValueError("The answer is too large.")
                parts.append(chunk)
        return b"".join(parts)

    return asyncio.run_coroutine_threadsafe(asyncio.wait_for(read(), 30), _loop).result(35)


async def serve() -> None:
    """The web process's own upkeep, for as long as it lives: heartbeats into rows, wake-ups from other processes."""
    global _loop
    _loop = asyncio.get_running_loop()
    hints.start(_loop)
    await asyncio.gather(_forever(_note_heard), _forever(_listen_for_wakes))


async def end_all() -> None:
    """The process stops: tell the agents to come back."""
    for session in list(_sessions.values()):
        session.close(1012, "the console restarts")
        await dismiss(session)


async def _note_heard() -> None:
    while True:
        await asyncio.sleep(settings.HEARTBEAT_S)
        heard = [s.host_id for s in _sessions.values() if not s.is_lost()]
        if heard:
            for removed in await write(state.note_heard, heard):
                _close_here(removed, "this host was removed from the console; join it anew")


async def _listen_for_wakes() -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(hints.WAKE_GROUP, channel)
    while True:
        message: dict[str, Any] = await layer.receive(channel)
        _wake_here(uuid.UUID(message["host"]))


async def _forever(work: Any) -> None:
    while True:
        try:
            await work()
        except Exception as error:
            logger.warning("%s: %s; goes on in 2 s", work.__name__.strip("_"), error or type(error).__name__)
        await asyncio.sleep(2)


def _wake_here(host_id: uuid.UUID) -> None:
    if session := _sessions.get(host_id):
        session.wake()


def _close_here(host_id: uuid.UUID, reason: str) -> None:
    if session := _sessions.get(host_id):
        session.close(CLOSE_REFUSED, reason)
