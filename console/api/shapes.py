"""JSON Schema (2020-12, OpenAPI 3.1's) of the types that `agents.shapes` decodes, and of answers' TypedDicts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import inspect
import re
import types
import typing
import uuid
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin

from agents.shapes import Length, Pattern, Range, encode, hints, is_required

Schema = dict[str, Any]
Refer = Callable[[str, Schema], Schema]  # enters a named schema into the document's components, gives the reference

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    dt.datetime: {"type": "string", "format": "date-time"},
    Any: {},
}
_FIELD_COMMENT = re.compile(r"^    (\w+): .*?  # (.+)$", re.MULTILINE)


def schema_of(shape: Any, refer: Refer | None = None) -> Schema:
    """The schema of a type. With `refer`, dataclasses and TypedDicts become components and are referred to."""
    origin = get_origin(shape)
    if shape in _SCALARS:
        return dict(_SCALARS[shape])
    if origin is typing.Annotated:
        return _constrained(shape, refer)
    if origin in (Union, types.UnionType):
        return _optional(shape, refer)
    if origin is Literal:
        return {"type": "string", "enum": list(get_args(shape))}
    if origin is list:
        return {"type": "array", "items": schema_of(get_args(shape)[0], refer)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(get_args(shape)[1], refer)}
    if dataclasses.is_dataclass(shape):
        return _named(typing.cast(type, shape), object_schema(typing.cast(type, shape), refer), refer)
    if typing.is_typeddict(shape):
        return _named(shape, _answer_schema(shape, refer), refer)
    raise TypeError(f"no schema for {shape!r}")


def object_schema(shape: type, refer: Refer | None = None, *, without: str | None = None) -> Schema:
    """The schema of a dataclass as a body: unknown fields are refused. `without` leaves one field out."""
    known = hints(shape)
    comments = comments_of(shape)
    properties: dict[str, Schema] = {}
    required = []
    for field in dataclasses.fields(shape):  # type: ignore[arg-type]
        if field.name == without:
            continue
        schema = schema_of(known[field.name], refer)
        if is_required(field):
            required.append(field.name)
        elif (default := _default(field)) is not None:
            schema = {**schema, "default": default}
        if comment := comments.get(field.name):
            schema = {**schema, "description": comment}
        properties[field.name] = schema
    result: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**result, "required": required} if required else result


def _answer_schema(shape: Any, refer: Refer | None) -> Schema:
    comments = comments_of(shape)
    properties = {
        name: {**schema_of(inner, refer), **({"description": comments[name]} if name in comments else {})}
        for name, inner in typing.get_type_hints(shape, include_extras=True).items()
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _named(shape: type, schema: Schema, refer: Refer | None) -> Schema:
    return schema if refer is None else refer(shape.__name__.removesuffix("Document"), schema)


def _optional(shape: Any, refer: Refer | None) -> Schema:
    inner = [arg for arg in get_args(shape) if arg is not type(None)]
    schemas = [schema_of(arg, refer) for arg in inner]
    if len(inner) == len(get_args(shape)):
        return {"anyOf": schemas}
    if len(schemas) == 1 and isinstance(schemas[0].get("type"), str) and "enum" not in schemas[0]:
        return {**schemas[0], "type": [schemas[0]["type"], "null"]}
    return {"anyOf": [*schemas, {"type": "null"}]}


def _constrained(shape: Any, refer: Refer | None) -> Schema:
    inner, *constraints = get_args(shape)
    schema = schema_of(inner, refer)
    for constraint in constraints:
        if isinstance(constraint, Length):
            what = {"string": "Length", "array": "Items", "object": "Properties"}[schema["type"]]
            schema |= {f"min{what}": constraint.min, f"max{what}": constraint.max}
        elif isinstance(constraint, Range):
            number = int if schema["type"] == "integer" else float
            schema |= {"minimum": number(constraint.min), "maximum": number(constraint.max)}
        elif isinstance(constraint, Pattern):
            # The whole string must match, also with the search that JSON Schema does.
            schema |= {"pattern": f"^(?:{constraint.regex})$"}
    return schema


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return encode(field.default)
    factory = field.default_factory
    return encode(factory()) if factory is not dataclasses.MISSING else None


@functools.cache
def comments_of(shape: type) -> dict[str, str]:
    """The comment behind each field in the source: what maintainers read there, users of the API read too."""
    try:
        source = inspect.getsource(shape)
    except (OSError, TypeError):
        return {}
    return {name: text[0].upper() + text[1:] for name, text in _FIELD_COMMENT.findall(source)}
