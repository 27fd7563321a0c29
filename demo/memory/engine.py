"""The agent's engine, with one in memory behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

from docker import APIClient

from agents import engine_http as http
from agents.engine import Engine, EngineError, EngineGone, ask, facts_of
from agents.protocol import EngineFacts
from demo.memory.api import Answer, Api, Call, Takes
from demo.memory.client import MemoryClient
from demo.memory.documents import info, version
from demo.memory.lifecycle import Lifecycle
from demo.memory.state import ApiError

T = TypeVar("T")


async def nap(seconds: float) -> None:
    """The time that the engine needs for something."""
    await asyncio.sleep(seconds)


class MemoryStream(http.Response):
    """An answer whose body comes from a generator."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._body = answer.stream if answer.stream is not None else _one(answer)
        self._reading: asyncio.Future[bytes] | None = None

    async def read(self) -> bytes:
        try:
            self._reading = asyncio.ensure_future(anext(self._body))
            return await self._reading
        except StopAsyncIteration:
            return b""

    def close(self) -> None:
        if self._reading is not None and not self._reading.done():
            self._reading.cancel()
        asyncio.ensure_future(_close(self._body))  # noqa: RUF006  it does nothing but end


class MemoryEngine(Engine):
    """Nothing waits for a socket or a thread: the SDK is answered at once, and what takes time is slept through."""

    def __init__(self, life: Lifecycle) -> None:
        super().__init__([http.Address("memory://engine")])
        self.life = life
        self.is_reachable = True
        self._api = Api(life, lambda seconds: nap(seconds))
        self._client = MemoryClient(self._api)

    async def connect(self) -> EngineFacts:
        await self.alive()
        self.facts = facts_of(version(self.life.state), info(self.life.state))
        self.error = ""
        return self.facts

    async def alive(self) -> None:
        if not self.is_reachable:
            self.lost(
                "No engine answers at unix:///var/run/docker.sock: start it, or give another address with --engine."
            )
            raise EngineGone(self.error)

    async def look(self, question: Callable[[APIClient], T]) -> T:
        await asyncio.sleep(0)
        return await self._ask(question)

    async def act(self, deed: Callable[[APIClient], T]) -> T:
        await asyncio.sleep(0)
        return await self._ask(deed)

    async def open(self, method: str, path: str, query: Mapping[str, str]) -> http.Response:
        await self.alive()
        try:
            return MemoryStream(self._api.handle(Call(method, path, query, has_waited=True)))
        except ApiError as error:
            raise EngineError(error.status, error.message) from error

    async def close(self) -> None:
        self._client.close()
        await super().close()

    async def _ask(self, question: Callable[[APIClient], T]) -> T:
        await self.alive()
        has_waited = False
        while True:
            self._client.has_waited = has_waited  # others may have asked while this one slept
            try:
                return ask(self._client, self._address, question)
            except Takes as takes:
                await nap(takes.seconds)
                await self.alive()
                has_waited = True


async def _one(answer: Answer) -> AsyncIterator[bytes]:
    if answer.document is not None:
        yield answer.document.encode() if isinstance(answer.document, str) else json.dumps(answer.document).encode()


async def _close(body: AsyncIterator[bytes]) -> None:
    closing = getattr(body, "aclose", None)
    if closing is not None:
        try:
            await closing()
        except RuntimeError:
            pass  # it is in the middle of a read that was cancelled, and ends by that
