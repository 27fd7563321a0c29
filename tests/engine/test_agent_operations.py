"""Every operation of the agent on real engines of every version: what it does, and the sentence when it can't."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from agents.catalogue import LABEL_OPERATION
from agents.protocol import Progress
from tests.engine.console_end import ConsoleEnd, agent_of, console_end, until
from tests.rig.engines import Engine

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = pytest.mark.engine

BUSYBOX = "busybox:local"
NOBODY = "0" * 64


async def make(console: ConsoleEnd, name: str, *command: str, **params: object) -> str:
    """A started container of the console's; its id."""
    asked = {"image": BUSYBOX, "name": name, "command": list(command) or ["sleep", "1000"], "start": True, **params}
    outcome = await console.do("container.create", **asked)
    assert outcome.state == "succeeded", outcome.error
    return str(outcome.result["container"])


async def test_create_does_all_that_was_asked(engines: Engine, tmp_path: Path) -> None:
    for name in ("one", "two"):
        engines.client.networks.create(
            name, ipam={"Config": [{"Subnet": f"10.88.{name == 'two':d}.0/24"}]} if name == "one" else None
        )
    (tmp_path / "bound").mkdir()
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        operation = await console.ask(
            "container.create",
            image=BUSYBOX,
            name="full",
            command=["-c", "sleep 1000"],
            entrypoint=["sh"],
            env={"A": "1", "B": "x=y"},
            labels={"team": "blue"},
            ports=[
                {"container_port": 80, "host_port": 18081},
                {"container_port": 53, "protocol": "udp", "host_ip": "127.0.0.1"},
            ],
            mounts=[
                {"target": "/data", "source": "fullvol"},
                {"target": "/host", "type": "bind", "source": str(tmp_path / "bound"), "read_only": True},
                {"target": "/scratch", "type": "tmpfs"},
            ],
            networks=[
                {"network": "one", "aliases": ["db"], "ipv4_address": "10.88.0.77"},
                {"network": engines.client.networks.list(["two"])[0].id, "aliases": ["db2"]},
            ],
            restart_policy={"name": "on-failure", "maximum_retry_count": 3},
            hostname="fullhost",
            user="1000:1000",
            working_dir="/tmp",
            memory_bytes=64 * 1024 * 1024,
            cpus=0.5,
            start=True,
        )
        outcome = await console.outcome(operation)
        assert outcome.state == "succeeded", outcome.error
        document = engines.client.api.inspect_container(outcome.result["container"])
        config, host = document["Config"], document["HostConfig"]
        assert document["State"]["Running"]
        assert document["Name"] == "/full"
        assert (config["Entrypoint"], config["Cmd"]) == (["sh"], ["-c", "sleep 1000"])
        assert {"A=1", "B=x=y"} <= set(config["Env"])
        assert config["Labels"] == {"team": "blue", LABEL_OPERATION: operation}
        assert (config["Hostname"], config["User"], config["WorkingDir"]) == ("fullhost", "1000:1000", "/tmp")
        assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
        assert (host["Memory"], host["NanoCpus"]) == (64 * 1024 * 1024, 500_000_000)
        networks = document["NetworkSettings"]["Networks"]
        assert set(networks) == {"one", "two"}
        assert networks["one"]["IPAddress"] == "10.88.0.77"
        assert "db" in networks["one"]["Aliases"]
        assert "db2" in networks["two"]["Aliases"]
        assert document["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] == "18081"
        assert document["NetworkSettings"]["Ports"]["53/udp"][0]["HostIp"] == "127.0.0.1"
        mounts = {m["Destination"]: m for m in document["Mounts"]}
        assert mounts["/data"]["Name"] == "fullvol"
        assert mounts["/host"]["RW"] is False
        record = console.containers()["full"]
        assert record["state"] == "running"
        assert record["restart_policy"] == "on-failure:3"


async def test_lifecycle_and_mirror_before_outcome(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        engine_id = await make(console, "life", "sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done")
        states: dict[str, str] = {}

        async def do(kind: str, **params: object) -> str:
            before = len(console.link.received)
            outcome = await console.do(kind, container=engine_id, **params)
            assert outcome.state == "succeeded", outcome.error
            kinds = [type(m).__name__ for m in console.link.received[before:]]
            assert kinds.index("Accepted") < kinds.index("Progress") < kinds.index("Outcome")
            states[kind] = console.mirror["container"].get(engine_id, {}).get("state", "gone")
            return states[kind]

        assert await do("container.stop") == "exited"
        assert console.mirror["container"][engine_id]["exit_code"] == 5
        assert await do("container.stop") == "exited"  # 304: nothing to do
        assert await do("container.start") == "running"
        assert await do("container.start") == "running"
        started_at = console.mirror["container"][engine_id]["started_at"]
        assert await do("container.restart", timeout_s=0) == "running"
        assert console.mirror["container"][engine_id]["started_at"] > started_at
        await do("container.kill", signal="SIGTERM")
        await until(lambda: console.mirror["container"][engine_id]["state"] == "exited")
        assert await do("container.start") == "running"
        await do("container.kill", signal="9")
        await until(lambda: console.mirror["container"][engine_id]["state"] == "exited")
        assert await do("container.remove") == "gone"


async def test_refusals_are_sentences_that_say_what_to_do(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        running = await make(console, "busy", ports=[{"container_port": 80, "host_port": 18082}])

        async def refusal(kind: str, **params: object) -> str:
            outcome = await console.do(kind, **params)
            assert outcome.state == "failed", outcome
            assert outcome.error.endswith(".")
            assert running not in outcome.error
            return outcome.error

        create = {"image": BUSYBOX, "command": ["sleep", "9"]}
        assert "choose another name" in await refusal("container.create", **create, name="busy")
        assert "pull it first" in await refusal("container.create", image="nothere:1", pull="never")
        assert "no image sha256:" in await refusal("container.create", image="sha256:" + NOBODY)
        assert "no network nonet" in await refusal("container.create", **create, networks=[{"network": "nonet"}])
        beginning = engines.client.networks.list(["bridge"])[0].id[:12]
        assert "no network" in await refusal("container.create", **create, networks=[{"network": beginning}])
        mount = {"target": "/x", "type": "bind", "source": "/does/not/exist"}
        assert "does not exist on the host" in await refusal("container.create", **create, mounts=[mount])
        assert "gone already" in await refusal("container.start", container=NOBODY)
        assert "gone already" in await refusal("container.remove", container=NOBODY)
        assert "stop it first" in await refusal("container.remove", container=running)
        assert "signal" in await refusal("container.kill", container=running, signal="SIGNOPE")
        stopped = await make(console, "ended", "true")
        await until(lambda: console.containers()["ended"]["state"] == "exited")
        assert "does not run" in await refusal("container.kill", container=stopped)
        assert "gone already" in await refusal("network.remove", network=NOBODY)
        assert "gone already" in await refusal("volume.remove", volume="novolume")
        assert "gone already" in await refusal("image.remove", image="sha256:" + NOBODY)
        assert "full container id" in await refusal("container.stop", container=running[:12])
        assert "no operation" in await refusal("container.fly")
        bridge = engines.client.networks.list(["bridge"])[0].id
        assert "belongs to the engine" in await refusal("network.remove", network=bridge)
        image = engines.client.images.get(BUSYBOX).id
        assert "in use" in await refusal("image.remove", image=image)
        assert "names another image" not in await refusal("image.remove", image=image, tag="nosuch:tag")


async def test_a_container_that_does_not_start_stays_and_is_named(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        await make(console, "first", ports=[{"container_port": 80, "host_port": 18083}])
        for name, params, words in (
            ("port", {"ports": [{"container_port": 80, "host_port": 18083}]}, "port is in use"),
            ("command", {"command": ["nosuchcommand"]}, "command is not in the image"),
        ):
            outcome = await console.do(
                "container.create", **{"image": BUSYBOX, "command": ["sleep", "9"], **params}, name=name, start=True
            )
            assert outcome.state == "failed"
            assert words in outcome.error
            assert "stays as created" in outcome.error
            assert console.mirror["container"][outcome.result["container"]]["state"] == "created"


async def test_networks_and_volumes(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        operation = await console.ask(
            "network.create",
            name="net",
            subnet="10.89.0.0/24",
            gateway="10.89.0.9",
            internal=True,
            attachable=True,
            labels={"a": "b"},
        )
        network = (await console.outcome(operation)).result["network"]
        document = engines.client.api.inspect_network(network)
        assert document["IPAM"]["Config"][0] == {"Subnet": "10.89.0.0/24", "Gateway": "10.89.0.9"}
        assert document["Internal"]
        assert document["Labels"] == {"a": "b", LABEL_OPERATION: operation}
        assert console.mirror["network"][network]["subnets"] == ["10.89.0.0/24"]
        assert "already a network" in (await console.do("network.create", name="net")).error
        overlap = await console.do("network.create", name="net2", subnet="10.89.0.0/25")
        assert overlap.state == "failed"
        assert "overlaps" in overlap.error

        operation = await console.ask("volume.create", name="vol", labels={"a": "b"})
        assert (await console.outcome(operation)).result == {"volume": "vol"}
        assert engines.client.volumes.get("vol").attrs["Labels"] == {"a": "b", LABEL_OPERATION: operation}
        assert "already a volume" in (await console.do("volume.create", name="vol")).error

        user = await make(
            console, "user", networks=[{"network": network}], mounts=[{"target": "/d", "source": "vol"}]
        )
        in_use = await console.do("network.remove", network=network)
        assert "disconnect or remove its containers" in in_use.error
        assert user not in in_use.error
        assert "remove the containers" in (await console.do("volume.remove", volume="vol")).error
        assert (await console.do("container.remove", container=user, force=True)).state == "succeeded"
        assert (await console.do("network.remove", network=network)).state == "succeeded"
        assert (await console.do("volume.remove", volume="vol")).state == "succeeded"
        assert "net" not in console.names("network")
        assert "vol" not in console.names("volume")


async def test_removal_takes_anonymous_volumes_only_if_asked(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        for volumes in (False, True):
            before = len(console.names("volume"))
            engine_id = await make(console, "anon", mounts=[{"target": "/d"}])
            await until(lambda: len(console.names("volume")) == before + 1)  # noqa: B023
            await console.do("container.remove", container=engine_id, force=True, volumes=volumes)
            assert len(console.names("volume")) == before + (not volumes)


async def test_image_tags_are_removed_one_by_one(engines: Engine, tmp_path: Path) -> None:
    image = engines.client.images.get(BUSYBOX)
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        source = engines.client.containers.create(BUSYBOX, ["true"])
        made = source.commit("mine", "1", changes="LABEL own=1")
        source.remove()
        made.tag("mine", "2")
        await until(lambda: {"mine:1", "mine:2"} <= console.tags())
        moved = await console.do("image.remove", image=image.id, tag="mine:1")
        assert "names another image now" in moved.error
        assert (await console.do("image.remove", image=made.id, tag="mine:1")).state == "succeeded"
        assert "mine:1" not in console.tags()
        assert "mine:2" in console.tags()
        assert (await console.do("image.remove", image=made.id)).state == "succeeded"
        assert made.id not in console.mirror["image"]


async def test_one_object_serial_and_different_ones_side_by_side(engine: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url):
        await console.listed()
        slow = await make(console, "slow")  # sleep ignores SIGTERM as process 1
        other = await make(console, "other")
        stop = await console.ask("container.stop", container=slow, timeout_s=3)
        start = await console.ask("container.start", container=slow)
        cancelled = await console.ask("container.restart", container=slow)
        expired = await console.ask("container.restart", container=slow, deadline_s=0.5)
        from agents.protocol import Cancel

        await console.link.send(Cancel(cancelled))
        assert (await console.outcome(cancelled)).state == "cancelled"
        assert (await console.do("container.stop", container=other, timeout_s=0)).state == "succeeded"
        assert (await console.outcome(expired)).state == "expired"
        assert stop not in console.outcomes
        assert (await console.outcome(stop)).state == "succeeded"
        assert (await console.outcome(start)).state == "succeeded"
        order = list(console.outcomes)
        assert order.index(stop) < order.index(start)
        assert console.mirror["container"][slow]["state"] == "running"
        unseen = str(uuid.uuid4())
        await console.link.send(Cancel(unseen))
        assert (await console.outcome(unseen)).state == "cancelled"
        await console.ask("container.stop", container=slow, operation=unseen)
        await asyncio.sleep(0.5)
        assert console.mirror["container"][slow]["state"] == "running"


async def test_a_uuid_is_done_once(engine: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url) as agent:
        await console.listed()
        operation = str(uuid.uuid4())
        for _ in range(3):
            await console.ask("container.create", operation=operation, image=BUSYBOX)
        first = await console.outcome(operation)
        await until(lambda: len(console.outcomes[operation]) >= 1)
        await console.ask("container.create", operation=operation, image=BUSYBOX)
        await until(lambda: len(console.outcomes[operation]) >= 2)
        await agent.stop()
        await agent.start()
        await until(lambda: console.link.is_open and len(console.links) == 2 and console.link.hello)
        seen = len(console.outcomes[operation])
        await console.ask("container.create", operation=operation, image=BUSYBOX)
        await until(lambda: len(console.outcomes[operation]) > seen)
        assert all(outcome == first for outcome in console.outcomes[operation])
        label = f"{LABEL_OPERATION}={operation}"
        assert len(engine.client.containers.list(all=True, filters={"label": label})) == 1


async def test_outcomes_come_again_until_confirmed(engine: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url):
        await console.listed()
        console.confirms = False
        operation = await console.ask("volume.create", name="v")
        await console.outcome(operation)
        await console.link.close(1012)
        await until(lambda: len(console.outcomes[operation]) == 2)
        console.confirms = True
        await console.link.close(1012)
        await until(lambda: len(console.outcomes[operation]) == 3)
        await asyncio.sleep(0.5)
        await console.link.close(1012)
        await asyncio.sleep(4)
        assert len(console.outcomes[operation]) == 3


async def test_the_first_progress_says_that_it_runs(engine: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url):
        await console.listed()
        slow = await make(console, "slow")
        operation = await console.ask("container.stop", container=slow, timeout_s=2)
        progress = await until(lambda: [m for m in console.link.of(Progress) if m.operation == operation], 1)
        assert progress[0].progress["message"] == "Stopping"
        assert operation not in console.outcomes
        assert (await console.outcome(operation)).state == "succeeded"
