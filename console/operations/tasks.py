from __future__ import annotations

import datetime as dt

from celery import shared_task
from django.utils import timezone

from console.link import hints
from console.operations.models import Operation, State

GRACE = dt.timedelta(hours=1)  # for the outcome of what was sent, after its deadline


@shared_task
def sweep() -> None:
    """What was never sent in time expires; what was sent and never told of ends; forgotten wake-ups are repeated."""
    now = timezone.now()
    expired = Operation.objects.filter(state=State.QUEUED, deadline_at__lte=now).update(
        state=State.EXPIRED,
        finished_at=now,
        error="The host did not come back in time. Nothing was done. Ask again when it is online.",
    )
    lost = Operation.objects.filter(state__in=(State.SENT, State.RUNNING), deadline_at__lte=now - GRACE).update(
        state=State.INTERRUPTED,
        finished_at=now,
        error="The host was not heard of again. Whether it was done is not known: look before you ask again.",
    )
    if expired or lost:
        hints.changed(None, "operations")
    waiting = Operation.objects.filter(state=State.QUEUED, host__is_connected=True, deadline_at__gt=now)
    for host_id in waiting.order_by().values_list("host", flat=True).distinct():
        hints.wake_elsewhere(host_id)
