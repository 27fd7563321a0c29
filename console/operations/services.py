"""Ask flow: what a person, a REST client or a schedule wants of a host becomes a row, then a message."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.catalogue import OPERATIONS, OperationKind, kind_of
from agents.shapes import encode
from console.access import policy
from console.access.actors import Actor
from console.audit.services import record
from console.hosts.models import Host
from console.inventory.models import MODELS, EngineObject
from console.link import hints, registry
from console.operations.models import OPEN_STATES, Operation, State

WAIT_FOR_HOST = dt.timedelta(hours=1)  # how long an operation waits for its host and its turn
MASK = "•••"


class UnknownObject(Exception):
    """The object that the operation is to act on is not, or no longer, on the host; the text says so."""


class HostNotEnrolled(Exception):
    """The host was removed; it takes no operations any more."""


class KeyUsedOtherwise(Exception):
    """The idempotency key was used for another ask; the text says what to do."""


class NotCancellable(Exception):
    """The operation has ended already; the text says how."""


def request(actor: Actor, host: Host, ask: object, *, key: str | None = None) -> Operation:
    """Record what `actor` asks of `host` (typed parameters of the catalogue) and hand it to the host's agent.

    The row is committed before anything is sent; asking again with the same `key` returns the
    first operation. Raises NotPermitted, UnknownObject, HostNotEnrolled, KeyUsedOtherwise.
    """
    kind = kind_of(ask)
    params: dict[str, Any] = encode(ask)
    ask_hash = _hash(host, kind, params)
    # First of all: who repeats what removed an object is told of the first one, not that the object is gone.
    if key is not None and (earlier := _earlier(actor, key, ask_hash)):
        return earlier
    if host.revoked_at is not None:
        raise HostNotEnrolled(f"{host.name} was removed and takes no operations. Join it anew.")
    target = _target(kind, host, ask)
    policy.require(actor, target or host, kind.needs)
    operation = Operation(
        kind=kind.name,
        title=_title(kind, target, params),
        host=host,
        target_kind=kind.target or kind.makes or "",
        target_id=target.pk if target else None,
        target_name=(target.name or target.engine_id if target else _name_of_new(params))[:300],
        params=params,
        requested_by=actor.user,
        idempotency_key=key or "",
        ask_hash=ask_hash,
        deadline_at=timezone.now() + WAIT_FOR_HOST + dt.timedelta(seconds=kind.time_limit_s),
    )
    try:
        with transaction.atomic():
            operation.save(force_insert=True)
            record(
                kind.name, user=actor.user, token_id=actor.token_id, origin=actor.origin, request_id=actor.request_id,
                object_kind=operation.target_kind, object_id=str(operation.target_id or ""),
                object_name=operation.target_name,
            )  # fmt: skip
    except IntegrityError:
        if key is not None and (earlier := _earlier(actor, key, ask_hash)):  # both came at the same moment
            return earlier
        raise
    registry.wake(host.pk)
    hints.changed(host.pk, "operations")
    return operation


def cancel(actor: Actor, operation: Operation) -> Operation:
    """End it if it was not sent yet; else ask the agent to. Raises NotPermitted, NotCancellable."""
    policy.require(actor, operation.host, OPERATIONS[operation.kind].needs)
    now = timezone.now()
    with transaction.atomic():
        ended = Operation.objects.filter(pk=operation.pk, state=State.QUEUED).update(
            state=State.CANCELLED, finished_at=now, error="Cancelled before it was sent to the host."
        )
        if not ended and not Operation.objects.filter(pk=operation.pk, state__in=OPEN_STATES).update(
            cancel_requested_at=now
        ):
            operation.refresh_from_db()
            raise NotCancellable(f"It has {operation.state} already.")
        record(
            "operation.cancel", user=actor.user, token_id=actor.token_id, origin=actor.origin,
            request_id=actor.request_id, object_kind="operation", object_id=str(operation.pk),
            object_name=operation.title,
        )  # fmt: skip
    operation.refresh_from_db()
    if not operation.is_finished:
        registry.wake(operation.host_id)
    hints.changed(operation.host_id, "operations")
    return operation


def shown(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as people may see them: values of environment variables are masked."""
    if "env" not in params:
        return params
    return {**params, "env": dict.fromkeys(params["env"], MASK)}


def _target(kind: OperationKind, host: Host, ask: object) -> EngineObject | None:
    if kind.target is None:
        return None
    engine_id = getattr(ask, kind.target)
    found = MODELS[kind.target].objects.filter(host=host, engine_id=engine_id).first()
    if found is None:
        raise UnknownObject(f"There is no such {kind.target} on {host.name}. It may have been removed meanwhile.")
    return found


def _title(kind: OperationKind, target: EngineObject | None, params: dict[str, Any]) -> str:
    name = (target.name or target.engine_id[:19]) if target else _name_of_new(params)
    what = "" if kind.target == "container" or kind.makes == "container" else f"{kind.target or kind.makes} "
    if not name:
        return f"{kind.verb} a {kind.makes or kind.target}"
    return f"{kind.verb} {what}{name}"[:400]


def _name_of_new(params: dict[str, Any]) -> str:
    name: str = params.get("name") or params.get("reference") or params.get("image") or ""
    return name


def _hash(host: Host, kind: OperationKind, params: dict[str, Any]) -> str:
    text = json.dumps([str(host.pk), kind.name, params], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _earlier(actor: Actor, key: str, ask_hash: str) -> Operation | None:
    earlier = Operation.objects.filter(requested_by=actor.user, idempotency_key=key).first()
    if earlier is not None and earlier.ask_hash != ask_hash:
        raise KeyUsedOtherwise(
            "This Idempotency-Key was used for something else. Use a new key, or send what it was first used for."
        )
    return earlier
