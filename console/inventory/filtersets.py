"""Filters over lists, the same words in a page's address and in REST: `?state=running&host=prod-01&label=app=shop`.

A parameter that is given several times, or with commas, means any of the values; different
parameters must all hold.
"""

from __future__ import annotations

import uuid
from typing import Any

import django_filters
from django.db.models import F, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.lookups import Exact, IsNull
from django.forms import ValidationError

from console.hosts.models import Host, HostQuerySet
from console.inventory.models import Container, Image, Network, Volume

CONTAINER_STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTHS = ("none", "starting", "healthy", "unhealthy")


class AnyOf(django_filters.BaseInFilter, django_filters.CharFilter):
    """`?state=running,exited`"""


class Filters(django_filters.FilterSet):
    """What every kind of object can be filtered by."""

    host = AnyOf(method="by_host", label="Name or id of a host")
    name = django_filters.CharFilter(lookup_expr="icontains", label="Part of the name")
    label = AnyOf(method="by_label", label="A label, as key or key=value; all that are given must be there")
    q = django_filters.CharFilter(method="search", label="Text in name, image, id or label values")

    search_fields: tuple[str, ...] = ("name", "engine_id", "host__name")

    def by_host(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        ids = [uuid.UUID(value) for value in values if is_uuid(value)]
        return rows.filter(Q(host__in=ids) | Q(host__name__in=values))

    def by_label(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        for value in values:
            key, separator, wanted = value.partition("=")
            if separator:
                rows = rows.filter(Exact(KeyTextTransform(key, "labels"), wanted))
            else:
                rows = rows.filter(IsNull(KeyTransform(key, F("labels")), False))
        return rows

    def search(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        for word in value.split()[:8]:
            found = Q()
            for field in self.search_fields:
                lookup = "startswith" if field == "engine_id" else "icontains"
                found |= Q(**{f"{field}__{lookup}": word})
            rows = rows.filter(found)
        return rows


class ContainerFilters(Filters):
    state = AnyOf(method="by_state", label=f"One of: {', '.join(CONTAINER_STATES)}")
    health = AnyOf(method="by_health", label=f"One of: {', '.join(HEALTHS)}")
    image = django_filters.CharFilter(lookup_expr="icontains", label="Part of the image's name")
    stack = AnyOf(field_name="stack", lookup_expr="in", label="Name of a stack (compose project)")
    network = django_filters.CharFilter(method="by_network", label="Name of a network")

    search_fields = ("name", "engine_id", "host__name", "image", "stack", "service")

    class Meta:
        model = Container
        fields: list[str] = []

    def by_state(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        return rows.filter(state__in=_known(values, CONTAINER_STATES))

    def by_health(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        return rows.filter(health__in=_known(values, HEALTHS))

    def by_network(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        # The names are inside JSON lists: found as text first, then made sure of.
        candidates = rows.filter(networks__icontains=value).values_list("pk", "networks")
        return rows.filter(pk__in=[pk for pk, all_ in candidates if any(n.get("name") == value for n in all_)])


class ImageFilters(Filters):
    name = django_filters.CharFilter(field_name="tags", lookup_expr="icontains", label="Part of a tag")
    dangling = django_filters.BooleanFilter(label="Without any tag")

    search_fields = ("tags", "engine_id", "host__name")

    class Meta:
        model = Image
        fields: list[str] = []


class NetworkFilters(Filters):
    driver = AnyOf(field_name="driver", lookup_expr="in", label="Driver")

    class Meta:
        model = Network
        fields: list[str] = []


class VolumeFilters(Filters):
    driver = AnyOf(field_name="driver", lookup_expr="in", label="Driver")

    class Meta:
        model = Volume
        fields: list[str] = []


class HostFilters(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="icontains", label="Part of the name")
    state = django_filters.ChoiceFilter(
        method="by_state", choices=[("online", "online"), ("offline", "offline")], label="online or offline"
    )
    q = django_filters.CharFilter(method="search", label="Text in name or address")

    class Meta:
        model = Host
        fields: list[str] = []

    def by_state(self, rows: QuerySet[Host], name: str, value: str) -> QuerySet[Host]:
        online = HostQuerySet.is_online_q()
        return rows.filter(online) if value == "online" else rows.exclude(online)

    def search(self, rows: QuerySet[Host], name: str, value: str) -> QuerySet[Host]:
        return rows.filter(Q(name__icontains=value) | Q(address__icontains=value) | Q(hostname__icontains=value))


def _known(values: list[str], choices: tuple[str, ...]) -> list[str]:
    """The values, made sure of. Raises ValidationError, which the filterset turns into the field's error."""
    if wrong := [value for value in values if value not in choices]:
        raise ValidationError(f"{wrong[0][:40]!r} is none of: {', '.join(choices)}.")
    return values


def is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
