"""Whole documents that only the engine has, read when somebody looks: inspect, processes, changes, history, usage.

Each kind of document is one function from the engine and typed parameters to JSON. Values of environment variables
never leave the host: they are masked here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agents.catalogue import (
    ContainerChanges,
    ContainerTop,
    HostDiskUsage,
    ImageHistory,
    InspectContainer,
    InspectImage,
    InspectNetwork,
    InspectVolume,
)
from agents.engine import Engine, EngineError
from agents.texts import clean

DOCUMENT_BYTES = 4 * 1024 * 1024
CHANGES_MOST = 5000
PROCESSES_MOST = 2000
USAGE_TIMEOUT_S = 25  # counting the bytes of volumes takes an engine as long as `du` takes
MASK = "•••"


class Refused(Exception):
    """The document, or the stream, can't be given; a sentence."""


async def read(engine: Engine, kind: str, params: Any) -> bytes:
    """The JSON text of a document. Raises Refused, EngineError, EngineGone."""
    text = json.dumps(await DOCUMENTS[kind](engine, params), separators=(",", ":"))
    if len(text) > DOCUMENT_BYTES:
        raise Refused(f"The engine's document is larger than {DOCUMENT_BYTES // 1024**2} MiB.")
    return text.encode()


async def inspect_container(engine: Engine, engine_id: str) -> dict[str, Any]:
    """The engine's own document, unmasked. Raises Refused when the container is gone."""
    document: dict[str, Any] = await _found(
        "container", engine.look(lambda client: client.inspect_container(engine_id))
    )
    if document.get("Id") != engine_id:
        raise Refused("The container is gone: it was removed.")
    return document


async def _container(engine: Engine, params: InspectContainer) -> dict[str, Any]:
    return mask_env(await inspect_container(engine, params.container))


async def _top(engine: Engine, params: ContainerTop) -> dict[str, Any]:
    document = await inspect_container(engine, params.container)
    state = document.get("State") or {}
    if state.get("Running") is not True:
        raise Refused("It has no processes: the container does not run.")
    if state.get("Restarting") is True:
        raise Refused("It has no processes at this moment: the container is restarting.")
    ps_args = params.ps_args or None
    found = await _found("container", engine.look(lambda client: client.top(params.container, ps_args)))
    titles = [clean(title, 100) for title in _list(found.get("Titles"))]
    rows = [[clean(cell, 4000) for cell in _list(row)] for row in _list(found.get("Processes"))]
    return {"titles": titles, "processes": rows[:PROCESSES_MOST], "truncated": len(rows) > PROCESSES_MOST}


_CHANGES = {0: "changed", 1: "added", 2: "deleted"}


async def _changes(engine: Engine, params: ContainerChanges) -> dict[str, Any]:
    found = await _found("container", engine.look(lambda client: client.diff(params.container)))
    changes = [
        {"path": clean(change.get("Path"), 4096), "change": _CHANGES.get(_whole(change.get("Kind")), "changed")}
        for change in _list(found)
        if isinstance(change, dict)
    ]
    return {"changes": changes[:CHANGES_MOST], "truncated": len(changes) > CHANGES_MOST}


async def _image(engine: Engine, params: InspectImage) -> dict[str, Any]:
    return mask_env(await _found("image", engine.look(lambda client: _untyped(client).inspect_image(params.image))))


async def _history(engine: Engine, params: ImageHistory) -> dict[str, Any]:
    found = await _found("image", engine.look(lambda client: _untyped(client).history(params.image)))
    return {
        "layers": [
            {
                "created_by": _masked_command(clean(layer.get("CreatedBy"), 4000)),
                "created_at": _whole(layer.get("Created")),
                "size_bytes": _whole(layer.get("Size")),
                "comment": clean(layer.get("Comment"), 300),
                "tags": [clean(tag, 300) for tag in _list(layer.get("Tags"))[:50]],
            }
            for layer in _list(found)[:1000]
            if isinstance(layer, dict)
        ]
    }


async def _network(engine: Engine, params: InspectNetwork) -> dict[str, Any]:
    document = await _found("network", engine.look(lambda client: client.inspect_network(params.network)))
    return dict(document)


