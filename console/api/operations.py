from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents import catalogue
from agents.shapes import decode
from console.access import policy
from console.api import documents
from console.api.actions import any_operation
from console.api.asking import ASKED, ASKING, ASKING_PROBLEMS, WAIT_PARAMETER, answer, ask, host_in
from console.api.endpoints import Endpoint, Parameter, View, endpoint
from console.api.lists import Listing
from console.api.problems import invalid_body
from console.operations import queries, services, waiting
from console.operations.filtersets import OperationFilters
from console.operations.models import Operation

KINDS = tuple(catalogue.OPERATIONS)
OPERATIONS = Listing[Operation](
    documents.OperationDocument,
    OperationFilters,
    {
        "requested_at": "requested_at",
        "finished_at": "finished_at",
        "kind": "kind",
        "state": "state",
        "host": "host__name",
        "title": "title",
    },
    ["-requested_at"],
)
WAIT = Parameter("wait", WAIT_PARAMETER.shape, WAIT_PARAMETER.description)


@dataclass(frozen=True, slots=True)
class AskOfHost:
    kind: str
    params: Any


class Operations(View):
    @endpoint(OPERATIONS.endpoint("list_operations", "What was asked of hosts"))
    def get(self, request: Request) -> Response:
        rows = queries.operations(self.actor)
        return OPERATIONS.page(self, rows, lambda found: [documents.operation(row) for row in found])

    @endpoint(
        Endpoint(
            "ask", "Ask a host for any operation of the catalogue", ASKED,
            parameters=ASKING, body=any_operation, problems=ASKING_PROBLEMS, has_location=True,
            description="Objects in `params` are named by the engine's ids. The actions on containers, images, … "
            "do the same, and take our ids.",
        )
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.body()
        host = host_in(self, given)
        wanted: AskOfHost = decode(AskOfHost, given, strict=True)
        if wanted.kind not in KINDS:
            raise invalid_body({"kind": f"must be one of: {', '.join(KINDS)}"})
        return ask(self, wanted.kind, host, wanted.params, path="params")


class OneOperation(View):
    @endpoint(
        Endpoint(
            "get_operation", "An operation", ASKED, parameters=[WAIT],
            description="With `wait` the answer is 202 when the operation has not ended by then.",
        )
    )  # fmt: skip
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        operation = policy.get(self.actor, queries.operations(self.actor), pk)
        wait_s = self.query["wait"]
        if wait_s is None:
            return Response(documents.operation(operation))
        operation = waiting.wait(operation, wait_s)
        return Response(documents.operation(operation), 200 if operation.is_finished else 202)


class CancelOperation(View):
    @endpoint(
        Endpoint(
            "cancel_operation", "Cancel an operation", ASKED,
            parameters=[WAIT_PARAMETER], problems=(409,), has_location=True,
            description="One that waits ends at once; one that runs is given up if it can be.",
        )
    )  # fmt: skip
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        operation = policy.get(self.actor, queries.operations(self.actor), pk)
        return answer(services.cancel(self.actor, operation), self.query["wait"])
