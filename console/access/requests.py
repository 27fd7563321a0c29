"""From a Django request, or a websocket's scope, to the actor."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from console.access.actors import Actor
from console.accounts.models import User


def actor_of(request: HttpRequest) -> Actor:
    """The actor of an authenticated request."""
    user = request.user
    assert isinstance(user, User)
    token = getattr(request, "auth", None)
    return Actor(
        user=user,
        token_id=getattr(token, "pk", None),
        origin=request.META.get("REMOTE_ADDR", ""),
        request_id=getattr(request, "request_id", ""),
    )


def actor_of_scope(scope: dict[str, Any]) -> Actor | None:
    """The actor of a websocket's session, None if nobody is signed in."""
    user = scope.get("user")
    if not isinstance(user, User) or not user.is_active:
        return None
    return Actor(user=user, origin=(scope.get("client") or ("",))[0])
