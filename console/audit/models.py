from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class Entry(models.Model):
    """Who did what, when, from where. Rows are only ever added."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    username = models.CharField(max_length=150, blank=True)  # stays when the user is gone
    token_id = models.BigIntegerField(null=True)
    origin = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=100)
    object_kind = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=300, blank=True)
    object_name = models.CharField(max_length=300, blank=True)
    is_allowed = models.BooleanField(default=True)

    class Meta:
        ordering = ["-at"]
        verbose_name_plural = "entries"
