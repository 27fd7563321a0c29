"""Removing a host: the one change that reaches from the host's row up to its mirror and its operations."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from console.access.actors import Actor
from console.hosts import services as hosts
from console.hosts.models import Host
from console.inventory.models import MODELS
from console.link import hints, registry
from console.operations import waiting
from console.operations.models import OPEN_STATES, Operation, State


def remove_host(actor: Actor, host: Host) -> None:
    """Revoke the agent's credential, close its link, forget the mirror; what was asked of it stays as history.

    Operations that had not ended end here: what was never sent as cancelled, the rest as interrupted.
    Raises NotPermitted.
    """
    with transaction.atomic():
        hosts.revoke(actor, host)
        operations = Operation.objects.filter(host=host, state__in=OPEN_STATES)
        open_ids = list(operations.values_list("pk", flat=True))
        now = timezone.now()
        operations.filter(state=State.QUEUED).update(
            state=State.CANCELLED, finished_at=now, error="The host was removed before it was sent."
        )
        operations.update(
            state=State.INTERRUPTED,
            finished_at=now,
            error="The host was removed from the console. Whether it was done is not known: look at the host.",
        )
        for model in MODELS.values():
            model._default_manager.filter(host=host).delete()
    registry.disconnect(host.pk, "this host was removed from the console; join it anew")
    for pk in open_ids:
        waiting.concluded(pk)
    hints.changed(host.pk, "hosts", "containers", "images", "networks", "volumes", "operations")
