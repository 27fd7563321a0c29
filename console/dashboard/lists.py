"""What every list page does with its address: filter, sort, one page of rows. Bad values are told, not ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import django_filters
from django.core.paginator import Paginator
from django.db.models import Case, Count, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails

from console.inventory.queries import is_current_q

ROWS = 100


def render_list(
    request: HttpRequest,
    template: str,
    rows: QuerySet[Any],
    filters: type[django_filters.FilterSet],
    sorts: Mapping[str, Sequence[str]],
    context: Mapping[str, Any] | None = None,
    groups: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The page `<template>.html`, or for htmx only its table, `<template without s>/_table.html`.

    `sorts`: word in the address → columns; the first one is the default, '-word' turns it round.
    `groups`: word in the address → the column whose equal values stand together, each under a row of its own.
    """
    chosen = filters(request.GET, queryset=rows)
    is_valid = chosen.form.is_valid()
    sort = request.GET.get("sort", "")
    if sort.removeprefix("-") not in sorts:
        sort = next(iter(sorts))
    columns = [_turned(column) if sort.startswith("-") else column for column in sorts[sort.removeprefix("-")]]
    group = request.GET.get("group", "")
    by = (groups or {}).get(group, "")
    found = (chosen.qs if is_valid else rows.none()).order_by(*_grouped(by), *columns, "pk")
    page = Paginator(found, ROWS).get_page(request.GET.get("page"))
    active = {name: value for name, value in request.GET.lists() if name in chosen.filters and any(value)}
    values = {
        "page": page,
        "rows": page.object_list,
        "total": page.paginator.count,
        "sort": sort,
        "groups": list(groups or ()),
        "group": group if by else "",
        "group_counts": _group_counts(found, by) if by else {},
        "filters": {name: ", ".join(value) for name, value in active.items()},
        "filter_errors": [f"{name}: {text}" for name, texts in chosen.form.errors.items() for text in texts],
        "query": _without_page(request),
        **(context or {}),
    }
    partial = f"{template}/_table.html"
    return render(request, partial if _wants_table(request) else f"{template}.html", values)


def _grouped(by: str) -> list[Any]:
    """The order of groups; what is in none comes last."""
    return [Case(When(**{by: ""}, then=1), default=0), by] if by else []


def _group_counts(found: QuerySet[Any], by: str) -> dict[str, dict[str, int]]:
    """For each group how many it has in all, over all pages, and how many of them need somebody."""
    counted = (
        found.order_by()
        .values(by)
        .annotate(
            n=Count("pk"),
            hosts=Count("host", distinct=True),
            unhealthy=Count("pk", filter=Q(state="running", health="unhealthy") & is_current_q()),
            restarting=Count("pk", filter=Q(state="restarting") & is_current_q()),
        )
    )
    return {row[by]: row for row in counted}


def _wants_table(request: HttpRequest) -> bool:
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def _turned(column: str) -> str:
    return column[1:] if column.startswith("-") else f"-{column}"


def _without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()
