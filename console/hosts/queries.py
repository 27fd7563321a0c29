from __future__ import annotations

from django.db.models import QuerySet

from console.access.actors import Actor
from console.access.policy import require_administrator
from console.hosts.models import JoinToken


def join_tokens(actor: Actor) -> QuerySet[JoinToken]:
    """All, newest first. Raises NotPermitted."""
    require_administrator(actor)
    return JoinToken.objects.select_related("created_by", "host")
