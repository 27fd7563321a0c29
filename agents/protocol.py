"""What console and agent say to each other: one websocket, subprotocol `gantry.v1`.

Text frames are control messages, one dataclass each, as JSON with the class's name in `type`.
Binary frames carry a stream's bytes: stream id, flags, payload. This module knows no sockets:
text and bytes go in, messages come out, so it is tested without a network.

Console and agent of neighbouring versions work together: a message or a field that one side
does not know is ignored, and a new field has a default.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from agents.catalogue import OBJECT_KINDS, ObjectKind
from agents.shapes import Length, Misfit, Pattern, Range, decode, encode

SUBPROTOCOL = "gantry.v1"
PROTOCOL_VERSION = 1

MAX_TEXT_BYTES = 2 * 1024 * 1024  # a control message; larger ones close the link
MAX_BINARY_BYTES = 256 * 1024
FRAME_PAYLOAD_BYTES = 64 * 1024  # what a sender puts into one binary frame at most
STREAM_WINDOW_BYTES = 1024 * 1024  # credit of a new stream
OBJECTS_PER_MESSAGE = 200
OBJECT_BYTES = 128 * 1024  # a record that is larger is cut down by the agent

# Close codes of our own; the close reason is a sentence for the agent's log.
CLOSE_REFUSED = 4401  # credential or join token not accepted: don't come back with it
CLOSE_DUPLICATE = 4409  # another agent with the same identity is connected
CLOSE_BAD_MESSAGE = 4400
CLOSE_SUPERSEDED = 4410  # the same agent has connected anew

# --- types ---------------------------------------------------------------------------------

Uuid = Annotated[str, Pattern(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "must be a UUID")]
EngineId = Annotated[str, Length(1, 300)]
Fingerprint = Annotated[str, Pattern(r"[0-9a-f]{16}", "must be 16 hexadecimal digits")]
Short = Annotated[str, Length(0, 300)]
Sentence = Annotated[str, Length(0, 4000)]
Seconds = Annotated[float, Range(0, 1e11)]
StreamId = Annotated[int, Range(1, 2**32 - 1)]
Kind = Literal["container", "image", "network", "volume"]
Fingerprints = Annotated[dict[str, Fingerprint], Length(0, 100_000)]
Strings = Annotated[list[Annotated[str, Length(0, 1000)]], Length(0, 500)]
Labels = Annotated[dict[str, Annotated[str, Length(0, 4096)]], Length(0, 300)]

OutcomeState = Literal["succeeded", "failed", "cancelled", "expired", "interrupted"]

# --- records: what the mirror holds of each engine object ----------------------------------
# Times are Unix seconds, None where the engine knows none. Texts are cut at the lengths given
# by the agent, before they are sent. Values of environment variables are never part of a record.


@dataclass(frozen=True, slots=True)
class PortRecord:
    container_port: int
    protocol: Short
    host_port: int | None = None
    ip: Short = ""


@dataclass(frozen=True, slots=True)
class MountRecord:
    type: Short
    target: Annotated[str, Length(0, 4096)]
    source: Annotated[str, Length(0, 4096)] = ""
    name: Short = ""  # of the volume
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class AttachmentRecord:
    name: Short
    id: Short = ""
    ip: Short = ""
    aliases: Strings = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    id: EngineId
    name: Short
    image: Annotated[str, Length(0, 1000)]  # as it was asked for
    image_id: Short
    state: Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
    created_at: Seconds
    health: Literal["none", "starting", "healthy", "unhealthy"] = "none"
    health_output: Annotated[str, Length(0, 2000)] = ""  # of the last check
    exit_code: int | None = None  # None: it has not ended yet
    error: Sentence = ""  # the engine's own words on why it did not start
    oom_killed: bool = False
    restart_count: int = 0
    started_at: Seconds | None = None
    finished_at: Seconds | None = None
    command: Annotated[str, Length(0, 1000)] = ""
    labels: Labels = field(default_factory=dict)
    ports: Annotated[list[PortRecord], Length(0, 1000)] = field(default_factory=list)
    mounts: Annotated[list[MountRecord], Length(0, 500)] = field(default_factory=list)
    networks: Annotated[list[AttachmentRecord], Length(0, 200)] = field(default_factory=list)
    restart_policy: Short = "no"
    tty: bool = False
    log_driver: Short = ""
    auto_remove: bool = False


@dataclass(frozen=True, slots=True)
class ImageRecord:
    id: EngineId
    tags: Strings = field(default_factory=list)  # never '<none>:<none>'
    digests: Strings = field(default_factory=list)
    size_bytes: int = 0
    created_at: Seconds | None = None
    labels: Labels = field(default_factory=dict)
    dangling: bool = False


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    id: EngineId
    name: Short
    driver: Short = ""
    scope: Short = ""
    internal: bool = False
    attachable: bool = False
    subnets: Strings = field(default_factory=list)
    labels: Labels = field(default_factory=dict)
    created_at: Seconds | None = None


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    id: EngineId  # its name
    driver: Short = ""
    mountpoint: Annotated[str, Length(0, 4096)] = ""
    scope: Short = ""
    labels: Labels = field(default_factory=dict)
    created_at: Seconds | None = None


Record = ContainerRecord | ImageRecord | NetworkRecord | VolumeRecord
RECORDS: dict[ObjectKind, type[Record]] = {
    "container": ContainerRecord,
    "image": ImageRecord,
    "network": NetworkRecord,
    "volume": VolumeRecord,
}


def fingerprint(document: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change when the record's JSON form does."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest(fingerprints: Iterable[tuple[str, str]]) -> str:
    """One digest over all objects of a kind, from (engine id, fingerprint) in any order."""
    sum_ = hashlib.sha256()
    for engine_id, mark in sorted(fingerprints):
        sum_.update(f"{engine_id}={mark}\n".encode())
    return sum_.hexdigest()[:16]


EMPTY_DIGESTS: dict[ObjectKind, str] = {kind: digest([]) for kind in OBJECT_KINDS}

# --- control messages ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What the engine says of itself (`GET /version`, `GET /info`)."""

    id: Short = ""
    product: Short = ""  # Docker, Podman
    version: Short = ""
    api_version: Short = ""
    min_api_version: Short = ""
    os_name: Short = ""
    kernel: Short = ""
    architecture: Short = ""
    hostname: Short = ""
    cpus: int = 0
    memory_bytes: int = 0
    storage_driver: Short = ""
    root_dir: Short = ""
    cgroup_version: Short = ""
    containerd_version: Short = ""
    runc_version: Short = ""
    is_swarm_member: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """agent → console, first. `engine` is None while the engine does not answer; then `engine_error` says why."""

    protocol: int
    agent_version: Short
    instance: Uuid  # new at each start of the agent's process
    clock: Seconds  # the agent's Unix time
    engine: EngineFacts | None = None
    engine_error: Sentence = ""
    digests: dict[str, Fingerprint] = field(default_factory=dict)  # empty until the agent has listed the engine


