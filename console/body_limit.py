"""The largest body that a request may have. Django would write all of it to disk first, whoever sends it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

SENTENCE = "The request's body is too large: {} bytes is the most. Send less at once."


def with_body_limit(application: Application) -> Application:
    """`application` for HTTP; a larger body is answered with 413 as soon as that is known."""

    async def bounded(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if _declared(scope) > limit:
            await _refuse(send, limit)
            return
        taken = 0
        is_answered = False

        async def receive_bounded() -> dict[str, Any]:
            nonlocal taken
            event = await receive()
            taken += len(event.get("body") or b"")
            return event if taken <= limit else {"type": "http.disconnect"}

        async def send_noted(event: Mapping[str, Any]) -> None:
            nonlocal is_answered
            is_answered = True
            await send(event)

        await application(scope, receive_bounded, send_noted)
        if taken > limit and not is_answered:
            await _refuse(send, limit)

    return bounded


def _declared(scope: Mapping[str, Any]) -> int:
    length: bytes = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


async def _refuse(send: Send, limit: int) -> None:
    problem = {"type": "about:blank", "title": "Content Too Large", "status": 413, "detail": SENTENCE.format(limit)}
    body = json.dumps({**problem, "errors": {}, "request_id": ""}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of the body is not read
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
