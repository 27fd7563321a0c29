"""A request's body as JSON, taken strictly: what two readers could understand differently is refused."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError

from console.api.problems import Problem, invalid_body

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")  # the CSRF check may have read them already


def object_in(request: HttpRequest) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object. Raises Problem (400, 413, 415, 422)."""
    # Not DRF's parsers: those take a body without Content-Length (chunked) for none, and read without a bound.
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        content = request.read(limit + 1)
    except UnreadablePostError as error:
        raise Problem(400, "The request's body did not arrive as a whole. Send it again.") from error
    if len(content) > limit:
        raise Problem(413, f"The request's body is too large: {limit} bytes is the most.")
    if not content and request.content_type not in FORMS:
        return {}
    if request.content_type != "application/json":
        raise Problem(415, "The body must be JSON. Send it with the header Content-Type: application/json.")
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Problem(400, "The body must be JSON in UTF-8, and it holds other bytes.") from error
    except RecursionError as error:
        raise Problem(400, "The body is nested too deeply.") from error
    except ValueError as error:
        raise Problem(400, f"The body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise invalid_body({"": "must be an object, such as {}"})
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:80]!r} stands in one object twice")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
