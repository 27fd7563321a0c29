from __future__ import annotations

from console.accounts.models import User
from console.audit.models import Entry


def record(
    action: str,
    *,
    user: User | None = None,
    token_id: int | None = None,
    origin: str = "",
    request_id: str = "",
    object_kind: str = "",
    object_id: str = "",
    object_name: str = "",
    is_allowed: bool = True,
) -> Entry:
    """Add a row. Called inside the transaction of what it tells of, so that neither stands without the other."""
    return Entry.objects.create(
        action=action,
        user=user,
        username=user.username if user else "",
        token_id=token_id,
        origin=origin[:64],
        request_id=request_id[:64],
        object_kind=object_kind,
        object_id=object_id[:300],
        object_name=object_name[:300],
        is_allowed=is_allowed,
    )
