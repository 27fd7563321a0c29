"""The engine's documents to the records of the mirror. Pure functions; what engines do differently is settled here.

Containers come from `inspect`, whose name is the container's own and whose state is the present one. Images,
networks and volumes come from the lists, which hold all that a record needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal

from agents.catalogue import ObjectKind
from agents.protocol import (
    OBJECT_BYTES,
    AttachmentRecord,
    ContainerRecord,
    ImageRecord,
    MountRecord,
    NetworkRecord,
    PortRecord,
    Record,
    VolumeRecord,
    document_of,
)
from agents.texts import clean

LABELS_MOST = 300
LABEL_KEY_MOST = 512
KEPT_LABELS = ("io.gantry.", "com.docker.")  # kept before all others where there are too many

State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
Health = Literal["none", "starting", "healthy", "unhealthy"]

_STATES: dict[str, State] = {
    "created": "created",
    "running": "running",
    "paused": "paused",
    "restarting": "restarting",
    "removing": "removing",
    "exited": "exited",
    "dead": "dead",
    # Podman's own
    "configured": "created",
    "initialized": "created",
    "stopping": "running",
    "stopped": "exited",
}
_HEALTHS: dict[str, Health] = {"starting": "starting", "healthy": "healthy", "unhealthy": "unhealthy"}

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$")


class Unusable(ValueError):
    """The document lacks what a record can't do without."""


def seconds(value: object) -> float | None:
    """Unix seconds of the engine's time (RFC 3339 or a number); None for none, year 1 and nonsense."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 < value < 1e11 else None
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    zone = (match[3] or "Z").replace("Z", "+0000").replace(":", "")
    try:
        moment = datetime.strptime(match[1] + zone, "%Y-%m-%dT%H:%M:%S%z").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    whole = moment.timestamp()
    fraction = int((match[2] or "0")[:6].ljust(6, "0")) / 1_000_000
    return round(whole + fraction, 6) if whole > 0 else None


def labels_of(value: object) -> dict[str, str]:
    """Labels, bounded: Gantry's and Compose's first, then in the order of their names."""
    found: dict[str, str] = {}
    entries = _dict(value)
    for key in sorted(entries, key=lambda name: (not str(name).startswith(KEPT_LABELS), str(name))):
        if len(found) == LABELS_MOST:
            break
        if len(key) <= LABEL_KEY_MOST:
            found[clean(key, LABEL_KEY_MOST)] = clean(entries[key], 4096)
    return found


def container_record(document: Mapping[str, Any]) -> ContainerRecord:
    """From `GET /containers/{id}/json`. Raises Unusable."""
    config, host = _dict(document.get("Config")), _dict(document.get("HostConfig"))
    state = _dict(document.get("State"))
    engine_id = _id(document.get("Id"))
    status = _STATES.get(str(state.get("Status", "")).lower(), "dead")
    finished_at = seconds(state.get("FinishedAt"))
    error = clean(state.get("Error"), 4000)
    has_ended = status in ("exited", "dead", "restarting", "removing") or (status == "created" and bool(error))
    health = _dict(state.get("Health") or state.get("Healthcheck"))
    return ContainerRecord(
        id=engine_id,
        name=clean(document.get("Name"), 300).lstrip("/"),
        image=clean(config.get("Image") or document.get("ImageName") or document.get("Image"), 1000),
        image_id=image_id(document.get("Image")),
        state=status,
        created_at=seconds(document.get("Created")) or 0,
        health=_HEALTHS.get(str(health.get("Status", "")).lower(), "none"),
        health_output=_health_output(health),
        exit_code=_whole(state.get("ExitCode")) if has_ended else None,
        error=error,
        oom_killed=state.get("OOMKilled") is True,
        restart_count=_whole(document.get("RestartCount")) or 0,
        started_at=seconds(state.get("StartedAt")),
        finished_at=finished_at,
        command=_command(document),
        labels=labels_of(config.get("Labels")),
        ports=_ports(_dict(_dict(document.get("NetworkSettings")).get("Ports"))),
        mounts=[_mount(mount) for mount in _dicts(document.get("Mounts"))[:500]],
        networks=_attachments(document, engine_id),
        restart_policy=_restart_policy(_dict(host.get("RestartPolicy"))),
        tty=config.get("Tty") is True,
        log_driver=clean(_dict(host.get("LogConfig")).get("Type"), 300),
        auto_remove=host.get("AutoRemove") is True,
    )


def image_record(entry: Mapping[str, Any]) -> ImageRecord:
    """From an entry of `GET /images/json`. Raises Unusable."""
    references = [clean(tag, 1000) for tag in _list(entry.get("RepoTags")) if "<none>" not in str(tag)]
    digests = [clean(digest, 1000) for digest in _list(entry.get("RepoDigests")) if "<none>" not in str(digest)]
    # The containerd store lists what was pulled by digest among the tags.
    tags = sorted({reference for reference in references if "@" not in reference and reference})
    digests += [reference for reference in references if "@" in reference]
    return ImageRecord(
        id=image_id(_id(entry.get("Id"))),
        tags=tags[:500],
        digests=sorted(set(digests))[:500],
        size_bytes=max(_whole(entry.get("Size")) or 0, 0),
        created_at=seconds(entry.get("Created")),
        labels=labels_of(entry.get("Labels")),
        dangling=not references,
    )


def network_record(entry: Mapping[str, Any]) -> NetworkRecord:
    """From an entry of `GET /networks`. Raises Unusable."""
    ranges = _dicts(_dict(entry.get("IPAM")).get("Config"))
    return NetworkRecord(
        id=_id(entry.get("Id")),
        name=clean(entry.get("Name"), 300),
        driver=clean(entry.get("Driver"), 300),
        scope=clean(entry.get("Scope"), 300),
        internal=entry.get("Internal") is True,
        attachable=entry.get("Attachable") is True,
        subnets=[subnet for r in ranges[:500] if (subnet := clean(r.get("Subnet"), 1000))],
        labels=labels_of(entry.get("Labels")),
        created_at=seconds(entry.get("Created")),
    )


def volume_record(entry: Mapping[str, Any]) -> VolumeRecord:
    """From an entry of `GET /volumes`. Raises Unusable."""
    return VolumeRecord(
        id=_id(entry.get("Name")),
        driver=clean(entry.get("Driver"), 300),
        mountpoint=clean(entry.get("Mountpoint"), 4096),
        scope=clean(entry.get("Scope"), 300),
        labels=labels_of(entry.get("Labels")),
        created_at=seconds(entry.get("CreatedAt")),
    )


def image_id(value: object) -> str:
    """An image's full id; Podman leaves `sha256:` out here and there."""
    text = clean(value, 300)
    return f"sha256:{text}" if len(text) == 64 and ":" not in text else text


