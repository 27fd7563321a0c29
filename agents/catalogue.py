"""Every operation and every stream that a host can be asked for, declared once.

From an entry come: the agent's dispatch, the REST action and its schema, the permission
check, the confirmation in the dashboard. To add an operation is to write one entry here and
one function in agents/operations/.

Identifiers of engine objects are full ids (a name would beat an id prefix in the engine's
API); a volume's id is its name.
"""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from agents.shapes import Length, Misfit, Pattern, Range, decode

T = TypeVar("T")

ObjectKind = Literal["container", "image", "network", "volume"]
OBJECT_KINDS: tuple[ObjectKind, ...] = ("container", "image", "network", "volume")

LABEL_OPERATION = "io.gantry.operation"  # the UUID of the operation that made the object
LABEL_SYSTEM = "io.gantry.system"  # console, agent and what they need: no clean-up or bulk action touches it


class Permission(str, enum.Enum):
    """What a role may allow; see design, 'Permissions'."""

    VIEW = "view"
    LOGS = "logs"
    EXEC = "exec"
    OPERATE = "operate"
    DEPLOY = "deploy"
    MANAGE = "manage"
    PRIVILEGED = "privileged"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class OperationKind:
    """One entry of the catalogue."""

    name: str  # 'container.start'
    params: type  # the dataclass of its parameters
    needs: Permission
    summary: str  # 'Start a container', for schema and forms
    verb: str  # 'Start', for buttons and titles
    target: ObjectKind | None  # the kind of the one object it acts on; the parameter has the same name
    makes: ObjectKind | None  # the kind of object that it makes
    destroys: bool  # asks for confirmation
    time_limit_s: int  # how long it may run on the host, its own time-outs included


@dataclass(frozen=True, slots=True)
class StreamKind:
    name: str
    params: type
    needs: Permission
    summary: str
    target: ObjectKind | None
    answer: type | None = None  # the shape of the one document it carries


OPERATIONS: dict[str, OperationKind] = {}
STREAMS: dict[str, StreamKind] = {}


def operation(
    name: str,
    *,
    needs: Permission,
    summary: str,
    verb: str,
    makes: ObjectKind | None = None,
    destroys: bool = False,
    time_limit_s: int = 120,
) -> Callable[[type[T]], type[T]]:
    """Enter a dataclass of parameters into the catalogue; its `target` is the field named like its domain."""

    def enter(params: type[T]) -> type[T]:
        OPERATIONS[name] = OperationKind(
            name, params, needs, summary, verb, _target(name, params), makes, destroys, time_limit_s
        )
        return params

    return enter


def stream(
    name: str, *, needs: Permission, summary: str, answer: type | None = None
) -> Callable[[type[T]], type[T]]:
    """Enter a dataclass of parameters. `answer` is the shape of the one document that the stream carries, if any."""

    def enter(params: type[T]) -> type[T]:
        STREAMS[name] = StreamKind(name, params, needs, summary, _target(name, params), answer)
        return params

    return enter


def _target(name: str, params: type) -> ObjectKind | None:
    domain = name.partition(".")[0]
    names = {f.name for f in dataclasses.fields(params)}  # type: ignore[arg-type]
    return next((kind for kind in OBJECT_KINDS if kind == domain and kind in names), None)


def kind_of(params: object) -> OperationKind:
    """The entry that `params` is an instance of. Raises KeyError for anything else."""
    return _BY_PARAMS[type(params)]


def parse_operation(name: str, params: object, *, strict: bool = False) -> Any:
    """Typed parameters of operation `name`. Raises Misfit, with the unknown name or each parameter that is wrong."""
    entry = OPERATIONS.get(name)
    if entry is None:
        raise Misfit({"kind": f"there is no operation {name[:60]!r}; there are: {', '.join(sorted(OPERATIONS))}"})
    return decode(entry.params, params, strict=strict)


