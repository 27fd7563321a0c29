"""What agents make of an engine's documents: masks, disk usage as both generations of the API tell it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agents import documents
from agents.documents import mask_options, mask_step, usage_of
from agents.engine import EngineError


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        ("ENV TOKEN=hunter2", "ENV TOKEN=•••"),
        ("/bin/sh -c #(nop)  ENV A=hunter2 B=hunter2", "/bin/sh -c #(nop)  ENV A=•••"),
        ("ARG TOKEN=hunter2", "ARG TOKEN=•••"),
        ("ARG TOKEN", "ARG TOKEN"),
        ("MYENV; ENV TOKEN=hunter2", "MYENV; ENV TOKEN=•••"),
        ("RUN |2 A=hunter2 B=hunter2 hunter2 /bin/sh -c make # buildkit", "RUN |2 ••• /bin/sh -c make # buildkit"),
        ("|1 A=hunter2 /bin/sh -c make", "|1 ••• /bin/sh -c make"),
        ("RUN |1 A=hunter2 make", "RUN |1 •••"),
        ("COPY . /app # buildkit", "COPY . /app # buildkit"),
        ("RUN /bin/sh -c echo a | wc -l", "RUN /bin/sh -c echo a | wc -l"),
    ],
)  # fmt: skip
def test_values_given_to_a_build_are_masked(step: str, shown: str) -> None:
    assert mask_step(step) == shown


def test_credentials_in_driver_options_are_masked_wherever_they_stand() -> None:
    options = {"type": "cifs", "o": "addr=10.0.0.1,username=app,password=hunter2", "passwd": "hunter2"}
    mount = {"VolumeOptions": {"DriverConfig": {"Options": options}}}
    document = {"Options": options, "HostConfig": {"Mounts": [mount]}}
    masked = mask_options(document)
    assert "hunter2" not in json.dumps(masked)
    assert masked["Options"] == {"type": "cifs", "o": "addr=10.0.0.1,username=app,password=•••", "passwd": "•••"}
    assert mask_options({"Options": None}) == {"Options": None}


OLD = {
    "LayersSize": 1000,
    "Images": [{"Containers": 1, "Size": 700, "SharedSize": 300}, {"Containers": 0, "Size": 600, "SharedSize": 300}],
    "Containers": [{"State": "running", "SizeRw": 10}, {"State": "exited", "SizeRw": 5}, {"State": "exited"}],
    "Volumes": [{"UsageData": {"Size": 7, "RefCount": 1}}, {"UsageData": {"Size": -1, "RefCount": 0}}, {}],
    "BuildCache": [{"Size": 3, "InUse": True}, {"Size": 4, "InUse": False}, {"Size": 9, "Shared": True}],
}  # fmt: skip


def usage(count: int, active: int, size: int, reclaimable: int) -> dict[str, int]:
    return {"count": count, "active": active, "size_bytes": size, "reclaimable_bytes": reclaimable}


def test_disk_usage_is_counted_as_the_docker_cli_does() -> None:
    assert usage_of(OLD) == {
        "images": usage(2, 1, 1000, 600),
        "containers": usage(3, 1, 15, 5),
        "volumes": usage(3, 1, 7, 0),
        "build_cache": usage(2, 1, 7, 4),
    }


def test_newer_engines_have_counted_it_themselves() -> None:
    images = {"TotalCount": 2, "ActiveCount": 1, "TotalSize": 1000, "Reclaimable": 600, "Items": []}
    counted = usage_of({"ImageUsage": images, "ContainerUsage": {"TotalCount": 1}, "VolumeUsage": None})
    assert counted["images"] == usage(2, 1, 1000, 600)
    assert counted["containers"] == usage(1, 0, 0, 0)
    assert counted["volumes"] == counted["build_cache"] == usage(0, 0, 0, 0)


@pytest.mark.parametrize("nonsense", [{}, {"Images": 3, "LayersSize": "x"}, {"Images": [None, 4], "Volumes": {}}])
def test_nonsense_of_an_engine_counts_as_nothing(nonsense: dict[str, Any]) -> None:
    assert set(map(str, usage_of(nonsense).values())) == {str(usage(0, 0, 0, 0))}


class SlowEngine:
    """Counts when it is let, and tells how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_end = asyncio.Event()
        self.fails = False

    async def act(self, deed: Any) -> dict[str, Any]:
        self.asked += 1
        await self.may_end.wait()
        if self.fails:
            raise EngineError(500, "a disk usage operation is already running")
        return OLD


async def test_an_engine_counts_once_for_all_who_ask_meanwhile_and_shortly_after() -> None:
    engine: Any = SlowEngine()
    asks = [asyncio.ensure_future(documents.read(engine, "host.disk_usage", None)) for _ in range(5)]
    await asyncio.sleep(0)
    asks[0].cancel()  # who leaves takes nothing from the others
    await asyncio.sleep(0)
    engine.may_end.set()
    assert len({await ask for ask in asks[1:]}) == 1
    await documents.read(engine, "host.disk_usage", None)
    assert engine.asked == 1


async def test_a_count_that_failed_is_not_kept() -> None:
    engine: Any = SlowEngine()
    engine.may_end.set()
    engine.fails = True
    with pytest.raises(EngineError):
        await documents.read(engine, "host.disk_usage", None)
    engine.fails = False
    assert b'"images"' in await documents.read(engine, "host.disk_usage", None)
    assert engine.asked == 2


async def test_who_waits_too_long_is_told_and_the_engine_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "USAGE_TIMEOUT_S", 0.01)
    engine: Any = SlowEngine()
    for _ in range(2):
        with pytest.raises(documents.Refused, match="look again in a minute"):
            await documents.read(engine, "host.disk_usage", None)
    assert engine.asked == 1
    engine.may_end.set()


def test_a_document_that_is_too_large_is_refused() -> None:
    class Large:
        async def look(self, question: Any) -> dict[str, Any]:
            return {"Id": "a" * 64, "Config": {"Cmd": ["x" * documents.DOCUMENT_BYTES]}}

    ask = documents.InspectContainer("a" * 64)
    with pytest.raises(documents.Refused, match="larger than 4 MiB"):
        asyncio.run(documents.read(Large(), "container.inspect", ask))  # type: ignore[arg-type]