def bounded_document(record: Record) -> dict[str, Any]:
    """The record's JSON form, cut down to OBJECT_BYTES where it is larger."""
    document = document_of(record)
    if _size(document) <= OBJECT_BYTES:
        return document
    for name in ("labels", "ports", "mounts", "networks", "tags", "digests", "subnets"):
        part = document.get(name)
        while part and _size(document) > OBJECT_BYTES and len(part) > 1:
            half = len(part) // 2
            part = dict(list(part.items())[:half]) if isinstance(part, dict) else part[:half]
            document[name] = part
    return document


RECORD_OF_ENTRY: dict[ObjectKind, Any] = {
    "image": image_record,
    "network": network_record,
    "volume": volume_record,
}


def _size(document: Mapping[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def _health_output(health: Mapping[str, Any]) -> str:
    checks = _dicts(health.get("Log"))
    return clean(checks[-1].get("Output"), 2000) if checks else ""


def _command(document: Mapping[str, Any]) -> str:
    words = [document.get("Path"), *_list(document.get("Args"))]
    return clean(" ".join(clean(word, 1000) for word in words[:200] if isinstance(word, str)), 1000)


def _ports(published: Mapping[str, Any]) -> list[PortRecord]:
    found: dict[tuple[int, str, int | None, str], PortRecord] = {}
    for name, bindings in published.items():
        number, _, protocol = str(name).partition("/")
        if not number.isdigit():
            continue
        for binding in _dicts(bindings) or [{}]:
            host_port = str(binding.get("HostPort") or "")
            port = PortRecord(
                container_port=int(number[:5]),
                protocol=clean(protocol, 300) or "tcp",
                host_port=int(host_port) if host_port.isdigit() and len(host_port) <= 5 else None,
                ip=_address(binding.get("HostIp")),
            )
            found[(port.container_port, port.protocol, port.host_port, port.ip)] = port
    ordered = sorted(found, key=lambda key: (key[0], key[1], key[2] or 0, key[3]))
    return [found[key] for key in ordered][:1000]


def _address(value: object) -> str:
    """'' for all addresses, which the engine lists twice, once for each IP version."""
    text = clean(value, 300)
    return "" if text in ("0.0.0.0", "::") else text


def _mount(mount: Mapping[str, Any]) -> MountRecord:
    return MountRecord(
        type=clean(mount.get("Type"), 300),
        target=clean(mount.get("Destination"), 4096),
        source=clean(mount.get("Source"), 4096),
        name=clean(mount.get("Name"), 300),
        read_only=mount.get("RW") is False,
    )


def _attachments(document: Mapping[str, Any], engine_id: str) -> list[AttachmentRecord]:
    networks = _dict(_dict(document.get("NetworkSettings")).get("Networks"))
    return [
        AttachmentRecord(
            name=clean(name, 300),
            id=clean(_dict(entry).get("NetworkID"), 300),
            ip=clean(_dict(entry).get("IPAddress") or _dict(entry).get("GlobalIPv6Address"), 300),
            aliases=[
                clean(alias, 1000)
                for alias in _list(_dict(entry).get("Aliases"))[:500]
                if isinstance(alias, str) and alias != engine_id[:12]
            ],
        )
        for name, entry in sorted(networks.items())[:200]
    ]


def _restart_policy(policy: Mapping[str, Any]) -> str:
    name = clean(policy.get("Name"), 200) or "no"
    retries = _whole(policy.get("MaximumRetryCount"))
    return f"{name}:{retries}" if name == "on-failure" and retries else name


def _id(value: object) -> str:
    text = clean(value, 301)
    if not 0 < len(text) <= 300:
        raise Unusable("an object without an id")
    return text


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[dict[str, Any]]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62 else None
