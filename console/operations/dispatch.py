"""Between the rows and a host's agent: what is queued goes out, what comes back concludes. One per link.

Done once: the row is committed before it is sent, sent again until the agent has acknowledged it,
and its outcome is confirmed only when the row has it. Runs in the writer thread.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from agents.catalogue import OBJECT_KINDS, OPERATIONS
from agents.protocol import Accepted, Cancel, Confirm, Hello, Message, Outcome, Perform, Progress
from console.hosts.models import Host
from console.inventory.models import object_id
from console.link import hints
from console.operations import waiting
from console.operations.models import OPEN_STATES, Operation, State
from console.operations.services import shown

logger = logging.getLogger("gantry.operations")

SENT_AT_ONCE = 100  # the rest follows when some are acknowledged
PROGRESS_BYTES = 64 * 1024
# In JSON text: a NUL, or a surrogate that is no part of a pair. PostgreSQL refuses both.
_UNSTORABLE = re.compile(r"\\u0000|(?<!\\ud[89ab]..)\\ud[c-f]..|\\ud[89ab]..(?!\\ud[c-f]..)")


class Dispatching:
    def __init__(self, host: Host) -> None:
        self._host = host

    def opened(self, hello: Hello) -> Sequence[Message]:
        unacknowledged = Operation.objects.filter(host=self._host, state=State.SENT, accepted_at=None)
        again = [_perform(operation) for operation in unacknowledged.order_by("requested_at")]
        return [*again, *self.woken()]

    def woken(self) -> Sequence[Message]:
        """What was queued since, and what is to be cancelled."""
        now = timezone.now()
        queued = list(
            Operation.objects.filter(host=self._host, state=State.QUEUED, deadline_at__gt=now).order_by(
                "requested_at"
            )[:SENT_AT_ONCE]
        )
        # The row says 'sent' before anything is sent: one that was cancelled meanwhile stays behind.
        messages: list[Message] = [
            _perform(operation)
            for operation in queued
            if Operation.objects.filter(pk=operation.pk, state=State.QUEUED).update(state=State.SENT, sent_at=now)
        ]
        if messages:
            hints.changed(self._host.pk, "operations")
        to_cancel = Operation.objects.filter(
            host=self._host, state__in=(State.SENT, State.RUNNING), cancel_requested_at__isnull=False
        )
        return [*messages, *(Cancel(str(pk)) for pk in to_cancel.values_list("pk", flat=True))]

    def receive(self, message: Message) -> Sequence[Message]:
        if isinstance(message, Accepted):
            self._mine(message.operation).filter(accepted_at=None).update(accepted_at=timezone.now())
            return self._more()
        if isinstance(message, Progress):
            self._on_progress(message)
        if isinstance(message, Outcome):
            self._on_outcome(message)
            return (Confirm(message.operation),)
        return ()

    def _mine(self, operation_id: str) -> Any:
        """Only this host's open operations: an agent cannot speak for another's, nor change how one ended."""
        return Operation.objects.filter(pk=operation_id, host=self._host, state__in=OPEN_STATES)

    def _more(self) -> Sequence[Message]:
        waits = Operation.objects.filter(host=self._host, state=State.QUEUED).exists()
        return self.woken() if waits else ()

    def _on_progress(self, message: Progress) -> None:
        progress = _bounded(message.progress)
        started = self._mine(message.operation).exclude(state=State.RUNNING)
        started.update(state=State.RUNNING, started_at=timezone.now())
        self._mine(message.operation).update(progress=progress)
        hints.changed(self._host.pk, "operations")

    def _on_outcome(self, message: Outcome) -> None:
        operation = self._mine(message.operation).first()
        if operation is None:
            logger.info("%s: an outcome of no open operation of this host, %s", self._host.name, message.operation)
            return
        now = timezone.now()
        result = self._result(message.result)
        made = result.get(OPERATIONS[operation.kind].makes or "")
        self._mine(message.operation).update(
            state=message.state,
            finished_at=now,
            started_at=operation.started_at or now,
            accepted_at=operation.accepted_at or now,
            error=message.error,
            result=result,
            target_id=operation.target_id or made,  # what it made has a page, and this belongs on it
            params=shown(operation.params),  # what was only needed to do it is not kept
        )
        waiting.concluded(operation.pk)
        hints.changed(self._host.pk, "operations")

    def _result(self, given: dict[str, Any]) -> dict[str, Any]:
        """The agent's result, engine ids of objects turned into ours."""
        result = _bounded(given)
        for kind in OBJECT_KINDS:
            engine_id = result.pop(kind, None)
            if isinstance(engine_id, str):
                result[kind] = str(object_id(self._host.pk, kind, engine_id))
                result["engine_id"] = engine_id
        return result


def _perform(operation: Operation) -> Perform:
    left = operation.deadline_at - timezone.now()
    return Perform(str(operation.pk), operation.kind, operation.params, max(left / dt.timedelta(seconds=1), 1.0))


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    """The agent's document, made such that every database takes it: not too large, no NUL, no half of a character."""
    if len(text := json.dumps(document)) > PROGRESS_BYTES:
        text = json.dumps({"message": str(document.get("message", ""))[:1000]})
    bounded: dict[str, Any] = json.loads(_UNSTORABLE.sub(r"\\ufffd", text))
    return bounded
