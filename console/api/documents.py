"""What REST shows of each object, as TypedDicts: filled here, and the schema is read off them.

An object of a host that can't be reached is shown as last known: `is_current` is false, and what
changes by itself (`state`, `health`) is "unknown", with the last known state in `last_state`.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from console.accounts.models import ApiToken, User
from console.hosts.models import Host, JoinToken
from console.inventory.models import Container, EngineObject, Image, Network, Volume, object_id
from console.inventory.queries import is_current
from console.operations.models import Operation
from console.operations.services import shown

Time = dt.datetime


class HostReference(TypedDict):
    id: uuid.UUID
    name: str
    state: Literal["online", "offline", "removed"]


class EngineDocument(TypedDict):
    id: str
    product: str  # Docker or Podman
    version: str
    api_version: str
    os_name: str
    kernel: str
    architecture: str
    hostname: str
    cpus: int
    memory_bytes: int
    storage_driver: str
    root_dir: str
    cgroup_version: str
    containerd_version: str
    runc_version: str
    error: str  # why the engine does not answer its agent; '' when it does


class HostDocument(TypedDict):
    id: uuid.UUID
    engine_id: str
    name: str
    state: Literal["online", "offline"]
    created_at: Time
    connected_at: Time | None
    last_seen_at: Time | None
    address: str  # the agent's, as the console sees it
    agent_version: str
    clock_offset_s: float  # the host's clock less the console's
    is_clock_off: bool
    containers_count: int
    running_count: int | None  # null while the host can't be reached
    engine: EngineDocument


class PortDocument(TypedDict):
    container_port: int
    protocol: str
    host_port: int | None  # null: not published
    ip: str


class MountDocument(TypedDict):
    type: str
    target: str
    source: str
    name: str  # of the volume
    read_only: bool


class AttachmentDocument(TypedDict):
    name: str
    engine_id: str
    ip: str
    aliases: list[str]


class ContainerDocument(TypedDict):
    id: uuid.UUID
    engine_id: str
    host: HostReference
    name: str
    state: Literal["created", "running", "paused", "restarting", "removing", "exited", "dead", "unknown"]
    last_state: str  # as last known; the same as state while is_current
    is_current: bool
    health: Literal["none", "starting", "healthy", "unhealthy", "unknown"]
    health_output: str  # of the last check
    image: str  # as it was asked for
    image_id: uuid.UUID | None  # our id of the image, where the mirror has it
    image_engine_id: str
    exit_code: int | None  # null: it has not ended yet
    error: str  # the engine's words on why it did not start
    oom_killed: bool
    restart_count: int
    created_at: Time | None
    started_at: Time | None
    finished_at: Time | None
    changed_at: Time  # when the mirror last saw it change
    command: str
    stack: str
    service: str
    labels: dict[str, str]
    ports: list[PortDocument]
    mounts: list[MountDocument]
    networks: list[AttachmentDocument]
    restart_policy: str
    tty: bool
    log_driver: str
    auto_remove: bool


class ImageDocument(TypedDict):
    id: uuid.UUID
    engine_id: str
    host: HostReference
    name: str  # the first tag, '' for an untagged image
    state: Literal["present", "unknown"]
    last_state: Literal["present"]
    is_current: bool
    tags: list[str]
    digests: list[str]
    size_bytes: int
    dangling: bool
    containers_count: int  # made from it, on the same host
    created_at: Time | None
    changed_at: Time
    labels: dict[str, str]


class NetworkDocument(TypedDict):
    id: uuid.UUID
    engine_id: str
    host: HostReference
    name: str
    state: Literal["present", "unknown"]
    last_state: Literal["present"]
    is_current: bool
    driver: str
    scope: str
    internal: bool
    attachable: bool
    subnets: list[str]
    created_at: Time | None
    changed_at: Time
    labels: dict[str, str]


class VolumeDocument(TypedDict):
    id: uuid.UUID
    engine_id: str
    host: HostReference
    name: str
    state: Literal["present", "unknown"]
    last_state: Literal["present"]
    is_current: bool
    driver: str
    mountpoint: str
    scope: str
    created_at: Time | None
    changed_at: Time
    labels: dict[str, str]


class TargetDocument(TypedDict):
    kind: str
    id: uuid.UUID | None  # null for what is still to be made
    name: str


class UserReference(TypedDict):
    id: int
    username: str


class OperationDocument(TypedDict):
    id: uuid.UUID
    kind: str
    title: str
    state: Literal["queued", "sent", "running", "succeeded", "failed", "cancelled", "expired", "interrupted"]
    is_finished: bool
    host: HostReference
    target: TargetDocument | None
    params: dict[str, Any]  # values of environment variables are masked
    progress: dict[str, Any]
    result: dict[str, Any]  # what was made, by kind: {"container": our id, "engine_id": the engine's}
    error: str
    requested_by: UserReference | None
    requested_at: Time
    cancel_requested_at: Time | None
    sent_at: Time | None
    started_at: Time | None
    finished_at: Time | None
    deadline_at: Time


class JoinTokenDocument(TypedDict):
    id: uuid.UUID
    state: Literal["valid", "used", "expired"]
    created_by: UserReference | None
    created_at: Time
    expires_at: Time
    used_at: Time | None
    host: HostReference | None  # that it was used for


class NewJoinTokenDocument(JoinTokenDocument):
    secret: str  # shown this once


class TokenDocument(TypedDict):
    id: int
    name: str
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None


class NewTokenDocument(TokenDocument):
    secret: str  # shown this once


class MeDocument(TypedDict):
    id: int
    username: str
    full_name: str
    email: str
    is_administrator: bool
    token: TokenDocument | None  # that the request was made with; null for a session


def host_reference(host: Host) -> HostReference:
    if host.revoked_at is not None:
        return {"id": host.pk, "name": host.name, "state": "removed"}
    return {"id": host.pk, "name": host.name, "state": "online" if host.is_online else "offline"}


def host(row: Host) -> HostDocument:
    """A row of `queries.hosts`."""
    return {
        "id": row.pk,
        "engine_id": row.engine_id,
        "name": row.name,
        "state": "online" if row.is_online else "offline",
        "created_at": row.created_at,
        "connected_at": row.connected_at,
        "last_seen_at": row.last_seen_at,
        "address": row.address,
        "agent_version": row.agent_version,
        "clock_offset_s": round(row.clock_offset_s, 3),
        "is_clock_off": row.is_clock_off,
        "containers_count": row.containers_count,  # type: ignore[attr-defined]
        "running_count": row.running_count if is_current(row) else None,  # type: ignore[attr-defined]
        "engine": {
            "id": row.engine_id,
            "product": row.engine_product,
            "version": row.engine_version,
            "api_version": row.api_version,
            "os_name": row.os_name,
            "kernel": row.kernel,
            "architecture": row.architecture,
            "hostname": row.hostname,
            "cpus": row.cpus,
            "memory_bytes": row.memory_bytes,
            "storage_driver": row.storage_driver,
            "root_dir": row.root_dir,
            "cgroup_version": row.cgroup_version,
            "containerd_version": row.containerd_version,
            "runc_version": row.runc_version,
            "error": row.engine_error,
        },
    }


def containers(rows: Sequence[Container]) -> list[ContainerDocument]:
    """With one query for all their images."""
    image_ids = {row.pk: object_id(row.host_id, "image", row.image_engine_id) for row in rows}
    mirrored = (
        set(Image.objects.filter(pk__in=set(image_ids.values())).values_list("pk", flat=True)) if rows else set()
    )
    return [_container(row, image_ids[row.pk] if image_ids[row.pk] in mirrored else None) for row in rows]


def _container(row: Container, image_id: uuid.UUID | None) -> ContainerDocument:
    current = is_current(row.host)
    return {
        "id": row.pk,
        "engine_id": row.engine_id,
        "host": host_reference(row.host),
        "name": row.name,
        "state": row.state if current else "unknown",  # type: ignore[typeddict-item]
        "last_state": row.state,
        "is_current": current,
        "health": row.health if current else "unknown",  # type: ignore[typeddict-item]
        "health_output": row.health_output,
        "image": row.image,
        "image_id": image_id,
        "image_engine_id": row.image_engine_id,
        "exit_code": row.exit_code,
        "error": row.error,
        "oom_killed": row.oom_killed,
        "restart_count": row.restart_count,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "changed_at": row.changed_at,
        "command": row.command,
        "stack": row.stack,
        "service": row.service,
        "labels": row.labels,
        "ports": [_port(port) for port in row.ports],
        "mounts": [_mount(mount) for mount in row.mounts],
        "networks": [_attachment(attachment) for attachment in row.networks],
        "restart_policy": row.restart_policy,
        "tty": row.tty,
        "log_driver": row.log_driver,
        "auto_remove": row.auto_remove,
    }


def _port(port: Mapping[str, Any]) -> PortDocument:
    return {
        "container_port": port["container_port"],
        "protocol": port["protocol"],
        "host_port": port.get("host_port"),
        "ip": port.get("ip", ""),
    }


def _mount(mount: Mapping[str, Any]) -> MountDocument:
    return {
        "type": mount["type"],
        "target": mount["target"],
        "source": mount.get("source", ""),
        "name": mount.get("name", ""),
        "read_only": mount.get("read_only", False),
    }


def _attachment(attachment: Mapping[str, Any]) -> AttachmentDocument:
    return {
        "name": attachment["name"],
        "engine_id": attachment.get("id", ""),
        "ip": attachment.get("ip", ""),
        "aliases": attachment.get("aliases", []),
    }


def _presence(row: EngineObject) -> Literal["present", "unknown"]:
    return "present" if is_current(row.host) else "unknown"


def images(rows: Sequence[Image]) -> list[ImageDocument]:
    """Rows of `queries.images`."""
    return [_image(row) for row in rows]


def _image(row: Image) -> ImageDocument:
    return {
        "id": row.pk,
        "engine_id": row.engine_id,
        "host": host_reference(row.host),
        "name": row.name,
        "state": _presence(row),
        "last_state": "present",
        "is_current": is_current(row.host),
        "tags": row.tags,
        "digests": row.digests,
        "size_bytes": row.size_bytes,
        "dangling": row.dangling,
        "containers_count": row.containers_count,  # type: ignore[attr-defined]
        "created_at": row.created_at,
        "changed_at": row.changed_at,
        "labels": row.labels,
    }


def networks(rows: Sequence[Network]) -> list[NetworkDocument]:
    return [_network(row) for row in rows]


def _network(row: Network) -> NetworkDocument:
    return {
        "id": row.pk,
        "engine_id": row.engine_id,
        "host": host_reference(row.host),
        "name": row.name,
        "state": _presence(row),
        "last_state": "present",
        "is_current": is_current(row.host),
        "driver": row.driver,
        "scope": row.scope,
        "internal": row.internal,
        "attachable": row.attachable,
        "subnets": row.subnets,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
        "labels": row.labels,
    }


def volumes(rows: Sequence[Volume]) -> list[VolumeDocument]:
    return [_volume(row) for row in rows]


def _volume(row: Volume) -> VolumeDocument:
    return {
        "id": row.pk,
        "engine_id": row.engine_id,
        "host": host_reference(row.host),
        "name": row.name,
        "state": _presence(row),
        "last_state": "present",
        "is_current": is_current(row.host),
        "driver": row.driver,
        "mountpoint": row.mountpoint,
        "scope": row.scope,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
        "labels": row.labels,
    }


def user_reference(user: User | None) -> UserReference | None:
    return {"id": user.pk, "username": user.username} if user else None


def operation(row: Operation) -> OperationDocument:
    target: TargetDocument | None = None
    if row.target_kind:
        target = {"kind": row.target_kind, "id": row.target_id, "name": row.target_name}
    return {
        "id": row.pk,
        "kind": row.kind,
        "title": row.title,
        "state": row.state,  # type: ignore[typeddict-item]
        "is_finished": row.is_finished,
        "host": host_reference(row.host),
        "target": target,
        "params": shown(row.params),
        "progress": row.progress,
        "result": row.result,
        "error": row.error,
        "requested_by": user_reference(row.requested_by),
        "requested_at": row.requested_at,
        "cancel_requested_at": row.cancel_requested_at,
        "sent_at": row.sent_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "deadline_at": row.deadline_at,
    }


def join_token(row: JoinToken) -> JoinTokenDocument:
    return {
        "id": row.pk,
        "state": row.state,  # type: ignore[typeddict-item]
        "created_by": user_reference(row.created_by),
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "used_at": row.used_at,
        "host": host_reference(row.host) if row.host else None,
    }


def token(row: ApiToken) -> TokenDocument:
    return {
        "id": row.pk,
        "name": row.name,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }
