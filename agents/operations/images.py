"""image.*: pull, remove."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from agents import engine_http as http
from agents.catalogue import PullImage, RemoveImage
from agents.engine import Engine, EngineError, EngineGone
from agents.operations.errors import explain, failed
from agents.operations.job import Failed, GivenUp, Interrupted, Job, Result, performs, recovers
from agents.texts import clean

LAYERS_MOST = 200
LINE_BYTES = 1024 * 1024
REPORT_S = 0.25

Document = dict[str, Any]


@performs("image.pull")
async def pull(job: Job, params: PullImage) -> Result:
    return await pull_image(job, params.reference, params.platform)


@recovers("image.pull")
async def recover_pull(job: Job, params: PullImage) -> Result:
    if job.last("pull") is None:
        return await pull(job, params)
    job.touch("image", "")
    is_there = await find_image(job.engine, with_tag(params.reference)) is not None
    raise Interrupted(
        f"The agent or the engine stopped while {params.reference} was being pulled. "
        + (
            "The image is there, but whether it is the registry's newest can't be known: pull it again to be sure."
            if is_there
            else "The image is not there: pull it again."
        )
    )


async def pull_image(job: Job, reference: str, platform: str = "") -> Result:
    """Pull one image, with its progress. Raises Failed, GivenUp."""
    full = with_tag(reference)
    repository, tag = split_reference(full)
    before = await find_image(job.engine, full)
    job.touch("image", "")
    await job.step("pull", image=before)
    job.report(f"Pulling {full}")
    query = {"fromImage": repository, "tag": tag}
    if platform:
        query["platform"] = platform
    try:
        await _follow_pull(job, full, query)
    except EngineError as error:
        raise failed(error) from error
    after = await find_image(job.engine, full)
    if after is None:
        raise Failed(f"The engine pulled {full}, but has no such image now: pull it again.")
    return {"image": after, "changed": after != before}


async def _follow_pull(job: Job, reference: str, query: dict[str, str]) -> None:
    opening = asyncio.ensure_future(job.engine.open("POST", "/images/create", query))
    response = await _unless_cancelled(job, opening)
    progress = PullProgress(reference)
    lines = _lines(response)
    try:
        while (line := await _unless_cancelled(job, asyncio.ensure_future(_next(lines)))) is not None:
            if progress.feed(line):
                job.report(**progress.report())
    except (OSError, http.BadAnswer) as error:
        raise EngineGone(f"The engine went away while it pulled {reference}.") from error
    finally:
        response.close()
    if progress.error:
        raise Failed(explain(progress.error))


async def _unless_cancelled(job: Job, doing: asyncio.Future[Any]) -> Any:
    """What `doing` gives. Raises GivenUp as soon as the job is cancelled; the engine then sees its caller go."""
    waiting = asyncio.ensure_future(job.cancelled.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise GivenUp
    finally:
        waiting.cancel()
        if not doing.done():
            doing.cancel()


async def _next(lines: AsyncIterator[Document]) -> Document | None:
    async for line in lines:
        return line
    return None


async def _lines(response: http.Response) -> AsyncIterator[Document]:
    """The JSON objects of the stream, one a line; what is none is passed over."""
    rest = b""
    while data := await response.read():
        *lines, rest = (rest + data).split(b"\n")
        rest = rest if len(rest) <= LINE_BYTES else b""
        for line in lines:
            if (document := _object(line)) is not None:
                yield document
    if (document := _object(rest)) is not None:
        yield document


def _object(line: bytes) -> Document | None:
    try:
        document = json.loads(line) if line.strip() else None
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


class PullProgress:
    """What the engine's lines of a pull come to so far. Knows no engine."""

    def __init__(self, reference: str) -> None:
        self.error = ""
        self._message = f"Pulling {reference}"
        self._layers: dict[str, Document] = {}

    def feed(self, line: Document) -> bool:
        """Take a line; whether the report has changed."""
        detail = line.get("errorDetail")
        error = line.get("error") or (detail.get("message") if isinstance(detail, dict) else None)
        if error:
            self.error = clean(error, 4000) or "the pull failed"
            return False
        status, layer_id = clean(line.get("status"), 300), clean(line.get("id"), 300)
        if not status:
            return False
        if not layer_id or status.startswith("Pulling from"):
            self._message = status
            return True
        layer = self._layers.get(layer_id)
        if layer is None:
            if len(self._layers) == LAYERS_MOST:
                return False
            layer = self._layers[layer_id] = {"id": layer_id, "status": status, "current": 0, "total": 0}
        layer["status"] = status
        self._count(layer, line.get("progressDetail"))
        return True

    def _count(self, layer: Document, detail: object) -> None:
        status = layer["status"]
        if status in ("Already exists", "Pull complete", "Download complete"):
            layer["current"] = layer["total"]
        elif status == "Downloading" and isinstance(detail, dict):
            current, total = detail.get("current"), detail.get("total")
            if isinstance(current, int) and isinstance(total, int) and current >= 0 and 0 < total < 2**62:
                layer["current"], layer["total"] = min(current, total), total

    def report(self) -> Document:
        """`message`, `current` and `total` in bytes downloaded, and `layers`."""
        layers = [dict(layer) for layer in self._layers.values()]
        done = sum(layer["status"] in ("Already exists", "Pull complete") for layer in layers)
        message = f"{done} of {len(layers)} layers are there" if layers else self._message
        return {
            "message": message,
            "current": sum(layer["current"] for layer in layers),
            "total": sum(layer["total"] for layer in layers),
            "layers": layers,
        }


