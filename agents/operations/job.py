"""What a function that carries out an operation works with: its job, its ways to end, its registry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agents.catalogue import OPERATIONS, ObjectKind
from agents.engine import Engine

Result = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Awaitable[Result]])

LOOK_AGAIN_S = 0.5


class Failed(Exception):
    """It did not work; a sentence that says why and what to do. `result` names what was made all the same."""

    def __init__(self, text: str, result: Result | None = None) -> None:
        self.result = result or {}
        super().__init__(text)


class Interrupted(Exception):
    """Whether it was done can't be known; a sentence that says what is known and what to do."""


class GivenUp(Exception):
    """It was cancelled while it ran, and stopped."""


@dataclass
class Job:
    """One operation that runs, or is taken up again after an interruption."""

    uuid: str
    engine: Engine
    steps: list[dict[str, Any]]
    write_steps: Callable[[list[dict[str, Any]]], Awaitable[None]]
    send_progress: Callable[[dict[str, Any]], None]
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    touched: list[tuple[ObjectKind, str]] = field(default_factory=list)  # what to read again before it ends

    async def step(self, name: str, **facts: Any) -> None:
        """Enter what is about to be done, and what will tell later whether it was. Raises JournalFull."""
        steps = [*self.steps, {"step": name, "at": time.time(), **facts}]
        await self.write_steps(steps)
        self.steps = steps

    def last(self, name: str) -> dict[str, Any] | None:
        """The last step of that name that was entered."""
        return next((step for step in reversed(self.steps) if step["step"] == name), None)

    def touch(self, kind: ObjectKind, engine_id: str) -> None:
        if (kind, engine_id) not in self.touched:
            self.touched.append((kind, engine_id))

    def report(self, message: str, **more: Any) -> None:
        """Progress for people. `more`: current, total, layers."""
        self.send_progress({"message": message, **more})


Perform = Callable[[Job, Any], Awaitable[Result]]


@dataclass(frozen=True)
class Deed:
    """The two functions of an operation: do it, and find out after an interruption what to make of it."""

    perform: Perform
    recover: Perform


DEEDS: dict[str, Deed] = {}
_performs: dict[str, Perform] = {}


def performs(kind: str) -> Callable[[F], F]:
    """This function carries out operations of `kind`."""

    def enter(function: F) -> F:
        _performs[kind] = function
        return function

    return enter


def recovers(kind: str) -> Callable[[F], F]:
    """This function is called with the journaled steps where the agent or the engine went away in the middle.

    It looks at the engine, and goes forward from there, or raises Failed or Interrupted.
    """

    def enter(function: F) -> F:
        DEEDS[kind] = Deed(_performs[kind], function)
        return function

    return enter


def check_complete() -> None:
    """Every entry of the catalogue has its functions. Raises LookupError."""
    if missing := sorted(OPERATIONS.keys() ^ DEEDS.keys()):
        raise LookupError(f"catalogue and agents/operations/ disagree on: {', '.join(missing)}")


async def look_until(found: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
    """Look again and again for up to `timeout_s`: the engine may still be at what the dead agent asked."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while not await found():
        if loop.time() >= end:
            return False
        await asyncio.sleep(LOOK_AGAIN_S)
    return True
