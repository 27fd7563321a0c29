"""What waits to be sent on one connection, and in which order. Knows no sockets.

Control messages overtake the streams' bulk data; the streams take turns. Nothing grows without bound: of an
object that changed only its id waits, and is sent as it is when its turn comes; of progress only the latest
waits; of a stream at most FRAMES_WAITING frames, then its source has to wait.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from agents.catalogue import OBJECT_KINDS, ObjectKind
from agents.protocol import (
    OBJECTS_PER_MESSAGE,
    Changes,
    Heartbeat,
    Manifest,
    Message,
    Progress,
    dump,
)
from agents.watch import Mirror

FRAMES_WAITING = 2
CHANGES_BYTES = 1024 * 1024
REMOVED_PER_MESSAGE = 2000
MANIFEST_ENTRIES = 20_000
MANIFEST_BYTES = 1536 * 1024
FLOOD = 4000  # control messages that wait; from here on nothing more is taken from the console

_CHANGES = "changes"


class _Marker:
    """A place in the order of control messages; what is sent is made when its turn comes."""

    __slots__ = ("kind", "uuid", "what")

    def __init__(self, what: str, kind: ObjectKind | None = None, uuid: str = "") -> None:
        self.what = what
        self.kind = kind
        self.uuid = uuid


class Outbox:
    """Messages and frames go in; texts and bytes come out of `next`."""

    def __init__(self, mirror: Mirror, clock: Callable[[], float] = time.time) -> None:
        self._mirror = mirror
        self._clock = clock
        self._control: deque[str | _Marker] = deque()
        self._dirty: dict[ObjectKind, dict[str, None]] = {kind: {} for kind in OBJECT_KINDS}
        self._has_changes_marker = False
        self._manifests: set[ObjectKind] = set()
        self._progress: dict[str, Progress] = {}
        self._number = 0
        self._streams: dict[int, deque[str | bytes]] = {}  # in the order of their turns
        self._something = asyncio.Event()
        self._room = asyncio.Condition()

    # --- in ---

    def send(self, message: Message) -> None:
        if isinstance(message, Progress):
            if message.operation not in self._progress:
                self._append(_Marker("progress", uuid=message.operation))
            self._progress[message.operation] = message
            return
        self._append(dump(message))

    def changed(self, kind: ObjectKind, engine_id: str) -> None:
        """This object is to be sent as it is then, or as removed."""
        self._dirty[kind][engine_id] = None
        if not self._has_changes_marker:
            self._has_changes_marker = True
            self._append(_Marker(_CHANGES))

    def compare(self, kinds: Iterable[ObjectKind]) -> None:
        for kind in kinds:
            if kind not in self._manifests:
                self._manifests.add(kind)
                self._append(_Marker("manifest", kind))

    def heartbeat(self, *, with_digests: bool) -> None:
        self._append(_Marker("digests" if with_digests else "heartbeat"))

    async def push(self, stream: int, item: str | bytes) -> None:
        """A stream's next frame, or its closing message; waits while enough of this stream is waiting."""
        queue = self._streams.setdefault(stream, deque())
        if len(queue) >= FRAMES_WAITING:
            async with self._room:
                await self._room.wait_for(lambda: len(queue) < FRAMES_WAITING)
        if self._streams.get(stream) is not queue:  # it was emptied, and left the turns meanwhile
            queue = self._streams.setdefault(stream, queue)
        queue.append(item)
        self._something.set()

    def drop(self, stream: int) -> None:
        """Forget what waits of a stream."""
        self._streams.pop(stream, None)

    async def ebb(self) -> None:
        """Waits while too much waits."""
        if len(self._control) > FLOOD:
            async with self._room:
                await self._room.wait_for(lambda: len(self._control) <= FLOOD // 2)

    # --- out ---

    async def next(self) -> str | bytes:
        """What is to be sent next; waits for it."""
        while True:
            item = self._next_control() or self._next_frame()
            if item is not None:
                await self._tell_room()
                return item
            self._something.clear()
            await self._something.wait()

    def _append(self, item: str | _Marker) -> None:
        self._control.append(item)
        self._something.set()

    def _next_control(self) -> str | None:
        while self._control:
            item = self._control.popleft()
            text = item if isinstance(item, str) else self._make(item)
            if text is not None:
                return text
        return None

    def _make(self, marker: _Marker) -> str | None:
        if marker.what == "progress":
            return dump(self._progress.pop(marker.uuid))
        if marker.what == "heartbeat":
            return dump(Heartbeat(self._clock()))
        changes = self._make_changes()
        if marker.what == _CHANGES:
            if changes is None:
                self._has_changes_marker = False
            else:
                self._control.appendleft(marker)
            return changes
        if changes is not None:  # digests and manifests tell of a state that the console has been sent
            self._control.appendleft(marker)
            return changes
        if marker.what == "digests":
            return dump(Heartbeat(self._clock(), self._mirror.digests()))
        assert marker.kind is not None
        self._manifests.discard(marker.kind)
        parts = [dump(part) for part in manifest_parts(self._mirror, marker.kind, self._number)]
        self._control.extendleft(reversed(parts))
        return None

    def _make_changes(self) -> str | None:
        """The next message of changes; None when all is sent."""
        for kind, dirty in self._dirty.items():
            if not dirty:
                continue
            objects: list[dict[str, Any]] = []
            removed: list[str] = []
            size = 0
            for engine_id in list(dirty):
                document = self._mirror.document(kind, engine_id)
                if document is None:
                    removed.append(engine_id)
                else:
                    length = len(json.dumps(document, separators=(",", ":")))
                    if objects and size + length > CHANGES_BYTES:
                        break
                    objects.append(document)
                    size += length
                del dirty[engine_id]
                if len(objects) >= OBJECTS_PER_MESSAGE or len(removed) >= REMOVED_PER_MESSAGE:
                    break
            self._number += 1
            return dump(Changes(kind, self._number, objects, removed))
        return None

    async def _tell_room(self) -> None:
        async with self._room:
            self._room.notify_all()

    def _next_frame(self) -> str | bytes | None:
        for stream in list(self._streams):
            queue = self._streams.pop(stream)
            if not queue:
                continue
            item = queue.popleft()
            self._streams[stream] = queue  # to the end of the turns
            return item
        return None


def manifest_parts(mirror: Mirror, kind: ObjectKind, number: int) -> list[Manifest]:
    """All fingerprints of a kind, in as many messages as their size asks for; at least one."""
    parts: list[dict[str, str]] = [{}]
    size = 0
    for engine_id, mark in mirror.fingerprints(kind).items():
        length = len(json.dumps(engine_id)) + len(mark) + 4
        if len(parts[-1]) >= MANIFEST_ENTRIES or size + length > MANIFEST_BYTES:
            parts.append({})
            size = 0
        parts[-1][engine_id] = mark
        size += length
    last = len(parts) - 1
    return [Manifest(kind, number, part, last=index == last) for index, part in enumerate(parts)]
