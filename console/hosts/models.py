from __future__ import annotations

import datetime as dt
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class HostQuerySet(models.QuerySet["Host"]):
    def enrolled(self) -> HostQuerySet:
        return self.filter(revoked_at=None)

    def online(self) -> HostQuerySet:
        return self.filter(self.is_online_q())

    @staticmethod
    def is_online_q(prefix: str = "") -> Q:
        """Whether the agent was heard of lately; `prefix` leads to the host ('host__')."""
        return Q(**{f"{prefix}is_connected": True, f"{prefix}heard_at__gt": _heard_since()})


class Host(models.Model):
    """A machine with an engine and an agent of ours."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)
    credential_hash = models.CharField(max_length=64)
    revoked_at = models.DateTimeField(null=True)

    # The link. `heard_at` is written every few heartbeats, in one update for all hosts of a process.
    is_connected = models.BooleanField(default=False)
    process = models.CharField(max_length=64, blank=True)  # the web process that holds the link
    connected_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True, db_index=True)
    address = models.CharField(max_length=64, blank=True)
    agent_version = models.CharField(max_length=40, blank=True)
    clock_offset_s = models.FloatField(default=0)  # agent's clock less ours
    is_listed = models.BooleanField(default=False)  # the mirror has been compared since the link opened

    # What the engine says of itself.
    engine_error = models.TextField(blank=True)
    engine_id = models.CharField(max_length=300, blank=True)
    engine_product = models.CharField(max_length=60, blank=True)
    engine_version = models.CharField(max_length=60, blank=True)
    api_version = models.CharField(max_length=20, blank=True)
    os_name = models.CharField(max_length=300, blank=True)
    kernel = models.CharField(max_length=300, blank=True)
    architecture = models.CharField(max_length=60, blank=True)
    hostname = models.CharField(max_length=300, blank=True)
    cpus = models.IntegerField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    storage_driver = models.CharField(max_length=60, blank=True)
    root_dir = models.CharField(max_length=300, blank=True)
    cgroup_version = models.CharField(max_length=10, blank=True)
    containerd_version = models.CharField(max_length=60, blank=True)
    runc_version = models.CharField(max_length=60, blank=True)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [  # the row of a removed host stays, for what was asked of it; its name is free
            models.UniqueConstraint(fields=["name"], condition=Q(revoked_at=None), name="host_name_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_online(self) -> bool:
        """The agent is connected and was heard of lately; else all that is known of the host is its last state."""
        return self.is_connected and self.heard_at is not None and self.heard_at > _heard_since()

    @property
    def state(self) -> str:
        return "online" if self.is_online else "offline"

    @property
    def last_seen_at(self) -> dt.datetime | None:
        return self.heard_at

    @property
    def is_clock_off(self) -> bool:
        return abs(self.clock_offset_s) > settings.CLOCK_TOLERANCE_S


def _heard_since() -> dt.datetime:
    # Twice: the row lags behind the link by up to one heartbeat and one write.
    return timezone.now() - dt.timedelta(seconds=2 * settings.LOST_AFTER_S)


class JoinToken(models.Model):
    """Buys one agent a host identity, once. Only its hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    secret_hash = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    host = models.ForeignKey(Host, null=True, on_delete=models.SET_NULL, related_name="join_tokens")

    class Meta:
        ordering = ["-created_at"]

    @property
    def state(self) -> str:
        if self.used_at:
            return "used"
        return "expired" if self.expires_at <= timezone.now() else "valid"
