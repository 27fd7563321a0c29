from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.access.requests import actor_of
from console.dashboard.context import counts
from console.dashboard.problems import problems
from console.hosts.models import HostQuerySet
from console.inventory import queries
from console.operations.queries import operations

ACTIVITY_ROWS = 10
HOST_ROWS = 100


@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """What is wrong, where; then all hosts, containers by state, and what was done lately."""
    actor = actor_of(request)
    hosts = list(queries.hosts(actor)[:HOST_ROWS])
    containers = queries.containers(actor)
    known = containers.filter(HostQuerySet.is_online_q("host__"))
    by_state = known.order_by().values_list("state", "health").annotate(n=Count("pk"))
    context = {
        "now": timezone.now(),
        "problems": problems(actor),
        "hosts": hosts,
        "exceptions": queries.exceptions(actor, hosts),
        "online_count": sum(host.is_online for host in hosts),
        "containers_count": containers.count(),
        "states": _states(by_state, last_known=containers.count() - known.count(), failed=_failed(known)),
        "activity": operations(actor)[:ACTIVITY_ROWS],
    }
    partial = request.headers.get("HX-Request") and not request.headers.get("HX-Boosted")
    return render(request, "dashboard/overview/_content.html" if partial else "dashboard/overview.html", context)


@login_required
def nav(request: HttpRequest) -> HttpResponse:
    """The frame's counts, which change while a page is open."""
    return render(request, "dashboard/_nav.html", {"counts": counts(actor_of(request))})


def _failed(containers: object) -> int:
    return containers.filter(queries.is_failed_q()).count()  # type: ignore[attr-defined, no-any-return]


def _states(counts: object, *, last_known: int, failed: int) -> list[tuple[str, int]]:
    """(word of the house style's table of states, how many), in the order of that table."""
    found: dict[str, int] = {}
    for state, health, n in counts:  # type: ignore[attr-defined]
        word = health if state == "running" and health != "none" else state
        found[word] = found.get(word, 0) + n
    found["exited (0)"] = found.pop("exited", 0) - failed
    found["exited with an error"] = failed
    found["last known, host offline"] = last_known
    order = (
        "healthy", "running", "starting", "unhealthy", "restarting", "paused", "exited (0)", "exited with an error",
        "created", "dead", "removing", "last known, host offline",
    )  # fmt: skip
    return [(word, found[word]) for word in order if found.get(word)]
