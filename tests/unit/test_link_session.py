"""A link while the database fails: what is wrong with one message costs that message, what is wrong now the link."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import DataError, OperationalError

from agents.protocol import Hello, Message, Outcome, dump
from console.hosts.models import Host
from console.link import receivers
from console.link.session import Session
from tests.up import eventually

pytestmark = pytest.mark.django_db(transaction=True)


class Failing:
    """Refuses what it receives, as a database would."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.seen: list[Message] = []

    def opened(self, hello: Hello) -> Sequence[Message]:
        return ()

    def woken(self) -> Sequence[Message]:
        return ()

    def receive(self, message: Message) -> Sequence[Message]:
        self.seen.append(message)
        raise self.error


async def served(host: Host, receiver: Failing, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session that was told of three outcomes and then left by its agent, or left it."""
    monkeypatch.setattr(receivers, "_factories", [lambda _: receiver])
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(event: dict[str, Any]) -> None:
        pass

    async def receive() -> dict[str, Any]:
        return await heard.get()

    session = Session(host, Hello(1, "0.1", str(uuid.uuid4()), time.time()), send)
    for _ in range(3):
        heard.put_nowait({"type": "websocket.receive", "text": dump(Outcome(str(uuid.uuid4()), "succeeded"))})
    running = asyncio.create_task(session.run(receive))
    await asyncio.to_thread(eventually, lambda: len(receiver.seen) == 3 or running.done(), "all is handled")
    heard.put_nowait({"type": "websocket.disconnect"})
    await running
    return session


async def test_a_message_that_no_row_can_hold_is_left_out(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Failing(DataError("value too long"))
    session = await served(host, receiver, monkeypatch)
    assert len(receiver.seen) == 3
    assert session.closing is None


async def test_a_database_that_fails_ends_the_link_with_a_reason(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await served(host, Failing(OperationalError("disk I/O error")), monkeypatch)
    assert session.closing is not None
    code, reason = session.closing
    assert code == 1013
    assert "database" in reason
