from __future__ import annotations

import json
import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from agents.catalogue import OPERATIONS
from console.access import policy
from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.lists import render_list
from console.inventory import queries
from console.operations import queries as operation_queries
from console.operations import services
from console.operations.filtersets import OperationFilters
from console.operations.models import State


@login_required
def operations(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    sorts = {"asked": ["-requested_at"], "state": ["state", "-requested_at"], "host": ["host__name", "-requested_at"]}
    context = {"hosts": queries.hosts(actor), "states": State.values, "kinds": sorted(OPERATIONS)}
    rows = operation_queries.operations(actor)
    return render_list(request, "dashboard/operations", rows, OperationFilters, sorts, context)


@login_required
def operation(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The page; with `?toast` the few lines that a toast shows while it goes on."""
    found = objects.get(operation_queries.operations(actor_of(request)), pk)
    context = {"operation": found, "params": services.shown(found.params)}
    template = "components/_operation_toast.html" if "toast" in request.GET else "dashboard/operation.html"
    return render(request, template, context)


@login_required
@require_POST
def cancel(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    actor = actor_of(request)
    found = objects.get(operation_queries.operations(actor), pk)
    sentence = ""
    try:
        services.cancel(actor, found)
    except (services.NotCancellable, policy.NotPermitted) as error:
        sentence = str(error)
    if not request.headers.get("HX-Request"):
        return redirect("dashboard:operation", pk=pk)
    trigger = json.dumps({"gantry:refusals": {"sentences": [sentence]}}) if sentence else "gantry:refresh"
    return HttpResponse(status=204, headers={"HX-Trigger": trigger})
