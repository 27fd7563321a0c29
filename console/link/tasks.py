from __future__ import annotations

import datetime as dt

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from console.hosts.models import Host
from console.link import hints


@shared_task
def sweep() -> None:
    """Links whose web process died without a word: the host is offline, and open pages are told."""
    unheard = timezone.now() - dt.timedelta(seconds=2 * settings.LOST_AFTER_S)
    lost = list(Host.objects.filter(is_connected=True, heard_at__lt=unheard).values_list("pk", flat=True))
    if lost:
        Host.objects.filter(pk__in=lost, is_connected=True, heard_at__lt=unheard).update(is_connected=False)
        for host_id in lost:
            hints.changed(host_id, "hosts", "containers")
