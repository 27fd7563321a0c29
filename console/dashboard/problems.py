"""What is wrong over all hosts, worst first. One cause is one problem: an offline host is not fifty."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils import timezone

from console.access.actors import Actor
from console.hosts.models import Host, HostQuerySet
from console.inventory import queries
from console.inventory.models import Container
from console.operations.models import Operation, State
from console.operations.queries import operations

SHOWN_AT_MOST = 50
FAILED_TOLD_FOR = dt.timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Problem:
    """`state` is a word of the states table in the house style; `cause` what happened, in a sentence or two."""

    state: str
    label: str
    subject: str
    where: str
    cause: str
    detail: str  # the engine's or the program's own words
    since: dt.datetime | None
    url: str
    action: str
    action_url: str
    action_icon: str


def problems(actor: Actor) -> list[Problem]:
    found = [
        *(_offline(host) for host in _offline_hosts(actor)[:SHOWN_AT_MOST]),
        *(_engine(host) for host in _engine_down(actor)[:SHOWN_AT_MOST]),
        *(_container(container) for container in _containers(actor)[:SHOWN_AT_MOST]),
        *(_operation(operation) for operation in _failed(actor)[:SHOWN_AT_MOST]),
        *(_clock(host) for host in _online(actor)[:SHOWN_AT_MOST] if host.is_clock_off),
    ]
    return found[:SHOWN_AT_MOST]


def count_problems(actor: Actor) -> int:
    return (
        _offline_hosts(actor).count()
        + _engine_down(actor).count()
        + _containers(actor).count()
        + _failed(actor).count()
        + sum(host.is_clock_off for host in _online(actor))
    )


def _offline_hosts(actor: Actor) -> QuerySet[Host]:
    return queries.hosts(actor).exclude(HostQuerySet.is_online_q())


def _online(actor: Actor) -> QuerySet[Host]:
    return queries.hosts(actor).filter(HostQuerySet.is_online_q())


def _engine_down(actor: Actor) -> QuerySet[Host]:
    return _online(actor).exclude(engine_error="")


def _containers(actor: Actor) -> QuerySet[Container]:
    wrong = queries.containers(actor).filter(queries.is_wrong_q(), queries.is_current_q())
    return wrong.alias(rank=queries.worst_first()).order_by("rank", "-changed_at")


def _failed(actor: Actor) -> QuerySet[Operation]:
    """Failures that nobody has made good since: a later success of the same kind on the same object mends it."""
    recent = operations(actor).filter(
        state__in=(State.FAILED, State.INTERRUPTED), finished_at__gt=timezone.now() - FAILED_TOLD_FOR
    )
    mended = Operation.objects.filter(
        target_id=OuterRef("target_id"), state=State.SUCCEEDED, finished_at__gt=OuterRef("finished_at")
    )
    return recent.exclude(Exists(mended))


def _offline(host: Host) -> Problem:
    count = host.containers_count  # type: ignore[attr-defined]
    shown = f"{count} containers shown as last known" if count != 1 else "1 container shown as last known"
    return Problem(
        "offline", "offline", host.name, shown if count else "", "Its agent has not been heard of.", "",
        host.last_seen_at, _host_url(host), "Open host", _host_url(host), "server-2",
    )  # fmt: skip


def _engine(host: Host) -> Problem:
    return Problem(
        "failed", "engine down", host.name, "agent connected", "The agent is there, its engine does not answer.",
        host.engine_error, host.connected_at, _host_url(host), "Open host", _host_url(host), "server-2",
    )  # fmt: skip


def _clock(host: Host) -> Problem:
    ahead = "ahead" if host.clock_offset_s > 0 else "behind"
    return Problem(
        "disk", "clock off", host.name, "", f"Its clock is {abs(host.clock_offset_s):.0f} s {ahead}. Set it right.",
        "", None, _host_url(host), "Open host", _host_url(host), "server-2",
    )  # fmt: skip


def _container(container: Container) -> Problem:
    url = reverse("dashboard:container", args=[container.pk])
    logs = reverse("dashboard:container_logs", args=[container.pk])
    stack = f"{container.stack} on {container.host.name}" if container.stack else f"on {container.host.name}"
    state, label, cause, detail, since = _reason(container)
    action = ("Open container", url, "box") if state in ("created", "dead") else ("Logs", logs, "file-text")
    return Problem(state, label, container.name, stack, cause, detail.strip(), since, url, *action)


def _reason(container: Container) -> tuple[str, str, str, str, dt.datetime | None]:
    code = container.exit_code
    memory = "out of memory" if container.oom_killed else ""
    if container.state == "dead":
        return "dead", "dead", "The engine could not remove it.", container.error, container.finished_at
    if container.state == "restarting":
        words = ", ".join(filter(None, [f"Exited ({code})", memory, f"restarted {container.restart_count} times"]))
        return "restarting", "restarting", f"{words}.", container.error, container.finished_at
    if container.state == "created":
        return "created", "not started", "The engine could not start it.", container.error, container.created_at
    if container.state == "exited":
        return "exited", f"exited ({code})", _exit_words(code, memory), container.error, container.finished_at
    return "unhealthy", "unhealthy", "Its health check fails.", container.health_output, container.started_at


def _exit_words(code: int | None, memory: str) -> str:
    if memory:
        return f"It ran out of memory and was killed, exit code {code}."
    return f"It ended with exit code {code}."


def _operation(operation: Operation) -> Problem:
    url = reverse("dashboard:operation", args=[operation.pk])
    label = "failed" if operation.state == State.FAILED else "interrupted"
    return Problem(
        "failed", label, operation.title, f"on {operation.host.name}", operation.error, "", operation.finished_at,
        url, "Open operation", url, "activity",
    )  # fmt: skip


def _host_url(host: Host) -> str:
    return reverse("dashboard:host", args=[host.pk])
