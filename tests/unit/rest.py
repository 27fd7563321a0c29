"""A client of the REST API in the tests' own process, with a token as any client has."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

BASE = "/api/v1"


class Rest:
    def __init__(self, secret: str) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"{BASE}{path}", query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("post", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("patch", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.client.delete(f"{BASE}{path}", headers=_named(headers))

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """`body` as JSON, or as it is when it is bytes."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        send = getattr(self.client, method)
        return send(f"{BASE}{path}", content, content_type="application/json", headers=_named(headers))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem document of an answer, made sure of."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == "about:blank"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"].strip()
    assert document["request_id"] == response["X-Request-ID"]
    return document
