"""Parts of pages that only the engine can fill: a page is there at once, they follow when the host has answered."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from agents.catalogue import STREAMS
from console.access import policy
from console.access.actors import Actor
from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.tree import tree
from console.inventory import queries
from console.inventory.queries import is_current
from console.link.reading import Unreadable, read_document
from console.link.streams import HostOffline, StreamFailed

MEMBERS_MOST = 500


@dataclass(frozen=True, slots=True)
class Part:
    template: str
    extra: Callable[[Actor, Any, dict[str, Any]], dict[str, Any]] = lambda actor, found, document: {}


def _tree(actor: Actor, found: Any, document: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": tree(document)}


def _members(actor: Actor, found: Any, document: dict[str, Any]) -> dict[str, Any]:
    """Who is in the network by the engine's own word; also containers of other tools that are there for a moment."""
    given = document.get("Containers")
    members = sorted(given.items())[:MEMBERS_MOST] if isinstance(given, dict) else []
    ids = [engine_id for engine_id, _ in members]
    known = {c.engine_id: c for c in queries.containers(actor).filter(host=found.host, engine_id__in=ids)}
    rows = [
        {
            "container": known.get(engine_id),
            "name": member.get("Name", ""),
            "address": member.get("IPv4Address") or member.get("IPv6Address") or "",
            "mac": member.get("MacAddress", ""),
        }
        for engine_id, member in members
        if isinstance(member, dict)
    ]
    return {"members": rows, "nodes": tree(document)}


def _usage(actor: Actor, found: Any, document: dict[str, Any]) -> dict[str, Any]:
    words = {"images": "Images", "containers": "Containers", "volumes": "Volumes", "build_cache": "Build cache"}
    rows = [(words[kind], usage) for kind, usage in document.items() if kind in words]
    return {"rows": rows, "reclaimable": sum(usage["reclaimable_bytes"] for _, usage in rows)}


PARTS: dict[str, Part] = {
    "container.inspect": Part("_tree", _tree),
    "container.top": Part("_processes"),
    "container.changes": Part("_changes"),
    "image.inspect": Part("_tree", _tree),
    "image.history": Part("_history"),
    "network.inspect": Part("_network", _members),
    "volume.inspect": Part("_tree", _tree),
    "host.disk_usage": Part("_usage", _usage),
}


@login_required
@never_cache
def part(request: HttpRequest, stream: str, pk: uuid.UUID) -> HttpResponse:
    """One document, read now. What can't be read is said in its place, and the page around it stays."""
    found = PARTS.get(stream)
    if found is None:
        raise Http404
    actor, kind = actor_of(request), STREAMS[stream]
    thing: Any = objects.get(queries.objects(actor, kind.target) if kind.target else queries.hosts(actor), pk)
    host, params = (thing.host, {kind.target: thing.engine_id}) if kind.target else (thing, {})
    context: dict[str, Any] = {"thing": thing, "raw": f"api:{stream}"}
    try:
        policy.require(actor, thing, kind.needs)
        if not is_current(host):
            raise Unreadable(f"{host.name} can't be asked now: " + (host.engine_error or "its agent is offline."))
        document = read_document(host, stream, kind.params(**params))
    except (HostOffline, StreamFailed, Unreadable, policy.NotPermitted) as error:
        return render(request, "dashboard/documents/_unreadable.html", {**context, "sentence": str(error)})
    context |= {"document": document, **found.extra(actor, thing, document)}
    return render(request, f"dashboard/documents/{found.template}.html", context)
