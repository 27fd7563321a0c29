from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.db.models import Case, When
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.forms import CreateVolumeForm
from console.dashboard.lists import render_list
from console.dashboard.views.actions import asked_by_form
from console.inventory import queries
from console.inventory.filtersets import VolumeFilters


@login_required
def volumes(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    sorts = {
        "name": ["has_no_name", "name", "host__name"],
        "host": ["host__name", "name"],
        "driver": ["driver", "name"],
        "created": ["-created_at"],
    }
    context = {"uses": queries.use_counts(actor, "volume"), "hosts": queries.hosts(actor)}
    # The engine calls a volume without a name by 64 digits.
    found = queries.volumes(actor).alias(length=Length("name"), has_no_name=Case(When(length=64, then=1), default=0))
    return render_list(request, "dashboard/volumes", found, VolumeFilters, sorts, context)


@login_required
def volume(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    actor = actor_of(request)
    found = objects.get(queries.volumes(actor), pk)
    users = [
        (user, mount)
        for user in queries.volume_users(actor, [found])[found.pk]
        for mount in user.mounts
        if mount.get("name") == found.engine_id
    ]
    return render(request, "dashboard/volume.html", {"volume": found, "users": users})


@login_required
def create(request: HttpRequest) -> HttpResponse:
    return asked_by_form(request, CreateVolumeForm, "dashboard/volumes/create.html")
