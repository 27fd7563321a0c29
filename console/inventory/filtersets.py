"""Filters over lists, the same words in a page's address and in REST: `?state=running&host=prod-01&label=app=shop`.

A parameter that is given several times, or with commas, means any of the values (of labels, which
may hold commas, each one that is given must be there); different parameters must all hold. A value
that can't be is an error of its parameter, which says what is allowed.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import django_filters
from django import forms
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Q, QuerySet
from django.forms import ValidationError

from console.hosts.models import Host, HostQuerySet
from console.inventory.lookups import HasItem, HasLabel
from console.inventory.models import Container, Image, Network, Volume
from console.inventory.queries import is_current_q, is_failed_q, is_wrong_q

CONTAINER_STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTHS = ("none", "starting", "healthy", "unhealthy")
UNKNOWN = "unknown"  # the state of what an unreachable host has: what is mirrored was so once
TEXT_CHARACTERS = 300  # SQLite refuses a LIKE of some 50,000
VALUES_AT_MOST = 100


class _ListInput(forms.TextInput):
    """All the values of a parameter that is given several times."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        if hasattr(data, "getlist"):
            return list(data.getlist(name))
        return [data[name]] if data.get(name) else []


class ListField(forms.Field):
    widget = _ListInput

    def __init__(self, *, choices: Sequence[str] = (), separator: str = ",", **rest: Any) -> None:
        super().__init__(**rest)
        self.choices, self.separator = choices, separator

    def clean(self, value: list[str] | None) -> list[str]:
        split = [part for text in value or () for part in (text.split(self.separator) if self.separator else [text])]
        values = [part.strip() for part in split if part.strip()]
        if len(values) > VALUES_AT_MOST:
            raise ValidationError(f"has too many values: {VALUES_AT_MOST} is the most.")
        for one in values:
            ProhibitNullCharactersValidator("must not contain a NUL character.")(one)
            if len(one) > TEXT_CHARACTERS:
                raise ValidationError(f"is too long: {TEXT_CHARACTERS} characters is the most.")
            if self.choices and one not in self.choices:
                raise ValidationError(f"{one[:40]!r} is none of: {', '.join(self.choices)}.")
        return values


