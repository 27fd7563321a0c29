"""Images of the engine in memory, and the registry that they are pulled from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from demo.memory.lifecycle import Lifecycle
from demo.memory.state import ApiError, Document, Image, State, full_reference
from demo.plan.programs import PROGRAMS, program_of, repository_of

BYTES_PER_S = 60_000_000  # of a pull
TICK_S = 0.12
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")

Sleep = Callable[[float], Awaitable[object]]


def image_id(reference: str) -> str:
    """The same reference is the same image on every host."""
    return "sha256:" + hashlib.sha256(f"image {reference}".encode()).hexdigest()


def add_image(life: Lifecycle, reference: str, *, created: float, labels: dict[str, str] | None = None) -> Image:
    """The image of that reference, as if it had been pulled. A tag that another image has moves."""
    state = life.state
    reference = full_reference(reference)
    repository = repository_of(reference)
    program = program_of(reference)
    engine_id = image_id(reference)
    found = state.images.get(engine_id)
    if found is None:
        digits = engine_id.removeprefix("sha256:")
        layers = [
            "sha256:" + hashlib.sha256(f"layer {repository} {n} {reference if n > 1 else ''}".encode()).hexdigest()
            for n in range(3 + int(digits[0], 16) % 5)
        ]
        size = int(program.size_bytes * (0.9 + int(digits[:4], 16) / 65536 / 5))
        found = Image(engine_id, [], [], size, created, layers, labels or {}, program)
        state.images[engine_id] = found
    _move_tag(life, reference, found)
    digest = f"{repository}@sha256:{hashlib.sha256(f'manifest {reference}'.encode()).hexdigest()}"
    if digest not in found.digests:
        found.digests.append(digest)
    return found


def _move_tag(life: Lifecycle, reference: str, image: Image) -> None:
    before = life.state.images.get(life.state.references.get(reference, ""))
    if before is image:
        return
    if before is not None:
        before.tags.remove(reference)
    life.state.references[reference] = image.id
    image.tags.append(reference)


def remove_image(life: Lifecycle, given: str, *, force: bool) -> list[Document]:
    """What was untagged and deleted, as the engine tells it. Raises ApiError."""
    state = life.state
    image = state.image(given)
    reference = full_reference(given)
    is_by_tag = reference in image.tags
    users = state.users_of_image(image)
    running = next((c for c in users if c.is_running), None)
    short = image.id.removeprefix("sha256:")[:12]
    if is_by_tag and len(image.tags) > 1:
        return _untag(life, image, [reference])
    if not is_by_tag and len({repository_of(tag) for tag in image.tags}) > 1 and not force:
        raise ApiError(
            409,
            f"conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories",
        )
    if running is not None:
        name = given if is_by_tag else short
        how = "cannot be forced" if not is_by_tag else "must force"
        what = "unable to delete" if not is_by_tag else "unable to remove repository reference"
        raise ApiError(
            409,
            f"conflict: {what} {name} ({how}) - container {running.id[:12]} is using its referenced image {short}"
            if is_by_tag
            else f"conflict: {what} {name} ({how}) - image is being used by running container {running.id[:12]}",
        )
    if users and not force:
        raise ApiError(
            409,
            f"conflict: unable to delete {short} (must be forced) - image is being used by stopped container "
            f"{users[0].id[:12]}",
        )
    gone = _untag(life, image, list(image.tags))
    if not users:
        del state.images[image.id]
        gone.append({"Deleted": image.id})
        life.emit("image", "delete", image.id, {"name": image.id})
    return gone


def _untag(life: Lifecycle, image: Image, references: list[str]) -> list[Document]:
    for reference in references:
        image.tags.remove(reference)
        life.state.references.pop(reference, None)
        life.emit("image", "untag", image.id, {"name": reference})
    return [{"Untagged": reference} for reference in references]


def tag_image(life: Lifecycle, image: Image, reference: str) -> None:
    _move_tag(life, full_reference(reference), image)
    life.emit("image", "tag", image.id, {"name": full_reference(reference)})


def check_registry(repository: str, tag: str) -> None:
    """Raises ApiError where the registry has no such image."""
    known = repository_of(repository)
    host = known.partition("/")[0]
    if known in PROGRAMS:
        if tag.startswith("sha256:") or (_TAG.fullmatch(tag) and "nosuch" not in tag and "missing" not in tag):
            return
        shown = (
            known if "/" in known and "." in host else f"docker.io/{known if '/' in known else f'library/{known}'}"
        )
        raise ApiError(404, f'failed to resolve reference "{shown}:{tag}": {shown}:{tag}: not found')
    if "." in host and "/" in known and not known.startswith("docker.io/"):
        raise ApiError(
            500,
            f'failed to resolve reference "{known}:{tag}": failed to do request: Head "https://{host}/v2/'
            f'{known.partition("/")[2]}/manifests/{tag}": dial tcp: lookup {host} on 10.0.0.53:53: no such host',
        )
    raise ApiError(
        404,
        f"pull access denied for {known}, repository does not exist or may require 'docker login': denied: requested "
        "access to the resource is denied",
    )


async def pull(life: Lifecycle, repository: str, tag: str, sleep: Sleep) -> AsyncIterator[bytes]:
    """The lines of `POST /images/create`, in the time that it takes."""
    reference = full_reference(f"{repository}@{tag}" if tag.startswith("sha256:") else f"{repository}:{tag}")
    known = life.state.references.get(reference)
    has_layers = {layer for image in life.state.images.values() for layer in image.layers}
    planned = add_to_nothing(reference, life)
    yield _line(status=f"Pulling from {repository if '/' in repository else f'library/{repository}'}", id=tag)
    if known == planned.id:
        await sleep(0.4)
        yield _line(status=f"Digest: {planned.digests[0].partition('@')[2]}")
        yield _line(status=f"Status: Image is up to date for {reference}")
        return
    new = [layer for layer in planned.layers if layer not in has_layers]
    for layer in planned.layers:
        short = layer.removeprefix("sha256:")[:12]
        yield _line(status="Pulling fs layer" if layer in new else "Already exists", progressDetail={}, id=short)
    await sleep(0.3)
    sizes = _sizes(planned.size, new)
    async for line in _download(sizes, sleep):
        yield line
    image = add_image(life, reference, created=planned.created, labels=planned.labels)
    yield _line(status=f"Digest: {image.digests[0].partition('@')[2]}")
    yield _line(status=f"Status: Downloaded newer image for {reference}")
    life.emit("image", "pull", reference, {"name": repository_of(reference)})


def add_to_nothing(reference: str, life: Lifecycle) -> Image:
    """The image as the registry has it, apart from this engine's."""
    apart = Lifecycle(State(life.state.facts, "registry"), life.clock, life.later)
    age_s = int(hashlib.sha256(reference.encode()).hexdigest()[:6], 16) % (90 * 86400)
    return add_image(apart, reference, created=life.clock() - age_s)