@performs("image.remove")
async def remove(job: Job, params: RemoveImage) -> Result:
    await _require(job, params)
    job.touch("image", "")
    await job.step("remove")
    job.report("Removing")
    name = params.tag or params.image
    try:
        await job.engine.act(lambda client: client.remove_image(name, force=params.force))
    except EngineError as error:
        raise failed(error) from error
    return {"image": params.image}


@recovers("image.remove")
async def recover_remove(job: Job, params: RemoveImage) -> Result:
    if job.last("remove") is None:
        return await remove(job, params)
    job.touch("image", "")
    if params.tag:
        is_gone = await find_image(job.engine, with_tag(params.tag)) != params.image
    else:
        is_gone = await find_image(job.engine, params.image) is None
    return {"image": params.image} if is_gone else await remove(job, params)


async def _require(job: Job, params: RemoveImage) -> None:
    """Raises Failed where the image is gone, or the tag has moved to another one."""
    if await find_image(job.engine, params.image) is None:
        job.touch("image", "")
        raise Failed("The image is gone already: it was removed.")
    if not params.tag:
        return
    found = await find_image(job.engine, with_tag(params.tag))
    if found != params.image:
        job.touch("image", "")
        raise Failed(
            f"The tag {params.tag} {'names another image now' if found else 'is gone already'}: "
            "look at the host's images."
        )


async def find_image(engine: Engine, name: str) -> str | None:
    """The id of the image that a full id or a reference names; None for none. Raises EngineError."""
    try:
        found: Document = await engine.look(lambda client: client.inspect_image(name))  # type: ignore[no-untyped-call]
    except EngineError as error:
        if error.status == 404:
            return None
        raise
    image = str(found.get("Id", ""))
    return image if ":" in image else f"sha256:{image}"


def with_tag(reference: str) -> str:
    """The reference, with the tag `latest` if it has no tag or digest: the engine would pull all tags."""
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def split_reference(reference: str) -> tuple[str, str]:
    """Repository, and tag or digest, of a reference that has one. With both, the engine takes only the digest."""
    name, _, digest = reference.partition("@")
    head, slash, last = name.rpartition("/")
    repository, _, tag = last.partition(":")
    return head + slash + repository, digest or tag
