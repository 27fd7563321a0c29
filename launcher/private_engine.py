"""A dockerd of this data folder alone, for a machine on which no engine runs."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from launcher import bridge, mounts, processes
from launcher.engines import ADMINISTRATORS_PATH, trouble_with
from launcher.places import SOCKET_PATH_BYTES, Places
from launcher.refusal import Refusal
from launcher.supervisor import Part

Say = Callable[[str], None]

# The longest socket path below the exec root that dockerd and its containerd make.
LONGEST_SOCKET = "/containerd/containerd.sock.ttrpc"
SHUTDOWN_S = 8
STOP_WITHIN_S = 15.0
# The shims say more than they were asked to.
NOISE = re.compile("level=(debug|info|warning) ")
# An abstract socket (unix(7)): whoever has bound it is the one whose engine starts now. Like the packet
# filter that it guards it belongs to the network namespace, and it is free again when its owner ends.
TURN = "\0gantry-private-engine-starts"
TURN_WITHIN_S = 10.0
# dockerd looks for a containerd, shims and containers of its own at its start; a clean slate is simpler.
GRACE_S = 3.0


def part(dockerd: str, places: Places, env: Mapping[str, str], stage: int, say: Say) -> Part:
    """The engine as a part to supervise. Raises Refusal where it can't be run."""
    _check_path(places)
    places.engine.mkdir(exist_ok=True)
    config = places.engine / "daemon.json"
    if not config.exists():
        config.write_text("{}\n")  # dockerd would read /etc/docker/daemon.json, which is for another engine
    network = f"gantry{_tag(places)}"

    def before(failures: int) -> None:
        turn = _wait_for_turn()
        sweep(places)
        places.engine_socket.unlink(missing_ok=True)
        (places.run / "dockerd.pid").unlink(missing_ok=True)
        bridge.ensure(network)
        threading.Thread(target=_end_turn, args=(turn, places), daemon=True).start()

    def after() -> None:
        sweep(places)
        try:
            bridge.remove(network)
        except OSError as error:
            say(f"the network bridge {network} could not be removed ({error.strerror})")

    try:
        bridge.ensure(network)
    except OSError as error:
        raise Refusal(
            f"A private engine can't be started here: its network bridge can't be made ({error.strerror})."
        ) from error
    return Part(
        name="engine",
        command=[
            dockerd,
            "--config-file", str(config),
            "--data-root", str(places.engine / "data"),
            "--exec-root", str(_exec_root(places)),
            "--pidfile", str(places.run / "dockerd.pid"),
            "--host", f"unix://{places.engine_socket}",
            "--containerd-namespace", _namespace(places),
            "--containerd-plugins-namespace", f"{_namespace(places)}-plugins",
            "--bridge", network,
            "--shutdown-timeout", str(SHUTDOWN_S),
            "--log-level", "error",
        ],
        env={**env, "PATH": f"{env.get('PATH', '')}:{ADMINISTRATORS_PATH}"},
        cwd=places.repo,
        stage=stage,
        stop_within_s=STOP_WITHIN_S,
        on_orphaned=signal.SIGTERM,
        before=before,
        after=after,
        noise=NOISE,
    )  # fmt: skip


def sweep(places: Places) -> None:
    """End what a killed dockerd of this data folder left: its containerd, the shims, their containers, mounts."""
    processes.end(lambda: _left(places), grace_s=GRACE_S)
    mounts.unmount_below(places.engine)


def _wait_for_turn() -> socket.socket:
    """Two engines that begin at the same moment trip over each other's packet filter chains."""
    turn = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    deadline = time.monotonic() + TURN_WITHIN_S
    while time.monotonic() < deadline:
        try:
            turn.bind(TURN)
            break
        except OSError:
            time.sleep(0.1)
    return turn


def _end_turn(turn: socket.socket, places: Places) -> None:
    deadline = time.monotonic() + TURN_WITHIN_S
    while time.monotonic() < deadline and trouble_with(f"unix://{places.engine_socket}") is not None:
        time.sleep(0.1)
    turn.close()


def _left(places: Places) -> list[processes.Process]:
    marks = (f"{_exec_root(places)}/", f"{places.run}/dockerd.pid", f"-namespace {_namespace(places)} ")
    own = [process for process in processes.running() if _is_ours(processes.command_line(process), marks)]
    return processes.with_descendants(own)


def _is_ours(command_line: str, marks: tuple[str, ...]) -> bool:
    program = os.path.basename(command_line.partition(" ")[0])
    return program.startswith(("dockerd", "containerd")) and any(mark in command_line for mark in marks)


def _exec_root(places: Places) -> Path:
    return places.engine / "exec"


def _tag(places: Places) -> str:
    """Eight hexadecimal digits that stand for this data folder."""
    return hashlib.sha256(os.fsencode(places.data)).hexdigest()[:8]


def _namespace(places: Places) -> str:
    return f"gantry-{_tag(places)}"


def _check_path(places: Places) -> None:
    excess = len(os.fsencode(f"{_exec_root(places)}{LONGEST_SOCKET}")) - SOCKET_PATH_BYTES
    if excess <= 0:
        return
    raise Refusal(
        f"The data folder's path is {excess} bytes too long for a private engine's sockets: "
        "choose a shorter one with --data, or name an engine with --engine."
    )
