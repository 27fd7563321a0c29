"""What runs in a container, and what it changed in its image's files."""

from __future__ import annotations

import time

from demo.memory.documents import pid_of
from demo.memory.state import ApiError, Container, Document
from demo.memory.stats import cpu_percent

MODIFIED, ADDED, DELETED = 0, 1, 2


def rows(c: Container, now: float) -> list[tuple[int, int, str, str]]:
    """PID inside, PID on the host, CPU time as text, command. The main process first."""
    run = c.run
    words = [*(c.body.get("Entrypoint") or []), *(c.body.get("Cmd") or [])]
    main = " ".join(word for word in words if not word.endswith("entrypoint.sh"))
    age = now - run.began if run else 0
    used = age * cpu_percent(c, now) / 100
    first = pid_of(c)
    found = [(1, first, _clock(used * 0.7), main)]
    share = used * 0.3 / max(len(c.program.processes), 1)
    for index, name in enumerate(c.program.processes):
        found.append((20 + index, first + 20 + index, _clock(share), name))
    return found


def top(c: Container, now: float) -> Document:
    """`GET /containers/{id}/top`. Raises ApiError where it does not run."""
    if not c.is_running:
        raise ApiError(409, f"container {c.id} is not running")
    user = str(c.body.get("User") or "root")
    run = c.run
    began = _start_of(run.began if run else now)
    table = [
        [user, str(pid), str(pid_of(c) - 21 if inner == 1 else pid_of(c)), "0", began, "?", used, command]
        for inner, pid, used, command in rows(c, now)
    ]
    return {"Titles": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], "Processes": table}


def changes(c: Container) -> list[Document] | None:
    """`GET /containers/{id}/changes`."""
    if not c.runs:
        return None
    found = [
        {"Path": "/run", "Kind": MODIFIED},
        {"Path": f"/run/{c.program.command[0].rpartition('/')[2] or 'app'}.pid", "Kind": ADDED},
        {"Path": "/tmp", "Kind": MODIFIED},
    ]
    if c.program.style in ("java", "ledger"):
        found += [{"Path": "/tmp/hsperfdata_root", "Kind": ADDED}, {"Path": "/tmp/hsperfdata_root/1", "Kind": ADDED}]
    if c.program.style == "nginx":
        found += [
            {"Path": "/etc", "Kind": MODIFIED},
            {"Path": "/etc/nginx/conf.d", "Kind": MODIFIED},
            {"Path": "/etc/nginx/conf.d/default.conf", "Kind": MODIFIED},
            {"Path": "/var/cache/nginx/client_temp", "Kind": ADDED},
        ]
    return found + c.changes


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _start_of(at: float) -> str:
    return time.strftime("%H:%M", time.gmtime(at))