@dataclass(frozen=True, slots=True)
class Welcome:
    """console → agent, the answer to Hello."""

    host: Uuid
    console_version: Short
    heartbeat_s: float
    lost_after_s: float  # either end gives the link up when it has heard nothing for so long


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Both ways. The agent's carries its clock and, now and then, its digests."""

    clock: Seconds = 0
    digests: dict[str, Fingerprint] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineState:
    """agent → console: the engine went, came back, or is another version now."""

    engine: EngineFacts | None = None
    error: Sentence = ""


@dataclass(frozen=True, slots=True)
class Compare:
    """console → agent: send the manifests of these kinds."""

    kinds: Annotated[list[Kind], Length(0, 10)]


@dataclass(frozen=True, slots=True)
class Manifest:
    """agent → console: all objects of a kind as of change `number`; what is not in it is gone.

    A large manifest comes in several parts, one after the other, the last one with `last`.
    """

    kind: Kind
    number: int
    fingerprints: Fingerprints
    last: bool = True


@dataclass(frozen=True, slots=True)
class Fetch:
    """console → agent: send these objects whole; they come as Changes."""

    kind: Kind
    ids: Annotated[list[EngineId], Length(0, 5000)]


@dataclass(frozen=True, slots=True)
class Changes:
    """agent → console: objects of one kind as they are now, and ids of those that are gone.

    `number` counts these messages from 1 on each connection: a gap makes the console Compare all kinds.
    """

    kind: Kind
    number: int
    objects: Annotated[list[dict[str, Any]], Length(0, OBJECTS_PER_MESSAGE)] = field(default_factory=list)
    removed: Annotated[list[EngineId], Length(0, 5000)] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Perform:
    """console → agent: do this operation, once, within `deadline_s` seconds from now."""

    operation: Uuid
    kind: Short
    params: dict[str, Any]
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """console → agent: don't begin it if it waits; give it up if it can be (a pull)."""

    operation: Uuid


