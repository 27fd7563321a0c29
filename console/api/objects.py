"""The mirror's objects: lists over all hosts, one object, and what only the engine can tell of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.catalogue import InspectContainer, ObjectKind, Permission
from console.access import policy
from console.api import documents
from console.api.endpoints import Endpoint, View, endpoint
from console.api.lists import Listing
from console.api.problems import Problem
from console.inventory import queries
from console.inventory.filtersets import ContainerFilters, ImageFilters, NetworkFilters, VolumeFilters
from console.link.registry import read_whole_from_thread

INSPECT_BYTES = 4 * 1024 * 1024

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


class InspectOneContainer(View):
    @endpoint(
        Endpoint(
            "inspect_container", "The engine's whole document on a container", {200: dict[str, Any]},
            problems=(409, 502),
            description="Fetched from the host at this moment. Values of environment variables are masked.",
        )
    )  # fmt: skip
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        container = policy.get(self.actor, queries.containers(self.actor), pk, Permission.VIEW)
        ask = InspectContainer(container.engine_id)
        host = container.host
        try:
            content = read_whole_from_thread(host.pk, host.name, "container.inspect", ask, limit=INSPECT_BYTES)
            document = json.loads(content)
        except TimeoutError as error:
            raise Problem(502, f"{host.name} did not answer in time. Try again.") from error
        except (ValueError, RecursionError) as error:
            raise Problem(502, f"{host.name} sent what can't be read as a container's document.") from error
        if not isinstance(document, dict):
            raise Problem(502, f"{host.name} sent what can't be read as a container's document.")
        return Response(document)
