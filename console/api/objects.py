"""The mirror's objects: lists over all hosts, and one object."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.catalogue import ObjectKind
from console.access import policy
from console.api import documents
from console.api.endpoints import Endpoint, View, endpoint
from console.api.lists import Listing
from console.inventory import queries
from console.inventory.filtersets import ContainerFilters, ImageFilters, NetworkFilters, VolumeFilters

_NAMED = {"name": "name", "host": "host__name", "created_at": "created_at", "changed_at": "changed_at"}

Shown = Callable[[Sequence[Any]], list[Any]]

LISTINGS: dict[ObjectKind, tuple[Listing[Any], Shown]] = {
    "container": (
        Listing(
            documents.ContainerDocument,
            ContainerFilters,
            {
                **_NAMED,
                "state": "state",
                "image": "image",
                "stack": "stack",
                "started_at": "started_at",
                "finished_at": "finished_at",
            },
            ["name"],
        ),
        documents.containers,
    ),
    "image": (
        Listing(
            documents.ImageDocument,
            ImageFilters,
            {**_NAMED, "size_bytes": "size_bytes", "containers_count": "containers_count"},
            ["name"],
        ),
        documents.images,
    ),
    "network": (
        Listing(documents.NetworkDocument, NetworkFilters, {**_NAMED, "driver": "driver"}, ["name"]),
        documents.networks,
    ),
    "volume": (
        Listing(documents.VolumeDocument, VolumeFilters, {**_NAMED, "driver": "driver"}, ["name"]),
        documents.volumes,
    ),
}


def list_handler(kind: ObjectKind) -> Callable[..., Response]:
    listing, shown = LISTINGS[kind]

    @endpoint(listing.endpoint(f"list_{kind}s", f"{kind.capitalize()}s of all hosts"))
    def get(self: View, request: Request) -> Response:
        return listing.page(self, queries.objects(self.actor, kind), shown)

    return get


def detail_handler(kind: ObjectKind) -> Callable[..., Response]:
    listing, shown = LISTINGS[kind]

    @endpoint(Endpoint(f"get_{kind}", f"One {kind}", {200: listing.document}))
    def get(self: View, request: Request, pk: uuid.UUID) -> Response:
        return Response(shown([policy.get(self.actor, queries.objects(self.actor, kind), pk)])[0])

    return get
