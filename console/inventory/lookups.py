"""Conditions inside JSON columns, in each database's own words.

Django's key transforms put the key into a JSON path, where a quote breaks the statement and '0' means
an index; labels may hold both. Here keys and values are parameters.
"""

from __future__ import annotations

import json
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func
from django.db.models.sql.compiler import SQLCompiler

Sql = tuple[str, tuple[str | int, ...]]


class HasLabel(Func):
    """The object in `column` has `key`, with `value` if one is given."""

    output_field = BooleanField()

    def __init__(self, column: str, key: str, value: str | None = None) -> None:
        super().__init__(F(column))
        self.key, self.value = key, value

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Sql:
        column, params = compiler.compile(self.source_expressions[0])
        found = f"SELECT 1 FROM json_each({column}) AS label WHERE label.key = %s"
        if self.value is None:
            return f"EXISTS({found})", (*params, self.key)
        return f"EXISTS({found} AND label.value = %s)", (*params, self.key, self.value)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Sql:
        column, params = compiler.compile(self.source_expressions[0])
        if self.value is None:
            return f"jsonb_exists({column}, %s)", (*params, self.key)
        return f"({column} ->> %s) = %s", (*params, self.key, self.value)


class HasItem(Func):
    """The list of objects in `column` has one whose `key` is `value`."""

    output_field = BooleanField()

    def __init__(self, column: str, key: str, value: str) -> None:
        super().__init__(F(column))
        self.key, self.value = key, value

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Sql:
        column, params = compiler.compile(self.source_expressions[0])
        found = f"SELECT 1 FROM json_each({column}) AS item WHERE json_extract(item.value, %s) = %s"
        return f"EXISTS({found})", (*params, f"$.{self.key}", self.value)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Sql:
        column, params = compiler.compile(self.source_expressions[0])
        return f"{column} @> %s::jsonb", (*params, json.dumps([{self.key: self.value}]))
