from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.access import policy
from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.forms import RenameHostForm
from console.dashboard.lists import render_list
from console.dashboard.views.actions import went_to
from console.hosts import services
from console.hosts.joining import is_local_only, ways
from console.hosts.models import JoinToken
from console.hosts.services import JOIN_TOKEN_VALID, create_join_token
from console.inventory import queries
from console.inventory.filtersets import HostFilters
from console.inventory.models import Container
from console.link import hints
from console.operations.models import OPEN_STATES
from console.operations.queries import operations
from console.operations.removal import remove_host

LAST_OPERATIONS = 10
CONTAINERS = 50  # on the host's own page; the list has all of them


@login_required
def hosts(request: HttpRequest) -> HttpResponse:
    sorts = {
        "name": ["name"],
        "state": ["is_connected", "name"],
        "containers": ["-containers_count"],
        "version": ["engine_version"],
        "seen": ["-heard_at"],
    }
    actor = actor_of(request)
    context = {"exceptions": queries.exceptions(actor, queries.hosts(actor))}
    return render_list(request, "dashboard/hosts", queries.hosts(actor), HostFilters, sorts, context)


@login_required
def host(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    actor = actor_of(request)
    found = objects.get(queries.hosts(actor), pk)
    context = {
        "host": found,
        "containers": _worst(queries.containers(actor).filter(host=found)),
        "may_administer": policy.may_administer(actor),
        "images_count": queries.images(actor).filter(host=found).count(),
        "networks_count": queries.networks(actor).filter(host=found).count(),
        "volumes_count": queries.volumes(actor).filter(host=found).count(),
        "operations": operations(actor).filter(host=found)[:LAST_OPERATIONS],
    }
    return render(request, "dashboard/host.html", context)


def _worst(containers: QuerySet[Container]) -> list[Container]:
    return list(containers.alias(rank=queries.worst_first()).order_by("rank", "name")[:CONTAINERS])


@login_required
@require_http_methods(["GET", "POST"])
def rename(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """A dialog with the name; what is wrong with a new one is said in it."""
    actor = actor_of(request)
    found = objects.get(queries.hosts(actor), pk)
    if not policy.may_administer(actor):
        raise PermissionDenied("Only an administrator may rename hosts.")
    form = RenameHostForm(request.POST or None, initial={"name": found.name})
    if request.method == "POST" and form.is_valid():
        try:
            services.rename(actor, found, form.cleaned_data["name"])
        except services.InvalidName as error:
            form.add_error("name", str(error))
        else:
            hints.changed(found.pk, "hosts", "containers")
            return went_to(request, reverse("dashboard:host", args=[pk]))
    context = {"form": form, "host": found}
    return render(request, "dashboard/hosts/rename.html", context, status=422 if form.is_bound else 200)


@login_required
@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Says what goes and what stays; then the console forgets the host, and its agent is not let in again."""
    actor = actor_of(request)
    found = objects.get(queries.hosts(actor), pk)
    if not policy.may_administer(actor):
        raise PermissionDenied("Only an administrator may remove hosts.")
    if request.method == "POST":
        remove_host(actor, found)
        return went_to(request, reverse("dashboard:hosts"))
    open_count = operations(actor).filter(host=found, state__in=OPEN_STATES).count()
    return render(request, "dashboard/hosts/remove.html", {"host": found, "open_count": open_count})


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
