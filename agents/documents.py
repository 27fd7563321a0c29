"""Whole documents that only the engine has, read when somebody looks: inspect, processes, changes, history, usage.

Each kind of document is one function from the engine and typed parameters to JSON. Values of environment variables
and credentials in driver options never leave the host: they are masked here.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import weakref
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
COLUMNS_MOST = 100
USAGE_TIMEOUT_S = 25  # the console waits a little longer
USAGE_KEPT_S = 60
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
    return dict(mask_options(mask_env(await inspect_container(engine, params.container))))


async def _top(engine: Engine, params: ContainerTop) -> dict[str, Any]:
    document = await inspect_container(engine, params.container)
    state = document.get("State") or {}
    if state.get("Running") is not True:
        raise Refused("It has no processes: the container does not run.")
    if state.get("Restarting") is True:
        raise Refused("It has no processes at this moment: the container is restarting.")
    ps_args = params.ps_args or None
    found = await _found("container", engine.look(lambda client: client.top(params.container, ps_args)))
    rows = _list(found.get("Processes"))
    return {
        "titles": [clean(title, 100) for title in _list(found.get("Titles"))[:COLUMNS_MOST]],
        "processes": [[clean(cell, 4000) for cell in _list(row)[:COLUMNS_MOST]] for row in rows[:PROCESSES_MOST]],
        "truncated": len(rows) > PROCESSES_MOST,
    }


_CHANGES = {0: "changed", 1: "added", 2: "deleted"}


async def _changes(engine: Engine, params: ContainerChanges) -> dict[str, Any]:
    found = await _found("container", engine.look(lambda client: client.diff(params.container)))
    changes = [
        {"path": clean(change.get("Path"), 4096), "change": _CHANGES.get(_size(change.get("Kind")), "changed")}
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
                "created_by": mask_step(clean(layer.get("CreatedBy"), 4000)),
                "created_at": _size(layer.get("Created")),
                "size_bytes": _size(layer.get("Size")),
                "comment": clean(layer.get("Comment"), 300),
                "tags": [clean(tag, 300) for tag in _list(layer.get("Tags"))[:50]],
            }
            for layer in _list(found)[:1000]
            if isinstance(layer, dict)
        ]
    }


async def _network(engine: Engine, params: InspectNetwork) -> dict[str, Any]:
    document = await _found("network", engine.look(lambda client: client.inspect_network(params.network)))
    return dict(mask_options(document))


async def _volume(engine: Engine, params: InspectVolume) -> dict[str, Any]:
    document = await _found("volume", engine.look(lambda client: client.inspect_volume(params.volume)))
    return dict(mask_options(document))


class _Counting:
    """An engine counts its disk usage for one asker at a time, and that may take as long as `du` takes.

    Whoever asks meanwhile, or shortly after, gets the same figures.
    """

    def __init__(self) -> None:
        self._task: asyncio.Future[dict[str, Any]] | None = None
        self._good_until = 0.0

    async def figures(self, engine: Engine) -> dict[str, Any]:
        """Raises Refused, EngineError, EngineGone."""
        task = self._task
        if task is None or (task.done() and time.monotonic() > self._good_until):
            task = self._task = asyncio.ensure_future(engine.act(lambda client: client.df()))
            task.add_done_callback(self._note_end)
        try:
            return await asyncio.wait_for(asyncio.shield(task), USAGE_TIMEOUT_S)
        except asyncio.TimeoutError as error:
            raise Refused(
                f"The engine has not counted its disk usage within {USAGE_TIMEOUT_S} s: it has many volumes or "
                "images. It goes on counting; look again in a minute."
            ) from error

    def _note_end(self, task: asyncio.Future[dict[str, Any]]) -> None:
        is_good = not task.cancelled() and task.exception() is None
        self._good_until = time.monotonic() + USAGE_KEPT_S if is_good else 0.0


_countings: weakref.WeakKeyDictionary[Engine, _Counting] = weakref.WeakKeyDictionary()


async def _disk_usage(engine: Engine, params: HostDiskUsage) -> dict[str, Any]:
    counting = _countings.setdefault(engine, _Counting())
    return usage_of(await counting.figures(engine))


def usage_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Disk usage by kind, as `docker system df` has it. Sizes in bytes, 0 where the engine does not know them."""
    if "ImageUsage" in found:  # the engine has counted itself (API 1.52 and newer)
        return {kind: _counted(found.get(name)) for kind, name in _COUNTED.items()}
    images = _dicts(found.get("Images"))
    containers = _dicts(found.get("Containers"))
    volumes = [_dict(volume.get("UsageData")) for volume in _dicts(found.get("Volumes"))]
    caches = [cache for cache in _dicts(found.get("BuildCache")) if cache.get("Shared") is not True]
    used = [image for image in images if _size(image.get("Containers"))]
    own = sum(_size(image.get("Size")) - _size(image.get("SharedSize")) for image in used)
    layers = _size(found.get("LayersSize"))
    running = [container for container in containers if container.get("State") == "running"]
    mounted = [volume for volume in volumes if _size(volume.get("RefCount"))]
    building = [cache for cache in caches if cache.get("InUse") is True]
    return {
        "images": _usage(len(images), len(used), layers, layers - own),
        "containers": _usage_by(containers, running, "SizeRw"),
        "volumes": _usage_by(volumes, mounted, "Size"),
        "build_cache": _usage_by(caches, building, "Size"),
    }


