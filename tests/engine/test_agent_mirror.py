"""The agent's mirror against real engines of every version: what people do with other tools shows at the console."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.engine.console_end import agent_of, console_end, until
from tests.rig.engines import Engine
from tests.rig.pool import HostFactory

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = pytest.mark.engine

BUSYBOX = "busybox:local"


async def run(engine: Engine, *command: str, **options: object) -> str:
    """A container made with the SDK, as other tools would; its id."""
    container = await asyncio.to_thread(
        engine.client.containers.run,
        BUSYBOX,
        list(command) or ["sleep", "1000"],
        detach=True,
        **options,  # type: ignore[arg-type]
    )
    return str(container.id)


async def test_what_is_there_before_the_agent_is_mirrored(engines: Engine, tmp_path: Path) -> None:
    running = await run(engines, name="runs", labels={"a": "b"}, ports={"80/tcp": 18080}, environment={"SECRET": "x"})
    ended = await run(engines, "sh", "-c", "exit 3", name="ended")
    await asyncio.to_thread(engines.client.containers.get(ended).wait)
    engines.client.networks.create("net", labels={"n": "1"})
    engines.client.volumes.create("vol", labels={"v": "1"})
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        await until(lambda: len(console.mirror["container"]) == 2)
        record = console.mirror["container"][running]
        assert record["state"] == "running"
        assert record["image"] == BUSYBOX
        assert record["labels"] == {"a": "b"}
        assert [(p["container_port"], p["host_port"], p["ip"]) for p in record["ports"]] == [(80, 18080, "")]
        assert [n["name"] for n in record["networks"]] == ["bridge"]
        assert "SECRET" not in str(record)
        assert "exit_code" not in record
        assert (console.mirror["container"][ended]["state"], console.mirror["container"][ended]["exit_code"]) == (
            "exited",
            3,
        )
        assert console.names("network") >= {"net", "bridge", "host", "none"}
        assert console.names("volume") == {"vol"}
        assert BUSYBOX in console.tags()
        image = next(d for d in console.mirror["image"].values() if BUSYBOX in d["tags"])
        assert image["id"] == engines.client.images.get(BUSYBOX).id == record["image_id"]
        assert not image["dangling"]


async def test_changes_arrive_as_they_happen(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()

        def state_is(name: str, state: str) -> bool:
            return console.containers().get(name, {}).get("state") == state

        def networks_of(name: str) -> set[str]:
            return {network["name"] for network in console.containers().get(name, {}).get("networks", ())}

        await run(engines, name="one")
        container = engines.client.containers.get("one")
        await until(lambda: state_is("one", "running"))
        container.pause()
        await until(lambda: state_is("one", "paused"))
        container.unpause()
        await until(lambda: state_is("one", "running"))
        container.rename("two")
        await until(lambda: state_is("two", "running") and "one" not in console.containers())
        container.kill()
        await until(lambda: state_is("two", "exited") and console.containers()["two"]["exit_code"] == 137)
        container.remove()
        await until(lambda: "two" not in console.containers())

        volume = engines.client.volumes.create("vol")
        network = engines.client.networks.create("net")
        await until(lambda: "vol" in console.names("volume") and "net" in console.names("network"))
        await run(engines, name="connected")
        network.connect("connected", aliases=["alias"])
        await until(lambda: networks_of("connected") == {"bridge", "net"})
        attachment = next(n for n in console.containers()["connected"]["networks"] if n["name"] == "net")
        assert attachment["aliases"] == ["alias"]
        assert attachment["id"] == network.id
        network.disconnect("connected")
        await until(lambda: networks_of("connected") == {"bridge"})
        network.remove()
        volume.remove()
        await until(lambda: "vol" not in console.names("volume") and "net" not in console.names("network"))

        image = engines.client.images.get(BUSYBOX)
        image.tag("other", "1")
        await until(lambda: "other:1" in console.tags())
        engines.client.images.remove("other:1")
        await until(lambda: "other:1" not in console.tags())


async def test_a_start_that_fails_shows_the_engines_words(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        container = engines.client.containers.create(BUSYBOX, ["nosuchcommand"], name="bad")
        with pytest.raises(Exception, match="nosuchcommand"):
            container.start()
        record = await until(lambda: (r := console.containers().get("bad")) and r["error"] and r)
        assert "nosuchcommand" in record["error"]
        assert record["state"] == "created"
        assert record["exit_code"] == 127


async def test_prune_and_bulk_changes_leave_no_difference(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        for number in range(20):
            engines.client.containers.create(BUSYBOX, ["true"], name=f"c{number}")
            engines.client.volumes.create(f"v{number}", labels={"com.docker.volume.anonymous": ""})
            engines.client.networks.create(f"n{number}")
        await until(
            lambda: (
                (len(console.containers()), len(console.names("volume")), len(console.names("network")))
                == (20, 20, 23)
            ),
            10,
        )
        engines.client.containers.prune()
        engines.client.networks.prune()
        for number in range(20):
            engines.client.volumes.get(f"v{number}").remove()
        await until(
            lambda: (
                (len(console.containers()), len(console.names("volume")), len(console.names("network"))) == (0, 0, 3)
            ),
            10,
        )


async def test_a_moved_tag_leaves_a_dangling_image(engines: Engine, tmp_path: Path) -> None:
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        container = engines.client.containers.create(BUSYBOX, ["true"], name="source")
        first = container.commit("moving", "1", message="one")
        await until(lambda: "moving:1" in console.tags(), 3)
        container.commit("moving", "1", message="two", changes="LABEL x=y")
        await until(
            lambda: (
                "moving:1" in console.tags()
                and not any("moving:1" in d["tags"] for d in console.mirror["image"].values() if d["id"] == first.id)
            ),
            3,
        )
        old = console.mirror["image"].get(str(first.id))
        if old is not None:  # engines may also drop it
            assert old["dangling"]
            assert old["tags"] == []


async def test_health_is_mirrored_and_probes_cost_nothing(engines: Engine, tmp_path: Path) -> None:
    health = {"test": ["CMD-SHELL", "test -e /ok && echo fine"], "interval": 500_000_000, "retries": 1}
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()
        await run(engines, name="checked", healthcheck=health)
        await until(lambda: console.containers().get("checked", {}).get("health") == "unhealthy", 15)
        engines.client.containers.get("checked").exec_run("touch /ok")
        await until(lambda: console.containers()["checked"]["health"] == "healthy", 15)
        assert "fine" in console.containers()["checked"]["health_output"]
        number = link.number
        await asyncio.sleep(3)
        assert link.number == number


async def test_after_the_engines_restart_everything_is_compared(hosts: HostFactory, tmp_path: Path) -> None:
    for version in ("20.10", "28.5"):
        (host,) = hosts(version)
        engine = host.engine
        await run(engine, name="stays", restart_policy={"Name": "always"})
        await run(engine, name="ends")
        async with console_end() as console, agent_of(console, tmp_path / version, engine.url):
            link = await console.listed()
            await asyncio.to_thread(engine.stop)
            states = await until(lambda: [m for m in link.received if type(m).__name__ == "EngineState" and m.error])  # noqa: B023
            assert states[-1].engine is None
            outcome = await console.do("volume.create", name="meanwhile")
            assert outcome.state == "failed"
            assert "engine" in outcome.error
            await asyncio.to_thread(engine.start)
            await until(
                lambda: (
                    (console.containers()["ends"]["state"], console.containers()["stays"]["state"])
                    == ("exited", "running")
                )
            )
            assert (await console.do("volume.create", name="after")).state == "succeeded"
            assert link.is_open


async def test_a_killed_engine_that_lost_a_container_is_mirrored_truly(hosts: HostFactory, tmp_path: Path) -> None:
    (host,) = hosts("20.10")
    engine = host.engine
    await run(engine, name="victim")
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url):
        await console.listed()
        await asyncio.to_thread(engine.kill)
        await asyncio.to_thread(engine.start)
        await until(lambda: console.containers()["victim"]["state"] == "exited")


async def test_an_engine_that_comes_late_is_found(hosts: HostFactory, tmp_path: Path) -> None:
    (host,) = hosts("20.10")
    await asyncio.to_thread(host.engine.stop)
    async with console_end() as console, agent_of(console, tmp_path / "a", host.engine.url):
        link = await console.connected()
        assert link.hello is not None
        outcome = await console.do("volume.create", name="early")
        assert outcome.state == "failed"
        await asyncio.to_thread(host.engine.start)
        await console.listed()
        assert BUSYBOX in console.tags()
