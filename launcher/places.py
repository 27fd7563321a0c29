from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from launcher.refusal import Refusal

REPO = Path(__file__).resolve().parent.parent

# sockaddr_un.sun_path holds 108 bytes, the last of them NUL (unix(7)).
SOCKET_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything lies: the code, what was installed, and what this console keeps."""

    data: Path
    env: Path
    repo: Path = REPO

    @property
    def venv(self) -> Path:
        return self.env / "venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def frontend(self) -> Path:
        return self.env / "frontend"

    @property
    def dist(self) -> Path:
        """What collectstatic takes from the front end's packages."""
        return self.frontend / "dist"

    @property
    def static(self) -> Path:
        return self.env / "static"

    @property
    def run(self) -> Path:
        """Sockets, the lock, and what is written down about running processes."""
        return self.data / "run"

    @property
    def log(self) -> Path:
        return self.data / "log"

    @property
    def broker_socket(self) -> Path:
        return self.run / "broker.sock"

    @property
    def agent(self) -> Path:
        return self.data / "agent"

    @property
    def engine(self) -> Path:
        """The private engine's root folder."""
        return self.data / "engine"

    @property
    def engine_socket(self) -> Path:
        return self.run / "docker.sock"


def places(data: str | None = None) -> Places:
    """The folders for `--data`, else GANTRY_DATA, else `var/` beside the code."""
    chosen = data or os.environ.get("GANTRY_DATA") or str(REPO / "var")
    # abspath, not resolve: a short symbolic link is a way to keep socket paths short.
    data_folder = Path(os.path.abspath(os.path.expanduser(chosen)))
    env = os.environ.get("GANTRY_ENV")
    return Places(data=data_folder, env=Path(os.path.abspath(env)) if env else data_folder / "env")


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make `folder` if it is missing. Raises Refusal."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
    except OSError as error:
        raise Refusal(f"{folder} can't be made ({error.strerror}): choose another folder with --data.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refusal(f"{folder} can't be written to by this user: change its owner, or choose another with --data.")


def check_socket_path(path: Path) -> None:
    """Raises Refusal when a unix socket can't have this path."""
    length = len(os.fsencode(path))
    if length <= SOCKET_PATH_BYTES:
        return
    raise Refusal(
        f"{path} is {length} bytes long and a socket's path ends at {SOCKET_PATH_BYTES}: "
        "choose a data folder with a shorter path with --data."
    )
