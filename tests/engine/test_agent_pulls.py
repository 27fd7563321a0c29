"""Pulls from a real registry: progress, failures, cancelling."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agents.protocol import Cancel, Progress
from tests.engine.console_end import agent_of, console_end, until
from tests.rig.engines import Engine
from tests.rig.images import build_layers
from tests.rig.registry import Registry

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = pytest.mark.engine

BUSYBOX = "busybox:local"
MIB = 1024 * 1024


def pushed(engine: Engine, registry: Registry, name: str, *sizes: int) -> str:
    """An image of fresh layers that is in the registry and not in the engine; its reference."""
    source = build_layers(engine, "source:1", sizes) if sizes else BUSYBOX
    reference = registry.push(engine, source, name)
    engine.client.images.remove(reference)
    if sizes:
        engine.client.images.remove("source:1")
    return reference


async def test_a_pull_shows_its_layers_and_says_whether_anything_changed(
    engines: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = await asyncio.to_thread(pushed, engines, registry, "app:1", 8 * MIB, 8 * MIB)
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()
        outcome = await console.do("image.pull", reference=reference)
        assert outcome.state == "succeeded", outcome.error
        assert outcome.result["changed"] is True
        assert outcome.result["image"] == engines.client.images.get(reference).id
        assert reference in console.mirror["image"][outcome.result["image"]]["tags"]
        layers = [m.progress["layers"] for m in link.of(Progress) if m.progress.get("layers")]
        assert layers
        assert {"id", "status", "current", "total"} <= set(layers[-1][0])
        again = await console.do("image.pull", reference=reference)
        assert again.result == {"image": outcome.result["image"], "changed": False}


async def test_without_a_tag_only_latest_is_pulled(engines: Engine, registry: Registry, tmp_path: Path) -> None:
    latest = await asyncio.to_thread(pushed, engines, registry, "many:latest")
    await asyncio.to_thread(pushed, engines, registry, "many:other")
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        outcome = await console.do("image.pull", reference=latest.removesuffix(":latest"))
        assert outcome.state == "succeeded", outcome.error
        tags = {tag for tag in console.tags() if "/many:" in tag}
        assert tags == {latest}
        digest = engines.client.images.get(latest).attrs["RepoDigests"][0]
        by_digest = await console.do("image.pull", reference=digest)
        assert by_digest.result == {"image": outcome.result["image"], "changed": False}


async def test_create_pulls_what_is_missing(engines: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = await asyncio.to_thread(pushed, engines, registry, "runme:1")
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        never = await console.do("container.create", image=reference, name="xx", pull="never")
        assert never.state == "failed"
        made = await console.do("container.create", image=reference, name="xx", command=["sleep", "9"], start=True)
        assert made.state == "succeeded", made.error
        assert console.containers()["xx"]["image"] == reference
        assert reference in console.tags()
        always = await console.do("container.create", image=reference, name="yy", pull="always")
        assert always.state == "succeeded", always.error


async def test_what_can_not_be_pulled_says_why(engines: Engine, registry: Registry, tmp_path: Path) -> None:
    await asyncio.to_thread(pushed, engines, registry, "there:1")
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        no_tag = await console.do("image.pull", reference=f"{registry.address}/there:2")
        assert no_tag.state == "failed"
        assert "check the name and the tag" in no_tag.error
        nobody = await console.do("image.pull", reference=registry.address.rpartition(":")[0] + ":1/x:1")
        assert nobody.state == "failed"
        assert "can't be reached" in nobody.error


async def test_a_pull_that_breaks_off_fails_though_the_engine_said_200(
    engines: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = await asyncio.to_thread(pushed, engines, registry, "broken:1", 4 * MIB)
    blobs = [p for p in (registry.folder / "storage").rglob("data") if p.stat().st_size > MIB]
    newest = max(blobs, key=lambda p: p.stat().st_mtime)
    newest.write_bytes(b"x" * newest.stat().st_size)
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        await console.listed()
        outcome = await console.do("image.pull", reference=reference, wait_s=60)
        assert outcome.state == "failed", outcome
        assert "The engine says" in outcome.error
        assert reference not in console.tags()


async def test_a_pull_can_be_cancelled(engines: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = await asyncio.to_thread(pushed, engines, registry, "large:1", *[60 * MIB] * 5)
    async with console_end() as console, agent_of(console, tmp_path / "a", engines.url):
        link = await console.listed()
        operation = await console.ask("image.pull", reference=reference)
        await until(lambda: [m for m in link.of(Progress) if m.operation == operation and m.progress.get("layers")])
        await link.send(Cancel(operation))
        outcome = await console.outcome(operation, 10)
        assert outcome.state == "cancelled", outcome
        await asyncio.sleep(2)
        assert reference not in {tag for image in engines.client.images.list() for tag in image.tags}