_COUNTED = {
    "images": "ImageUsage",
    "containers": "ContainerUsage",
    "volumes": "VolumeUsage",
    "build_cache": "BuildCacheUsage",
}


def _counted(value: object) -> dict[str, int]:
    usage = _dict(value)
    figures = (_size(usage.get(name)) for name in ("TotalCount", "ActiveCount", "TotalSize", "Reclaimable"))
    return _usage(*figures)


def _usage_by(things: list[dict[str, Any]], active: list[dict[str, Any]], column: str) -> dict[str, int]:
    size, in_use = (sum(_size(thing.get(column)) for thing in some) for some in (things, active))
    return _usage(len(things), len(active), size, size - in_use)


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


# What a step of a build tells of values that were given to it: `ENV A=1`, `ARG A=1`, and before a command the
# arguments that it ran with, `RUN |1 A=1 /bin/sh -c make`.
_SET = re.compile(r"((?:^|\s)(?:ENV|ARG)\s+[^\s=]+=).*", re.DOTALL)
_RAN_WITH = re.compile(r"((?:^|\s)\|\d+ ).*?(?=/bin/sh -c |$)", re.DOTALL)


def mask_step(text: str) -> str:
    """A step of a build as its image's history has it, without values of variables and build arguments."""
    return _RAN_WITH.sub(rf"\g<1>{MASK} ", _SET.sub(rf"\g<1>{MASK}", text)).rstrip()


# In the options of volumes, such as `o=addr=10.0.0.1,username=app,password=…` of a CIFS mount.
_CREDENTIAL = re.compile(r"((?:pass(?:word|wd)?|secret|token|key)\s*=\s*)[^,\s]+", re.IGNORECASE)


def mask_options(document: Any) -> Any:
    """The document with credentials in driver options masked, wherever in it they stand."""
    if isinstance(document, list):
        return [mask_options(item) for item in document]
    if not isinstance(document, dict):
        return document
    masked = {name: mask_options(value) for name, value in document.items()}
    for name in ("Options", "DriverOpts"):
        if isinstance(options := masked.get(name), dict):
            masked[name] = {key: _masked_option(key, value) for key, value in options.items()}
    return masked


def _masked_option(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    whole = _CREDENTIAL.sub(rf"\g<1>{MASK}", f"{key}={value}")
    return whole.partition("=")[2]


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


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _size(value: object) -> int:
    """A count, time or size; 0 for what is none, and for the engine's -1, which says that it does not know."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


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
