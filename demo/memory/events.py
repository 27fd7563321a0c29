"""The engine's events as a stream, and its filters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from demo.memory.state import Container, Document, State

WAITING_MOST = 10_000


def matches(filters: Mapping[str, Sequence[str]], c: Container) -> bool:
    """Whether a container is wanted by the filters of `GET /containers/json`."""
    for label in filters.get("label", ()):
        key, equals, value = label.partition("=")
        if key not in c.labels or (equals and c.labels[key] != value):
            return False
    if "status" in filters and c.status not in filters["status"]:
        return False
    if "name" in filters and not any(name in c.name for name in filters["name"]):
        return False
    if "id" in filters and not any(c.id.startswith(engine_id) for engine_id in filters["id"]):
        return False
    return "health" not in filters or (c.health or "none") in filters["health"]


def is_wanted(event: Document, filters: Mapping[str, Sequence[str]]) -> bool:
    action = str(event["Action"])
    wanted = filters.get("event")
    if wanted and action not in wanted and action.partition(":")[0] not in wanted:
        return False
    kinds = filters.get("type")
    if kinds and event["Type"] not in kinds:
        return False
    containers = filters.get("container")
    return not containers or event["Actor"]["ID"] in containers


async def event_stream(
    state: State, filters: Mapping[str, Sequence[str]], since: float, until: float, clock: Callable[[], float]
) -> AsyncIterator[bytes]:
    """JSON lines. What is still kept from `since` on comes first; ends at `until`, if that is given."""
    waiting: asyncio.Queue[Document] = asyncio.Queue(WAITING_MOST)

    def take(event: Document) -> None:
        if is_wanted(event, filters) and not waiting.full():
            waiting.put_nowait(event)

    if since:
        for event in state.events:
            if event["timeNano"] / 1e9 >= since and (not until or event["timeNano"] / 1e9 <= until):
                take(event)
    state.listeners.append(take)
    try:
        while True:
            if waiting.empty() and until and clock() >= until:
                return
            try:
                event = await asyncio.wait_for(waiting.get(), max(until - clock(), 0.01) if until else None)
            except TimeoutError:
                continue
            lines = [json.dumps(event)]
            while not waiting.empty():
                lines.append(json.dumps(waiting.get_nowait()))
            yield ("\n".join(lines) + "\n").encode()
    finally:
        state.listeners.remove(take)
