"""From an agent's typed record to an unsaved row of the mirror."""

from __future__ import annotations

import datetime as dt
import functools

from agents.catalogue import ObjectKind
from agents.protocol import ContainerRecord, ImageRecord, NetworkRecord, Record, VolumeRecord
from agents.shapes import encode
from console.inventory.models import (
    MODELS,
    SERVICE_LABEL,
    STACK_LABEL,
    SWARM_SERVICE_LABEL,
    SWARM_STACK_LABEL,
    Container,
    EngineObject,
    Image,
    Network,
    Volume,
)

INTEGER_MAX = 2**31 - 1

COLUMNS: dict[ObjectKind, list[str]] = {
    kind: [f.attname for f in model._meta.concrete_fields if f.name not in ("id", "host")]
    for kind, model in MODELS.items()
}


def time_of(unix_s: float | None) -> dt.datetime | None:
    """An aware time; None for none, and for what no calendar holds."""
    if unix_s is None:
        return None
    try:
        return dt.datetime.fromtimestamp(unix_s, tz=dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None


@functools.singledispatch
def row_of(record: Record) -> EngineObject:
    """The row without its identity: id, host, fingerprint and time are the caller's."""
    raise TypeError(f"no row for {record!r}")


@row_of.register
def _(record: ContainerRecord) -> EngineObject:
    labels = record.labels
    return Container(
        engine_id=record.id,
        name=record.name,
        labels=labels,
        created_at=time_of(record.created_at),
        image=record.image,
        image_engine_id=record.image_id,
        state=record.state,
        health=record.health,
        health_output=record.health_output,
        exit_code=None if record.exit_code is None else max(-INTEGER_MAX, min(record.exit_code, INTEGER_MAX)),
        error=record.error,
        oom_killed=record.oom_killed,
        restart_count=record.restart_count,
        started_at=time_of(record.started_at),
        finished_at=time_of(record.finished_at),
        command=record.command,
        stack=(labels.get(STACK_LABEL) or labels.get(SWARM_STACK_LABEL) or "")[:300],
        service=(labels.get(SERVICE_LABEL) or labels.get(SWARM_SERVICE_LABEL) or "")[:300],
        ports=[{"ip": "", "host_port": None, **encode(port)} for port in record.ports],
        mounts=encode(record.mounts),
        networks=encode(record.networks),
        restart_policy=record.restart_policy[:60],
        tty=record.tty,
        log_driver=record.log_driver,
        auto_remove=record.auto_remove,
    )


@row_of.register
def _(record: ImageRecord) -> EngineObject:
    return Image(
        engine_id=record.id,
        name=record.tags[0] if record.tags else "",
        labels=record.labels,
        created_at=time_of(record.created_at),
        tags=record.tags,
        digests=record.digests,
        size_bytes=record.size_bytes,
        dangling=record.dangling,
    )


@row_of.register
def _(record: NetworkRecord) -> EngineObject:
    return Network(
        engine_id=record.id,
        name=record.name,
        labels=record.labels,
        created_at=time_of(record.created_at),
        driver=record.driver,
        scope=record.scope,
        internal=record.internal,
        attachable=record.attachable,
        subnets=record.subnets,
    )


@row_of.register
def _(record: VolumeRecord) -> EngineObject:
    return Volume(
        engine_id=record.id,
        name=record.id,
        labels=record.labels,
        created_at=time_of(record.created_at),
        driver=record.driver,
        mountpoint=record.mountpoint,
        scope=record.scope,
    )
