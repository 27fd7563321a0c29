"""What is sent in which order, without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agents.catalogue import ObjectKind
from agents.outbox import FLOOD, FRAMES_WAITING, Outbox, manifest_parts
from agents.protocol import MAX_TEXT_BYTES, Accepted, Outcome, Progress
from agents.watch import Mirror

UUID = "00000000-0000-0000-0000-000000000001"


def outbox_of(**objects: list[str]) -> tuple[Outbox, Mirror]:
    mirror = Mirror()
    mirror.is_listed = True
    for kind, ids in objects.items():
        for engine_id in ids:
            put(mirror, kind, engine_id)
    return Outbox(mirror, clock=lambda: 5.0), mirror


def put(mirror: Mirror, kind: Any, engine_id: str, **more: object) -> None:
    mirror.put(kind, {"id": engine_id, **more})


async def sent(outbox: Outbox) -> list[Any]:
    """All that can be sent now: messages as documents, frames as bytes."""
    items = []
    while True:
        try:
            item = await asyncio.wait_for(outbox.next(), 0.01)
        except TimeoutError:
            return items
        items.append(json.loads(item) if isinstance(item, str) else item)


async def test_control_messages_overtake_streams_and_streams_take_turns() -> None:
    outbox, _ = outbox_of()
    for stream in (1, 2):
        for number in range(FRAMES_WAITING):
            await outbox.push(stream, f"{stream}{number}".encode())
    outbox.send(Accepted(UUID))
    first, *rest = await sent(outbox)
    assert first["type"] == "Accepted"
    assert rest == [b"10", b"20", b"11", b"21"]


async def test_a_stream_waits_while_enough_of_it_waits() -> None:
    outbox, _ = outbox_of()
    for _ in range(FRAMES_WAITING):
        await outbox.push(1, b"x")
    pushing = asyncio.ensure_future(outbox.push(1, b"last"))
    await asyncio.sleep(0)
    assert not pushing.done()
    await outbox.push(2, b"other")
    assert await outbox.next() == b"x"
    await pushing
    outbox.drop(1)
    assert await sent(outbox) == [b"other"]


async def test_an_object_that_changes_often_is_sent_as_it_is_then() -> None:
    outbox, mirror = outbox_of()
    for size in range(100):
        put(mirror, "image", "i", size=size)
        outbox.changed("image", "i")
    outbox.changed("volume", "gone")
    messages = await sent(outbox)
    assert messages == [
        {"type": "Changes", "kind": "image", "number": 1, "objects": [{"id": "i", "size": 99}], "removed": []},
        {"type": "Changes", "kind": "volume", "number": 2, "objects": [], "removed": ["gone"]},
    ]


async def test_what_changed_before_an_outcome_is_sent_before_it() -> None:
    outbox, mirror = outbox_of()
    outbox.send(Accepted(UUID))
    put(mirror, "volume", "v")
    outbox.changed("volume", "v")
    outbox.send(Outcome(UUID, "succeeded"))
    put(mirror, "volume", "w")
    outbox.changed("volume", "w")
    kinds = [message["type"] for message in await sent(outbox)]
    assert kinds == ["Accepted", "Changes", "Outcome"]
    outbox.changed("volume", "v")
    assert [message["number"] for message in await sent(outbox)] == [2]


async def test_large_changes_come_in_several_messages() -> None:
    outbox, mirror = outbox_of()
    for number in range(450):
        put(mirror, "container", f"c{number}", text="x" * 9000)
        outbox.changed("container", f"c{number}")
    messages = await sent(outbox)
    assert sum(len(message["objects"]) for message in messages) == 450
    assert [message["number"] for message in messages] == list(range(1, len(messages) + 1))
    assert all(len(message["objects"]) <= 200 and len(json.dumps(message)) < MAX_TEXT_BYTES for message in messages)


async def test_a_manifest_tells_of_a_state_that_was_sent() -> None:
    outbox, mirror = outbox_of(volume=["a"])
    outbox.compare(["volume"])
    outbox.compare(["volume"])
    put(mirror, "volume", "b")
    outbox.changed("volume", "b")
    changes, manifest = await sent(outbox)
    assert changes["number"] == manifest["number"] == 1
    assert set(manifest["fingerprints"]) == {"a", "b"}


def test_manifests_are_bounded() -> None:
    kinds: list[tuple[ObjectKind, str]] = [("container", "{:064x}"), ("volume", "é" * 240 + "{}")]
    for kind, form in kinds:
        mirror = Mirror()
        for number in range(25_000):
            mirror.put(kind, {"id": form.format(number)})
        parts = manifest_parts(mirror, kind, 7)
        assert sum(len(part.fingerprints) for part in parts) == 25_000
        assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
        assert all(len(json.dumps(part.fingerprints)) < MAX_TEXT_BYTES for part in parts)
    assert len(manifest_parts(Mirror(), "image", 0)) == 1


async def test_of_progress_only_the_latest_waits() -> None:
    outbox, _ = outbox_of()
    for current in range(50):
        outbox.send(Progress(UUID, {"current": current}))
    outbox.send(Outcome(UUID, "succeeded"))
    progress, outcome = await sent(outbox)
    assert progress["progress"] == {"current": 49}
    assert outcome["type"] == "Outcome"


async def test_heartbeats_carry_digests_when_asked() -> None:
    outbox, mirror = outbox_of(volume=["a"])
    outbox.heartbeat(with_digests=False)
    outbox.heartbeat(with_digests=True)
    plain, full = await sent(outbox)
    assert plain == {"type": "Heartbeat", "clock": 5.0, "digests": {}}
    assert full["digests"] == mirror.digests()


async def test_too_many_answers_hold_the_questions_up() -> None:
    outbox, _ = outbox_of()
    await outbox.ebb()
    for _ in range(FLOOD + 1):
        outbox.send(Accepted(UUID))
    ebbing = asyncio.ensure_future(outbox.ebb())
    await asyncio.sleep(0)
    assert not ebbing.done()
    for _ in range(FLOOD // 2 + 1):
        await outbox.next()
    await ebbing
