"""Finding and ending the processes of the rig, and no others.

A killed daemon leaves children that belong to nobody: containerd, its shims, the containers. They are found
again by what they inherited: a variable in the environment (daemons, shims), a cgroup (containers), a network
namespace (everything on a host).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Its value is `<run>/<owner>/`: the trailing slash makes one a prefix of only its own.
MARK = "GANTRY_RIG"


def marked(prefix: str) -> set[int]:
    """Pids whose MARK starts with `prefix`."""
    needle = f"{MARK}={prefix}".encode()
    return {pid for pid, environ in _each("environ") if any(e.startswith(needle) for e in environ.split(b"\0"))}


def in_cgroup(path: str) -> set[int]:
    """Pids in the cgroup `path` (`/gr-…`) or below it, in any hierarchy."""
    wanted = path.rstrip("/")
    found = set()
    for pid, lines in _each("cgroup"):
        paths = [line.split(":", 2)[2] for line in lines.decode().splitlines()]
        if any(p == wanted or p.startswith(f"{wanted}/") for p in paths):
            found.add(pid)
    return {pid for pid in found if started(pid) is not None}  # a dead one is in its cgroup until reaped


def in_netns(path: Path) -> set[int]:
    """Pids in the network namespace that is mounted at `path`."""
    try:
        namespace = path.stat()
    except FileNotFoundError:
        return set()
    found = set()
    for pid in _pids():
        try:
            theirs = os.stat(f"/proc/{pid}/ns/net")
        except OSError:
            continue
        if (theirs.st_dev, theirs.st_ino) == (namespace.st_dev, namespace.st_ino):
            found.add(pid)
    return found


def started(pid: int) -> int | None:
    """When `pid` started, in clock ticks since boot, which tells it from a later one. None: it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def kill_all(find: Callable[[], set[int]], *, timeout_s: float = 10) -> None:
    """Kill -9 what `find` finds until it finds nothing, since a process may start another while it dies."""
    until = time.monotonic() + timeout_s
    while True:
        alive = find() - {os.getpid()}
        if not alive:
            return
        if time.monotonic() > until:
            raise TimeoutError(f"processes {sorted(alive)} do not end")
        for pid in alive:
            send(pid, signal.SIGKILL)
        time.sleep(0.02)


def send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it was faster


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _each(file: str) -> Iterator[tuple[int, bytes]]:
    for pid in _pids():
        try:
            yield pid, Path(f"/proc/{pid}/{file}").read_bytes()
        except OSError:
            continue