async def _volume(engine: Engine, params: InspectVolume) -> dict[str, Any]:
    document = await _found("volume", engine.look(lambda client: client.inspect_volume(params.volume)))
    return dict(document)


async def _disk_usage(engine: Engine, params: HostDiskUsage) -> dict[str, Any]:
    try:
        found = await asyncio.wait_for(engine.act(lambda client: client.df()), USAGE_TIMEOUT_S)
    except asyncio.TimeoutError as error:
        raise Refused(
            f"The engine has not counted its disk usage within {USAGE_TIMEOUT_S} s: it has many volumes or images. "
            "Try again, or run 'docker system df' there."
        ) from error
    return usage_of(found)


def usage_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Disk usage by kind, counted as `docker system df` does. Sizes in bytes."""
    images = _dicts(found.get("Images"))
    containers = _dicts(found.get("Containers"))
    volumes = _dicts(found.get("Volumes"))
    caches = [cache for cache in _dicts(found.get("BuildCache")) if cache.get("Shared") is not True]
    layers = _whole(found.get("LayersSize"))
    in_use = sum(
        max(0, _whole(i.get("Size")) - max(0, i["SharedSize"]))
        for i in images
        if _is_used(i) and isinstance(i.get("SharedSize"), int)
    )
    measured = [v for v in volumes if _whole((v.get("UsageData") or {}).get("Size"), -1) >= 0]
    unused = [v for v in measured if not _whole(v["UsageData"].get("RefCount"))]
    used = [i for i in images if _whole(i.get("Containers"))]
    return {
        "images": _usage(len(images), len(used), layers, layers - in_use),
        "containers": _usage(
            len(containers),
            len([c for c in containers if c.get("State") == "running"]),
            sum(_whole(c.get("SizeRw")) for c in containers),
            sum(_whole(c.get("SizeRw")) for c in containers if c.get("State") != "running"),
        ),
        "volumes": _usage(
            len(volumes),
            len(volumes) - len([v for v in volumes if not _whole((v.get("UsageData") or {}).get("RefCount"))]),
            sum(_whole(v["UsageData"].get("Size")) for v in measured),
            sum(_whole(v["UsageData"].get("Size")) for v in unused),
        ),
        "build_cache": _usage(
            len(caches),
            len([c for c in caches if c.get("InUse") is True]),
            sum(_whole(c.get("Size")) for c in caches),
            sum(_whole(c.get("Size")) for c in caches if c.get("InUse") is not True),
        ),
    }


def _is_used(image: Mapping[str, Any]) -> bool:
    return _whole(image.get("Containers")) > 0


def _usage(count: int, active: int, size: int, reclaimable: int) -> dict[str, int]:
    return {"count": count, "active": active, "size_bytes": size, "reclaimable_bytes": max(0, min(reclaimable, size))}


def mask_env(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the names of environment variables, and without their values."""
    masked = dict(document)
    for part in ("Config", "ContainerConfig"):
        config = document.get(part)
        if isinstance(config, dict) and isinstance(config.get("Env"), list):
            masked[part] = {**config, "Env": [_masked(entry) for entry in config["Env"]]}
    return masked


def _masked(entry: object) -> str:
    name, equals, _ = str(entry).partition("=")
    return f"{name}={MASK}" if equals else name


def _masked_command(text: str) -> str:
    """A step of a build as its image tells it; what `ENV` and `ARG` set is masked."""
    for word in ("ENV ", "ARG "):
        before, found, rest = text.partition(word)
        if found and (not before or before.endswith(" ")):
            return f"{before}{word}{_masked(rest)}"
    return text


def _untyped(client: Any) -> Any:
    """The SDK, where its stubs leave a method out."""
    return client


async def _found(what: str, answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except EngineError as error:
        if error.status == 404:
            raise Refused(f"The {what} is gone: it was removed.") from error
        raise


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _whole(value: object, default: int = 0) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and -1 <= value < 2**62 else default


Read = Callable[[Engine, Any], Awaitable[Mapping[str, Any]]]
DOCUMENTS: dict[str, Read] = {
    "container.inspect": _container,
    "container.top": _top,
    "container.changes": _changes,
    "image.inspect": _image,
    "image.history": _history,
    "network.inspect": _network,
    "volume.inspect": _volume,
    "host.disk_usage": _disk_usage,
}

