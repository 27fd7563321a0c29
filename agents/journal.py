"""What this agent was asked to do and what came of it, on disk, so that nothing is done twice or forgotten.

SQLite with a write-ahead log and synchronous=FULL: a transaction that was committed survives kill -9 and a
power cut, and costs one fsync. One row is one operation.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agents.protocol import Outcome
from agents.shapes import Misfit, decode, encode

KEEP_S = 7 * 24 * 3600  # confirmed operations are remembered at least so long
KEEP_ROWS = 10_000  # and at least so many

State = Literal["accepted", "running", "done"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS operation (
    uuid TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    params TEXT NOT NULL,
    state TEXT NOT NULL,
    steps TEXT NOT NULL DEFAULT '[]',
    outcome TEXT,
    accepted_at REAL NOT NULL,
    deadline REAL NOT NULL,
    concluded_at REAL,
    confirmed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS operation_open ON operation (accepted_at) WHERE confirmed = 0;
CREATE INDEX IF NOT EXISTS operation_concluded ON operation (concluded_at) WHERE confirmed = 1;
"""


class JournalFull(Exception):
    """The journal can't be written; the text is a sentence."""


@dataclass(frozen=True)
class Row:
    """One operation as the journal has it."""

    uuid: str
    kind: str
    params: dict[str, Any]
    state: State
    deadline: float  # Unix time
    steps: list[dict[str, Any]] = field(default_factory=list)
    outcome: Outcome | None = None


class Journal:
    """Not thread-safe by itself: all calls come from one thread at a time."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def get(self, uuid: str) -> Row | None:
        found = self._db.execute(f"SELECT {_COLUMNS} FROM operation WHERE uuid = ?", (uuid,)).fetchone()
        return _row(found) if found else None

    def accept(self, uuid: str, kind: str, params: dict[str, Any], deadline: float) -> Row | None:
        """Enter a new operation; None, or the row that is there if it was seen before. Raises JournalFull."""
        values = (uuid, kind, json.dumps(params), self._clock(), deadline)
        added = self._write(
            "INSERT OR IGNORE INTO operation (uuid, kind, params, state, accepted_at, deadline)"
            " VALUES (?, ?, ?, 'accepted', ?, ?)",
            values,
        )
        return None if added else self.get(uuid)

    def step(self, uuid: str, steps: list[dict[str, Any]]) -> None:
        """Enter what is about to be done; from the first one on the operation runs. Raises JournalFull."""
        self._write(
            "UPDATE operation SET state = 'running', steps = ? WHERE uuid = ? AND state != 'done'",
            (json.dumps(steps), uuid),
        )

    def conclude(self, outcome: Outcome) -> None:
        """Enter how it ended; a later ending changes nothing. Raises JournalFull."""
        self._write(
            "UPDATE operation SET state = 'done', outcome = ?, concluded_at = ? WHERE uuid = ? AND state != 'done'",
            (json.dumps(encode(outcome)), self._clock(), outcome.operation),
        )

    def confirm(self, uuid: str) -> None:
        """The console has the outcome. Raises JournalFull."""
        self._write("UPDATE operation SET confirmed = 1 WHERE uuid = ? AND state = 'done'", (uuid,))

    def unfinished(self) -> list[Row]:
        """In the order they came."""
        query = f"SELECT {_COLUMNS} FROM operation WHERE confirmed = 0 AND state != 'done' ORDER BY accepted_at"
        return [_row(found) for found in self._db.execute(query)]

    def unconfirmed(self, limit: int) -> list[Outcome]:
        """Outcomes that the console has not confirmed, the oldest first."""
        query = (
            f"SELECT {_COLUMNS} FROM operation WHERE confirmed = 0 AND state = 'done' ORDER BY accepted_at LIMIT ?"
        )
        rows = [_row(found) for found in self._db.execute(query, (limit,))]
        return [row.outcome for row in rows if row.outcome is not None]

    def thin_out(self) -> int:
        """Forget old operations that are confirmed; how many. Raises JournalFull."""
        return self._write(
            "DELETE FROM operation WHERE uuid IN ("
            " SELECT uuid FROM operation WHERE confirmed = 1 AND concluded_at < ?"
            " AND concluded_at < (SELECT concluded_at FROM operation WHERE confirmed = 1"
            "   ORDER BY concluded_at DESC LIMIT 1 OFFSET ?) LIMIT 5000)",
            (self._clock() - KEEP_S, KEEP_ROWS - 1),
        )

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        try:
            return self._db.execute(statement, values).rowcount
        except sqlite3.Error as error:
            folder = self._path.parent
            if "full" in str(error):
                text = f"The agent's disk is full: free some space in {folder} and ask again."
            else:
                text = f"The agent can't write its journal in {folder} ({error}): see to that folder and ask again."
            raise JournalFull(text) from error


_COLUMNS = "uuid, kind, params, state, deadline, steps, outcome"


def _row(found: tuple[Any, ...]) -> Row:
    uuid, kind, params, state, deadline, steps, outcome = found
    return Row(uuid, kind, json.loads(params), state, deadline, json.loads(steps), _outcome(uuid, outcome))


def _outcome(uuid: str, text: str | None) -> Outcome | None:
    if text is None:
        return None
    try:
        return decode(Outcome, json.loads(text))
    except (ValueError, Misfit):
        return Outcome(uuid, "interrupted", error="The agent's journal holds an outcome that it can't read.")
