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

from agents.catalogue import (
    ContainerChanges,
    ContainerTop,
    HostDiskUsage,
    ImageHistory,
    InspectContainer,
    InspectImage,
    InspectNetwork,
    InspectVolume,
)
from console.access.actors import Actor
from console.access.requests import actor_of
from console.dashboard import objects
from console.dashboard.tree import tree
from console.inventory import queries
from console.inventory.queries import is_current
from console.link.reading import Unreadable, read_document
from console.link.streams import HostOffline, StreamFailed


@dataclass(frozen=True, slots=True)
class Part:
    template: str
    ask: Callable[[str], object]  # from the object's id to the stream's parameters
    extra: Callable[[Actor, Any, dict[str, Any]], dict[str, Any]] = lambda actor, found, document: {}


def _tree(actor: Actor, found: Any, document: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": tree(document)}


def _members(actor: Actor, found: Any, document: dict[str, Any]) -> dict[str, Any]:
    """Who is in the network by the engine's own word; also containers of other tools that are there for a moment."""
    members = document.get("Containers")
    known = {c.engine_id: c for c in queries.containers(actor).filter(host=found.host)}
    rows = [
        {
            "container": known.get(engine_id),
            "name": member.get("Name", ""),
            "address": member.get("IPv4Address") or member.get("IPv6Address") or "",
            "mac": member.get("MacAddress", ""),
        }
        for engine_id, member in sorted(members.items() if isinstance(members, dict) else ())
        if isinstance(member, dict)
    ]
    return {"members": rows[:500], "nodes": tree(document)}


def _usage(actor: Actor, found: Any, document: dict[str, Any]) -> dict[str, Any]:
    words = {"images": "Images", "containers": "Containers", "volumes": "Volumes", "build_cache": "Build cache"}
    rows = [(words[kind], usage) for kind, usage in document.items() if kind in words]
    return {"rows": rows, "reclaimable": sum(usage["reclaimable_bytes"] for _, usage in rows)}


PARTS: dict[str, Part] = {
    "container.inspect": Part("_tree", InspectContainer, _tree),
    "container.top": Part("_processes", ContainerTop),
    "container.changes": Part("_changes", ContainerChanges),
    "image.inspect": Part("_tree", InspectImage, _tree),
    "image.history": Part("_history", ImageHistory),
    "network.inspect": Part("_network", InspectNetwork, _members),
    "volume.inspect": Part("_tree", InspectVolume, _tree),
    "host.disk_usage": Part("_usage", lambda _: HostDiskUsage(), _usage),
}


@login_required
@never_cache
def part(request: HttpRequest, stream: str, pk: uuid.UUID) -> HttpResponse:
    """One document, read now. What can't be read is said in its place, and the page around it stays."""
    found = PARTS.get(stream)
    if found is None:
        raise Http404
    actor = actor_of(request)
    kind = stream.partition(".")[0]
    rows = queries.hosts(actor) if kind == "host" else queries.objects(actor, kind)  # type: ignore[arg-type]
    thing: Any = objects.get(rows, pk)
    host = thing if kind == "host" else thing.host
    context: dict[str, Any] = {"thing": thing, "kind": kind, "raw": f"api:{stream}"}
    try:
        if not is_current(host):
            raise Unreadable(f"{host.name} can't be asked now: " + (host.engine_error or "its agent is offline."))
        document = read_document(host, stream, found.ask(thing.engine_id))
    except (HostOffline, StreamFailed, Unreadable) as error:
        return render(request, "dashboard/documents/_unreadable.html", {**context, "sentence": str(error)})
    context |= {"document": document, **found.extra(actor, thing, document)}
    return render(request, f"dashboard/documents/{found.template}.html", context)
