from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.forms import CreateContainerForm
from console.dashboard.lists import render_list
from console.dashboard.views.actions import asked_by_form
from console.inventory import queries
from console.inventory.filtersets import CONTAINER_STATES, HEALTHS, ContainerFilters
from console.inventory.models import Container
from console.operations.models import OPEN_STATES, Operation
from console.operations.queries import operations

LAST_OPERATIONS = 10
CHOICES_AT_MOST = 100  # stacks and images in the menu of filters
# Tabs of a container's page that show one document: the stream that carries it, and its title.
PARTS = {
    "processes": ("container.top", "Processes"),
    "changes": ("container.changes", "Changes against the image"),
    "inspect": ("container.inspect", "Inspect"),
}
GROUPS = {"host": "host__name", "stack": "stack"}

# Ways to see the list, as tabs: name, what its address filters by, and how many there are.
_VIEWS: tuple[tuple[str, dict[str, str]], ...] = (
    ("All", {}),
    ("Problems", {"problem": "true"}),
    ("Running", {"state": "running"}),
)


@login_required
def containers(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    sorts = {
        "state": ["rank", "name"],
        "name": ["name"],
        "image": ["image", "name"],
        "host": ["host__name", "name"],
        "stack": ["stack", "name"],
        "uptime": ["-started_at"],
        "created": ["-created_at"],
    }
    every = queries.containers(actor)
    context = {
        "states": CONTAINER_STATES,
        "healths": HEALTHS,
        "hosts": queries.hosts(actor),
        "stacks": _values(every.exclude(stack=""), "stack"),
        "images": _values(every, "image"),
        "views": [(name, query, ContainerFilters(query, queryset=every).qs.count()) for name, query in _VIEWS],
        "running": _running(operations(actor).filter(state__in=OPEN_STATES, target_kind="container")),
    }
    rows = every.annotate(rank=queries.worst_first())
    return render_list(request, "dashboard/containers", rows, ContainerFilters, sorts, context, GROUPS)


def _values(rows: QuerySet[Container], column: str) -> list[str]:
    return list(rows.order_by(column).values_list(column, flat=True).distinct()[:CHOICES_AT_MOST])


def _running(found: Any) -> dict[uuid.UUID, Operation]:
    """Container's id to the operation that is under way on it."""
    return {operation.target_id: operation for operation in found if operation.target_id}


@login_required
def container(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    return _page(request, pk, "dashboard/container.html")


@login_required
def logs(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    return _page(request, pk, "dashboard/container_logs.html")


@login_required
def part(request: HttpRequest, pk: uuid.UUID, tab: str) -> HttpResponse:
    """A tab that shows one document of the engine."""
    if tab not in PARTS:
        raise Http404
    stream, title = PARTS[tab]
    return _page(request, pk, "dashboard/container_part.html", {"tab": tab, "stream": stream, "title": title})


def _page(request: HttpRequest, pk: uuid.UUID, template: str, more: Mapping[str, Any] | None = None) -> HttpResponse:
    actor = actor_of(request)
    found: Container = objects.get(queries.containers(actor), pk)
    mine = operations(actor).filter(target_id=found.pk)
    images = queries.images(actor).filter(host=found.host, engine_id=found.image_engine_id)
    context = {
        "container": found,
        "image": images.first(),
        "operation": mine.filter(state__in=OPEN_STATES).last(),
        "operations": mine[:LAST_OPERATIONS],
        "network_ids": {n.engine_id: n.pk for n in queries.networks(actor).filter(host=found.host)},
        "volume_ids": {v.engine_id: v.pk for v in queries.volumes(actor).filter(host=found.host)},
    }
    return render(request, template, {**context, **(more or {})})


@login_required
def create(request: HttpRequest) -> HttpResponse:
    return asked_by_form(request, CreateContainerForm, "dashboard/container_create.html")
