"""What every REST view is made of: an `Endpoint` declares what a method takes and answers.

The same declaration is checked when a request comes (an unknown or wrong parameter is a 400 that
names it) and is written into the OpenAPI schema, so the two can't differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

from django.http import QueryDict
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from agents.shapes import Misfit, decode, hints
from console.access.actors import Actor
from console.access.requests import actor_of
from console.api import bodies
from console.api.problems import invalid_parameters
from console.api.shapes import Schema, comments_of

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of the query or a header. `shape` is a type that `agents.shapes` decodes; a list may be given by
    repeating the parameter. `schema` says more exactly what one that a view parses itself may be."""

    name: str
    shape: Any
    description: str
    place: Literal["query", "header"] = "query"
    default: Any = None
    schema: Schema | None = None
    is_parsed: bool = True


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`answers` maps a status to the type of what it carries as JSON, to None where it carries nothing, or
    to a `Media`. Types may also be given as a function that makes the schema."""

    name: str  # in clients that are generated: 'list_containers'
    summary: str
    answers: Mapping[int, Any]
    parameters: Sequence[Parameter] = ()
    body: Any = None
    problems: Sequence[int] = ()  # besides those that every endpoint of its form has
    description: str = ""
    has_location: bool = False  # answers name what was made in the header Location


@dataclass(frozen=True, slots=True)
class Media:
    """What is not only JSON: media type to schema."""

    schemas: Mapping[str, Schema]


def endpoint(declared: Endpoint) -> Callable[[F], F]:
    def declare(method: F) -> F:
        method.endpoint = declared  # type: ignore[attr-defined]
        return method

    return declare


class AlwaysJson(BaseContentNegotiation):
    """There is one representation, so what `Accept` says does not matter (RFC 9110, 12.5.1 allows that)."""

    def select_parser(self, request: Request, parsers: Any) -> None:  # type: ignore[override]
        return None

    def select_renderer(  # type: ignore[override]
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type or ""


class View(APIView):
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "post", "patch", "delete", "head"]
    tag: ClassVar[str] = ""
    query: dict[str, Any]

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    def declared(self, method: str) -> Endpoint | None:
        found: Endpoint | None = getattr(getattr(self, method.lower(), None), "endpoint", None)
        return found

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        declared = self.declared("get" if request.method == "HEAD" else request.method or "")
        if declared is not None:
            self.query = parse_parameters(declared.parameters, request.query_params, request.headers)

    def body(self, shape: type | None = None) -> Any:
        """The request's JSON object, made a `shape` if one is given. Raises Problem, Misfit."""
        value = bodies.object_in(self.request._request)
        return value if shape is None else decode(shape, value, strict=True)


def parse_parameters(declared: Sequence[Parameter], query: QueryDict, headers: Mapping[str, str]) -> dict[str, Any]:
    """Each parameter's value, its default where it is not given. Raises Problem (400)."""
    names = [p.name for p in declared if p.place == "query"]
    errors = {
        name[:80]: f"is not a parameter here; there are: {', '.join(names) or 'none'}"
        for name in query
        if name not in names
    }
    values: dict[str, Any] = {}
    for parameter in declared:
        given = query.getlist(parameter.name) if parameter.place == "query" else headers.get(parameter.name)
        if isinstance(given, str):
            given = [given]
        values[parameter.name] = parameter.default
        if not given:
            continue
        if not parameter.is_parsed:
            if "" in given and not _is_text(parameter.schema or {}):
                errors[parameter.name] = "must not be empty"
            continue
        try:
            values[parameter.name] = parse_texts(parameter.shape, given)
        except Misfit as misfit:
            errors[parameter.name] = next(iter(misfit.errors.values()))
    if errors:
        raise invalid_parameters(dict(list(errors.items())[:20]))
    return values


def parse_texts(shape: Any, texts: Sequence[str]) -> Any:
    """Texts of a query as a `shape`. Raises Misfit."""
    if get_origin(_plain(shape)) is list:
        return decode(shape, [_value(get_args(_plain(shape))[0], text) for text in texts], strict=True)
    if len(texts) > 1:
        raise Misfit({"": "must be given once"})
    return decode(shape, _value(shape, texts[0]), strict=True)


def _value(shape: Any, text: str) -> Any:
    """The JSON value that `text` stands for; where it stands for none the text itself, which won't fit."""
    plain = _plain(shape)
    if plain is bool:
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower(), text)
    if plain not in (int, float) or not text.isascii() or len(text) > 40:
        return text
    try:
        return int(text) if plain is int else float(text)
    except ValueError:
        return text


def _is_text(schema: Schema) -> bool:
    """Whether any text will do, an empty one too."""
    inner = schema.get("items", schema)
    return inner.get("type") == "string" and not inner.keys() & {"enum", "format"}


def _plain(shape: Any) -> Any:
    """Without constraints and None."""
    while hasattr(shape, "__metadata__"):
        shape = shape.__origin__
    inner = [arg for arg in get_args(shape) if arg is not type(None)]
    is_optional = len(inner) == 1 and len(get_args(shape)) == 2
    return _plain(inner[0]) if is_optional else shape


def parameters_of(shape: type, *, without: str | None = None) -> list[Parameter]:
    """The fields of a dataclass as parameters of a query."""
    known = hints(shape)
    return [
        Parameter(f.name, known[f.name], comments_of(shape).get(f.name, ""))
        for f in dataclasses.fields(shape)  # type: ignore[arg-type]
        if f.name != without
    ]
