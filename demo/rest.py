"""The console's REST interface, as somebody with a token uses it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_S = 20


class Refused(Exception):
    """The console did not do it, or does not answer; a sentence."""


class Rest:
    """Calls block: they are made in a thread."""

    def __init__(self, console: str, token: str) -> None:
        self._console = console
        self._token = token

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        """What was answered; None for nothing. Raises Refused."""
        request = urllib.request.Request(
            f"{self._console}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path} was answered with {error.code}") from error
        except (OSError, ValueError) as error:
            raise Refused(f"{method} {path} was not answered: {error}") from error

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every object of a list, over all its pages. Raises Refused."""
        found: list[dict[str, Any]] = []
        separator = "&" if "?" in path else "?"
        while True:
            page = self("GET", f"{path}{separator}limit=500&offset={len(found)}")
            found += page["results"]
            if not page.get("next"):
                return found
