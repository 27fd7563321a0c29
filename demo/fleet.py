"""All hosts in one process: they join, link up, and live, until the process is asked to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from agents.identity import NoConsole
from demo.life import Life
from demo.member import Member
from demo.people import People
from demo.plan.furnish import furnish
from demo.plan.hosts import host_plans
from demo.rest import Refused, Rest

log = logging.getLogger("demo")

JOINING_AT_ONCE = 4
AWAY_AFTER_S, AWAY_FOR_S, THERE_FOR_S = 20.0, 900.0, 600.0
START_APART_S = 0.02  # so that a hundred hosts are not compared in one moment


@dataclass(frozen=True, slots=True)
class Options:
    console: str
    tokens: dict[str, str]  # of people, by their name; the first is an administrator's
    folder: Path
    hosts: int
    containers: int
    changes_per_s: float
    seed: int


class Fleet:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._rest = Rest(options.console, next(iter(options.tokens.values())))
        self._threads = ThreadPoolExecutor(JOINING_AT_ONCE, thread_name_prefix="rest")
        self.members: list[Member] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """Raises Unusable, Refused."""
        began = time.monotonic()
        options = self._options
        born = self._born()
        for plan in host_plans(options.seed, options.hosts):
            furnished = furnish(plan, options.seed, options.containers, born=born)
            self.members.append(Member(furnished, options.console, options.folder))
        count = sum(len(member.furnished.life.state.containers) for member in self.members)
        log.info("%d hosts with %d containers, seed %d", len(self.members), count, options.seed)
        tasks: list[asyncio.Future[None]] = []
        try:
            await self._join_all()
            for member in self.members:
                self._take_up(member)
                await member.start()
                await asyncio.sleep(START_APART_S)
            log.info("all hosts joined after %.1f s", time.monotonic() - began)
            hosts = [member.furnished for member in self.members]
            people = People(options.console, options.tokens, self._threads)
            tasks = [
                asyncio.ensure_future(Life(hosts, options.seed, options.changes_per_s).run()),
                asyncio.ensure_future(people.run()),
                *(
                    asyncio.ensure_future(_come_and_go(member))
                    for member in self.members
                    if member.furnished.plan.goes_away
                ),
            ]
            await stopping.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(member.stop() for member in self.members), return_exceptions=True)
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _born(self) -> float:
        """When the fleet on this folder was started first: a later start does not make its containers younger."""
        kept = self._options.folder / "born"
        try:
            return float(kept.read_text())
        except (OSError, ValueError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(str(time.time()))
            return float(kept.read_text())

    def _take_up(self, member: Member) -> None:
        """What is in a restart loop goes on in it."""
        life = member.furnished.life
        for c in life.state.containers.values():
            if c.fate is not None and c.status == "exited":
                count = c.restart_count
                life.start(c)
                c.restart_count = count

    async def _join_all(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._forget_others)
        joining = [loop.run_in_executor(self._threads, self._join, member) for member in self.members]
        await asyncio.gather(*joining)

    def _forget_others(self) -> None:
        """Hosts of an earlier fleet on the same data go: they would be offline for ever."""
        own = {member.identity.host for member in self.members if member.identity is not None}
        for host in self._rest.all("/hosts"):
            if host["id"] not in own:
                self._rest("DELETE", f"/hosts/{host['id']}")

    def _join(self, member: Member) -> None:
        token = "" if member.has_joined else str(self._rest("POST", "/join-tokens", {})["secret"])
        try:
            member.join(token)
        except NoConsole as error:
            raise Refused(str(error)) from error


async def _come_and_go(member: Member) -> None:
    """Its agent is lost for some minutes, and comes back, again and again."""
    await asyncio.sleep(AWAY_AFTER_S)
    while True:
        log.info("%s loses its network for a while", member.name)
        await member.hang_up()
        await asyncio.sleep(AWAY_FOR_S)
        log.info("%s is back", member.name)
        member.dial()
        await asyncio.sleep(THERE_FOR_S)
