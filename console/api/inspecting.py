"""What only the engine can tell of an object: fetched from its host at this moment, and kept nowhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.catalogue import STREAMS, DiskUsage, HostDiskUsage, ObjectKind, StreamKind
from agents.shapes import Misfit, decode
from console.access import policy
from console.api.endpoints import Endpoint, Parameter, View, endpoint
from console.api.problems import Problem, invalid_parameters
from console.hosts.models import Host
from console.inventory import queries
from console.link.reading import Unreadable, read_document

FRESH = "Fetched from the host at this moment."
MASKED = f"{FRESH} Values of environment variables, and credentials in options, are masked."


@dataclass(frozen=True, slots=True)
class Inspecting:
    """One of the engine's documents on an object of a kind: `GET {kind}s/{id}/{path}`."""

    stream: StreamKind
    kind: ObjectKind
    path: str
    endpoint: Endpoint


PS_ARGS = Parameter("ps_args", str, "Options of ps, such as `-eo pid,comm`; -ef where there are none")
_PARAMETERS = {"container.top": [PS_ARGS]}


def _inspectings() -> Iterator[Inspecting]:
    """Of the catalogue: each stream that carries a document on one object."""
    for name, stream in STREAMS.items():
        path = name.partition(".")[2]
        if stream.target is None or not (stream.answer or path == "inspect"):
            continue
        declared = Endpoint(
            f"{path}_{stream.target}", stream.summary, {200: stream.answer or dict[str, Any]},
            parameters=_PARAMETERS.get(name, ()), problems=(409, 502),
            description=FRESH if stream.answer else MASKED,
        )  # fmt: skip
        yield Inspecting(stream, stream.target, path, declared)


INSPECTINGS = tuple(_inspectings())


def inspecting_handler(inspecting: Inspecting) -> Any:
    stream = inspecting.stream

    @endpoint(inspecting.endpoint)
    def get(self: View, request: Request, pk: uuid.UUID) -> Response:
        found = policy.get(self.actor, queries.objects(self.actor, inspecting.kind), pk, stream.needs)
        given = {name: value for name, value in self.query.items() if value is not None}
        try:
            ask: Any = decode(stream.params, {inspecting.kind: found.engine_id, **given}, strict=True)
        except Misfit as misfit:
            raise invalid_parameters(misfit.errors) from misfit
        return Response(read(found.host, stream.name, ask))

    return get


class HostUsage(View):
    @endpoint(
        Endpoint(
            "get_host_disk_usage", "What takes the disk of a host's engine, by kind", {200: DiskUsage},
            problems=(409, 502),
            description="Counted by the engine, at most a minute ago, as by `docker system df`; it may take a while.",
        )
    )  # fmt: skip
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        needs = STREAMS["host.disk_usage"].needs
        host = policy.get(self.actor, queries.hosts(self.actor), pk, needs)
        return Response(read(host, "host.disk_usage", HostDiskUsage()))


def read(host: Host, stream: str, ask: object) -> dict[str, Any]:
    """Raises Problem; HostOffline and StreamFailed become ones by themselves."""
    try:
        return read_document(host, stream, ask)
    except Unreadable as error:
        raise Problem(502, str(error)) from error
