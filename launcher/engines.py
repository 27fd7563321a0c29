"""Which engine the local agent works on."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from launcher import debian
from launcher.refusal import Refusal

Say = Callable[[str], None]

PING_TIMEOUT_S = 2.0
# A package that starts its service on installation needs a moment until that answers.
SERVICE_START_S = 10.0
PACKAGES = ("docker.io", "iptables")
ADMINISTRATORS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine's address, or the dockerd to start for a private one, or neither."""

    url: str | None = None
    dockerd: str | None = None


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def choose(asked: str | None, *, may_install: bool, say: Say) -> Choice:
    """`--engine`, else DOCKER_HOST, else a usual socket that answers, else a private engine. Raises Refusal."""
    for source, url in (("--engine", asked), ("DOCKER_HOST", os.environ.get("DOCKER_HOST"))):
        if url:
            check_url(source, url)
            if not _is_secured(url) and (trouble := trouble_with(url)):
                say(f"the engine at {url} ({source}) {trouble}; the agent goes on trying")
            return Choice(url=url)
    troubles = []
    for path in usual_sockets():
        if not os.path.exists(path):
            continue
        trouble = trouble_with(f"unix://{path}")
        if trouble is None:
            return Choice(url=f"unix://{path}")
        troubles.append(f"{path} {trouble}")
    for trouble in troubles:
        say(trouble)
    return _private(may_install=may_install, say=say)


def usual_sockets() -> list[str]:
    """Where Docker and Podman listen, for the machine and for this user."""
    own = os.environ.get("XDG_RUNTIME_DIR")
    docker = ["/var/run/docker.sock", *([f"{own}/docker.sock"] if own else [])]
    podman = ["/run/podman/podman.sock", *([f"{own}/podman/podman.sock"] if own else [])]
    return docker + podman


def check_url(source: str, url: str) -> None:
    """Raises Refusal when this can't be an engine's address."""
    parts = urlsplit(url)
    is_socket = parts.scheme == "unix" and parts.path
    is_network = parts.scheme in ("tcp", "http", "https") and parts.hostname
    if is_socket or is_network:
        return
    raise Refusal(
        f"{source} {url!r} is not an engine's address: give one like unix:///var/run/docker.sock or tcp://host:2375."
    )


def trouble_with(url: str) -> str | None:
    """Why the engine doesn't answer `GET /_ping`, to follow its name in a sentence; None when it does."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "unix":
        connection = SocketConnection(parts.path, PING_TIMEOUT_S)
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 2375, timeout=PING_TIMEOUT_S)
    try:
        connection.request("GET", "/_ping")
        status = connection.getresponse().status
    except PermissionError:
        return "may not be used by this user: add the user to the group that owns the socket (often `docker`)"
    except TimeoutError:
        return f"does not answer within {PING_TIMEOUT_S:.0f} s"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer ({getattr(error, 'strerror', None) or type(error).__name__})"
    finally:
        connection.close()
    return None if status == 200 else f"answers with HTTP {status}, which no engine does"


def find_dockerd() -> str | None:
    return shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:{ADMINISTRATORS_PATH}")


def _is_secured(url: str) -> bool:
    """Whether asking needs certificates, which is the agent's business."""
    return url.startswith("https:") or bool(os.environ.get("DOCKER_TLS_VERIFY"))


def _private(*, may_install: bool, say: Say) -> Choice:
    without = "the console runs without a local host"
    is_root = os.geteuid() == 0
    dockerd = find_dockerd()
    if dockerd is None and may_install and debian.can_install():
        say("there is no Docker on this machine: installing it")
        debian.install(PACKAGES, say)
        if url := _service_that_starts():
            return Choice(url=url)
        dockerd = find_dockerd()
    if dockerd is None:
        say(
            "no Docker or Podman answers on this machine: install docker.io, or name an engine with --engine; "
            f"{without}"
        )
        return Choice()
    if not is_root:
        say(f"no engine answers: start Docker's service, or name another engine with --engine; {without}")
        return Choice()
    return Choice(dockerd=dockerd)


def _service_that_starts() -> str | None:
    """The usual socket once it answers, where an init system has just started the service."""
    if not os.path.isdir("/run/systemd/system"):
        return None
    url = f"unix://{usual_sockets()[0]}"
    deadline = time.monotonic() + SERVICE_START_S
    while time.monotonic() < deadline:
        if trouble_with(url) is None:
            return url
        time.sleep(0.5)
    return None
