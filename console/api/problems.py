"""Errors under /api/ as problem documents (RFC 9457): one sentence that says what was wrong and what to do.

What a service refuses is turned into a status here and nowhere else.
"""

from __future__ import annotations

import http
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from rest_framework import exceptions
from rest_framework.response import Response

from agents.shapes import Misfit
from console.access.policy import NotFound, NotPermitted
from console.hosts.services import InvalidName
from console.link.streams import HostOffline, StreamFailed
from console.operations.services import HostNotEnrolled, KeyUsedOtherwise, NotCancellable, UnknownObject

logger = logging.getLogger("gantry.api")

CONTENT_TYPE = "application/problem+json"
SENTENCE_CHARACTERS = 2000

STATUSES: dict[type[Exception], int] = {
    NotFound: 404,
    NotPermitted: 403,
    UnknownObject: 409,
    HostNotEnrolled: 409,
    NotCancellable: 409,
    HostOffline: 409,
    KeyUsedOtherwise: 422,
    StreamFailed: 502,
}


class ProblemDocument(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    errors: dict[str, str]  # a parameter's or field's path, such as 'ports.0.host_port', to what is wrong with it
    request_id: str


class Problem(Exception):
    """What a view itself finds wrong. `errors` maps a parameter or a path in the body to a sentence."""

    def __init__(self, status: int, detail: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = dict(errors or {})


def invalid_parameters(errors: Mapping[str, str]) -> Problem:
    return Problem(400, _listed("These parameters can't be used", errors), errors)


def invalid_body(errors: Mapping[str, str]) -> Problem:
    return Problem(422, _listed("The request's body can't be used", errors), errors)


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler."""
    request: HttpRequest = context["request"]
    problem = _problem_of(error)
    if problem is None:
        logger.exception(
            "%s %s failed, request %s", request.method, request.path, _request_id(request), exc_info=error
        )
        problem = Problem(500, "Something went wrong in the console. Its log has the details under the request's id.")
    headers = {}
    if isinstance(error, exceptions.APIException):
        if header := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = header
        if wait := getattr(error, "wait", None):
            headers["Retry-After"] = f"{wait:.0f}"
    return Response(document(problem, request), problem.status, headers=headers, content_type=CONTENT_TYPE)


def document(problem: Problem, request: HttpRequest) -> ProblemDocument:
    return {
        "type": "about:blank",
        "title": http.HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": _clean(problem.detail),
        "errors": {_clean(path): _clean(text) for path, text in problem.errors.items()},
        "request_id": _request_id(request),
    }


@sync_and_async_middleware
def as_problems(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """What Django answers by itself before a view is reached, such as to an unknown Host header, as a problem too."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            return _as_problem(request, await get_response(request))

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        return _as_problem(request, get_response(request))

    return synchronous


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code < 400 or not request.path.startswith("/api/"):
        return response
    if response.headers.get("Content-Type", "").startswith(CONTENT_TYPE):
        return response
    detail = "The console can't answer this request. Look at its address, its method and its Host header."
    body = document(Problem(response.status_code, detail), request)
    return JsonResponse(body, status=response.status_code, content_type=CONTENT_TYPE)


def _problem_of(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, Misfit):
        return invalid_body(error.errors)
    if isinstance(error, InvalidName):
        return invalid_body({"name": str(error)})
    if status := STATUSES.get(type(error)):
        return Problem(status, str(error))
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "The request's body is too large. Send less at once.")
    if isinstance(error, Http404):
        return Problem(404, "There is nothing at this address. The addresses stand in /api/v1/docs.")
    if isinstance(error, PermissionDenied):
        return Problem(403, str(error) or "You may not do this. Ask an administrator.")
    if isinstance(error, SuspiciousOperation):
        return Problem(400, "The request can't be understood. Look at its headers and its body.")
    if isinstance(error, exceptions.APIException):
        return Problem(error.status_code, _sentence(error))
    return None


def _sentence(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.NotAuthenticated):
        return "Sign in, or send a token in the header Authorization: Bearer gtt_… ."
    if isinstance(error, exceptions.MethodNotAllowed):
        return f"{error.detail} The header Allow names the methods that are."
    return str(error.detail)


def _listed(words: str, errors: Mapping[str, str]) -> str:
    listed = "; ".join(f"{path}: {text}" if path else text for path, text in errors.items())
    return f"{words}: {listed}"


def _clean(text: str) -> str:
    """Half a surrogate pair, as JSON's escapes can make one, has no UTF-8."""
    return text[:SENTENCE_CHARACTERS].encode("utf-8", "replace").decode()


def _request_id(request: HttpRequest) -> str:
    return str(getattr(request, "request_id", ""))
