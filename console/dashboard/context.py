from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from console.access.actors import Actor
from console.access.requests import actor_of
from console.dashboard.problems import count_problems
from console.inventory import queries
from console.operations.queries import open_operations


def frame(request: HttpRequest) -> dict[str, Any]:
    """What every signed-in page's frame shows: counts in the sidebar, what runs, the theme."""
    theme = request.COOKIES.get("gantry_theme", "")
    context: dict[str, Any] = {
        "theme": theme if theme in ("light", "dark") else "system",
        "is_demo": settings.IS_DEMO,
    }
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return context
    if request.headers.get("HX-Request") and not request.headers.get("HX-Boosted"):
        return context  # a partial has no frame
    return context | {"counts": counts(actor_of(request))}


def counts(actor: Actor) -> dict[str, int]:
    """What the sidebar counts."""
    return {
        "hosts": queries.hosts(actor).count(),
        "containers": queries.containers(actor).count(),
        "images": queries.images(actor).count(),
        "networks": queries.networks(actor).count(),
        "volumes": queries.volumes(actor).count(),
        "running_operations": open_operations(actor).count(),
        "problems": count_problems(actor),
    }
