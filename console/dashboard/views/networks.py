from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.forms import CreateNetworkForm
from console.dashboard.lists import render_list
from console.dashboard.views.actions import asked_by_form
from console.inventory import queries
from console.inventory.filtersets import NetworkFilters

# Made by the engine itself: they can't be removed.
ENGINES_OWN = ("bridge", "host", "none")


@login_required
def networks(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    sorts = {
        "name": ["name", "host__name"],
        "host": ["host__name", "name"],
        "driver": ["driver", "name"],
        "created": ["-created_at"],
    }
    context = {
        "uses": queries.use_counts(actor, "network"),
        "hosts": queries.hosts(actor),
        "engines_own": ENGINES_OWN,
    }
    return render_list(request, "dashboard/networks", queries.networks(actor), NetworkFilters, sorts, context)


@login_required
def network(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    actor = actor_of(request)
    found = objects.get(queries.networks(actor), pk)
    members = [
        (member, attachment)
        for member in queries.network_members(actor, [found])[found.pk]
        for attachment in member.networks
        if attachment.get("id") == found.engine_id
    ]
    context = {"network": found, "members": members, "engines_own": ENGINES_OWN}
    return render(request, "dashboard/network.html", context)


@login_required
def create(request: HttpRequest) -> HttpResponse:
    return asked_by_form(request, CreateNetworkForm, "dashboard/networks/create.html")
