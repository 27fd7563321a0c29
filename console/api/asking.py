"""An ask over REST: from a body or a query to `operations.services.request`, and the operation as the answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any

from django.urls import reverse
from rest_framework.response import Response

from agents.catalogue import OperationKind, parse_operation
from agents.shapes import Misfit, Pattern, Range
from console.access import policy
from console.api import documents
from console.api.endpoints import Parameter, View
from console.api.problems import invalid_body
from console.hosts.models import Host
from console.inventory import queries
from console.operations import services, waiting
from console.operations.models import Operation
from console.operations.queries import asked_before

KEY = "Idempotency-Key"
WAIT_AT_MOST_S = 300

WAIT_PARAMETER = Parameter(
    "wait", Annotated[float, Range(0, WAIT_AT_MOST_S)], "Seconds to wait for the operation's end", default=0.0
)
KEY_PARAMETER = Parameter(
    KEY,
    Annotated[str, Pattern(r"[!-~]{1,100}", "must be 1 to 100 printable ASCII characters without spaces")],
    "The same key asks once, however often it is sent: repeated, it answers with the first operation",
    place="header",
)
ASKING = (WAIT_PARAMETER, KEY_PARAMETER)

ASKED = {
    200: documents.OperationDocument,  # it has ended already
    202: documents.OperationDocument,
}
ASKING_PROBLEMS = (409, 413, 415, 422)


def ask_of_object(view: View, kind: OperationKind, pk: uuid.UUID, given: Mapping[str, Any]) -> Response:
    """What the catalogue's `kind` does to one object; `given` are its other parameters."""
    assert kind.target is not None
    if kind.target in given:
        raise invalid_body({kind.target: "is not a field here: the address names it"})
    key: str | None = view.query[KEY]
    earlier = asked_before(view.actor, key, kind.name, pk) if key else None
    if earlier is not None:  # the object may be gone, just because of it
        host, engine_id = earlier.host, earlier.params[kind.target]
    else:
        found = policy.get(view.actor, queries.objects(view.actor, kind.target), pk, kind.needs)
        host, engine_id = found.host, found.engine_id
    return ask(view, kind.name, host, {**given, kind.target: engine_id})


def ask_of_host(view: View, name: str, given: Mapping[str, Any], *, path: str = "") -> Response:
    """What needs no object: `given` has `host`, by id or name, and the parameters."""
    params = dict(given)
    return ask(view, name, host_in(view, params), params, path=path)


def host_in(view: View, given: dict[str, Any]) -> Host:
    """Takes `host` out of a body. Raises Problem (422)."""
    if "host" not in given:
        raise invalid_body({"host": "is required: the id or the name of a host"})
    name = given.pop("host")
    if not isinstance(name, str) or "\x00" in name:
        raise invalid_body({"host": "must be the id or the name of a host"})
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise invalid_body({"host": "must be valid Unicode"}) from error
    host = queries.find_host(view.actor, name)
    if host is None:
        raise invalid_body({"host": "there is no such host; GET /api/v1/hosts lists them"})
    return host


def ask(view: View, name: str, host: Host, params: object, *, path: str = "") -> Response:
    """`path` leads to the parameters in the body, for what is wrong with them."""
    try:
        typed = parse_operation(name, params, strict=True)
    except Misfit as misfit:
        raise Misfit({_joined(path, at): text for at, text in misfit.errors.items()}) from misfit
    operation = services.request(view.actor, host, typed, key=view.query[KEY])
    return answer(operation, view.query["wait"])


def answer(operation: Operation, wait_s: float) -> Response:
    """200 when it has ended, perhaps within `wait_s`; else 202. `Location` is the operation's address."""
    if wait_s and not operation.is_finished:
        operation = waiting.wait(operation, wait_s)
    address = reverse("api:operation", args=[operation.pk])
    return Response(
        documents.operation(operation), 200 if operation.is_finished else 202, headers={"Location": address}
    )


def _joined(path: str, at: str) -> str:
    return ".".join(filter(None, (path, at)))
