"""The OpenAPI 3.1 document, out of each method's `Endpoint`; drf-spectacular walks the addresses."""

from __future__ import annotations

import functools
import http
import inspect
import json
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent
from rest_framework.request import Request

from console.api.endpoints import Endpoint, Media, Parameter, View
from console.api.problems import CONTENT_TYPE, ProblemDocument
from console.api.shapes import Schema, object_schema, schema_of

ALWAYS = (400, 401, 403, 500)

MEANINGS = {
    400: "A parameter is unknown or wrong, or the body is no JSON.",
    401: "No token and no session, or none that is valid.",
    403: "You may see it, but not do this; or the session's CSRF token is missing.",
    404: "There is no such object, or none that you may see.",
    409: "It can't be done as things are: `detail` says why.",
    413: "The body is too large.",
    415: "The body is not declared as application/json.",
    422: "The body does not fit; `errors` names each field. Or the Idempotency-Key was used for another ask.",
    500: "The console failed; its log has the details under `request_id`.",
    502: "The host's agent or engine gave no usable answer.",
}


class EndpointSchema(AutoSchema):
    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, Any] | None:
        assert isinstance(self.view, View)
        declared = self.view.declared(method)
        if declared is None:
            return None
        self.registry = registry
        has_id = "{id}" in path
        operation: dict[str, Any] = {
            "operationId": declared.name,
            "summary": declared.summary,
            "tags": [path.removeprefix(path_prefix.removeprefix("^")).strip("/").partition("/")[0]],
            "parameters": [*([_id(path_regex)] if has_id else []), *map(self._parameter, declared.parameters)],
            "security": self.get_auth(),
            "responses": self._responses(declared, [*ALWAYS, *([404] if has_id else []), *declared.problems]),
        }
        if declared.description:
            operation["description"] = declared.description
        if declared.body is not None:
            schema = self._schema(declared.body)
            # An empty body is an empty object, so it is required where a field is.
            operation["requestBody"] = {
                "content": {"application/json": {"schema": schema}},
                "required": self._has_required(schema),
            }
        return operation

    def _parameter(self, parameter: Parameter) -> dict[str, Any]:
        schema = parameter.schema or schema_of(parameter.shape)
        if parameter.default is not None and "default" not in schema:
            schema = {**schema, "default": parameter.default}
        described = {"name": parameter.name, "in": parameter.place, "schema": schema}
        if parameter.description:
            described["description"] = parameter.description
        return described

    def _responses(self, declared: Endpoint, problems: list[int]) -> dict[str, Any]:
        responses: dict[str, Any] = {}
        for status, shape in declared.answers.items():
            response: dict[str, Any] = {"description": http.HTTPStatus(status).phrase}
            if isinstance(shape, Media):
                response["content"] = {media: {"schema": schema} for media, schema in shape.schemas.items()}
            elif shape is not None:
                response["content"] = {"application/json": {"schema": self._schema(shape)}}
            if declared.has_location:
                where = {"type": "string", "format": "uri-reference"}
                response["headers"] = {"Location": {"description": "The operation's address", "schema": where}}
            responses[str(status)] = response
        for status in sorted(problems):
            responses[str(status)] = {
                "description": MEANINGS[status],
                "content": {CONTENT_TYPE: {"schema": self._schema(ProblemDocument)}},
            }
        return responses

    def _schema(self, shape: Any) -> Schema:
        if inspect.isroutine(shape):
            made: Schema = shape(self._refer)
            return made
        if isinstance(shape, type) and hasattr(shape, "__dataclass_fields__"):
            return self._refer(shape.__name__, object_schema(shape, self._refer))
        return schema_of(shape, self._refer)

    def _refer(self, name: str, schema: Schema) -> Schema:
        component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        return dict(component.ref)

    def _has_required(self, schema: Schema) -> bool:
        if name := schema.get("$ref", "").rpartition("/")[2]:
            schema = self.registry[(name, ResolvedComponent.SCHEMA)].schema
        return "oneOf" in schema or bool(schema.get("required"))


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "console.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A REST token: `gtt_…`"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "console.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = "The browser's session; what changes something also needs the header X-CSRFToken."
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": description}


class OpenApi(View):
    """The document itself. It tells nothing of this installation, so it needs no token."""

    authentication_classes = []
    permission_classes = []

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(_encoded(), content_type="application/json")


def document() -> dict[str, Any]:
    # Of the whole project: only methods with an Endpoint are in it.
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    made: dict[str, Any] = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    return made


def without_slash(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Drf-spectacular's hook: addresses with a slash at the end are the same ones again."""
    return [found for found in endpoints if not found[0].endswith("/")]


@functools.cache
def _encoded() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


@login_required
@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    """The browsable page, out of our own static files."""
    return render(request, "api/docs.html")


def _id(path_regex: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 0} if "<int:pk>" in path_regex else {"type": "string", "format": "uuid"}
    return {"name": "id", "in": "path", "required": True, "schema": schema}
