"""One host: a real agent (link, watch, runner, streams, journal) on an engine in memory."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from agents.identity import Identity, StateFolder, enrol, prepare
from agents.journal import Journal
from agents.link import Link
from agents.operations.runner import Runner
from agents.supervise import forever
from agents.watch import Watch
from demo.memory.engine import MemoryEngine
from demo.plan.furnish import Furnished

log = logging.getLogger("demo")


class Member:
    """Joins with a token the first time; is the same host ever after."""

    def __init__(self, furnished: Furnished, console: str, folder: Path) -> None:
        self.furnished = furnished
        self.name = furnished.plan.name
        self.engine = MemoryEngine(furnished.life)
        self._folder = StateFolder(folder / self.name)
        self._console = console
        self._parts: list[asyncio.Future[None]] = []
        self._watch = Watch(self.engine)
        self._runner: Runner | None = None
        self._link: asyncio.Future[None] | None = None
        self.identity: Identity | None = self._folder.read()

    @property
    def has_joined(self) -> bool:
        return self.identity is not None and bool(self.identity.host)

    def join(self, token: str) -> None:
        """Blocks. Raises agents.identity's errors."""
        self.identity = prepare(self._folder, self._console, self.name, has_token=bool(token))
        if not self.identity.host:
            self.identity = enrol(self.identity, token)
            self._folder.write(self.identity)

    async def start(self) -> None:
        """Begin watching and dialling."""
        self._runner = Runner(Journal(self._folder.journal_path), self.engine, self._watch)
        await self._runner.recover()
        self._parts = [
            asyncio.ensure_future(forever("watching the engine", self._watch.run)),
            asyncio.ensure_future(forever("housekeeping", self._runner.keep_house)),
        ]
        self.dial()

    def dial(self) -> None:
        """Link up with the console, again after `hang_up`."""
        assert self.identity is not None
        assert self._runner is not None
        plan = self.furnished.plan
        link = Link(self.identity, self.engine, self._watch, self._runner)
        if plan.agent_version:
            link.version = plan.agent_version
        if plan.clock_offset_s:
            link.clock = lambda: time.time() + plan.clock_offset_s
        self._link = asyncio.ensure_future(forever("the link", link.run))

    async def hang_up(self) -> None:
        """As if the machine had lost its network."""
        if self._link is not None:
            self._link.cancel()
            await asyncio.gather(self._link, return_exceptions=True)
            self._link = None

    async def stop(self) -> None:
        await self.hang_up()
        for part in self._parts:
            part.cancel()
        await asyncio.gather(*self._parts, return_exceptions=True)
        if self._runner is not None:
            await self._runner.stop()
        await self.engine.close()
