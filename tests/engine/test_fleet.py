"""Console and agents on three hosts, with everything real, and what may go wrong between them."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine.fleet import IMAGE, Fleet, Member, Refused, same
from tests.rig.engines import EngineVersion, available_engines
from tests.rig.hosts import Network
from tests.up import eventually

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

SEED = 20261125


@pytest.fixture(scope="module")
def fleet(network: Network) -> Iterator[Fleet]:
    """Three hosts with engines of as many versions as there are."""
    versions = available_engines()
    fleet = Fleet(network, [versions[n % len(versions)] for n in range(3)])
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.close()


@pytest.fixture(params=list(EngineVersion), ids=str)
def member(request: pytest.FixtureRequest, fleet: Fleet) -> Member:
    """A host with an engine of each version."""
    found = [member for member in fleet.members if member.host.engine.version == request.param]
    if not found:
        pytest.skip(f"engine {request.param}: {request.param.why_not()}")
    return found[0]


def test_what_somebody_does_with_the_docker_cli_is_seen(member: Member) -> None:
    container = member.run("by-hand", labels={"team": "shop"}, ports={"80/tcp": None})
    eventually(lambda: member.mirrored().get("by-hand") == "running", "it appears")
    container.stop()
    eventually(lambda: member.mirrored().get("by-hand") == "exited", "it stops")
    container.rename("by-hand-2")
    eventually(lambda: member.mirrored().get("by-hand-2") == "exited", "it is renamed")
    container.remove()
    eventually(lambda: "by-hand-2" not in member.mirrored(), "it goes")


def test_a_containers_whole_life_by_rest(member: Member) -> None:
    console = member.console
    made = console.ask("POST", "/containers?wait=60", {
        "host": member.id, "name": "life", "image": IMAGE, "command": ["sh", "-c", "echo out; sleep 999"],
        "env": {"WHO": "me"}, "labels": {"team": "shop"}, "ports": [{"container_port": 80}],
        "mounts": [{"type": "volume", "source": "life-data", "target": "/data"}],
        "restart_policy": {"name": "on-failure", "maximum_retry_count": 3}, "start": True,
    })  # fmt: skip
    assert made["state"] == "succeeded", made
    pk = made["result"]["container"]
    container = console.get(f"/containers/{pk}")
    assert (container["state"], container["image"], container["labels"]["team"]) == ("running", IMAGE, "shop")
    assert container["labels"]["io.gantry.operation"] == made["id"]
    assert [mount["name"] for mount in container["mounts"]] == ["life-data"]
    assert container["ports"][0]["host_port"]
    for verb, state in [("stop", "exited"), ("start", "running"), ("restart", "running"), ("kill", "exited")]:
        body = {"timeout_s": 0} if verb in ("stop", "restart") else {}
        operation = console.ask("POST", f"/containers/{pk}/{verb}?wait=60", body)
        assert operation["state"] == "succeeded", operation
        # The outcome comes after the change: who has seen the one, sees the other.
        assert console.get(f"/containers/{pk}")["state"] == state, verb
    removed = console.ask("DELETE", f"/containers/{pk}?wait=60")
    assert removed["state"] == "succeeded", removed
    with pytest.raises(Refused) as gone:
        console.get(f"/containers/{pk}")
    assert gone.value.status == 404
    [volume] = console.all(f"/volumes?host={member.id}&name=life-data")
    assert console.ask("DELETE", f"/volumes/{volume['id']}?wait=60")["state"] == "succeeded"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "no-image", "image": "no-such-image:1", "pull": "never"}, "no-such-image"),
        ({"name": "taken"}, "taken"),
        ({"name": "port-taken", "ports": [{"container_port": 80, "host_port": 18080}], "start": True}, "18080"),
    ],
)
def test_what_cannot_be_made_fails_with_a_sentence(member: Member, body: dict[str, object], words: str) -> None:
    holder = member.run("taken", ports={"80/tcp": 18080})
    try:
        operation = member.console.done(member.create(**body)["id"])  # type: ignore[arg-type]
        assert operation["state"] == "failed"
        assert words in operation["error"]
    finally:
        holder.remove(force=True)


def test_asking_twice_with_a_key_makes_one(member: Member) -> None:
    body = {"host": member.id, "name": "once", "image": IMAGE}
    with ThreadPoolExecutor(8) as pool:
        asks = [
            pool.submit(member.console.ask, "POST", "/containers", body, **{"Idempotency-Key": f"once-{member.id}"})
            for _ in range(8)
        ]
        operations = {ask.result()["id"] for ask in asks}
    assert len(operations) == 1
    assert member.console.done(operations.pop())["state"] == "succeeded"
    assert list(member.real()).count("once") == 1


def test_a_host_that_is_cut_off_turns_offline_and_heals_by_itself(fleet: Fleet) -> None:
    """Twenty seconds without the cable, while objects come, go and change on the host and others stay untouched."""
    cut, *others = fleet.members
    before, changing = cut.run("before"), cut.run("changing")
    same(cut)
    cut.host.cut()
    pulled = time.monotonic()
    try:
        eventually(lambda: not cut.is_online(), "the host is missed", 15)
        assert all(member.is_online() for member in others)
        assert all(c["state"] != "running" for c in cut.console.all(f"/containers?host={cut.id}"))
        waiting = cut.create("asked-while-away", start=True)
        before.remove(force=True)
        changing.stop()
        cut.run("meanwhile")
        assert cut.console.get(f"/operations/{waiting['id']}")["state"] in ("queued", "sent")
        time.sleep(max(0.0, 20 - (time.monotonic() - pulled)))
    finally:
        cut.host.heal()
    eventually(cut.is_online, "the host comes back", 60)
    assert cut.console.done(waiting["id"])["state"] == "succeeded"
    same(cut)
    assert cut.mirrored()["meanwhile"] == "running"
    assert "before" not in cut.mirrored()


def test_a_console_that_is_restarted_gets_its_agents_back(fleet: Fleet) -> None:
    console = fleet.console
    console.up.stop()
    fleet.members[0].run("while-it-was-down")
    console.start()
    for member in fleet.members:
        eventually(member.is_online, f"{member.host.hostname} is back", 60)
        same(member)
    assert fleet.members[0].mirrored()["while-it-was-down"] == "running"


def test_an_engine_that_goes_and_comes_back(member: Member) -> None:
    member.run("survives", restart_policy={"Name": "always"})
    same(member)
    member.host.engine.stop()
    eventually(lambda: member.row()["engine"]["error"], "the host says that its engine is gone")
    assert member.is_online()
    failed = member.console.done(member.create("not-now")["id"])
    assert failed["state"] == "failed"
    assert failed["error"].endswith(".")
    member.host.engine.start()
    eventually(lambda: not member.row()["engine"]["error"], "the engine is back", 60)
    same(member)


def test_nothing_is_lost_or_done_twice_while_everything_dies(fleet: Fleet) -> None:
    """100 operations, each asking for a container of its own name, while agent, console and engine are killed."""
    rng = random.Random(SEED)
    console, members = fleet.console, fleet.members
    asked: list[tuple[str, Member, str]] = []
    for number in range(100):
        member, name = members[number % len(members)], f"once-{number}"
        key = {"Idempotency-Key": f"storm-{number}"}
        body = {
            "host": member.id,
            "name": name,
            "image": IMAGE,
            "command": ["sleep", "86400"],
            "start": number % 2 == 0,
        }

        def ask(body: object = body, key: dict[str, str] = key) -> object:
            try:  # the console may be dead at this moment: the caller asks again, with the same key
                return console.ask("POST", "/containers", body, timeout_s=20, **key)["id"]
            except (OSError, Refused):
                return None

        asked.append((str(eventually(ask, f"{name} is taken", 90)), member, name))
        if number % 10 == 5:
            victim = rng.choice(("agent", "console", "engine"))
            time.sleep(rng.uniform(0, 0.4))
            if victim == "agent":
                member.kill()
                member.start()
            elif victim == "console":
                console.up.kill_part("web")
            else:
                member.host.engine.crash()
                member.host.engine.start()
    outcomes = {operation_id: console.done(operation_id, 180) for operation_id, _, _ in asked}
    counted = {member.id: Counter(member.real().keys()) for member in members}
    for operation_id, member, name in asked:
        outcome, count = outcomes[operation_id], counted[member.id][name]
        told = f"{name}: {outcome['state']} {outcome['error']}"
        assert count <= 1, told
        if outcome["state"] == "succeeded":
            assert count == 1, told
        else:
            assert outcome["state"] in ("failed", "interrupted"), told
            assert outcome["error"], told
    states = Counter(outcome["state"] for outcome in outcomes.values())
    assert states["succeeded"] >= 60, states
    for member in members:
        eventually(member.is_online, "online again", 60)
        same(member, 60)
