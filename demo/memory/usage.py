"""How much room objects take, and how an image was built."""

from __future__ import annotations

import hashlib

from demo.memory import documents
from demo.memory.state import Document, Image, State

CONTAINER_BYTES = 180_000  # of a container's own layer, before it has written much


def disk_usage(state: State, now: float) -> Document:
    """`GET /system/df`."""
    users: dict[str, int] = {}
    for c in state.containers.values():
        users[c.image] = users.get(c.image, 0) + 1
    layers: dict[str, int] = {}
    for image in state.images.values():
        for layer in image.layers:
            layers[layer] = max(layers.get(layer, 0), image.size // len(image.layers))
    containers = []
    for c in state.containers.values():
        entry = documents.container_entry(state, c, now)
        own = CONTAINER_BYTES + int(c.id[:5], 16) * 9
        containers.append({**entry, "SizeRw": own, "SizeRootFs": own + c.program.size_bytes})
    return {
        "LayersSize": sum(layers.values()),
        "Images": [
            {**documents.image_entry(state, image, users.get(i, 0)), "SharedSize": shared_size(state, image)}
            for i, image in state.images.items()
        ],
        "Containers": containers,
        "Volumes": [
            documents.volume(v, size=True, users=len(state.users_of_volume(v.name))) for v in state.volumes.values()
        ],
        "BuildCache": build_cache(state, now),
    }


def build_cache(state: State, now: float) -> list[Document]:
    """What builds left on machines that build."""
    if not state.facts.builds:
        return []
    found = []
    for n in range(14):
        digits = hashlib.sha256(f"{state.seed} cache {n}".encode()).hexdigest()
        found.append(
            {
                "ID": digits[:25],
                "Parents": None,
                "Type": "source.local" if n % 7 == 0 else "regular",
                "Description": ("local source for context", "RUN npm ci", "COPY . /app", "RUN go build ./...")[n % 4],
                "InUse": False,
                "Shared": n % 5 == 0,
                "Size": int(digits[:7], 16) * 3,
                "CreatedAt": documents.time_text(now - (n + 1) * 41_000),
                "LastUsedAt": documents.time_text(now - (n + 1) * 9_000),
                "UsageCount": 1 + n % 6,
            }
        )
    return found


def shared_size(state: State, image: Image) -> int:
    """Bytes of layers that other images have too."""
    others = {layer for other in state.images.values() if other is not image for layer in other.layers}
    return sum(image.size // len(image.layers) for layer in image.layers if layer in others)


def history(image: Image) -> list[Document]:
    """`GET /images/{name}/history`, the newest step first."""
    program = image.program
    steps: list[tuple[str, int]] = [("ADD rootfs.tar.xz / # buildkit", image.size // len(image.layers))]
    made = ("RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates curl "
            "# buildkit", "COPY . /app # buildkit", "RUN /bin/sh -c ./build.sh # buildkit")  # fmt: skip
    for index in range(1, len(image.layers)):
        steps.append((made[(index - 1) % len(made)], image.size // len(image.layers)))
    steps.append(("WORKDIR /app", 0))
    if program is not None:
        if program.port:
            steps.append((f"EXPOSE [{program.port}/tcp]", 0))
        words = ", ".join(f'"{word}"' for word in program.command)
        steps.append((f"CMD [{words}]", 0))
    return [
        {
            "Id": image.id if index == 0 else "<missing>",
            "Created": int(image.created) - index * 7,
            "CreatedBy": text,
            "Tags": image.tags if index == 0 else None,
            "Size": size,
            "Comment": "buildkit.dockerfile.v0",
        }
        for index, (text, size) in enumerate(reversed(steps))
    ]
