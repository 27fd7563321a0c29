"""Lists: filter, sort, cut a page. `{"count", "next", "previous", "results"}`.

Pages are cut by `limit` and `offset`. Whatever the sort, the id decides between equals, so the order is
total and a page's border does not move by itself. (A cursor would also be proof against rows that come
and go between two pages; it could not jump, and all sorts here may meet empty columns.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import django_filters
from django.db.models import F, Model, QuerySet
from rest_framework.response import Response

from agents.shapes import Range
from console.api.endpoints import Endpoint, Parameter, View
from console.api.problems import invalid_parameters
from console.api.shapes import Refer, Schema, schema_of
from console.inventory.filtersets import TEXT_CHARACTERS, AnyOf, Flag

M = TypeVar("M", bound=Model)

LIMIT, LIMIT_AT_MOST = 100, 1000
OFFSET_AT_MOST = 10_000_000
SORTS_AT_MOST = 10


@dataclass(frozen=True)
class Listing(Generic[M]):
    """A list's declaration: its filters, and the words it can be sorted by with their columns."""

    document: Any  # the TypedDict of one result
    filters: type[django_filters.FilterSet] | None
    sorts: Mapping[str, str]
    sort: Sequence[str]  # the order where none is asked for

    def endpoint(self, name: str, summary: str, **rest: Any) -> Endpoint:
        return Endpoint(name, summary, {200: self._page_schema}, parameters=self._parameters(), **rest)

    def page(self, view: View, rows: QuerySet[M], shown: Callable[[Sequence[M]], list[Any]]) -> Response:
        """The page that the request asks for. Raises Problem (400)."""
        if self.filters is not None:
            filterset = self.filters(view.request.query_params, queryset=rows)
            if not filterset.is_valid():
                raise invalid_parameters({name: texts[0] for name, texts in filterset.errors.items()})
            rows = filterset.qs
        limit, offset = view.query["limit"], view.query["offset"]
        words = [word for text in view.query["sort"] or () for word in text.split(",") if word]
        ordered = self._sorted(rows, words or self.sort)
        count = rows.count()
        found = list(ordered[offset : offset + limit]) if offset < count else []
        return Response(
            {
                "count": count,
                "next": self._link(view, offset + limit) if offset + limit < count else None,
                "previous": self._link(view, max(offset - limit, 0)) if offset else None,
                "results": shown(found),
            }
        )

    def _sorted(self, rows: QuerySet[M], words: Sequence[str]) -> QuerySet[M]:
        if len(words) > SORTS_AT_MOST:
            raise invalid_parameters({"sort": f"has too many words: {SORTS_AT_MOST} is the most."})
        wrong = [word for word in words if word.removeprefix("-") not in self.sorts]
        if wrong:
            allowed = ", ".join(self.sorts)
            raise invalid_parameters(
                {"sort": f"{wrong[0][:40]!r} is none of: {allowed} (with '-' before it: descending)"}
            )
        order = []
        for word in words:
            column = F(self.sorts[word.removeprefix("-")])
            order.append(column.desc() if word.startswith("-") else column.asc())
        return rows.order_by(*order, "pk")

    def _link(self, view: View, offset: int) -> str:
        query = view.request.query_params.copy()
        query["offset"] = str(offset)
        return f"{view.request.path}?{query.urlencode()}"

    def _page_schema(self, refer: Refer) -> Schema:
        link: Schema = {"type": ["string", "null"], "format": "uri-reference"}
        properties: Schema = {
            "count": {"type": "integer", "description": "Of all that match, on whatever page"},
            "next": link,
            "previous": link,
            "results": {"type": "array", "items": schema_of(self.document, refer)},
        }
        return {"type": "object", "properties": properties, "required": list(properties)}

    def _parameters(self) -> list[Parameter]:
        words = [sign + word for word in self.sorts for sign in ("", "-")]
        return [
            *(_parameter(name, one) for name, one in (self.filters.base_filters if self.filters else {}).items()),
            Parameter(
                "sort", list[str], "One or several of these words; '-' sorts descending",
                schema={"type": "array", "items": {"type": "string", "enum": words}, "maxItems": SORTS_AT_MOST},
            ),
            Parameter("limit", Annotated[int, Range(1, LIMIT_AT_MOST)], "Results on a page", default=LIMIT),
            Parameter("offset", Annotated[int, Range(0, OFFSET_AT_MOST)], "How many to leave out", default=0),
        ]  # fmt: skip


def _parameter(name: str, one: django_filters.Filter) -> Parameter:
    """A filter as a parameter: the schema says what it takes, and it parses by itself."""
    text: Schema = {"type": "string", "maxLength": TEXT_CHARACTERS}
    if isinstance(one, AnyOf):
        choices = one.extra.get("choices")
        item = {"type": "string", "enum": list(choices)} if choices else text
        schema: Schema = {"type": "array", "items": item, "maxItems": 100}
    elif isinstance(one, Flag):
        schema = {"type": "boolean"}
    elif isinstance(one, django_filters.UUIDFilter):
        schema = {"type": "string", "format": "uuid"}
    else:
        schema = text
    return Parameter(name, str, str(one.label), schema=schema, is_parsed=False)
