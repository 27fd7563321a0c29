"""The queue of operations, with a real journal and no engine: what waits can be cancelled, expires, is told again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.engine import Engine, parse_address
from agents.journal import Journal
from agents.operations.runner import PROGRESS_S, Reporter, Runner
from agents.protocol import Accepted, Cancel, Confirm, Message, Outcome, Perform, Progress
from agents.watch import Watch

ID = "a" * 64


def uuid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


class Bench:
    """A runner whose engine is never found, so that the first operation on an object stays at its beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sent: list[Message] = []
        self.now = 1000.0
        self.begin()

    def begin(self) -> None:
        self.engine = Engine([parse_address("unix:///nonexistent")])
        self.watch = Watch(self.engine)
        journal = Journal(self.path / "journal.sqlite3", lambda: self.now)
        self.runner = Runner(journal, self.engine, self.watch, lambda: self.now)
        self.runner.send = self.sent.append

    async def ask(self, number: int, kind: str = "container.start", deadline_s: float = 60, **params: Any) -> None:
        await self.runner.perform(Perform(uuid(number), kind, params or {"container": ID}, deadline_s))

    async def outcomes(self, count: int) -> dict[str, Outcome]:
        for _ in range(500):
            found = {m.operation: m for m in self.sent if isinstance(m, Outcome)}
            if len(found) >= count:
                return found
            await asyncio.sleep(0.005)
        raise AssertionError(self.sent)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.runner.stop()


async def test_what_waits_can_be_cancelled(bench: Bench) -> None:
    await bench.ask(1)
    await bench.ask(2)
    await bench.runner.cancel(Cancel(uuid(2)))
    assert (await bench.outcomes(1))[uuid(2)].state == "cancelled"
    await bench.ask(2)
    assert [m for m in bench.sent if isinstance(m, Accepted)] == [
        Accepted(uuid(1)),
        Accepted(uuid(2)),
        Accepted(uuid(2)),
    ]
    assert len([m for m in bench.sent if isinstance(m, Outcome)]) == 2


async def test_what_waits_too_long_expires(bench: Bench) -> None:
    await bench.ask(1)
    await bench.ask(2, deadline_s=0.02)
    await bench.ask(3, deadline_s=-5)
    outcomes = await bench.outcomes(2)
    assert outcomes[uuid(2)].state == outcomes[uuid(3)].state == "expired"


async def test_a_cancel_that_overtakes_its_operation_wins(bench: Bench) -> None:
    await bench.runner.cancel(Cancel(uuid(1)))
    await bench.ask(1)
    assert {o.state for o in (await bench.outcomes(1)).values()} == {"cancelled"}


async def test_nonsense_is_refused_once_and_remembered(bench: Bench) -> None:
    await bench.ask(1, "container.fly")
    await bench.ask(2, "container.stop", container="short")
    outcomes = await bench.outcomes(2)
    assert "there is no operation 'container.fly'" in outcomes[uuid(1)].error
    assert "full container id" in outcomes[uuid(2)].error
    await bench.ask(1, "container.start")
    assert bench.sent[-1] == outcomes[uuid(1)]


async def test_after_a_restart_what_never_began_is_taken_up_or_expires(bench: Bench) -> None:
    await bench.ask(1)
    await bench.ask(2, deadline_s=5)
    await bench.runner.stop()
    bench.now += 10
    bench.begin()
    await bench.runner.recover()
    outcomes = await bench.outcomes(1)
    assert outcomes[uuid(2)].state == "expired"
    assert uuid(1) not in outcomes
    await bench.ask(1)
    assert bench.sent[-2:] == [Accepted(uuid(1)), Progress(uuid(1))]


async def test_outcomes_are_resent_until_confirmed(bench: Bench) -> None:
    await bench.ask(1, "container.fly")
    await bench.outcomes(1)
    bench.sent.clear()
    await bench.runner.resend()
    assert len(bench.sent) == 1
    await bench.runner.confirm(Confirm(uuid(1)))
    bench.sent.clear()
    await bench.runner.resend()
    assert bench.sent == []


async def test_progress_comes_at_once_and_then_not_too_often() -> None:
    sent: list[Message] = []
    reporter = Reporter(uuid(1), sent.append)
    for number in range(100):
        reporter.report({"n": number})
    assert [m.progress for m in sent if isinstance(m, Progress)] == [{"n": 0}]
    await asyncio.sleep(PROGRESS_S * 1.2)
    assert [m.progress for m in sent if isinstance(m, Progress)] == [{"n": 0}, {"n": 99}]
    reporter.close()
