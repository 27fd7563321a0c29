from __future__ import annotations

from django.db.models import QuerySet

from console.access.actors import Actor
from console.access.policy import permitted
from console.accounts.models import ApiToken


def own_api_tokens(actor: Actor) -> QuerySet[ApiToken]:
    return permitted(actor, ApiToken.objects.filter(user=actor.user))
