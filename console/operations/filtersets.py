from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.forms import ValidationError

from console.inventory.filtersets import AnyOf, is_uuid
from console.operations.models import Operation, State


class OperationFilters(django_filters.FilterSet):
    host = AnyOf(method="by_host", label="Name or id of a host")
    state = AnyOf(method="by_state", label=f"One of: {', '.join(State.values)}")
    kind = AnyOf(field_name="kind", lookup_expr="in", label="Kind, such as container.start")
    target = django_filters.UUIDFilter(field_name="target_id", label="Id of the object it acts on")
    q = django_filters.CharFilter(field_name="title", lookup_expr="icontains", label="Text in the title")

    class Meta:
        model = Operation
        fields: list[str] = []

    def by_host(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        return rows.filter(Q(host__in=[v for v in values if is_uuid(v)]) | Q(host__name__in=values))

    def by_state(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        if wrong := [value for value in values if value not in State.values]:
            raise ValidationError(f"{wrong[0][:40]!r} is none of: {', '.join(State.values)}.")
        return rows.filter(state__in=values)
