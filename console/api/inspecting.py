"""What only the engine can tell of an object: fetched from its host at this moment, and kept nowhere."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.catalogue import (
    STREAMS,
    ContainerChanges,
    ContainerTop,
    DiskUsage,
    HostDiskUsage,
    ImageHistory,
    InspectContainer,
    InspectImage,
    InspectNetwork,
    InspectVolume,
)
from agents.shapes import Misfit, decode
from console.access import policy
from console.api.endpoints import Endpoint, Parameter, View, endpoint
from console.api.problems import Problem, invalid_parameters
from console.hosts.models import Host
from console.inventory import queries
from console.link.reading import Unreadable, read_document

MASKED = "Fetched from the host at this moment. Values of environment variables are masked."


@dataclass(frozen=True, slots=True)
class Inspecting:
    """One of the engine's documents on an object of a kind: `GET {kind}s/{id}/{path}`."""

    path: str
    stream: str
    ask: type  # its parameters; the first is the object's id
    endpoint: Endpoint

    @property
    def kind(self) -> str:
        return self.stream.partition(".")[0]


def _inspecting(path: str, stream: str, ask: type, **more: Any) -> Inspecting:
    domain, _, verb = stream.partition(".")
    kind = STREAMS[stream]
    answers = {200: kind.answer or dict[str, Any]}
    declared = Endpoint(f"{verb}_{domain}", kind.summary, answers, problems=(409, 502), **more)
    return Inspecting(path, stream, ask, declared)


PS_ARGS = Parameter("ps_args", str, "Options of ps, such as `-eo pid,comm`; -ef where there are none")

INSPECTINGS = (
    _inspecting("inspect", "container.inspect", InspectContainer, description=MASKED),
    _inspecting("top", "container.top", ContainerTop, parameters=[PS_ARGS]),
    _inspecting("changes", "container.changes", ContainerChanges),
    _inspecting("inspect", "image.inspect", InspectImage, description=MASKED),
    _inspecting("history", "image.history", ImageHistory),
    _inspecting("inspect", "network.inspect", InspectNetwork),
    _inspecting("inspect", "volume.inspect", InspectVolume),
)


def inspecting_handler(inspecting: Inspecting) -> Any:
    @endpoint(inspecting.endpoint)
    def get(self: View, request: Request, pk: uuid.UUID) -> Response:
        found = policy.get(self.actor, queries.objects(self.actor, inspecting.kind), pk)  # type: ignore[arg-type]
        given = {name: value for name, value in self.query.items() if value is not None}
        try:
            ask: Any = decode(inspecting.ask, {inspecting.kind: found.engine_id, **given}, strict=True)
        except Misfit as misfit:
            raise invalid_parameters(misfit.errors) from misfit
        return Response(read(found.host, inspecting.stream, ask))

    return get


class HostUsage(View):
    @endpoint(
        Endpoint(
            "get_host_disk_usage", "What takes the disk of a host's engine, by kind", {200: DiskUsage},
            problems=(409, 502),
            description="Counted by the engine at this moment, as `docker system df` does; that can take it seconds.",
        )
    )  # fmt: skip
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        host = policy.get(self.actor, queries.hosts(self.actor), pk)
        return Response(read(host, "host.disk_usage", HostDiskUsage()))


def read(host: Host, stream: str, ask: object) -> dict[str, Any]:
    """Raises Problem; HostOffline and StreamFailed become ones by themselves."""
    try:
        return read_document(host, stream, ask)
    except Unreadable as error:
        raise Problem(502, str(error)) from error
