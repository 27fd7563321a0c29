"""Written records of running children, by which the next start finds and ends what a kill -9 left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from launcher import processes

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A private engine that is told to stop may take this long to stop its containers.
GRACE_S = 12.0


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def record(folder: Path, name: str, pid: int) -> None:
    """Write down that `name` runs as the leader of its own session."""
    process = processes.find(pid)
    if process is None:
        return
    values = {"pid": pid, "started": process.started, "boot": _boot_id()}
    try:
        draft = folder / f"{name}.json.new"
        draft.write_text(json.dumps(values) + "\n")
        draft.replace(folder / f"{name}.json")  # whole or not there, whenever it is read
    except OSError:
        pass  # a full disk must not stop the child; the kernel's own tie to the supervisor still holds


def forget(folder: Path, name: str) -> None:
    (folder / f"{name}.json").unlink(missing_ok=True)


def sweep(folder: Path, say: Callable[[str], None]) -> None:
    """End what the records name and still runs, then remove the records."""
    for file in sorted(folder.glob("*.json")):
        try:
            values = json.loads(file.read_text())
            pid, started, boot = int(values["pid"]), int(values["started"]), values["boot"]
        except (OSError, ValueError, KeyError, TypeError):
            file.unlink(missing_ok=True)
            continue
        if boot == _boot_id() and processes.in_session(pid, started):
            say(f"ending {file.stem} (process {pid}), which an earlier run left behind")
            end_session(pid, started)
        file.unlink(missing_ok=True)


def end_session(pid: int, started: int, grace_s: float = GRACE_S) -> None:
    processes.end(lambda: processes.in_session(pid, started), grace_s=grace_s)
