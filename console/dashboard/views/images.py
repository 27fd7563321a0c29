from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.db.models import Case, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.forms import PullImageForm
from console.dashboard.lists import render_list
from console.dashboard.views.actions import asked_by_form
from console.inventory import queries
from console.inventory.filtersets import ImageFilters


@login_required
def images(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    sorts = {
        "name": ["has_no_name", "name", "host__name"],
        "host": ["host__name", "name"],
        "size": ["-size_bytes"],
        "created": ["-created_at"],
        "used": ["-containers_count"],
    }
    context = {"hosts": queries.hosts(actor)}
    found = queries.images(actor).alias(has_no_name=Case(When(name="", then=1), default=0))
    return render_list(request, "dashboard/images", found, ImageFilters, sorts, context)


@login_required
def image(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    actor = actor_of(request)
    found = objects.get(queries.images(actor), pk)
    users = queries.containers(actor).filter(host=found.host, image_engine_id=found.engine_id)
    return render(request, "dashboard/image.html", {"image": found, "containers": users.order_by("name")[:200]})


@login_required
def pull(request: HttpRequest) -> HttpResponse:
    return asked_by_form(request, PullImageForm, "dashboard/images/pull.html")
