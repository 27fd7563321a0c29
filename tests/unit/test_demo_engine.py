"""The engine in memory, asked as agents ask: through the SDK and by streams."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.engine import EngineError
from agents.records import container_record, image_record
from demo.life import Life
from demo.memory.engine import MemoryEngine
from demo.memory.lifecycle import Lifecycle
from demo.memory.state import Container, State
from demo.plan.furnish import Furnished, facts_of_plan, furnish
from demo.plan.hosts import host_plans

pytestmark = pytest.mark.unit

SEED = 7


class Timers:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = time.time()
        self._due: list[tuple[float, Any]] = []

    def later(self, delay_s: float, function: Any) -> None:
        self._due.append((self.now + delay_s, function))

    def pass_s(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [entry for entry in self._due if entry[0] <= end]:
            first = min(due, key=lambda entry: entry[0])
            self._due.remove(first)
            self.now = first[0]
            first[1]()
        self.now = end


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def host(timers: Timers) -> Furnished:
    plan = host_plans(SEED, 1)[0]
    life = Lifecycle(State(facts_of_plan(plan, SEED), "test"), lambda: timers.now, timers.later)
    return furnish(plan, SEED, 24, life)


@pytest.fixture
async def engine(host: Furnished, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryEngine]:
    really = asyncio.sleep

    async def at_once(seconds: float, *_: object) -> None:
        await really(0.001)

    engine = MemoryEngine(host.life)
    monkeypatch.setattr("demo.memory.engine.nap", at_once)
    await engine.connect()
    yield engine
    await engine.close()


def named(host: Furnished, name: str) -> Container:
    return host.life.state.container(name)


def actions(host: Furnished) -> list[str]:
    return [event["Action"] for event in host.life.state.events if event["Type"] == "container"]


def picture(host: Furnished) -> list[tuple[Any, ...]]:
    state = host.life.state
    return [
        *((c.id, c.name, c.body["Image"], c.status, c.health, c.ports) for c in state.containers.values()),
        *((image.id, tuple(image.tags)) for image in state.images.values()),
        *((network.id, network.name, network.subnet) for network in state.networks.values()),
        *((volume.name, volume.size) for volume in state.volumes.values()),
    ]


def test_the_same_seed_gives_the_same_fleet_and_another_one_another() -> None:
    once, again, other = ([picture(furnish(plan, seed, 30)) for plan in host_plans(seed, 9)] for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_more_hosts_leave_the_first_ones_as_they_are() -> None:
    assert host_plans(1, 60)[:12] == host_plans(1, 12)


def test_every_host_has_as_many_containers_as_were_asked_for() -> None:
    for plan in host_plans(1, 10):
        for count in (1, 10, 100):
            assert len(furnish(plan, 1, count).life.state.containers) == count


async def test_agents_make_records_of_all_objects(engine: MemoryEngine) -> None:
    entries = await engine.look(lambda client: client.containers(all=True))
    documents = [await engine.look(lambda client, i=entry["Id"]: client.inspect_container(i)) for entry in entries]
    records = {record.name: record for record in map(container_record, documents)}
    assert len(records) == 24
    assert records["shop-web-1"].ports[0].host_port == 8443
    assert records["shop-checkout-2"].health == "unhealthy"
    assert "timed out" in records["shop-checkout-2"].health_output
    assert records["shop-db-1"].mounts[0].name == "shop_db"
    images = await engine.look(lambda client: client.images())
    assert any(image_record(entry).dangling for entry in images)


async def test_stop_and_start_with_their_events(engine: MemoryEngine, host: Furnished) -> None:
    c = named(host, "shop-cart-1")
    await engine.act(lambda client: client.stop(c.id, timeout=10))
    assert c.status == "exited"
    await engine.act(lambda client: client.start(c.id))
    assert (c.status, c.health) == ("running", "starting")
    assert actions(host) == ["kill", "die", "stop", "start"]


async def test_the_check_passes_a_while_after_the_start(
    engine: MemoryEngine, host: Furnished, timers: Timers
) -> None:
    c = named(host, "shop-cart-1")
    await engine.act(lambda client: client.restart(c.id))
    assert c.health == "starting"
    timers.pass_s(15)
    assert c.health == "healthy"


async def test_what_crashes_is_started_again_by_its_policy(host: Furnished, timers: Timers) -> None:
    c = named(host, "shop-web-1")
    host.life.end(c, 139)
    assert c.status == "restarting"
    timers.pass_s(70)
    assert (c.status, c.restart_count) == ("running", 1)


async def test_a_port_in_use_is_refused_in_the_engine_s_words(engine: MemoryEngine, host: Furnished) -> None:
    config = {"Image": named(host, "shop-web-1").body["Image"],
              "HostConfig": {"PortBindings": {"3000/tcp": [{"HostPort": "8443"}]}}}  # fmt: skip
    made = await engine.act(lambda client: client.create_container_from_config(config, "late"))
    with pytest.raises(EngineError, match="port is already allocated"):
        await engine.act(lambda client: client.start(made["Id"]))
    assert named(host, "late").status == "created"


@pytest.mark.parametrize(
    ("question", "status", "message"),
    [
        (lambda client: client.inspect_container("f" * 64), 404, "No such container"),
        (lambda client: client.inspect_image("nosuch:1"), 404, "No such image: nosuch:1"),
        (lambda client: client.create_container_from_config({"Image": "nosuch"}, "x"), 404, "No such image"),
        (lambda client: client.remove_network("bridge"), 403, "pre-defined network"),
        (lambda client: client.remove_volume("shop_db"), 409, "volume is in use"),
        (lambda client: client.remove_container("shop-web-1"), 409, "container is running"),
        (lambda client: client.kill("shop-web-1", signal="SIGNONSENSE"), 400, "Invalid signal"),
    ],
)
async def test_refusals(engine: MemoryEngine, question: Any, status: int, message: str) -> None:
    with pytest.raises(EngineError, match=message) as refused:
        await engine.act(question)
    assert refused.value.status == status


async def lines_of(engine: MemoryEngine, path: str, **query: str) -> list[dict[str, Any]]:
    response = await engine.open("POST", path, query)
    body = b""
    while data := await response.read():
        body += data
    response.close()
    return [json.loads(line) for line in body.splitlines()]


async def test_a_pull_goes_layer_by_layer(engine: MemoryEngine) -> None:
    lines = await lines_of(engine, "/images/create", fromImage="postgres", tag="17.1")
    statuses = [line["status"] for line in lines]
    assert statuses[0] == "Pulling from library/postgres"
    assert statuses[-1] == "Status: Downloaded newer image for postgres:17.1"
    layers = {line["id"] for line in lines if line["status"] == "Pull complete"}
    assert len(layers) >= 3
    found = await engine.look(lambda client: client.inspect_image("postgres:17.1"))
    assert found["RepoTags"] == ["postgres:17.1"]


async def test_the_registry_refuses_what_it_has_not(engine: MemoryEngine) -> None:
    with pytest.raises(EngineError, match="not found"):
        await lines_of(engine, "/images/create", fromImage="nginx", tag="nosuch")
    with pytest.raises(EngineError, match="pull access denied"):
        await lines_of(engine, "/images/create", fromImage="acme/private", tag="1")


async def read_log(engine: MemoryEngine, container: str, **query: str) -> bytes:
    asked = {"stdout": "1", "stderr": "1", **query}
    response = await engine.open("GET", f"/containers/{container}/logs", asked)
    body = b""
    while data := await response.read():
        body += data
    response.close()
    return body


async def test_a_log_is_the_same_when_it_is_read_again(engine: MemoryEngine) -> None:
    once = await read_log(engine, "shop-web-1", tail="200", timestamps="1")
    assert once == await read_log(engine, "shop-web-1", tail="200", timestamps="1")
    assert once.count(b"request completed") > 100


async def test_a_log_s_end_is_the_end_of_what_is_longer(engine: MemoryEngine) -> None:
    longer = await read_log(engine, "shop-web-1", tail="500")
    assert longer.endswith(await read_log(engine, "shop-web-1", tail="50"))


async def test_following_ends_with_the_run(engine: MemoryEngine, host: Furnished, timers: Timers) -> None:
    c = named(host, "shop-web-1")
    response = await engine.open("GET", f"/containers/{c.id}/logs", {"stdout": "1", "follow": "1", "tail": "0"})
    reading = asyncio.ensure_future(response.read())
    await asyncio.sleep(0.1)
    timers.pass_s(5)
    assert b"responseTime" in await asyncio.wait_for(reading, 5)
    host.life.stop(c)

    async def rest() -> None:
        while await response.read():
            pass

    await asyncio.wait_for(rest(), 5)


async def test_figures_only_grow_and_keep_to_the_limit(engine: MemoryEngine, host: Furnished, timers: Timers) -> None:
    c = named(host, "shop-db-1")
    before = await engine.look(lambda client: client.stats(c.id, stream=False))
    timers.pass_s(60)
    after = await engine.look(lambda client: client.stats(c.id, stream=False))
    used = [document["cpu_stats"]["cpu_usage"]["total_usage"] for document in (before, after)]
    assert 0 < used[1] - used[0] < 60e9 * 2  # two cores are its limit
    assert after["networks"]["eth0"]["rx_bytes"] > before["networks"]["eth0"]["rx_bytes"]
    assert after["memory_stats"]["usage"] < after["memory_stats"]["limit"] == 2 * 1024**3


async def test_events_come_filtered(engine: MemoryEngine, host: Furnished) -> None:
    filters = json.dumps({"type": ["container"], "event": ["start"]})
    events = await engine.open("GET", "/events", {"filters": filters})
    reading = asyncio.ensure_future(events.read())
    await asyncio.sleep(0.05)
    host.life.restart(named(host, "shop-cart-1"))
    found = [json.loads(line) for line in (await asyncio.wait_for(reading, 5)).splitlines()]
    events.close()
    assert [(event["Action"], event["Actor"]["Attributes"]["name"]) for event in found] == [("start", "shop-cart-1")]
    await asyncio.sleep(0.05)
    assert host.life.state.listeners == []


def test_out_of_memory_goes_on_and_on(timers: Timers) -> None:
    plan = host_plans(SEED, 2)[1]
    life = Lifecycle(State(facts_of_plan(plan, SEED), "test"), lambda: timers.now, timers.later)
    host = furnish(plan, SEED, 24, life)
    c = named(host, "bank-ledger-1")
    life.start(c)
    timers.pass_s(600)
    assert c.restart_count > 5
    assert all(run.oom_killed and run.exit_code == 137 for run in list(c.runs)[:-1])


async def test_the_documents_that_only_the_engine_has(engine: MemoryEngine, host: Furnished) -> None:
    database = named(host, "shop-db-1")
    top = await engine.look(lambda client: client.top(database.id))
    assert top["Titles"][-1] == "CMD"
    assert any("postgres: walwriter" in row[-1] for row in top["Processes"])
    assert {"Path": "/tmp", "Kind": 0} in await engine.look(lambda client: client.diff(database.id))
    history = await engine.look(lambda client: client.history(database.image))
    assert sum(layer["Size"] for layer in history) <= host.life.state.images[database.image].size
    network = await engine.look(lambda client: client.inspect_network("shop_default"))
    assert "shop-db-1" in {member["Name"] for member in network["Containers"].values()}
    usage = await engine.look(lambda client: client.df())
    volume = next(entry for entry in usage["Volumes"] if entry["Name"] == "shop_db")
    assert (volume["UsageData"]["RefCount"], volume["UsageData"]["Size"] > 0) == (1, True)


def test_a_deploy_replaces_a_container_by_one_of_the_next_tag(host: Furnished, timers: Timers) -> None:
    before = named(host, "shop-web-1")
    Life([host], SEED, 1)._deploy(host, before)
    timers.pass_s(10)
    after = named(host, "shop-web-1")
    assert after.id != before.id
    assert (after.status, after.ports) == ("running", before.ports)
    assert after.body["Image"].rpartition(":")[2] > before.body["Image"].rpartition(":")[2]
    assert before.id not in host.life.state.containers


def test_life_leaves_a_whole_fleet(timers: Timers) -> None:
    """Whatever happens, in whatever order: what is there is consistent, and most of it runs."""
    plan = host_plans(SEED, 1)[0]
    life = Lifecycle(State(facts_of_plan(plan, SEED), "test"), lambda: timers.now, timers.later)
    host = furnish(plan, SEED, 60, life)
    happening = Life([host], SEED, 1)
    for _ in range(2000):
        happening.happen()
        timers.pass_s(2)
    timers.pass_s(200)
    state = life.state
    assert len(state.containers) == 60
    assert sorted(state.names.values()) == sorted(state.containers)
    assert all(c.image in state.images for c in state.containers.values())
    mounts = [mount for c in state.containers.values() for mount in c.mounts if mount["Type"] == "volume"]
    assert all(mount["Name"] in state.volumes for mount in mounts)
    published = [port for c in state.containers.values() if c.is_running for port in c.ports.values()]
    assert len(published) == len(set(published))
    assert sum(c.status == "running" for c in state.containers.values()) > 35
