from __future__ import annotations

import uuid
from typing import Any

import django_filters
from django.db.models import Q, QuerySet

from console.inventory.filtersets import AnyOf, Text, is_uuid
from console.operations.models import Operation, State


class OperationFilters(django_filters.FilterSet):
    host = AnyOf(method="by_host", label="Name or id of a host")
    state = AnyOf(field_name="state", choices=State.values, label="State")
    kind = AnyOf(field_name="kind", label="Kind, such as container.start")
    target = django_filters.UUIDFilter(field_name="target_id", label="Id of the object it acts on")
    q = Text(field_name="title", lookup_expr="icontains", label="Text in the title")

    class Meta:
        model = Operation
        fields: list[str] = []

    def by_host(self, rows: QuerySet[Any], name: str, values: list[str]) -> QuerySet[Any]:
        ids = [uuid.UUID(value) for value in values if is_uuid(value)]
        return rows.filter(Q(host__in=ids) | Q(host__name__in=values)) if values else rows
