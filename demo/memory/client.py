"""The Docker SDK, with the engine in memory at the other end instead of a socket.

All of the SDK's own code runs: what an agent asks of it becomes a request as ever, and only the sending is ours.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import requests
from docker import APIClient

from demo.memory.api import Api, Call
from demo.memory.state import ApiError


class MemoryResponse(requests.Response):
    """An answer that is there already; its document is not made into text for nothing."""

    def __init__(self, status: int, document: Any) -> None:
        super().__init__()
        self.status_code = status
        self.reason = "OK" if status < 400 else "Refused"
        self.url = "http+memory://engine"
        self._document = document

    @property
    def content(self) -> bytes:
        if self._document is None:
            return b""
        return self._document.encode() if isinstance(self._document, str) else json.dumps(self._document).encode()

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self, **kwargs: Any) -> Any:
        return self._document


class MemoryClient(APIClient):
    """Answers at once, from the event loop's thread. Raises Takes for what needs time, until `has_waited`."""

    def __init__(self, api: Api) -> None:
        super().__init__("tcp://memory:2375", version=api.state.facts.api_version, use_ssh_client=False)
        self._engine_api = api
        self._prefix = f"/v{api.state.facts.api_version}"
        self.has_waited = False

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        verb = str(method)
        path = urlsplit(str(url)).path.removeprefix(self._prefix)
        params = {name: _text(value) for name, value in (options.get("params") or {}).items() if value is not None}
        data = options.get("data")
        body = json.loads(data) if isinstance(data, (str, bytes)) and data else (options.get("json") or {})
        try:
            answer = self._engine_api.handle(Call(verb, path, params, body, self.has_waited))
        except ApiError as error:
            return MemoryResponse(error.status, {"message": error.message})
        if answer.stream is not None:
            raise NotImplementedError(f"{verb} {path} is a stream: it is asked for without the SDK")
        return MemoryResponse(answer.status, answer.document)


def _text(value: Any) -> str:
    return ("1" if value else "0") if isinstance(value, bool) else str(value)
