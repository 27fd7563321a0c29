"""One object of a page's address, or 404: what the actor may not view does not exist."""

from __future__ import annotations

import uuid
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404

M = TypeVar("M", bound=Model)


def get(rows: QuerySet[M], pk: uuid.UUID) -> M:
    """From `rows` that the actor may view. Raises Http404."""
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Http404(f"There is no such {rows.model._meta.verbose_name}.")
    return found
