"""Whatever dies in the middle, an operation is done once, and ends."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.catalogue import LABEL_OPERATION
from agents.protocol import Outcome
from tests.engine.console_end import AgentProcess, ConsoleEnd, agent_of, console_end, until
from tests.rig.engines import Engine
from tests.rig.pool import HostFactory

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

BUSYBOX = "busybox:local"


class Asker:
    """Asks like a console: again on each new link, until there is an outcome."""

    def __init__(self, console: ConsoleEnd) -> None:
        self.console = console
        self.asked: dict[str, tuple[str, dict[str, Any]]] = {}

    async def ask(self, kind: str, **params: Any) -> str:
        operation = str(uuid.uuid4())
        self.asked[operation] = (kind, params)
        if self.console.links and self.console.link.is_open:
            await self.console.ask(kind, operation=operation, **params)
        return operation

    async def resend_on_each_link(self) -> None:
        seen = 0
        while True:
            await asyncio.sleep(0.02)
            if len(self.console.links) > seen and self.console.link.hello:
                seen = len(self.console.links)
                for operation, (kind, params) in self.asked.items():
                    if operation not in self.console.outcomes and self.console.link.is_open:
                        await self.console.ask(kind, operation=operation, **params)

    async def all_outcomes(self, timeout_s: float = 90) -> dict[str, Outcome]:
        outcomes = self.console.outcomes
        await until(lambda: all(o in outcomes for o in self.asked), timeout_s, "all outcomes")
        for operation in self.asked:
            assert len({(o.state, str(o.result)) for o in outcomes[operation]}) == 1
        return {operation: outcomes[operation][-1] for operation in self.asked}


@asynccontextmanager
async def asking(console: ConsoleEnd) -> AsyncIterator[Asker]:
    asker = Asker(console)
    task = asyncio.ensure_future(asker.resend_on_each_link())
    yield asker
    task.cancel()


async def kill_now_and_then(agent: AgentProcess, times: int, rng: random.Random) -> None:
    for _ in range(times):
        await asyncio.sleep(rng.uniform(0.6, 2.0))
        await agent.kill()
        await agent.start()


async def test_kill_9_of_the_agent_at_random_moments(engines: Engine, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    count = 30
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url) as agent:
        await console.listed()
        async with asking(console) as asker:
            killing = asyncio.ensure_future(kill_now_and_then(agent, 5, rng))
            created = []
            for number in range(count):
                params = {"image": BUSYBOX, "command": ["sleep", "1000"], "start": number % 2 == 0}
                created.append(await asker.ask("container.create", name=f"c{number}", **params))
                await asyncio.sleep(rng.uniform(0, 0.3))
            await killing
            outcomes = await asker.all_outcomes()
            found = {c.name: c for c in await asyncio.to_thread(engines.client.containers.list, all=True)}
            assert sorted(found) == sorted(f"c{n}" for n in range(count))
            for number, operation in enumerate(created):
                assert outcomes[operation].state == "succeeded", outcomes[operation]
                container = found[f"c{number}"]
                assert container.id == outcomes[operation].result["container"]
                assert container.labels[LABEL_OPERATION] == operation
                assert container.status == ("running" if number % 2 == 0 else "created")
            await until(lambda: set(console.containers()) == set(found))

            killing = asyncio.ensure_future(kill_now_and_then(agent, 5, rng))
            asked = []
            for number in range(count):
                kind, params = rng.choice(
                    [
                        ("container.stop", {"timeout_s": 1}),
                        ("container.start", {}),
                        ("container.restart", {"timeout_s": 0}),
                        ("container.remove", {"force": True}),
                        ("container.kill", {}),
                    ]
                )
                target = found[f"c{number}"].id
                asked.append((kind, target, await asker.ask(kind, container=target, **params)))
                await asyncio.sleep(rng.uniform(0, 0.3))
            await killing
            outcomes = await asker.all_outcomes()
            left = {c.id: c for c in await asyncio.to_thread(engines.client.containers.list, all=True)}
            for kind, target, operation in asked:
                outcome = outcomes[operation]
                if kind == "container.remove":
                    assert outcome.state == "succeeded", outcome
                    assert target not in left
                elif kind in ("container.start", "container.restart"):
                    assert outcome.state == "succeeded", (kind, outcome)
                    assert left[target].status == "running"
                elif kind == "container.stop":
                    assert outcome.state == "succeeded", outcome
                    assert left[target].status in ("exited", "created")
                else:
                    assert outcome.state in ("succeeded", "failed", "interrupted")
            await until(lambda: set(console.mirror["container"]) == set(left))


async def test_containers_without_a_name_are_never_made_twice(engine: Engine, tmp_path: Path) -> None:
    rng = random.Random(7)
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url) as agent:
        await console.listed()
        async with asking(console) as asker:
            killing = asyncio.ensure_future(kill_now_and_then(agent, 4, rng))
            for _ in range(20):
                await asker.ask("container.create", image=BUSYBOX, command=["true"])
                await asyncio.sleep(rng.uniform(0, 0.3))
            await killing
            outcomes = await asker.all_outcomes()
            labels = [c.labels[LABEL_OPERATION] for c in engine.client.containers.list(all=True)]
            assert len(labels) == len(set(labels))
            for operation, outcome in outcomes.items():
                assert outcome.state in ("succeeded", "interrupted")
                assert (outcome.state == "succeeded") == (operation in labels), outcome


async def test_networks_and_volumes_are_made_once(engine: Engine, tmp_path: Path) -> None:
    rng = random.Random(11)
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url) as agent:
        await console.listed()
        async with asking(console) as asker:
            killing = asyncio.ensure_future(kill_now_and_then(agent, 4, rng))
            for number in range(12):
                await asker.ask("network.create", name=f"n{number}")
                await asker.ask("volume.create", name=f"v{number}")
                await asyncio.sleep(rng.uniform(0, 0.4))
            await killing
            outcomes = await asker.all_outcomes()
            assert {o.state for o in outcomes.values()} == {"succeeded"}
            names = [n.name for n in engine.client.networks.list() if n.name.startswith("n") and n.name != "none"]
            assert sorted(names) == sorted(f"n{n}" for n in range(12))
            assert len(engine.client.volumes.list()) == 12


async def test_kill_9_of_the_engine_at_random_moments(hosts: HostFactory, tmp_path: Path) -> None:
    rng = random.Random(3)
    for version in ("20.10", "28.5"):
        (host,) = hosts(version)
        engine = host.engine
        async with console_end() as console, agent_of(console, tmp_path / version, engine.url):
            await console.listed()
            async with asking(console) as asker:
                for round_ in range(3):
                    for number in range(8):
                        await asker.ask(
                            "container.create",
                            name=f"c{round_}-{number}",
                            image=BUSYBOX,
                            command=["sleep", "1000"],
                            start=True,
                        )
                    await asyncio.sleep(rng.uniform(0.05, 0.8))
                    await asyncio.to_thread(engine.kill)
                    await asyncio.to_thread(engine.start)
                    await until(lambda: console.mirror is not None)
                    await asyncio.sleep(1)
                outcomes = await asker.all_outcomes()
                found = [c.name for c in await asyncio.to_thread(engine.client.containers.list, all=True)]
                assert len(found) == len(set(found))
                for operation, outcome in outcomes.items():
                    name = asker.asked[operation][1]["name"]
                    if outcome.state == "succeeded":
                        assert name in found
                    else:
                        assert outcome.error.endswith("."), outcome
                await until(lambda: set(console.containers()) == set(found))  # noqa: B023


async def test_a_clean_stop_leaves_running_operations_to_the_next_start(engine: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url) as agent:
        await console.listed()
        made = await console.do("container.create", image=BUSYBOX, command=["sleep", "9999"], start=True)
        target = made.result["container"]
        operation = await console.ask("container.stop", container=target, timeout_s=8)
        waiting = await console.ask("container.start", container=target)
        await asyncio.sleep(1)
        assert await agent.stop() == 0
        assert operation not in console.outcomes
        await agent.start()
        assert (await console.outcome(operation)).state == "succeeded"
        assert (await console.outcome(waiting)).state == "succeeded"
        assert console.mirror["container"][target]["state"] == "running"


async def test_a_pull_that_was_cut_off_is_interrupted(engine: Engine, tmp_path: Path) -> None:
    state = tmp_path / "a"
    async with console_end() as console, agent_of(console, state, engine.url) as agent:
        await console.listed()
        await agent.stop()
        operation, waiting = str(uuid.uuid4()), str(uuid.uuid4())
        with sqlite3.connect(state / "journal.sqlite3") as db:
            insert = "INSERT INTO operation VALUES (?, ?, ?, ?, ?, NULL, ?, ?, NULL, 0)"
            steps = '[{"step": "pull", "at": 1, "image": null}]'
            db.execute(insert, (operation, "image.pull", '{"reference": "x/y:1"}', "running", steps, 1, 1))
            db.execute(insert, (waiting, "volume.create", '{"name": "late"}', "accepted", "[]", 2, 2))
        await agent.start()
        outcome = await console.outcome(operation)
        assert outcome.state == "interrupted"
        assert "pull it again" in outcome.error
        assert (await console.outcome(waiting)).state == "expired"
        assert not engine.client.volumes.list()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


async def test_with_a_full_disk_nothing_is_done_and_the_agent_goes_on(engine: Engine, small_disk: Path) -> None:
    async with console_end() as console:
        agent = AgentProcess(small_disk / "a", console.url, engine.url)
        agent.log_path = small_disk.parent / "agent.log"
        await agent.start()
        await console.listed()
        assert (await console.do("volume.create", name="before")).state == "succeeded"
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="space"):
            filler.write_bytes(b"x" * 1_000_000)
        last = None
        for number in range(200):  # until the journal's last free pages are used up
            last = await console.do("volume.create", name=f"v{number}")
            if last.state != "succeeded":
                break
        assert last is not None
        assert last.state == "failed"
        assert "disk is full" in last.error
        refused = next(o for o, outcomes in console.outcomes.items() if outcomes[-1] is last)
        assert f"v{number}" not in console.names("volume")
        await console.ask("volume.create", operation=refused, name=f"v{number}")
        await until(lambda: len(console.outcomes[refused]) == 2)
        assert f"v{number}" not in {v.name for v in engine.client.volumes.list()}
        filler.unlink()
        assert (await console.do("volume.create", name="after")).state == "succeeded"
        assert await agent.stop() == 0
        assert "Traceback" not in agent.log
