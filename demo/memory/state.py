"""What one engine holds: its objects, and what it says of itself."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from demo.plan.programs import Program, program_of

Document = dict[str, Any]

RUNS_KEPT = 6
EVENTS_KEPT = 256  # as the engine does


class ApiError(Exception):
    """What the engine refuses, with the status and message of its answer."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


@dataclass(slots=True)
class Run:
    """From one start of a container to its end."""

    began: float
    ended: float | None = None
    exit_code: int = 0
    oom_killed: bool = False


@dataclass(slots=True)
class Meter:
    """What a run has used so far. Counters only grow; `at` is when they were brought up to date."""

    at: float
    cpu_ns: float = 0
    rx_bytes: float = 0
    tx_bytes: float = 0
    read_bytes: float = 0
    write_bytes: float = 0


@dataclass(slots=True)
class Endpoint:
    """A container's place in a network."""

    network: str  # its id
    ip: str
    aliases: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Container:
    id: str
    name: str
    body: Document  # what it was created with: the body of POST /containers/create
    image: str  # the image's id
    created: float
    status: str = "created"
    error: str = ""
    restart_count: int = 0
    health: str = ""  # '': no check, or not running
    health_since: float = 0
    failing: bool = False  # its check fails as long as this is so
    runs: deque[Run] = field(default_factory=lambda: deque(maxlen=RUNS_KEPT))
    endpoints: dict[str, Endpoint] = field(default_factory=dict)  # by the network's name
    mounts: list[Document] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)  # '80/tcp' to the host's port
    meter: Meter | None = None
    fate: Fate | None = None  # what befalls each of its runs
    is_wanted: bool = True  # not stopped by a person: the restart policy applies
    changes: list[Document] = field(default_factory=list)  # of its file system: what people did in a shell
    generation: int = 0  # what was set to happen to an earlier run does not happen to this one

    @property
    def program(self) -> Program:
        return program_of(str(self.body.get("Image", "")))

    @property
    def run(self) -> Run | None:
        """The present or last one."""
        return self.runs[-1] if self.runs else None

    @property
    def is_running(self) -> bool:
        """Also while paused."""
        return self.status in ("running", "paused")

    @property
    def labels(self) -> dict[str, str]:
        return self.body.get("Labels") or {}

    @property
    def host(self) -> Document:
        return self.body.get("HostConfig") or {}

    @property
    def restart_policy(self) -> str:
        return str((self.host.get("RestartPolicy") or {}).get("Name") or "no")

    @property
    def memory_limit(self) -> int:
        return int(self.host.get("Memory") or 0)

    @property
    def tty(self) -> bool:
        return bool(self.body.get("Tty"))


@dataclass(frozen=True, slots=True)
class Fate:
    """How each run of a container ends."""

    after_s: float
    exit_code: int
    oom_killed: bool = False


@dataclass(slots=True)
class Image:
    id: str
    tags: list[str]
    digests: list[str]
    size: int
    created: float
    layers: list[str]
    labels: dict[str, str] = field(default_factory=dict)
    program: Program | None = None


@dataclass(slots=True)
class Network:
    id: str
    name: str
    driver: str
    subnet: str
    gateway: str
    created: float
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    next_address: int = 2


@dataclass(slots=True)
class Volume:
    name: str
    driver: str
    created: float
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    size: int = 0


@dataclass(slots=True)
class Facts:
    """What the engine says of itself and its machine."""

    id: str
    hostname: str
    version: str = "28.5.2"
    api_version: str = "1.51"
    min_api_version: str = "1.44"
    containerd: str = "v2.1.5"
    runc: str = "1.3.3"
    storage_driver: str = "overlayfs"
    os_name: str = "Debian GNU/Linux 13 (trixie)"
    kernel: str = "6.12.48+deb13-amd64"
    cpus: int = 8
    memory_bytes: int = 32 * 1024**3
    disk_bytes: int = 320 * 1024**3
    disk_used: float = 0.4  # of one
    builds: bool = False  # images are built here: there is a build cache


@dataclass
class State:
    """All objects of one engine."""

    facts: Facts
    seed: str
    containers: dict[str, Container] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # of containers, to their ids
    references: dict[str, str] = field(default_factory=dict)  # of images, to their ids
    events: deque[Document] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    listeners: list[Callable[[Document], None]] = field(default_factory=list)
    made: int = 0

    def new_id(self, what: str = "") -> str:
        """64 hexadecimal digits, the same for the same seed and order."""
        self.made += 1
        return hashlib.sha256(f"{self.seed} {what} {self.made}".encode()).hexdigest()

    def container(self, given: str) -> Container:
        """By full id, name or the beginning of an id. Raises ApiError."""
        found = self.containers.get(given) or self.containers.get(self.names.get(given.lstrip("/"), ""))
        if found is None and len(given) >= 4:
            found = next((c for engine_id, c in self.containers.items() if engine_id.startswith(given)), None)
        if found is None:
            raise ApiError(404, f"No such container: {given}")
        return found

    def image(self, given: str) -> Image:
        """By id, reference or the beginning of an id. Raises ApiError."""
        found = self.images.get(given) or self.images.get(self.references.get(full_reference(given), ""))
        if found is None:
            digits = given.removeprefix("sha256:")
            if len(digits) >= 6:
                found = next((i for i in self.images.values() if i.id.startswith(f"sha256:{digits}")), None)
        if found is None:
            found = next((i for i in self.images.values() if given in i.digests), None)
        if found is None:
            raise ApiError(404, f"No such image: {full_reference(given)}")
        return found

    def network(self, given: str) -> Network:
        """By id or name. Raises ApiError."""
        found = self.networks.get(given) or next((n for n in self.networks.values() if n.name == given), None)
        if found is None:
            raise ApiError(404, f"network {given} not found")
        return found

    def volume(self, name: str) -> Volume:
        """Raises ApiError."""
        if name not in self.volumes:
            raise ApiError(404, f"get {name}: no such volume")
        return self.volumes[name]

    def members(self, network: Network) -> list[Container]:
        return [
            c
            for c in self.containers.values()
            if c.is_running and any(e.network == network.id for e in c.endpoints.values())
        ]

    def users_of_volume(self, name: str) -> list[Container]:
        return [c for c in self.containers.values() if any(m.get("Name") == name for m in c.mounts)]

    def users_of_image(self, image: Image) -> list[Container]:
        return [c for c in self.containers.values() if c.image == image.id]

    def publisher_of(self, port: int, protocol: str) -> Container | None:
        """Who runs and has that port of the host."""
        return next(
            (
                c
                for c in self.containers.values()
                if c.is_running
                and any(number == port and name.endswith(protocol) for name, number in c.ports.items())
            ),
            None,
        )


def full_reference(reference: str) -> str:
    """With the tag `latest` where there is none, and without Docker Hub's name."""
    for prefix in ("docker.io/library/", "docker.io/", "index.docker.io/"):
        reference = reference.removeprefix(prefix)
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"