@dataclass(frozen=True, slots=True)
class Confirm:
    """console → agent: the outcome is recorded, stop resending it."""

    operation: Uuid


@dataclass(frozen=True, slots=True)
class Accepted:
    """agent → console: it stands in the journal."""

    operation: Uuid


@dataclass(frozen=True, slots=True)
class Progress:
    """agent → console: it runs. `progress`: message, current, total (bytes or steps), layers."""

    operation: Uuid
    progress: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """agent → console, again until confirmed. `result` names what was made: {"container": engine id}."""

    operation: Uuid
    state: OutcomeState
    result: dict[str, Any] = field(default_factory=dict)
    error: Sentence = ""


@dataclass(frozen=True, slots=True)
class OpenStream:
    """console → agent. The agent may send STREAM_WINDOW_BYTES before it is given more credit."""

    stream: StreamId
    kind: Short
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamOpened:
    stream: StreamId
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credit:
    """Both ways: the receiver took `size_bytes` off the stream; the sender may send as much more."""

    stream: StreamId
    size_bytes: Annotated[int, Range(1, 2**30)]


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Both ways: no more of this stream, from either side. `error` is a sentence, empty after a clean end."""

    stream: StreamId
    error: Sentence = ""


Message = (
    Hello
    | Welcome
    | Heartbeat
    | EngineState
    | Compare
    | Manifest
    | Fetch
    | Changes
    | Perform
    | Cancel
    | Confirm
    | Accepted
    | Progress
    | Outcome
    | OpenStream
    | StreamOpened
    | Credit
    | CloseStream
)
_TO_AGENT = (
    Welcome,
    Heartbeat,
    Compare,
    Fetch,
    Perform,
    Cancel,
    Confirm,
    OpenStream,
    Credit,
    CloseStream,
)
_TO_CONSOLE = (
    Hello,
    Heartbeat,
    EngineState,
    Manifest,
    Changes,
    Accepted,
    Progress,
    Outcome,
    StreamOpened,
    Credit,
    CloseStream,
)
TO_AGENT: dict[str, type] = {shape.__name__: shape for shape in _TO_AGENT}
TO_CONSOLE: dict[str, type] = {shape.__name__: shape for shape in _TO_CONSOLE}


class ProtocolError(ValueError):
    """The other side sent what the protocol does not allow; the text says what."""


def dump(message: Message) -> str:
    """The text frame of a message."""
    return json.dumps({"type": type(message).__name__, **encode(message)}, separators=(",", ":"))


def load(text: str, known: Mapping[str, type]) -> Message | None:
    """The message in a text frame; None for a type that this version does not know. Raises ProtocolError."""
    if len(text) > MAX_TEXT_BYTES:
        raise ProtocolError(f"a message of {len(text)} characters is too large")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a text frame is not JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise ProtocolError("a message has no type")
    shape = known.get(document["type"])
    if shape is None:
        return None
    try:
        message: Message = decode(shape, document)
    except Misfit as misfit:
        raise ProtocolError(f"{shape.__name__}: {misfit}"[:1000]) from misfit
    return message


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# --- streams -------------------------------------------------------------------------------

_HEADER = struct.Struct("!IB")
FLAG_END = 1  # no more data from this side; the other direction goes on (half-close)


@dataclass(frozen=True, slots=True)
class Frame:
    stream: int
    payload: bytes
    is_end: bool = False


def dump_frame(frame: Frame) -> bytes:
    return _HEADER.pack(frame.stream, FLAG_END if frame.is_end else 0) + frame.payload


def load_frame(data: bytes) -> Frame:
    """The stream's frame in a binary frame. Raises ProtocolError."""
    if not _HEADER.size <= len(data) <= MAX_BINARY_BYTES:
        raise ProtocolError(f"a binary frame of {len(data)} bytes is not allowed")
    stream, flags = _HEADER.unpack_from(data)
    return Frame(stream, data[_HEADER.size :], bool(flags & FLAG_END))


