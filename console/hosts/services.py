"""Enrolment and the life of hosts. The only writers of hosts and join tokens, but for the link's columns."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hmac
import re
import uuid

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.protocol import EngineFacts
from console.access.actors import Actor
from console.access.policy import require_administrator
from console.accounts import secrets
from console.accounts.models import User
from console.audit.services import record
from console.hosts.models import Host, JoinToken

JOIN_TOKEN_VALID = dt.timedelta(hours=1)
JOIN_TOKEN_VALID_AT_MOST = dt.timedelta(days=30)
CREDENTIAL_MIN_CHARACTERS = 32


class JoinRefused(Exception):
    """The join token buys nothing; the text says why and what to do."""


class InvalidName(ValueError):
    """The name can't be a host's; the text says why."""


def issue_join_token(user: User | None, *, valid_for: dt.timedelta = JOIN_TOKEN_VALID) -> tuple[JoinToken, str]:
    """A new join token and its secret, which is not kept. For commands; people go by `create_join_token`."""
    secret = secrets.make("gtj")
    with transaction.atomic():
        token = JoinToken.objects.create(
            secret_hash=secrets.hash_of(secret), created_by=user, expires_at=timezone.now() + valid_for
        )
        record("join_token.create", user=user, object_kind="join token", object_id=str(token.pk))
    return token, secret


def create_join_token(actor: Actor, *, valid_for: dt.timedelta = JOIN_TOKEN_VALID) -> tuple[JoinToken, str]:
    """Raises NotPermitted."""
    require_administrator(actor)
    return issue_join_token(actor.user, valid_for=min(valid_for, JOIN_TOKEN_VALID_AT_MOST))


def delete_join_token(actor: Actor, token: JoinToken) -> None:
    """It buys nothing any more. Raises NotPermitted."""
    require_administrator(actor)
    with transaction.atomic():
        record("join_token.delete", user=actor.user, object_kind="join token", object_id=str(token.pk))
        token.delete()


def enrol(token_secret: str, credential: str, name: str, *, origin: str = "") -> Host:
    """Make a host for the agent that brings a join token, with the credential it made itself.

    Safe to repeat: an agent that died before it read the answer asks again with the same token
    and credential, and gets the same host. Raises JoinRefused.
    """
    if len(credential) < CREDENTIAL_MIN_CHARACTERS:
        raise JoinRefused("The agent's credential is too short. Run the agent that this console serves.")
    now = timezone.now()
    credential_hash = secrets.hash_of(credential)
    with transaction.atomic():
        token = (
            JoinToken.objects.select_for_update(of=("self",))
            .select_related("host")
            .filter(secret_hash=secrets.hash_of(token_secret))
            .first()
        )
        if token is None:
            raise JoinRefused("This join token is not known here. Make a new one with 'Add host'.")
        if token.used_at is not None:
            if token.host and not token.host.revoked_at and _same(token.host.credential_hash, credential_hash):
                return token.host
            raise JoinRefused("This join token has been used already. Make a new one with 'Add host'.")
        if token.expires_at <= now:
            raise JoinRefused("This join token has expired. Make a new one with 'Add host'.")
        host = Host.objects.create(
            name=_free_name(name), credential_hash=credential_hash, address=origin[:64], heard_at=now
        )
        token.used_at, token.host = now, host
        token.save(update_fields=["used_at", "host"])
        record(
            "host.enrol", user=token.created_by, origin=origin, object_kind="host", object_id=str(host.pk),
            object_name=host.name,
        )  # fmt: skip
    return host


def authenticate(host_id: str, credential: str) -> Host | None:
    """The host that a credential belongs to, None when it is unknown, wrong or revoked."""
    try:
        host = Host.objects.filter(pk=uuid.UUID(host_id), revoked_at=None).first()
    except ValueError:
        return None
    if host is None or not _same(host.credential_hash, secrets.hash_of(credential)):
        return None
    return host


def rename(actor: Actor, host: Host, name: str) -> None:
    """Raises NotPermitted, InvalidName."""
    require_administrator(actor)
    cleaned = name.strip()
    if not cleaned or cleaned != _clean(cleaned):
        raise InvalidName("A host's name has 1 to 100 letters, digits, dots, dashes or underscores.")
    before = host.name
    host.name = cleaned
    try:
        with transaction.atomic():
            host.save(update_fields=["name"])
            record("host.rename", user=actor.user, object_kind="host", object_id=str(host.pk), object_name=before)
    except IntegrityError as error:
        host.name = before
        raise InvalidName(f"There is a host named {cleaned} already. Choose another name.") from error


def revoke(actor: Actor, host: Host) -> None:
    """The agent's credential is worth nothing any more, and the name is free. Raises NotPermitted."""
    require_administrator(actor)
    with transaction.atomic():
        host.revoked_at = timezone.now()
        host.is_connected = False
        host.save(update_fields=["revoked_at", "is_connected"])
        record(
            "host.remove", user=actor.user, token_id=actor.token_id, origin=actor.origin,
            request_id=actor.request_id, object_kind="host", object_id=str(host.pk), object_name=host.name,
        )  # fmt: skip


def note_engine(host: Host, facts: EngineFacts | None, error: str) -> None:
    """Write what the engine says of itself, or why it does not answer."""
    host.engine_error = error[:1000]
    fields = ["engine_error"]
    if facts is not None:
        values = dataclasses.asdict(facts)
        columns = {f.name for f in Host._meta.concrete_fields}
        for source, column in {
            "id": "engine_id",
            "product": "engine_product",
            "version": "engine_version",
        }.items():
            values[column] = values.pop(source)
        for column, value in values.items():
            if column not in columns:
                continue
            limit = getattr(Host._meta.get_field(column), "max_length", None)
            setattr(host, column, value[:limit] if isinstance(value, str) else value)
            fields.append(column)
    host.save(update_fields=fields)


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left, right)


def _clean(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100]


def _free_name(wanted: str) -> str:
    """`wanted`, or `wanted-2`, `wanted-3`, …: two cloned machines have the same host name."""
    base = _clean(wanted) or "host"
    taken = set(Host.objects.enrolled().filter(name__startswith=base[:90]).values_list("name", flat=True))
    if base not in taken:
        return base
    return next(name for n in range(2, 10_000) if (name := f"{base[:90]}-{n}") not in taken)
