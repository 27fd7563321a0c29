from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.access import policy
from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.lists import render_list
from console.hosts.joining import is_local_only, ways
from console.hosts.models import JoinToken
from console.hosts.services import JOIN_TOKEN_VALID, create_join_token
from console.inventory import queries
from console.inventory.filtersets import HostFilters
from console.operations.queries import operations

LAST_OPERATIONS = 10


@login_required
def hosts(request: HttpRequest) -> HttpResponse:
    sorts = {
        "name": ["name"],
        "state": ["is_connected", "name"],
        "containers": ["-containers_count"],
        "version": ["engine_version"],
        "seen": ["-heard_at"],
    }
    return render_list(request, "dashboard/hosts", queries.hosts(actor_of(request)), HostFilters, sorts)


@login_required
def host(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    actor = actor_of(request)
    found = objects.get(queries.hosts(actor), pk)
    context = {
        "host": found,
        "containers": queries.containers(actor).filter(host=found).order_by("name")[:500],
        "images_count": queries.images(actor).filter(host=found).count(),
        "networks_count": queries.networks(actor).filter(host=found).count(),
        "volumes_count": queries.volumes(actor).filter(host=found).count(),
        "operations": operations(actor).filter(host=found)[:LAST_OPERATIONS],
    }
    return render(request, "dashboard/host.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def add_host(request: HttpRequest) -> HttpResponse:
    """GET explains; POST makes a join token and shows, once, the three ways to use it."""
    actor = actor_of(request)
    if not policy.may_administer(actor):
        raise PermissionDenied("Only an administrator may add hosts.")
    if request.method == "GET":
        return render(request, "dashboard/add_host.html", {"valid_for": JOIN_TOKEN_VALID})
    token, secret = create_join_token(actor)
    url = f"{request.scheme}://{request.get_host()}"
    context = {"token": token, "ways": ways(url, secret), "console_url": url, "is_local_only": is_local_only(url)}
    return render(request, "dashboard/add_host.html", context)


@login_required
def added(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """The part of 'Add host' that tells when the host has joined; it asks again until then."""
    policy.require_administrator(actor_of(request))
    found = objects.get(JoinToken.objects.select_related("host"), token)
    return render(request, "dashboard/add_host/_joined.html", {"token": found, "host": found.host})
