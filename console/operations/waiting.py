"""Waiting for an operation's end: told at once in the process that records it, found by asking in any other."""

from __future__ import annotations

import threading
import time
import uuid

from console.operations.models import Operation

LOOK_AGAIN_S = 0.5

_lock = threading.Lock()
_waiting: dict[uuid.UUID, list[threading.Event]] = {}


def concluded(operation_id: uuid.UUID) -> None:
    """Wake those who wait for it. Called after the row was written."""
    with _lock:
        for event in _waiting.get(operation_id, ()):
            event.set()


def wait(operation: Operation, timeout_s: float) -> Operation:
    """The operation as it is at its end, or after `timeout_s`. For a thread, not for the event loop."""
    event = threading.Event()
    with _lock:
        _waiting.setdefault(operation.pk, []).append(event)
    try:
        end = time.monotonic() + timeout_s
        operation.refresh_from_db()
        while not operation.is_finished and (left := end - time.monotonic()) > 0:
            event.wait(min(left, LOOK_AGAIN_S))
            operation.refresh_from_db()
    finally:
        with _lock:
            events = _waiting[operation.pk]
            events.remove(event)
            if not events:
                del _waiting[operation.pk]
    return operation
