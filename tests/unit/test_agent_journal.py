"""The journal on a real disk, its clock injected."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents import journal as module
from agents.journal import Journal, JournalFull
from agents.protocol import Outcome

ONE = "00000000-0000-0000-0000-000000000001"
TWO = "00000000-0000-0000-0000-000000000002"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite3", clock)
    yield journal
    journal.close()


def test_a_uuid_is_accepted_once(journal: Journal) -> None:
    assert journal.accept(ONE, "volume.create", {"name": "v"}, 5.0) is None
    known = journal.accept(ONE, "volume.create", {"name": "other"}, 9.0)
    assert known is not None
    assert (known.params, known.state, known.deadline) == ({"name": "v"}, "accepted", 5.0)


def test_from_accepted_to_confirmed(journal: Journal) -> None:
    journal.accept(ONE, "volume.create", {}, 5.0)
    journal.step(ONE, [{"step": "create", "at": 1}])
    (row,) = journal.unfinished()
    assert (row.state, row.steps) == ("running", [{"step": "create", "at": 1}])
    outcome = Outcome(ONE, "succeeded", {"volume": "v"})
    journal.conclude(outcome)
    assert journal.unfinished() == []
    assert journal.unconfirmed(10) == [outcome]
    journal.confirm(ONE)
    assert journal.unconfirmed(10) == []
    row_now = journal.get(ONE)
    assert row_now is not None
    assert row_now.outcome == outcome


def test_the_first_outcome_stands(journal: Journal) -> None:
    journal.accept(ONE, "x", {}, 5.0)
    journal.conclude(Outcome(ONE, "cancelled"))
    journal.conclude(Outcome(ONE, "succeeded"))
    journal.step(ONE, [{"step": "late"}])
    assert journal.unconfirmed(10) == [Outcome(ONE, "cancelled")]


def test_confirming_what_is_not_done_changes_nothing(journal: Journal) -> None:
    journal.accept(ONE, "x", {}, 5.0)
    journal.confirm(ONE)
    assert len(journal.unfinished()) == 1


def test_thinning_spares_the_unconfirmed_the_young_and_the_latest(
    journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEEP_ROWS", 2)
    for number in range(6):
        uuid = f"00000000-0000-0000-0000-00000000000{number}"
        journal.accept(uuid, "x", {}, 5.0)
        journal.conclude(Outcome(uuid, "succeeded"))
        if number != 1:
            journal.confirm(uuid)
        clock.now += 1
    assert journal.thin_out() == 0
    clock.now += module.KEEP_S + 10
    assert journal.thin_out() == 3  # 0, 2, 3; 1 is not confirmed, 4 and 5 are the latest two
    assert journal.get(ONE) is not None
    assert journal.get(TWO) is None
    assert journal.thin_out() == 0


def test_it_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    script = (
        "import os, signal, sys\n"
        "from agents.journal import Journal\n"
        f"journal = Journal(__import__('pathlib').Path({str(path)!r}))\n"
        f"journal.accept({ONE!r}, 'x', {{}}, 5.0)\n"
        f"journal.step({ONE!r}, [{{'step': 'create'}}])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    journal = Journal(path)
    assert [row.state for row in journal.unfinished()] == ["running"]
    journal.close()


def test_a_disk_that_is_full_is_a_sentence(journal: Journal, tmp_path: Path) -> None:
    journal._db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(JournalFull, match=f"disk is full: free some space in {tmp_path}"):
        journal.accept(ONE, "x", {"long": "x" * 400_000}, 5.0)


def test_synchronous_writes(journal: Journal) -> None:
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_outcome_that_can_not_be_read_is_interrupted(journal: Journal, tmp_path: Path) -> None:
    journal.accept(ONE, "x", {}, 5.0)
    journal.conclude(Outcome(ONE, "succeeded"))
    with sqlite3.connect(tmp_path / "journal.sqlite3") as db:
        db.execute("UPDATE operation SET outcome = 'garbage'")
    assert journal.unconfirmed(1)[0].state == "interrupted"
