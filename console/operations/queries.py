from __future__ import annotations

import uuid

from django.db.models import QuerySet

from console.access import policy
from console.access.actors import Actor
from console.operations.models import OPEN_STATES, Operation


def operations(actor: Actor) -> QuerySet[Operation]:
    """All that were asked of hosts the actor may view, newest first."""
    return policy.permitted(actor, Operation.objects.all()).select_related("host", "requested_by")


def open_operations(actor: Actor) -> QuerySet[Operation]:
    """Those that have not ended."""
    return operations(actor).filter(state__in=OPEN_STATES)


def asked_before(actor: Actor, key: str, kind: str, target_id: uuid.UUID) -> Operation | None:
    """The actor's operation of this kind, on this object, with this idempotency key; the object may be gone."""
    found = Operation.objects.filter(requested_by=actor.user, idempotency_key=key, kind=kind, target_id=target_id)
    return found.select_related("host").first()
