"""Hints between processes over the channel layer: 'something changed', 'look into your queue'.

A hint may be lost or come twice; beat's sweep bounds the delay. Nobody ever waits for one: inside
a web process they are collected for some milliseconds and sent by the event loop, and a broker
that is down costs a line in the log.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable, Mapping

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = logging.getLogger("gantry.hints")

LIVE_GROUP = "live"
WAKE_GROUP = "wake"
COLLECT_S = 0.02


class _Collector:
    """Gathers the hints of a web process and sends them together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._topics: dict[str, set[str]] = {}  # host id ('' for none) → topics
        self._is_scheduled = False

    def add(self, host: str, topics: Iterable[str]) -> None:
        self._topics.setdefault(host, set()).update(topics)
        if not self._is_scheduled:
            self._is_scheduled = True
            self.loop.call_later(COLLECT_S, lambda: self.loop.create_task(self._send()))

    async def _send(self) -> None:
        self._is_scheduled = False
        topics, self._topics = self._topics, {}
        for host, names in topics.items():
            await _group_send(LIVE_GROUP, {"type": "live.changed", "host": host, "topics": sorted(names)})


_collector: _Collector | None = None


def start(loop: asyncio.AbstractEventLoop) -> None:
    """Called once in a web process, with its event loop."""
    global _collector
    _collector = _Collector(loop)


def changed(host_id: uuid.UUID | None, *topics: str) -> None:
    """Tell every open page that `topics` ('containers', 'operations', …) changed. From any thread, never waits."""
    host = str(host_id) if host_id else ""
    if _collector is not None and not _collector.loop.is_closed():
        _collector.loop.call_soon_threadsafe(_collector.add, host, topics)
        return
    async_to_sync(_group_send)(LIVE_GROUP, {"type": "live.changed", "host": host, "topics": sorted(topics)})


def wake_elsewhere(host_id: uuid.UUID) -> None:
    """Tell the web process that holds the host's link that something waits for it."""
    message = {"type": "wake", "host": str(host_id)}
    if _collector is not None and not _collector.loop.is_closed():
        loop = _collector.loop
        loop.call_soon_threadsafe(lambda: loop.create_task(_group_send(WAKE_GROUP, message)))
        return
    async_to_sync(_group_send)(WAKE_GROUP, message)


async def _group_send(group: str, message: Mapping[str, object]) -> None:
    layer = get_channel_layer()
    try:
        await asyncio.wait_for(layer.group_send(group, message), timeout=2)
    except Exception as error:
        logger.warning("a hint was not sent, the broker does not answer: %s", error or type(error).__name__)