def split(payload: bytes) -> Iterator[bytes]:
    """Cut into pieces that fit one frame."""
    for start in range(0, len(payload), FRAME_PAYLOAD_BYTES):
        yield payload[start : start + FRAME_PAYLOAD_BYTES]


class SendWindow:
    """How much this side may still send on a stream."""

    def __init__(self) -> None:
        self.available = STREAM_WINDOW_BYTES

    def spend(self, size: int) -> None:
        """Raises ProtocolError if it is more than there is: ask `available` first."""
        if size > self.available:
            raise ProtocolError("more was sent than there is credit for")
        self.available -= size

    def grant(self, size: int) -> None:
        self.available = min(self.available + size, 2**31)


class ReceiveWindow:
    """How much the other side may still send; tells when it is time to grant more."""

    def __init__(self) -> None:
        self._open = STREAM_WINDOW_BYTES
        self._taken = 0

    def receive(self, size: int) -> None:
        """Account for arrived bytes. Raises ProtocolError when the sender ignored its credit."""
        if size > self._open:
            raise ProtocolError("a stream was sent beyond its credit")
        self._open -= size

    def take(self, size: int) -> int:
        """Account for bytes that were passed on; returns the credit to grant now, 0 for none yet."""
        self._taken += size
        if self._taken < STREAM_WINDOW_BYTES // 4:
            return 0
        granted, self._taken = self._taken, 0
        self._open += granted
        return granted


class Demultiplexer:
    """The engine's multiplexed stream (Engine API, 'Attach to a container', stream format).

    Bytes go in as they come; (stream name, piece) come out. With `tty` there are no frames, all is stdout.
    """

    MAX_FRAME_BYTES = 16 * 1024 * 1024

    def __init__(self, *, tty: bool = False) -> None:
        self._tty = tty
        self._header = b""
        self._name: Literal["stdout", "stderr"] = "stdout"
        self._left = 0  # of the current frame

    def feed(self, data: bytes) -> Iterator[tuple[Literal["stdout", "stderr"], bytes]]:
        """Raises ProtocolError where the bytes are no such stream."""
        if self._tty:
            if data:
                yield "stdout", data
            return
        at = 0
        while at < len(data):
            if not self._left:
                need = 8 - len(self._header)
                self._header += data[at : at + need]
                at += need
                if len(self._header) < 8:
                    return
                self._begin()
                continue
            piece = data[at : at + self._left]
            self._left -= len(piece)
            at += len(piece)
            yield self._name, piece

    def _begin(self) -> None:
        kind, size = self._header[0], int.from_bytes(self._header[4:], "big")
        if kind not in (0, 1, 2) or self._header[1:4] != b"\0\0\0" or size > self.MAX_FRAME_BYTES:
            raise ProtocolError("the engine's log is not in its multiplexed format")
        self._name = "stderr" if kind == 2 else "stdout"
        self._left = size
        self._header = b""


def record_of(kind: ObjectKind, document: object) -> Record:
    """The typed record in `document`. Raises ProtocolError."""
    try:
        return decode(RECORDS[kind], document)
    except Misfit as misfit:
        raise ProtocolError(f"{kind}: {misfit}"[:1000]) from misfit


def document_of(record: Record) -> dict[str, Any]:
    """The JSON form of a record, the one that `fingerprint` is taken of."""
    document: dict[str, Any] = encode(record)
    return document
