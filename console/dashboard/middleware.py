"""Pages and their parts have the same address; caches must not mistake one for the other."""

from __future__ import annotations

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware

from console.audit.middleware import Answer, AsyncAnswer


@sync_and_async_middleware
def parts_apart(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Without this the browser's Back shows the part that htmx fetched last, without frame and style."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _told_apart(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _told_apart(request, response)

    return answer


def _told_apart(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.headers.get("Content-Type", "").startswith("text/html"):
        patch_vary_headers(response, ["HX-Request"])  # type: ignore[arg-type]  # it only reads headers
        if request.headers.get("HX-Request"):
            response.headers["Cache-Control"] = "no-store"
    return response