def _sizes(total: int, layers: list[str]) -> dict[str, int]:
    weights = {layer: 1 + int(layer[7:11], 16) % 40 for layer in layers}
    whole = sum(weights.values()) or 1
    return {layer.removeprefix("sha256:")[:12]: total * weight // whole for layer, weight in weights.items()}


async def _download(sizes: dict[str, int], sleep: Sleep) -> AsyncIterator[bytes]:
    """Three layers at a time, then each is extracted, in their order."""
    done = dict.fromkeys(sizes, 0)
    while any(done[short] < size for short, size in sizes.items()):
        under_way = [short for short, size in sizes.items() if done[short] < size][:3]
        await sleep(TICK_S)
        for short in under_way:
            done[short] = min(sizes[short], done[short] + int(BYTES_PER_S * TICK_S / len(under_way)))
            detail = {"current": done[short], "total": sizes[short]}
            if done[short] < sizes[short]:
                yield _line(status="Downloading", progressDetail=detail, id=short)
            else:
                yield _line(status="Verifying Checksum", progressDetail={}, id=short)
                yield _line(status="Download complete", progressDetail={}, id=short)
    for short, size in sizes.items():
        yield _line(status="Extracting", progressDetail={"current": size // 2, "total": size}, id=short)
        await sleep(min(0.05 + size / 400_000_000, 1.5))
        yield _line(status="Pull complete", progressDetail={}, id=short)


def _line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\r\n"
