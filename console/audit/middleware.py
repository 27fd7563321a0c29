from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

_USABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")

Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def request_id(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Every request has an id: the caller's `X-Request-ID` if it is usable, else a new one. It is sent back."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            _identify(request)
            return _tell(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        _identify(request)
        response = get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _tell(request, response)

    return answer


def _identify(request: HttpRequest) -> None:
    given = request.headers.get("X-Request-ID", "")
    request.request_id = given if _USABLE.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]


def _tell(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
    return response
