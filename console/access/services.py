"""REST tokens as people make them: accounts makes the row, the audit gets its line."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from console.access.actors import Actor
from console.accounts.models import ApiToken
from console.accounts.services import issue_api_token
from console.audit.services import record


def create_api_token(actor: Actor, name: str, valid_for: dt.timedelta | None) -> tuple[ApiToken, str]:
    """A token of the actor's own, and its secret, which is not kept. `valid_for` None: until it is deleted."""
    with transaction.atomic():
        token, secret = issue_api_token(actor.user, name, timezone.now() + valid_for if valid_for else None)
        _record("api_token.create", actor, token)
    return token, secret


def delete_api_token(actor: Actor, token: ApiToken) -> None:
    """It signs nobody in any more."""
    with transaction.atomic():
        _record("api_token.delete", actor, token)
        token.delete()


def _record(action: str, actor: Actor, token: ApiToken) -> None:
    record(
        action, user=actor.user, token_id=actor.token_id, origin=actor.origin, request_id=actor.request_id,
        object_kind="api token", object_id=str(token.pk), object_name=token.name,
    )  # fmt: skip
