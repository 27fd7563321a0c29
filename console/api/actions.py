"""REST actions out of the catalogue: a new entry there is a new action here, with its schema, and no line more.

container.create   POST   containers                 {"host": …, parameters}
container.start    POST   containers/{id}/start      {parameters}
image.pull         POST   images/pull                {"host": …, parameters}
image.remove       POST   images/{id}/remove         {parameters}
                   DELETE images/{id}?parameters
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.catalogue import OPERATIONS, OperationKind
from console.api.asking import ASKED, ASKING, ASKING_PROBLEMS, ask_of_host, ask_of_object
from console.api.endpoints import Endpoint, View, endpoint, parameters_of
from console.api.shapes import Refer, Schema, object_schema

Handler = Callable[..., Response]

HOST_SCHEMA: Schema = {"type": "string", "minLength": 1, "description": "Id or name of a host"}


@dataclass(frozen=True, slots=True)
class Action:
    """One method on one path below /api/v1/."""

    path: str
    method: str
    handler: Handler


def actions() -> Iterator[Action]:
    for kind in OPERATIONS.values():
        domain, _, word = kind.name.partition(".")
        plural = f"{domain}s"
        if kind.target is None:
            path = plural if word == "create" else f"{plural}/{word}"
            yield Action(path, "post", _of_host(kind))
            continue
        yield Action(f"{plural}/<uuid:pk>/{word}", "post", _of_object(kind))
        if word == "remove":
            yield Action(f"{plural}/<uuid:pk>", "delete", _delete(kind))


def _of_host(kind: OperationKind) -> Handler:
    def body(refer: Refer) -> Schema:
        schema = object_schema(kind.params, refer)
        with_host = {**schema, "properties": {"host": HOST_SCHEMA, **schema["properties"]}}
        return refer(
            f"{kind.params.__name__}OnHost", {**with_host, "required": ["host", *schema.get("required", [])]}
        )

    @endpoint(_declared(kind, parameters=ASKING, body=body, problems=ASKING_PROBLEMS))
    def post(self: View, request: Request) -> Response:
        return ask_of_host(self, kind.name, self.body())

    return post


def _of_object(kind: OperationKind) -> Handler:
    def body(refer: Refer) -> Schema:
        return refer(kind.params.__name__, object_schema(kind.params, refer, without=kind.target))

    @endpoint(_declared(kind, parameters=ASKING, body=body, problems=ASKING_PROBLEMS))
    def post(self: View, request: Request, pk: uuid.UUID) -> Response:
        return ask_of_object(self, kind, pk, self.body())

    return post


def _delete(kind: OperationKind) -> Handler:
    options = parameters_of(kind.params, without=kind.target)
    problems = (409, 422)

    @endpoint(_declared(kind, parameters=[*options, *ASKING], problems=problems, name=f"delete_{kind.target}"))
    def delete(self: View, request: Request, pk: uuid.UUID) -> Response:
        given = {option.name: self.query[option.name] for option in options}
        return ask_of_object(self, kind, pk, {name: value for name, value in given.items() if value is not None})

    return delete


def _declared(kind: OperationKind, **rest: Any) -> Endpoint:
    domain, _, word = kind.name.partition(".")
    return Endpoint(
        **{"name": f"{word}_{domain}", "summary": kind.summary, "answers": ASKED, "has_location": True, **rest},
        description=f"The operation `{kind.name}`. Needs the permission `{kind.needs.value}`.",
    )


def any_operation(refer: Refer) -> Schema:
    """The schema of an ask by kind: for each entry of the catalogue one alternative."""
    alternatives = [
        {
            "type": "object",
            "title": kind.name,
            "properties": {
                "host": HOST_SCHEMA,
                "kind": {"type": "string", "const": kind.name},
                "params": refer(f"{kind.params.__name__}Params", object_schema(kind.params, refer)),
            },
            "required": ["host", "kind", "params"],
            "additionalProperties": False,
        }
        for kind in OPERATIONS.values()
    ]
    return {"oneOf": alternatives}
