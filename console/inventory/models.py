"""The mirror of every host's engine objects.

Columns hold what lists show, filter and sort by. `id` is ours and stable: derived from the host
and the engine's id, so a row that is written anew keeps its address.
"""

from __future__ import annotations

import uuid
from typing import ClassVar, Self

from django.db import models

from agents.catalogue import ObjectKind
from console.hosts.models import Host

STACK_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
SWARM_STACK_LABEL = "com.docker.stack.namespace"
SWARM_SERVICE_LABEL = "com.docker.swarm.service.name"


def object_id(host_id: uuid.UUID, kind: ObjectKind, engine_id: str) -> uuid.UUID:
    """Our id of an engine object."""
    return uuid.uuid5(host_id, f"{kind}:{engine_id}")


class EngineObject(models.Model):
    id = models.UUIDField(primary_key=True, editable=False)
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="%(class)ss")
    engine_id = models.CharField(max_length=300)
    fingerprint = models.CharField(max_length=16)
    name = models.CharField(max_length=1000, db_index=True)
    labels = models.JSONField(default=dict)
    created_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()  # when the mirror last wrote the row

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["host", "engine_id"], name="%(class)s_once")]

    def __str__(self) -> str:
        return self.name


class Container(EngineObject):
    image = models.CharField(max_length=1000, db_index=True)  # as it was asked for
    image_engine_id = models.CharField(max_length=300, db_index=True)
    state = models.CharField(max_length=12, db_index=True)
    health = models.CharField(max_length=10, default="none")
    health_output = models.TextField(blank=True)
    exit_code = models.IntegerField(null=True)
    error = models.TextField(blank=True)
    oom_killed = models.BooleanField(default=False)
    restart_count = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    command = models.TextField(blank=True)
    stack = models.CharField(max_length=300, blank=True, db_index=True)
    service = models.CharField(max_length=300, blank=True)
    ports = models.JSONField(default=list)
    mounts = models.JSONField(default=list)
    networks = models.JSONField(default=list)
    restart_policy = models.CharField(max_length=60, default="no")
    tty = models.BooleanField(default=False)
    log_driver = models.CharField(max_length=300, blank=True)
    auto_remove = models.BooleanField(default=False)

    class Meta(EngineObject.Meta):
        # Counting by host and state reads the index alone: the rows themselves are wide.
        indexes = [models.Index(fields=["host", "state"], name="container_host_state")]


class Image(EngineObject):
    """`name` is the first tag, '' for an untagged image."""

    tags = models.JSONField(default=list)
    digests = models.JSONField(default=list)
    size_bytes = models.BigIntegerField(default=0)
    dangling = models.BooleanField(default=False)


class Network(EngineObject):
    driver = models.CharField(max_length=300, blank=True)
    scope = models.CharField(max_length=300, blank=True)
    internal = models.BooleanField(default=False)
    attachable = models.BooleanField(default=False)
    subnets = models.JSONField(default=list)


class Volume(EngineObject):
    driver = models.CharField(max_length=300, blank=True)
    mountpoint = models.TextField(blank=True)
    scope = models.CharField(max_length=300, blank=True)


MODELS: dict[ObjectKind, type[EngineObject]] = {
    "container": Container,
    "image": Image,
    "network": Network,
    "volume": Volume,
}
