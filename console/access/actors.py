from __future__ import annotations

from dataclasses import dataclass

from console.accounts.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a person, perhaps by one of their tokens. `origin` is the address the request came from."""

    user: User
    token_id: int | None = None
    origin: str = ""
    request_id: str = ""
