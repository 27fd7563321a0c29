"""Reads of the mirror that pages, REST and sockets share. Everything begins with what the actor may view."""

from __future__ import annotations

import collections
import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Literal

from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.catalogue import ObjectKind
from console.access import policy
from console.access.actors import Actor
from console.hosts.models import Host, HostQuerySet
from console.inventory.models import Container, Image, Network, Volume

EXIT_TOLD_FOR = dt.timedelta(hours=24)  # an old exit with an error is history, not a problem
ASKED_TO_STOP = (0, 130, 137, 143)  # exit codes of a container that was stopped on purpose, or done


def is_current(host: Host) -> bool:
    """What is mirrored of the host is how it is there now; else it is how it was last known to be."""
    return host.is_online and not host.engine_error


def is_current_q(prefix: str = "host__") -> Q:
    return HostQuerySet.is_online_q(prefix) & Q(**{f"{prefix}engine_error": ""})


def is_wrong_q() -> Q:
    """Containers that need somebody: unhealthy, restarting, dead, ended with an error, could not be started."""
    return (
        Q(state="running", health="unhealthy")
        | Q(state__in=("restarting", "dead"))
        | (
            Q(state="exited", finished_at__gt=timezone.now() - EXIT_TOLD_FOR)
            & (~Q(exit_code__in=ASKED_TO_STOP) | Q(oom_killed=True))
        )
        | (Q(state="created") & ~Q(error=""))
    )


def is_failed_q() -> Q:
    """Containers that ended with an error, however long ago and whoever stopped them."""
    return Q(state="exited") & ~Q(exit_code=0) & Q(exit_code__isnull=False)


def worst_first() -> Case:
    """The order of containers by who needs somebody: what is broken, what changes, what runs, the rest."""
    wrong = is_wrong_q()
    return Case(
        When(wrong, state="dead", then=Value(0)),
        When(wrong, state="running", then=Value(1)),
        When(wrong, state="restarting", then=Value(2)),
        When(wrong, then=Value(3)),
        When(state__in=("removing", "paused"), then=Value(4)),
        When(state="running", then=Value(5)),
        default=Value(6),
        output_field=IntegerField(),
    )


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


def image_users(actor: Actor, images: Iterable[Image]) -> dict[uuid.UUID, list[Container]]:
    """Image's id to the containers that were made from it."""
    wanted = {(image.host_id, image.engine_id): image.pk for image in images}
    users: dict[uuid.UUID, list[Container]] = collections.defaultdict(list)
    found = containers(actor).filter(
        host__in={host_id for host_id, _ in wanted}, image_engine_id__in={engine_id for _, engine_id in wanted}
    )
    for container in found:
        if pk := wanted.get((container.host_id, container.image_engine_id)):
            users[pk].append(container)
    return users


def use_counts(actor: Actor, kind: Literal["network", "volume"]) -> collections.Counter[tuple[uuid.UUID, str]]:
    """(host's id, engine's id of a network or volume) to the number of containers that use it, in one pass."""
    column, key = ("networks", "id") if kind == "network" else ("mounts", "name")
    counted: collections.Counter[tuple[uuid.UUID, str]] = collections.Counter()
    for host_id, items in containers(actor).order_by().values_list("host_id", column):
        counted.update((host_id, used) for used in {str(item.get(key, "")) for item in items} if used)
    return counted


def exceptions(actor: Actor, hosts: Iterable[Host]) -> dict[uuid.UUID, list[Container]]:
    """Host's id to its containers that need somebody, worst first."""
    found: dict[uuid.UUID, list[Container]] = collections.defaultdict(list)
    wrong = containers(actor).filter(is_wrong_q(), is_current_q(), host__in=list(hosts))
    for container in wrong.alias(rank=worst_first()).order_by("rank", "name"):
        found[container.host_id].append(container)
    return found


def _count_of(rows: QuerySet, field: str) -> Coalesce:  # type: ignore[type-arg]
    counted = rows.order_by().values(field).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


_BY_KIND: dict[ObjectKind, Callable[[Actor], QuerySet[Any]]] = {
    "container": containers,
    "image": images,
    "network": networks,
    "volume": volumes,
}