class FlagField(forms.Field):
    widget = forms.TextInput

    def clean(self, value: str | None) -> bool | None:
        if not value:
            return None
        flag = {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
        if flag is None:
            raise ValidationError("must be true or false.")
        return flag


class AnyOf(django_filters.Filter):
    """`?state=running,exited`; any text, or one of `choices`."""

    field_class = ListField

    def filter(self, qs: QuerySet[Any], value: list[str]) -> QuerySet[Any]:
        return qs.filter(**{f"{self.field_name}__in": value}) if value else qs


class Flag(django_filters.Filter):
    """`?dangling=true`"""

    field_class = FlagField


class Text(django_filters.CharFilter):
    def __init__(self, *args: Any, **rest: Any) -> None:
        super().__init__(*args, max_length=TEXT_CHARACTERS, **rest)


class Filters(django_filters.FilterSet):
    """What every kind of object can be filtered by."""

    host = AnyOf(method="by_host", label="Name or id of a host")
    name = Text(lookup_expr="icontains", label="Part of the name")
    label = AnyOf(
        method="by_label", separator="", label="A label, as key or key=value; given several times, all must be there"
    )
    state = AnyOf(method="by_presence", choices=("present", UNKNOWN), label="unknown: the host can't be reached")
    q = Text(method="search", label="Words that must all be found in the names, or begin the engine's id")

    search_fields: tuple[str, ...] = ("name", "engine_id", "host__name")

    def by_host(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        ids = [uuid.UUID(value) for value in values if is_uuid(value)]
        return rows.filter(Q(host__in=ids) | Q(host__name__in=values)) if values else rows

    def by_label(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        for value in values:
            key, separator, wanted = value.partition("=")
            rows = rows.filter(HasLabel("labels", key, wanted if separator else None))
        return rows

    def by_presence(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        if not values:
            return rows
        wanted = Q(pk__in=[])
        if "present" in values:
            wanted |= is_current_q()
        if UNKNOWN in values:
            wanted |= ~is_current_q()
        return rows.filter(wanted)

    def search(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        for word in value.split()[:8]:
            found = Q()
            for field in self.search_fields:
                lookup = "startswith" if field == "engine_id" else "icontains"
                found |= Q(**{f"{field}__{lookup}": word})
            rows = rows.filter(found)
        return rows


class ContainerFilters(Filters):
    state = AnyOf(
        method="by_state", choices=(*CONTAINER_STATES, UNKNOWN),
        label="State now. unknown: the host can't be reached; what was running there is not found as running",
    )  # fmt: skip
    last_state = AnyOf(field_name="state", choices=CONTAINER_STATES, label="State as last known")
    health = AnyOf(method="by_health", choices=(*HEALTHS, UNKNOWN), label="What the health check says")
    failed = Flag(method="by_failed", label="Exited with another code than 0")
    problem = Flag(method="by_problem", label="Needs somebody: unhealthy, restarting, dead, just failed, can't start")
    image = Text(lookup_expr="icontains", label="Part of the image's name")
    stack = AnyOf(field_name="stack", label="Name of a stack (compose project)")
    network = Text(method="by_network", label="Name of a network that it is attached to")
    volume = Text(method="by_volume", label="Name of a volume that it mounts")

    search_fields = ("name", "engine_id", "host__name", "image", "stack", "service")

    class Meta:
        model = Container
        fields: list[str] = []

    def by_state(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        return _now(rows, "state", values)

    def by_health(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        return _now(rows, "health", values)

    def by_failed(self, rows: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return rows.filter(is_failed_q() if value else ~is_failed_q())

    def by_problem(self, rows: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        wrong = is_wrong_q() & is_current_q()
        return rows.filter(wrong if value else ~wrong)

    def by_network(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(HasItem("networks", "name", value))

    def by_volume(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(HasItem("mounts", "name", value))


class ImageFilters(Filters):
    name = Text(field_name="tags", lookup_expr="icontains", label="Part of a tag")
    dangling = Flag(label="Without any tag")

    search_fields = ("tags", "engine_id", "host__name")

    class Meta:
        model = Image
        fields: list[str] = []


class NetworkFilters(Filters):
    driver = AnyOf(field_name="driver", label="Driver")

    class Meta:
        model = Network
        fields: list[str] = []


class VolumeFilters(Filters):
    driver = AnyOf(field_name="driver", label="Driver")

    class Meta:
        model = Volume
        fields: list[str] = []


class HostFilters(django_filters.FilterSet):
    name = Text(lookup_expr="icontains", label="Part of the name")
    state = AnyOf(method="by_state", choices=("online", "offline"), label="Whether its agent is connected")
    q = Text(method="search", label="Text in name, address or host name")

    class Meta:
        model = Host
        fields: list[str] = []

    def by_state(self, rows: QuerySet[Host], name: str, values: list[str]) -> QuerySet[Host]:
        if len(set(values)) != 1:
            return rows
        online = HostQuerySet.is_online_q()
        return rows.filter(online) if values[0] == "online" else rows.exclude(online)

    def search(self, rows: QuerySet[Host], name: str, value: str) -> QuerySet[Host]:
        return rows.filter(Q(name__icontains=value) | Q(address__icontains=value) | Q(hostname__icontains=value))


def _now(rows: QuerySet[Any], column: str, values: list[str]) -> QuerySet[Any]:
    """Rows whose `column` is one of `values` now: what is mirrored of an unreachable host is unknown."""
    if not values:
        return rows
    known = [value for value in values if value != UNKNOWN]
    wanted = Q(pk__in=[])
    if known:
        wanted |= Q(**{f"{column}__in": known}) & is_current_q()
    if UNKNOWN in values:
        wanted |= ~is_current_q()
    return rows.filter(wanted)


def is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
