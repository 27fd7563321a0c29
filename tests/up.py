"""`./gantry up` as a person runs it, for tests: console, broker, worker and beat, an agent and engine if asked.

The environment is shared with the tests' own (GANTRY_ENV), so that nothing is installed here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from launcher import processes

REPO = Path(__file__).resolve().parents[1]
PASSWORD = "correct horse 9 battery"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def eventually(find: Callable[[], object], what: str, timeout_s: float = 60) -> object:
    deadline = time.monotonic() + timeout_s
    while not (found := find()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)
    return found


class Up:
    """One `./gantry up` on a data folder of its own, started and stopped as often as wanted."""

    command = "up"

    def __init__(self, *arguments: str, data: Path | None = None, before: Sequence[str] = (), **env: str) -> None:
        # Short, for the sockets of a private engine.
        self.data = data or Path(tempfile.mkdtemp(prefix="gu-", dir="/tmp"))
        self.before = before  # a command that runs it
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = arguments
        inherited = {
            name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "GANTRY_REDIS_URL")
        }
        self.env = {**inherited, "GANTRY_DATA": str(self.data), "GANTRY_ADMIN_PASSWORD": PASSWORD, **env}
        self.output = self.data / "output"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 90) -> float:
        """Start it; how long until it says that it is ready, in seconds."""
        self.output.unlink(missing_ok=True)
        began = time.monotonic()
        command = [sys.executable, str(REPO / "gantry"), self.command, "--port", str(self.port), *self.arguments]
        self.process = subprocess.Popen(
            [*self.before, *command],
            env=self.env,
            stdout=self.output.open("w"),
            stderr=subprocess.STDOUT,
        )
        eventually(lambda: "| ready after" in self.text() or self.has_ended(), "ready", timeout_s)
        took = time.monotonic() - began
        assert not self.has_ended(), self.text()
        return took

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def close(self) -> None:
        """End it if it still runs, and leave nothing of it on the disk."""
        if self.process is not None and not self.has_ended():
            self.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_part(self, part: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to one of its parts; the supervisor starts it again."""
        if pid := self.pid_of(part):
            os.kill(pid, number)

    def text(self) -> str:
        return self.output.read_text()

    def pid_of(self, part: str) -> int:
        """The part's process once it runs; 0 while it doesn't."""
        try:
            return int(json.loads((self.data / "run" / f"{part}.json").read_text())["pid"])
        except (OSError, ValueError):
            return 0

    def is_ready(self) -> bool:
        try:
            return bool(urllib.request.urlopen(f"{self.url}/readyz", timeout=2).status == 200)
        except OSError:
            return False

    def gantry(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, str(REPO / "gantry"), *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def hosts(self, token: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(f"{self.url}/api/v1/hosts", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return list(json.load(answer)["results"])
        except OSError:
            return []

    def local_host_is_online(self, token: str) -> bool:
        return [host["state"] for host in self.hosts(token)] == ["online"]

    def running(self) -> list[str]:
        """The command lines of whatever runs with this data folder in its environment or arguments."""
        marks = (f"GANTRY_DATA={self.data}\0".encode(), f"{self.data}/".encode())
        found = []
        for process in processes.running():
            try:
                environment = Path(f"/proc/{process.pid}/environ").read_bytes()
                arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            except OSError:
                continue
            if marks[0] in environment or marks[1] in arguments:
                found.append(processes.command_line(process))
        return found
