"""State flow: from an agent's changes to rows. One `Mirroring` per link, in the writer thread.

Compare first, write only what changed, in bulk. Changes are numbered by the agent; a gap means a
fresh comparison of everything, never a guess.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone

from agents.catalogue import OBJECT_KINDS, ObjectKind
from agents.protocol import (
    EMPTY_DIGESTS,
    Changes,
    Compare,
    Fetch,
    Heartbeat,
    Hello,
    Manifest,
    Message,
    ProtocolError,
    digest,
    fingerprint,
    record_of,
)
from console.hosts.models import Host
from console.inventory.models import MODELS, EngineObject, object_id
from console.inventory.rows import COLUMNS, row_of
from console.link import hints

logger = logging.getLogger("gantry.inventory")

FETCH_IDS = 500  # in one message
BATCH_ROWS = 500  # in one statement
OBJECTS_OF_A_KIND = 100_000  # of one host; more is a broken or hostile agent


class Mirroring:
    """Keeps the rows of one host equal to what its agent reports."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._number = 0  # of the last Changes on this link
        self._gathering: dict[ObjectKind, dict[str, str]] = {}  # manifests of which parts are still to come
        self._awaited: set[ObjectKind] = set()  # kinds whose comparison is under way

    def opened(self, hello: Hello) -> Sequence[Message]:
        return self._compare_where_different(hello.digests)

    def woken(self) -> Sequence[Message]:
        return ()

    def receive(self, message: Message) -> Sequence[Message]:
        if isinstance(message, Changes):
            return self._on_changes(message)
        if isinstance(message, Manifest):
            return self._on_manifest(message)
        if isinstance(message, Heartbeat) and message.digests:
            return self._compare_where_different(message.digests)
        return ()

    def _compare_where_different(self, digests: dict[str, str]) -> Sequence[Message]:
        if not digests:  # the agent has not listed the engine yet; a heartbeat brings them
            return ()
        ours = {kind: self._digest(kind) for kind in OBJECT_KINDS}
        kinds = [kind for kind in OBJECT_KINDS if digests.get(kind, EMPTY_DIGESTS[kind]) != ours[kind]]
        if not kinds:
            self._note_listed()
            return ()
        return self._compare(kinds)

    def _compare(self, kinds: Iterable[ObjectKind]) -> Sequence[Message]:
        wanted = [kind for kind in kinds if kind not in self._awaited]
        self._awaited.update(wanted)
        return (Compare(list(wanted)),) if wanted else ()

    def _digest(self, kind: ObjectKind) -> str:
        return digest(MODELS[kind].objects.filter(host=self._host).values_list("engine_id", "fingerprint"))

    def _on_changes(self, message: Changes) -> Sequence[Message]:
        expected, self._number = self._number + 1, message.number
        changed = self._remove(message.kind, message.removed)
        changed = self._upsert(message.kind, message.objects) or changed
        if changed:
            hints.changed(self._host.pk, f"{message.kind}s")
        if message.number != expected:
            logger.info("%s: changes %d to %d are missing, comparing", self._host.name, expected, message.number - 1)
            self._awaited.clear()
            return self._compare(OBJECT_KINDS)
        return ()

    def _on_manifest(self, message: Manifest) -> Sequence[Message]:
        kind = message.kind
        seen = self._gathering.setdefault(kind, {})
        seen.update(message.fingerprints)
        if len(seen) > OBJECTS_OF_A_KIND:
            raise ProtocolError(f"more than {OBJECTS_OF_A_KIND} {kind}s on one host")
        if not message.last:
            return ()
        del self._gathering[kind]
        self._awaited.discard(kind)
        ours = dict(MODELS[kind].objects.filter(host=self._host).values_list("engine_id", "fingerprint"))
        if self._remove(kind, [engine_id for engine_id in ours if engine_id not in seen]):
            hints.changed(self._host.pk, f"{kind}s")
        wanted = [engine_id for engine_id, mark in seen.items() if ours.get(engine_id) != mark]
        if not self._awaited:
            self._note_listed()
        return [Fetch(kind, wanted[at : at + FETCH_IDS]) for at in range(0, len(wanted), FETCH_IDS)]

    def _note_listed(self) -> None:
        if not self._host.is_listed:
            self._host.is_listed = True
            self._host.save(update_fields=["is_listed"])
            hints.changed(self._host.pk, "hosts")

    def _remove(self, kind: ObjectKind, engine_ids: Sequence[str]) -> bool:
        removed = 0
        for at in range(0, len(engine_ids), BATCH_ROWS):
            part = engine_ids[at : at + BATCH_ROWS]
            removed += MODELS[kind].objects.filter(host=self._host, engine_id__in=part)._raw_delete("default")
        return removed > 0

    def _upsert(self, kind: ObjectKind, documents: Sequence[dict[str, Any]]) -> bool:
        now = timezone.now()
        rows: dict[str, EngineObject] = {}
        for document in documents:
            if (row := self._row(kind, document, now)) is not None:
                rows[row.engine_id] = row
        model = MODELS[kind]
        known = dict(
            model.objects.filter(host=self._host, engine_id__in=list(rows)).values_list("engine_id", "fingerprint")
        )
        changed = [row for row in rows.values() if known.get(row.engine_id) != row.fingerprint]
        model.objects.bulk_create(
            changed,
            batch_size=BATCH_ROWS,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=COLUMNS[kind],
        )
        return bool(changed)

    def _row(self, kind: ObjectKind, document: dict[str, Any], now: dt.datetime) -> EngineObject | None:
        try:
            record = record_of(kind, document)
        except ProtocolError as error:  # one odd object must not cost the host its link
            logger.warning("%s: an object was left out: %s", self._host.name, error)
            return None
        row = row_of(record)
        row.id = object_id(self._host.pk, kind, record.id)
        row.host_id = self._host.pk
        row.fingerprint = fingerprint(document)
        row.changed_at = now
        return row
