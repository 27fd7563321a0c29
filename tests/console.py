"""A real console for tests: migrated, served by uvicorn as `./gantry up` does, with a broker and data of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.broker import broker

REPO = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Console:
    url: str
    env: dict[str, str]
    token: str  # an administrator's
    log: Path

    def manage(self, *arguments: str) -> str:
        return manage(self.env, *arguments)

    def ask(
        self, method: str, path: str, body: Any = None, *, timeout_s: float = 60, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of an answer of the REST API."""
        with self.open(method, path, body, timeout_s=timeout_s, **headers) as response:
            content = response.read()
            return response.status, dict(response.headers), json.loads(content) if content else None

    def open(self, method: str, path: str, body: Any = None, *, timeout_s: float = 60, **headers: str) -> Any:
        """The answer while it is still coming, whatever its status."""
        request = urllib.request.Request(f"{self.url}/api/v1{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            return urllib.request.urlopen(request, timeout=timeout_s)
        except urllib.error.HTTPError as error:
            return error


def manage(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=REPO, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextlib.contextmanager
def running_console(**settings: str) -> Iterator[Console]:
    """A console as long as the block lasts; `settings` are environment variables."""
    with tempfile.TemporaryDirectory(prefix="gc-", dir="/tmp") as folder, broker(Path(folder)) as redis:
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        own = {"GANTRY_DATA": folder, "GANTRY_REDIS_URL": redis, "GANTRY_PUBLIC_URL": url}
        env = {"GANTRY_ENV": str(REPO / "var" / "env"), **os.environ, **own, **settings}
        env.pop("GANTRY_DATABASE_URL", None)
        manage(env, "migrate", "--verbosity=0")
        manage({**env, "GANTRY_ADMIN_PASSWORD": "correct horse 9 battery"}, "createadmin")
        token = manage(env, "apitoken", "--user", "admin").splitlines()[-1]
        log = Path(folder) / "console.log"
        command = [
            sys.executable, "-m", "uvicorn", "console.asgi:application", "--port", str(port), "--ws",
            "websockets-sansio", "--ws-per-message-deflate", "false", "--ws-max-size", "4194304", "--no-access-log",
        ]  # fmt: skip
        with log.open("w") as output:
            process = subprocess.Popen(command, cwd=REPO, env=env, stdout=output, stderr=output)
        try:
            _await_ready(url, process, log)
            yield Console(url, env, token, log)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5):
            return
        time.sleep(0.05)
    raise AssertionError(f"the console was not ready: {log.read_text()}")
