"""Logs and documents from real engines over the link."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agents.protocol import STREAM_WINDOW_BYTES, CloseStream
from tests.engine.console_end import agent_of, console_end, until
from tests.rig.engines import Engine
from tests.rig.pool import HostFactory

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = pytest.mark.engine

BUSYBOX = "busybox:local"


def run(engine: Engine, script: str, **options: object) -> str:
    container = engine.client.containers.run(BUSYBOX, ["sh", "-c", script], detach=True, **options)  # type: ignore[arg-type]
    return str(container.id)


async def test_stdout_and_stderr_are_told_apart(engines: Engine, tmp_path: Path) -> None:
    engine_id = run(engines, "echo out; echo err >&2; printf 'no end'")
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()
        await until(lambda: console.mirror["container"][engine_id]["state"] == "exited")
        stream = await link.open("container.logs", container=engine_id)
        await stream.whole()
        assert stream.meta == {"tty": False}
        assert stream.text() == {"stdout": "out\nno end", "stderr": "err\n"}
        for one, other in (("stdout", "stderr"), ("stderr", "stdout")):
            stream = await link.open("container.logs", container=engine_id, **{other: False})
            await stream.whole()
            assert stream.text()[other] == ""
            assert stream.text()[one] != ""


async def test_following_tail_since_and_timestamps(engines: Engine, tmp_path: Path) -> None:
    engine_id = run(
        engines, "for i in 1 2 3 4 5; do echo line $i; done; while [ ! -e /go ]; do sleep 0.1; done; echo more"
    )
    container = engines.client.containers.get(engine_id)
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()
        await asyncio.sleep(0.5)
        stream = await link.open("container.logs", container=engine_id, follow=True, tail=2)
        await until(lambda: stream.text()["stdout"] == "line 4\nline 5\n")
        container.exec_run("touch /go")
        await stream.whole()  # ends with the container
        assert stream.text()["stdout"] == "line 4\nline 5\nmore\n"
        stamped = await link.open("container.logs", container=engine_id, timestamps=True)
        await stamped.whole()
        lines = stamped.text()["stdout"].splitlines()
        assert len(lines) == 6
        assert all(line[4] == "-" and line.partition(" ")[0].endswith("Z") for line in lines)
        started = console.mirror["container"][engine_id]["finished_at"]
        late = await link.open("container.logs", container=engine_id, since_s=started + 10)
        assert await late.whole() == b""
        early = await link.open("container.logs", container=engine_id, until_s=started - 1000)
        assert await early.whole() == b""


async def test_with_a_tty_the_bytes_are_raw(engines: Engine, tmp_path: Path) -> None:
    engine_id = run(engines, "printf '\\033[31mred\\033[0m\\n'; echo err >&2", tty=True)
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()
        await until(lambda: console.mirror["container"][engine_id]["state"] == "exited")
        stream = await link.open("container.logs", container=engine_id)
        assert await stream.whole() == b"\x1b[31mred\x1b[0m\r\nerr\r\n"
        assert stream.meta == {"tty": True}


async def test_a_slow_reader_stops_its_own_stream_only(engines: Engine, tmp_path: Path) -> None:
    engine_id = run(
        engines, "yes 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz | head -n 100000"
    )
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url) as agent:
        link = await console.listed()
        await asyncio.to_thread(engines.client.containers.get(engine_id).wait)
        slow = await link.open("container.logs", container=engine_id)
        slow.is_reading = False
        await until(lambda: len(slow.data) == STREAM_WINDOW_BYTES)
        rss = agent.rss_kib()
        quick = await link.open("container.logs", container=engine_id)
        await quick.whole()
        assert len(quick.text()["stdout"]) == 100000 * 73
        assert (await console.do("volume.create", name="meanwhile")).state == "succeeded"
        assert len(slow.data) == STREAM_WINDOW_BYTES
        assert agent.rss_kib() - rss < 8 * 1024
        await slow.go_on()
        await slow.whole()
        assert slow.data == quick.data


async def test_many_streams_at_once(engine: Engine, tmp_path: Path) -> None:
    engine_id = run(engine, "yes abcdefghijklmnopqrstuvwxyz | head -n 50000")
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url):
        link = await console.listed()
        await asyncio.to_thread(engine.client.containers.get(engine_id).wait)
        streams = [await link.open("container.logs", container=engine_id) for _ in range(20)]
        for stream in streams:
            await stream.whole()
        assert {len(stream.text()["stdout"]) for stream in streams} == {50000 * 27}


async def test_what_can_not_be_read_says_why(engines: Engine, tmp_path: Path) -> None:
    silent = run(engines, "echo x", log_config={"Type": "none"})
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()
        for params, words in (
            ({"container": silent}, "log driver is none"),
            ({"container": "0" * 64}, "gone"),
            ({"container": silent[:12]}, "full container id"),
        ):
            stream = await link.open("container.logs", **params)
            closed = await until(lambda: stream.closed)  # noqa: B023
            assert words in closed.error
            assert closed.error.endswith(".")
        stream = await link.open("container.nothing")
        assert "no stream" in (await until(lambda: stream.closed)).error


async def test_a_closed_stream_leaves_nothing_behind(engine: Engine, tmp_path: Path) -> None:
    engine_id = run(engine, "while :; do echo x; sleep 0.01; done")
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url) as agent:
        link = await console.listed()
        await asyncio.sleep(1)
        files = agent.files()
        for _ in range(10):
            stream = await link.open("container.logs", container=engine_id, follow=True)
            await until(lambda: stream.data)  # noqa: B023
            await link.send(CloseStream(stream.number))
        await asyncio.sleep(0.5)
        size = sum(len(stream.data) for stream in link.streams.values())
        await asyncio.sleep(0.5)
        assert sum(len(stream.data) for stream in link.streams.values()) == size
        assert agent.files() <= files + 6  # connections that the SDK keeps
        for _ in range(3):
            await link.open("container.logs", container=engine_id, follow=True)
        await asyncio.sleep(0.3)
        await link.close(1012)
        await until(lambda: len(console.links) == 2)
        await asyncio.sleep(0.5)
        assert agent.files() <= files + 6  # connections that the SDK keeps


async def test_the_engine_going_away_ends_the_stream_with_a_sentence(hosts: HostFactory, tmp_path: Path) -> None:
    (host,) = hosts("20.10")
    engine_id = run(host.engine, "while :; do echo x; sleep 0.1; done")
    async with console_end() as console, agent_of(console, tmp_path / "a", host.engine.url):
        link = await console.listed()
        stream = await link.open("container.logs", container=engine_id, follow=True)
        await until(lambda: stream.data)
        await asyncio.to_thread(host.engine.kill)
        closed = await until(lambda: stream.closed)
        assert "engine went away" in closed.error


async def test_inspect_shows_everything_but_values_of_the_environment(engines: Engine, tmp_path: Path) -> None:
    engine_id = run(engines, "sleep 1000", environment={"PASSWORD": "hunter2", "EMPTY": ""})
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()
        stream = await link.open("container.inspect", container=engine_id)
        document = json.loads(await stream.whole())
        assert document["Id"] == engine_id
        assert "PASSWORD=•••" in document["Config"]["Env"]
        assert "hunter2" not in json.dumps(document)


async def test_documents_of_every_kind(engines: Engine, tmp_path: Path) -> None:
    client = engines.client
    network = client.networks.create("inspected", labels={"a": "b"})
    volume = client.volumes.create("inspected")
    script = "echo hi > /made; rm /bin/true; exec sleep 1000"
    engine_id = run(engines, script, environment={"SECRET": "hunter2"}, network="inspected")
    image = str(client.images.get(BUSYBOX).id)
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()

        async def read(kind: str, **params: object) -> dict[str, Any]:
            document: dict[str, Any] = json.loads(await (await link.open(kind, **params)).whole())
            return document

        await until(lambda: client.containers.get(engine_id).diff())
        assert "hunter2" not in json.dumps(await read("container.inspect", container=engine_id))
        top = await read("container.top", container=engine_id)
        assert any("sleep 1000" in " ".join(row) for row in top["processes"])
        names = await read("container.top", container=engine_id, ps_args="-eo pid,comm")
        assert [title.upper() for title in names["titles"]] == ["PID", "COMMAND"]
        changed = {c["path"]: c["change"] for c in (await read("container.changes", container=engine_id))["changes"]}
        assert changed["/made"] == "added"
        assert changed["/bin/true"] == "deleted"
        assert changed["/bin"] == "changed"
        assert (await read("image.inspect", image=image))["Id"] == image
        layers = (await read("image.history", image=image))["layers"]
        assert layers[0]["size_bytes"] > 0
        members = (await read("network.inspect", network=network.id))["Containers"]
        assert engine_id in members
        assert (await read("volume.inspect", volume=volume.name))["Name"] == "inspected"
        usage = await read("host.disk_usage")
        assert usage["containers"]["active"] == 1
        assert usage["images"]["size_bytes"] > 0
        assert usage["images"]["active"] == 1
        assert usage["volumes"] == {"count": 1, "active": 0, "size_bytes": 0, "reclaimable_bytes": 0}


async def test_a_document_that_there_is_none_of_says_why(engine: Engine, tmp_path: Path) -> None:
    never = engine.client.api.create_container(BUSYBOX, ["true"])["Id"]
    async with console_end() as console, agent_of(console, tmp_path / "a", engine.url):
        link = await console.listed()
        for kind, params, words in (
            ("container.top", {"container": never}, "does not run"),
            ("container.top", {"container": never, "ps_args": "-eo pid;id"}, "must be options of ps"),
            ("container.changes", {"container": "0" * 64}, "gone"),
            ("image.history", {"image": "sha256:" + "0" * 64}, "gone"),
            ("volume.inspect", {"volume": "nowhere"}, "gone"),
        ):
            stream = await link.open(kind, **params)
            closed = await until(lambda: stream.closed)  # noqa: B023
            assert words in closed.error
