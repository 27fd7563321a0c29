"""A few people who use the console: by REST they ask for operations now and then, some of which fail."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

from demo.rest import Refused, Rest

log = logging.getLogger("demo")

FIRST_S, EVERY_S = 6.0, 45.0
PULLS = (
    "nginx:1.27.2",
    "postgres:17.1",
    "redis:7.4.1-alpine",
    "grafana/grafana:11.3.0",
    "nginx:nosuch",
    "acme/private:1",
)


class People:
    """Each person has a token of their own."""

    def __init__(self, console: str, tokens: Mapping[str, str], threads: Executor) -> None:
        self._people = [Rest(console, token) for token in tokens.values()]
        self._chance = random.Random()  # of the seed is only what the hosts do
        self._threads = threads

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await loop.run_in_executor(self._threads, self.ask)
            except Refused as refused:
                log.debug("%s", refused)
            await asyncio.sleep(self._chance.expovariate(1 / EVERY_S))

    def ask(self) -> None:
        """For one operation. Raises Refused."""
        rest = self._chance.choice(self._people)
        asks = (self._restart, self._stop_and_start, self._pull, self._start_what_failed, self._network)
        self._chance.choices(asks, (40, 20, 20, 10, 10))[0](rest)

    def _one(self, rest: Rest, path: str) -> dict[str, Any] | None:
        found = rest("GET", f"{path}&limit=200")["results"]
        return self._chance.choice(found) if found else None

    def _restart(self, rest: Rest) -> None:
        if c := self._one(rest, "/containers?state=running"):
            rest("POST", f"/containers/{c['id']}/restart", {})

    def _stop_and_start(self, rest: Rest) -> None:
        if c := self._one(rest, "/containers?state=running"):
            rest("POST", f"/containers/{c['id']}/stop?wait=15", {})
            rest("POST", f"/containers/{c['id']}/start", {})

    def _start_what_failed(self, rest: Rest) -> None:
        if c := self._one(rest, "/containers?state=created"):
            rest("POST", f"/containers/{c['id']}/start", {})

    def _pull(self, rest: Rest) -> None:
        if host := self._one(rest, "/hosts?state=online"):
            rest("POST", "/images/pull", {"host": host["id"], "reference": self._chance.choice(PULLS)})

    def _network(self, rest: Rest) -> None:
        if host := self._one(rest, "/hosts?state=online"):
            name = f"scratch-{self._chance.randrange(1000)}"
            made = rest("POST", "/networks?wait=10", {"host": host["id"], "name": name})
            result = made.get("result") or {}
            found = rest("GET", f"/networks?name={name}&limit=5")["results"] if result else []
            for network in found:
                rest("DELETE", f"/networks/{network['id']}")