def parse_stream(name: str, params: object) -> Any:
    """Typed parameters of stream `name`. Raises Misfit."""
    entry = STREAMS.get(name)
    if entry is None:
        raise Misfit({"kind": f"there is no stream {name[:60]!r}"})
    return decode(entry.params, params)


# --- types ---------------------------------------------------------------------------------

_HEX = r"[0-9a-f]{64}"
ContainerId = Annotated[str, Pattern(_HEX, "must be a full container id of 64 hexadecimal digits")]
ImageId = Annotated[str, Pattern(r"sha256:" + _HEX, "must be a full image id, sha256: and 64 hexadecimal digits")]
NetworkId = Annotated[str, Pattern(r"[0-9a-z]{25,64}", "must be a full network id")]

_IP_WORDS = "must be an IP address, such as 10.20.0.1 or fd00::1"
_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"
ContainerName = Annotated[
    str,
    Length(1, 200),
    Pattern(
        r"[a-zA-Z0-9][a-zA-Z0-9_.-]+",
        "must start with a letter or digit, and go on with at least one letter, digit, dot, dash or underscore",
    ),
]
NetworkName = Annotated[
    str, Length(1, 200), Pattern(_NAME, "must be of letters, digits, dots, dashes and underscores")
]
VolumeName = Annotated[
    str,
    Length(1, 255),
    Pattern(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", "must be at least two letters, digits, dots, dashes or underscores"),
]
# What the engine reports of itself may be older or odder than what it accepts for new objects.
VolumeId = Annotated[str, Length(1, 255), Pattern(r"[^/\s]+", "must be a volume's name")]
ImageReference = Annotated[
    str,
    Length(1, 512),
    Pattern(
        r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
        r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
        "must be an image reference such as nginx:1.27 or registry.example.com:5000/team/app@sha256:…",
    ),
]
ImageIdOrReference = Annotated[
    str,
    Length(1, 512),
    Pattern(r"sha256:[0-9a-f]{64}|[^\s]+", "must be an image reference or a full image id"),
]
LabelKey = Annotated[str, Length(0, 512)]
Text = Annotated[str, Length(0, 32768)]
Arguments = Annotated[list[Text], Length(0, 1000)]
Labels = Annotated[dict[str, Text], Length(0, 500)]
ContainerPath = Annotated[str, Length(1, 4096), Pattern(r"/.*", "must be an absolute path, such as /data")]
PortNumber = Annotated[int, Range(1, 65535)]
IpAddress = Annotated[str, Length(0, 45), Pattern(r"[0-9a-fA-F.:]*", _IP_WORDS)]
TimeoutS = Annotated[int, Range(0, 3600)]
DriverName = Annotated[str, Length(1, 255), Pattern(r"[a-zA-Z0-9][a-zA-Z0-9_./:-]*", "must be a driver's name")]
Options = Annotated[dict[str, Text], Length(0, 100)]


def _check_address(field_name: str, text: str) -> None:
    """A pattern can't tell 8080 from an address, and the engine takes both. Raises Misfit."""
    try:
        ipaddress.ip_address(text or "::")
    except ValueError as error:
        raise Misfit({field_name: _IP_WORDS}) from error


# --- containers ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PublishedPort:
    container_port: PortNumber
    host_port: PortNumber | None = None  # None: the engine chooses a free one
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"
    host_ip: IpAddress = ""  # '': all addresses

    def __post_init__(self) -> None:
        _check_address("host_ip", self.host_ip)


@dataclass(frozen=True, slots=True)
class ContainerMount:
    target: ContainerPath
    type: Literal["volume", "bind", "tmpfs"] = "volume"
    source: Annotated[str, Length(0, 4096)] = ""  # a volume's name ('': an anonymous one) or a path of the host
    read_only: bool = False

    def __post_init__(self) -> None:
        if self.type == "bind" and not self.source.startswith("/"):
            raise Misfit({"source": "must be an absolute path of the host for a bind mount"})
        if self.type == "tmpfs" and self.source:
            raise Misfit({"source": "must be empty for tmpfs"})
        if self.type == "volume" and "/" in self.source:
            raise Misfit({"source": "must be a volume's name; for a path of the host choose type bind"})


@dataclass(frozen=True, slots=True)
class NetworkAttachment:
    network: Annotated[str, Length(1, 200)]  # id or name
    aliases: Annotated[list[Annotated[str, Length(1, 255)]], Length(0, 50)] = field(default_factory=list)
    ipv4_address: IpAddress = ""

    def __post_init__(self) -> None:
        _check_address("ipv4_address", self.ipv4_address)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    name: Literal["no", "always", "unless-stopped", "on-failure"] = "no"
    maximum_retry_count: Annotated[int, Range(0, 1_000_000)] = 0  # for on-failure; 0: no limit

    def __post_init__(self) -> None:
        if self.maximum_retry_count and self.name != "on-failure":
            raise Misfit({"maximum_retry_count": "goes with the policy on-failure only"})


@operation(
    "container.create",
    needs=Permission.DEPLOY,
    summary="Create a container, and start it if asked to",
    verb="Create",
    makes="container",
    time_limit_s=1800,
)
@dataclass(frozen=True, slots=True)
class CreateContainer:
    image: ImageIdOrReference
    name: ContainerName | None = None  # None: the engine makes one up
    command: Arguments | None = None  # None: the image's own
    entrypoint: Arguments | None = None  # None: the image's own
    env: Annotated[dict[str, Text], Length(0, 1000)] = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    ports: Annotated[list[PublishedPort], Length(0, 200)] = field(default_factory=list)
    mounts: Annotated[list[ContainerMount], Length(0, 200)] = field(default_factory=list)
    networks: Annotated[list[NetworkAttachment], Length(0, 50)] = field(default_factory=list)  # []: the default one
    restart_policy: RestartPolicy = field(default_factory=RestartPolicy)
    hostname: Annotated[str, Length(0, 63), Pattern(r"[a-zA-Z0-9.-]*", "must be a host name")] = ""
    user: Annotated[str, Length(0, 200)] = ""
    working_dir: Annotated[str, Length(0, 4096)] = ""
    tty: bool = False
    open_stdin: bool = False
    auto_remove: bool = False
    memory_bytes: Annotated[int, Range(0, 2**50)] = 0  # 0: no limit
    cpus: Annotated[float, Range(0, 4096)] = 0  # 0: no limit
    pull: Literal["missing", "always", "never"] = "missing"
    start: bool = False

    def __post_init__(self) -> None:
        if self.auto_remove and self.restart_policy.name != "no":
            raise Misfit({"auto_remove": "can't go with a restart policy: the engine would remove what it restarts"})
        if any("=" in name or not name for name in self.env):
            raise Misfit({"env": "names must not be empty or contain '='"})


@operation("container.start", needs=Permission.OPERATE, summary="Start a container", verb="Start")
@dataclass(frozen=True, slots=True)
class StartContainer:
    container: ContainerId


@operation(
    "container.stop",
    needs=Permission.OPERATE,
    summary="Stop a running container",
    verb="Stop",
    time_limit_s=3900,
)
@dataclass(frozen=True, slots=True)
class StopContainer:
    container: ContainerId
    timeout_s: TimeoutS | None = None  # before it is killed; None: the container's own StopTimeout


@operation(
    "container.restart",
    needs=Permission.OPERATE,
    summary="Stop a container, if it runs, and start it",
    verb="Restart",
    time_limit_s=3900,
)
@dataclass(frozen=True, slots=True)
class RestartContainer:
    container: ContainerId
    timeout_s: TimeoutS | None = None


@operation(
    "container.kill", needs=Permission.OPERATE, summary="Send a signal to a container's main process", verb="Kill"
)
@dataclass(frozen=True, slots=True)
class KillContainer:
    container: ContainerId
    signal: Annotated[
        str, Pattern(r"(SIG)?[A-Z]{2,8}([+-]\d{1,2})?|[1-9]\d?", "must be a signal such as SIGKILL, SIGHUP or 15")
    ] = "SIGKILL"


@operation(
    "container.remove",
    needs=Permission.DEPLOY,
    summary="Remove a container",
    verb="Remove",
    destroys=True,
)
@dataclass(frozen=True, slots=True)
class RemoveContainer:
    container: ContainerId
    force: bool = False  # kill it first if it runs
    volumes: bool = False  # its anonymous volumes too


# --- images --------------------------------------------------------------------------------


@operation(
    "image.pull",
    needs=Permission.DEPLOY,
    summary="Pull an image from its registry",
    verb="Pull",
    makes="image",
    time_limit_s=3600,
)
@dataclass(frozen=True, slots=True)
class PullImage:
    reference: ImageReference  # without tag or digest: the tag latest
    platform: Annotated[str, Length(0, 60), Pattern(r"[a-z0-9/._-]*", "must be a platform such as linux/arm64")] = (
        ""  # '': the host's own
    )


@operation(
    "image.remove",
    needs=Permission.MANAGE,
    summary="Remove an image, or one of its tags",
    verb="Remove",
    destroys=True,
)
@dataclass(frozen=True, slots=True)
class RemoveImage:
    image: ImageId
    tag: Annotated[str, Length(0, 512)] = ""  # '': all tags and the image itself; else only this tag
    force: bool = False  # also if a stopped container uses it


# --- networks ------------------------------------------------------------------------------


@operation("network.create", needs=Permission.DEPLOY, summary="Create a network", verb="Create", makes="network")
@dataclass(frozen=True, slots=True)
class CreateNetwork:
    name: NetworkName
    driver: DriverName = "bridge"
    subnet: Annotated[str, Length(0, 49), Pattern(r"([0-9a-fA-F.:]+/\d{1,3})?", "must be such as 10.20.0.0/16")] = ""
    gateway: IpAddress = ""
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    labels: Labels = field(default_factory=dict)
    options: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_address("gateway", self.gateway)
        if self.gateway and not self.subnet:
            raise Misfit({"gateway": "needs a subnet"})
        try:
            subnet = ipaddress.ip_network(self.subnet) if self.subnet else None
        except ValueError as error:
            raise Misfit({"subnet": "must be a network such as 10.20.0.0/16, no address in it"}) from error
        if subnet is not None and self.gateway and ipaddress.ip_address(self.gateway) not in subnet:
            raise Misfit({"gateway": f"must lie in the subnet {self.subnet}"})


@operation("network.remove", needs=Permission.DEPLOY, summary="Remove a network", verb="Remove", destroys=True)
@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    network: NetworkId


# --- volumes -------------------------------------------------------------------------------


@operation("volume.create", needs=Permission.DEPLOY, summary="Create a volume", verb="Create", makes="volume")
@dataclass(frozen=True, slots=True)
class CreateVolume:
    name: VolumeName
    driver: DriverName = "local"
    labels: Labels = field(default_factory=dict)
    options: Options = field(default_factory=dict)


@operation(
    "volume.remove",
    needs=Permission.MANAGE,
    summary="Remove a volume and all that is in it",
    verb="Remove",
    destroys=True,
)
@dataclass(frozen=True, slots=True)
class RemoveVolume:
    volume: VolumeId
    force: bool = False  # also if its plugin fails to


# --- streams -------------------------------------------------------------------------------


@stream("container.logs", needs=Permission.LOGS, summary="A container's log")
@dataclass(frozen=True, slots=True)
class ContainerLogs:
    """Payload: the engine's own bytes (multiplexed frames, or raw with a TTY: `StreamOpened.meta['tty']`)."""

    container: ContainerId
    follow: bool = False
    tail: Annotated[int, Range(0, 10_000_000)] | None = None  # lines from the end; None: all
    since_s: Annotated[float, Range(0, 1e11)] = 0  # Unix time; 0: from the beginning
    until_s: Annotated[float, Range(0, 1e11)] = 0  # Unix time; 0: to the end
    timestamps: bool = False
    stdout: bool = True
    stderr: bool = True

    def __post_init__(self) -> None:
        if not self.stdout and not self.stderr:
            raise Misfit({"stdout": "one of stdout and stderr must be chosen"})


# Documents: the payload is one JSON document, read from the engine at that moment. Values of environment variables
# are masked.

Cell = Annotated[str, Length(0, 4000)]
Count = Annotated[int, Range(0, 2**53)]


@dataclass(frozen=True, slots=True)
class Processes:
    titles: Annotated[list[Cell], Length(0, 100)]  # heads of the columns, as ps names them
    processes: Annotated[list[Annotated[list[Cell], Length(0, 100)]], Length(0, 2000)]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    path: Annotated[str, Length(0, 4096)]
    change: Literal["added", "changed", "deleted"]


@dataclass(frozen=True, slots=True)
class Changes:
    changes: Annotated[list[Change], Length(0, 5000)]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    created_by: Annotated[str, Length(0, 4000)] = ""
    created_at: int = 0  # Unix seconds
    size_bytes: Count = 0
    comment: Annotated[str, Length(0, 300)] = ""
    tags: Annotated[list[Annotated[str, Length(0, 300)]], Length(0, 50)] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class History:
    layers: Annotated[list[Layer], Length(0, 1000)]  # the newest first


@dataclass(frozen=True, slots=True)
class Usage:
    count: Count = 0
    active: Count = 0  # in use by a container; of containers, those that run
    size_bytes: Count = 0
    reclaimable_bytes: Count = 0


@dataclass(frozen=True, slots=True)
class DiskUsage:
    images: Usage
    containers: Usage
    volumes: Usage
    build_cache: Usage


@stream("container.inspect", needs=Permission.VIEW, summary="The engine's whole document on a container")
@dataclass(frozen=True, slots=True)
class InspectContainer:
    container: ContainerId


@stream("container.top", needs=Permission.VIEW, summary="A container's processes", answer=Processes)
@dataclass(frozen=True, slots=True)
class ContainerTop:
    container: ContainerId
    ps_args: Annotated[
        str, Length(0, 100), Pattern(r"[A-Za-z0-9 ,=_-]*", "must be options of ps, such as -eo pid,comm")
    ] = ""  # options of ps; empty for -ef


@stream(
    "container.changes", needs=Permission.VIEW, summary="Files that differ from the container's image", answer=Changes
)  # fmt: skip
@dataclass(frozen=True, slots=True)
class ContainerChanges:
    container: ContainerId


@stream("image.inspect", needs=Permission.VIEW, summary="The engine's whole document on an image")
@dataclass(frozen=True, slots=True)
class InspectImage:
    image: ImageId


@stream(
    "image.history", needs=Permission.VIEW, summary="The layers of an image and how each was made", answer=History
)  # fmt: skip
@dataclass(frozen=True, slots=True)
class ImageHistory:
    image: ImageId


@stream("network.inspect", needs=Permission.VIEW, summary="The engine's whole document on a network")
@dataclass(frozen=True, slots=True)
class InspectNetwork:
    network: NetworkId


@stream("volume.inspect", needs=Permission.VIEW, summary="The engine's whole document on a volume")
@dataclass(frozen=True, slots=True)
class InspectVolume:
    volume: VolumeId


@stream(
    "host.disk_usage", needs=Permission.VIEW, summary="What takes the disk of a host, by kind", answer=DiskUsage
)  # fmt: skip
@dataclass(frozen=True, slots=True)
class HostDiskUsage:
    pass


_BY_PARAMS: dict[type, OperationKind] = {entry.params: entry for entry in OPERATIONS.values()}
