"""What /proc tells about processes, and how to end them without hitting a stranger that got an old pid."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this machine; pid and start time together are never used twice until it reboots."""

    pid: int
    started: int  # clock ticks since boot
    parent: int
    session: int
    is_zombie: bool


def tethered(command: Sequence[str], signal_number: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command, to be started by this process, that gets this signal when this process ends."""
    return [sys.executable, "-I", "-S", str(TETHER), str(int(signal_number)), str(os.getpid()), *command]


def find(pid: int) -> Process | None:
    """The process with this pid now (/proc/PID/stat, proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the command's name in brackets, and may itself hold blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    return Process(
        pid=pid,
        started=int(fields[19]),
        parent=int(fields[1]),
        session=int(fields[3]),
        is_zombie=fields[0] == "Z",
    )


def running() -> Iterator[Process]:
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := find(int(name))) and not process.is_zombie:
            yield process


def is_running(process: Process) -> bool:
    now = find(process.pid)
    return now is not None and now.started == process.started and not now.is_zombie


def command_line(process: Process) -> str:
    try:
        return Path(f"/proc/{process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def in_session(leader_pid: int, leader_started: int) -> list[Process]:
    """What runs in the session that this leader began, whether or not the leader still does.

    The kernel gives no new process a pid that is still some session's id, so while members are
    left without their leader, they are its own.
    """
    leader = find(leader_pid)
    if leader is not None and leader.started != leader_started:
        return []
    return [process for process in running() if process.session == leader_pid and process.started >= leader_started]


def with_descendants(roots: Iterable[Process]) -> list[Process]:
    """These processes and all that descend from them, nearest first."""
    found = {process.pid: process for process in roots}
    everyone = list(running())
    grew = True
    while grew:
        children = [process for process in everyone if process.parent in found and process.pid not in found]
        found.update((process.pid, process) for process in children)
        grew = bool(children)
    return list(found.values())


def send(process: Process, signal_number: int) -> None:
    if not is_running(process):
        return
    try:
        os.kill(process.pid, signal_number)
    except ProcessLookupError:
        pass


def end(find_them: Callable[[], list[Process]], *, grace_s: float) -> None:
    """Ask all that `find_them` finds to end; kill what is left after `grace_s`, and what it began meanwhile."""
    asked = find_them()
    for process in asked:
        send(process, signal.SIGTERM)
    wait_until_gone(asked, grace_s)
    deadline = time.monotonic() + 5
    while (left := find_them()) and time.monotonic() < deadline:
        for process in left:
            send(process, signal.SIGKILL)
        wait_until_gone(left, 1)


def wait_until_gone(processes: list[Process], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while any(is_running(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.02)
