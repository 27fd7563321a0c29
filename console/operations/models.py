from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from console.hosts.models import Host


class State(models.TextChoices):
    QUEUED = "queued"
    SENT = "sent"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INTERRUPTED = "interrupted"


OPEN_STATES = (State.QUEUED, State.SENT, State.RUNNING)
FINAL_STATES = (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED, State.INTERRUPTED)


class Operation(models.Model):
    """What was asked of a host, and what came of it. Its id is the one the agent's journal knows it by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=400)  # 'Stop shop-web-2'
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="operations")
    target_kind = models.CharField(max_length=20, blank=True)
    target_id = models.UUIDField(null=True)  # our id of the object; the row may be gone
    target_name = models.CharField(max_length=300, blank=True)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    progress = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="operations"
    )
    idempotency_key = models.CharField(max_length=100, blank=True)
    ask_hash = models.CharField(max_length=64, blank=True)  # of host, kind and parameters: what the key was used for
    cancel_requested_at = models.DateTimeField(null=True)
    requested_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)  # stands in the agent's journal
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField()

    class Meta:
        ordering = ["-requested_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["requested_by", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="operation_asked_once",
            )
        ]
        indexes = [
            models.Index(fields=["host", "state"]),
            models.Index(fields=["-requested_at"]),
            models.Index(fields=["target_id", "-requested_at"]),
            models.Index(fields=["deadline_at"], condition=Q(state__in=OPEN_STATES), name="operation_open"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_finished(self) -> bool:
        return self.state in FINAL_STATES
