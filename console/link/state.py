"""The link's columns of the host's row. Runs in the writer thread."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection

from django.utils import timezone

from agents.protocol import EngineFacts, Hello
from console.hosts import services as hosts
from console.hosts.models import Host
from console.link import hints
from console.link.process import PROCESS


def note_opened(host: Host, hello: Hello) -> None:
    now = timezone.now()
    host.is_connected, host.process, host.connected_at, host.heard_at = True, PROCESS, now, now
    host.agent_version = hello.agent_version[:40]
    host.clock_offset_s = hello.clock - time.time()
    host.is_listed = False
    host.save(
        update_fields=[
            "is_connected", "process", "connected_at", "heard_at", "address", "agent_version", "clock_offset_s",
            "is_listed",
        ]
    )  # fmt: skip
    note_engine(host, hello.engine, hello.engine_error)


def note_engine(host: Host, facts: EngineFacts | None, error: str) -> None:
    hosts.note_engine(host, facts, error)
    hints.changed(host.pk, "hosts")


def note_clock(host: Host, clock: float) -> None:
    offset = clock - time.time()
    if abs(offset - host.clock_offset_s) < 1:
        return
    was_off, host.clock_offset_s = host.is_clock_off, offset
    host.save(update_fields=["clock_offset_s"])
    if was_off != host.is_clock_off:
        hints.changed(host.pk, "hosts")


def note_closed(host_id: uuid.UUID) -> None:
    """The link is gone, unless another process has taken the host over meanwhile."""
    if Host.objects.filter(pk=host_id, process=PROCESS).update(is_connected=False):
        hints.changed(host_id, "hosts", "containers")


def note_heard(host_ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """One update for all the hosts of this process. Returns those that were removed, perhaps in another process."""
    Host.objects.filter(pk__in=host_ids, process=PROCESS).update(heard_at=timezone.now())
    return list(Host.objects.filter(pk__in=host_ids, revoked_at__isnull=False).values_list("pk", flat=True))
