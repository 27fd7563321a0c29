"""Reads of the mirror that pages, REST and sockets share. Everything begins with what the actor may view."""

from __future__ import annotations

import collections
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from agents.catalogue import ObjectKind
from console.access import policy
from console.access.actors import Actor
from console.hosts.models import Host, HostQuerySet
from console.inventory.models import Container, Image, Network, Volume


def is_current(host: Host) -> bool:
    """What is mirrored of the host is how it is there now; else it is how it was last known to be."""
    return host.is_online and not host.engine_error


def is_current_q(prefix: str = "host__") -> Q:
    return HostQuerySet.is_online_q(prefix) & Q(**{f"{prefix}engine_error": ""})


def hosts(actor: Actor) -> QuerySet[Host]:
    """Enrolled hosts, with `containers_count` and `running_count`."""
    return policy.permitted(actor, Host.objects.enrolled()).annotate(
        containers_count=_count_of(Container.objects.filter(host=OuterRef("pk")), "host"),
        running_count=_count_of(Container.objects.filter(host=OuterRef("pk"), state="running"), "host"),
    )


def containers(actor: Actor) -> QuerySet[Container]:
    return policy.permitted(actor, Container.objects.filter(host__revoked_at=None)).select_related("host")


def images(actor: Actor) -> QuerySet[Image]:
    """With `containers_count`, of those on the same host that were made from it."""
    users = Container.objects.filter(host=OuterRef("host"), image_engine_id=OuterRef("engine_id"))
    found = policy.permitted(actor, Image.objects.filter(host__revoked_at=None)).select_related("host")
    return found.annotate(containers_count=_count_of(users, "image_engine_id"))


def networks(actor: Actor) -> QuerySet[Network]:
    return policy.permitted(actor, Network.objects.filter(host__revoked_at=None)).select_related("host")


def volumes(actor: Actor) -> QuerySet[Volume]:
    return policy.permitted(actor, Volume.objects.filter(host__revoked_at=None)).select_related("host")


def objects(actor: Actor, kind: ObjectKind) -> QuerySet[Any]:
    """All of one kind that the actor may view."""
    return _BY_KIND[kind](actor)


def find_host(actor: Actor, name_or_id: str) -> Host | None:
    """An enrolled host by its id, else by its name."""
    found = hosts(actor)
    try:
        by_id = found.filter(pk=uuid.UUID(name_or_id)).first()
    except ValueError:
        by_id = None
    return by_id or found.filter(name=name_or_id).first()


def network_members(actor: Actor, networks: Iterable[Network]) -> dict[uuid.UUID, list[Container]]:
    """Network's id to the containers attached to it."""
    wanted = {(network.host_id, network.engine_id): network.pk for network in networks}
    members: dict[uuid.UUID, list[Container]] = collections.defaultdict(list)
    for container in containers(actor).filter(host__in={host_id for host_id, _ in wanted}):
        for attachment in container.networks:
            if pk := wanted.get((container.host_id, attachment.get("id", ""))):
                members[pk].append(container)
    return members


def volume_users(actor: Actor, volumes: Iterable[Volume]) -> dict[uuid.UUID, list[Container]]:
    """Volume's id to the containers that mount it."""
    wanted = {(volume.host_id, volume.engine_id): volume.pk for volume in volumes}
    users: dict[uuid.UUID, list[Container]] = collections.defaultdict(list)
    for container in containers(actor).filter(host__in={host_id for host_id, _ in wanted}):
        for name in {mount.get("name", "") for mount in container.mounts}:
            if pk := wanted.get((container.host_id, name)):
                users[pk].append(container)
    return users


def _count_of(rows: QuerySet, field: str) -> Coalesce:  # type: ignore[type-arg]
    counted = rows.order_by().values(field).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


_BY_KIND: dict[ObjectKind, Callable[[Actor], QuerySet[Any]]] = {
    "container": containers,
    "image": images,
    "network": networks,
    "volume": volumes,
}
