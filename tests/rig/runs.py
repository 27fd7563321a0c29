"""What a run of the rig made on the machine, and taking it away again.

Every run has a record that outlives it, so that the next one can sweep up after a run that was killed. All
that a run makes carries its name (`gr-1a2b3c`), and is found by it: nothing else is ever touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.rig import processes

RECORDS = Path("/run/gantry-rig")
NAMESPACES = Path("/run/netns")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: `name` is the prefix of all it makes, `number` the third byte of its subnet."""

    name: str
    number: int
    owner: int
    owner_started: int | None

    @property
    def folder(self) -> Path:
        """For sockets and data. Short, since a unix socket's path ends at 107 characters."""
        return Path("/tmp") / self.name

    @property
    def subnet(self) -> str:
        return f"10.77.{self.number}.0/24"

    def address(self, number: int) -> str:
        return f"10.77.{self.number}.{number}"

    @property
    def is_abandoned(self) -> bool:
        now = processes.started(self.owner)
        return now is None or now != self.owner_started


def begin() -> Run:
    """Sweep, then record a new run with a subnet of its own."""
    with _records_locked():
        _sweep()
        taken = {run.number for run in _recorded()} | _numbers_in_use()
        run = Run(
            name=f"gr-{secrets.token_hex(3)}",
            number=next(number for number in range(1, 255) if number not in taken),
            owner=os.getpid(),
            owner_started=processes.started(os.getpid()),
        )
        _record(run).write_text(json.dumps(asdict(run)))
    run.folder.mkdir(mode=0o700)
    return run


def end(run: Run) -> None:
    """Take away everything of `run`; safe to repeat, and after any failure half-way."""
    namespaces = [path for path in NAMESPACES.glob(f"{run.name}-*") if path.exists()]
    processes.kill_all(lambda: _processes_of(run, namespaces))
    for path in namespaces:
        command("ip", "netns", "delete", path.name)
    # The bridge and all links ended with the namespaces; this one only if that namespace was never made.
    command("ip", "link", "delete", run.name, check=False)
    for engine in run.folder.glob("*/exec"):
        remove_leftovers(engine.parent, f"/{run.name}/{engine.parent.name}")
    remove_leftovers(run.folder, f"/{run.name}")
    _record(run).unlink(missing_ok=True)


def sweep() -> list[str]:
    """End all runs whose process is gone; gives their names."""
    with _records_locked():
        return _sweep()


def command(*words: str | Path, check: bool = True, stdin: str | None = None) -> str:
    """Run a short command and give what it printed; its complaint is in the error."""
    environment = os.environ | {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
    done = subprocess.run(words, input=stdin, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def remove_leftovers(folder: Path, cgroup: str) -> None:
    """Remove what a killed engine leaves in and below `folder`, and the folder."""
    for socket in shim_sockets(folder):
        socket.unlink(missing_ok=True)
    _unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for hierarchy in (CGROUPS, *CGROUPS.iterdir()):
        _remove_cgroup(hierarchy / cgroup.lstrip("/"))


def shim_sockets(folder: Path) -> list[Path]:
    """Sockets of the shims of the engine in `folder`: they lie in one place for all engines of a machine."""
    sockets = []
    for container in folder.glob("exec/containerd/daemon/io.containerd.runtime.v2.task/*/*"):
        with suppress(OSError):  # containerd 1
            sockets.append((container / "address").read_text())
        with suppress(OSError, ValueError, KeyError):  # containerd 2
            sockets.append(json.loads((container / "bootstrap.json").read_text())["address"])
    return [Path(socket.removeprefix("unix://")) for socket in sockets]


def _unmount_below(folder: Path) -> None:
    """The innermost first."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    inside = [m for m in (mount.replace("\\040", " ") for mount in mounts) if m.startswith(f"{folder}/")]
    # Several mounts may lie on one another: each is in the list once, and each umount takes the uppermost.
    for mount in sorted(inside, key=len, reverse=True):
        command("umount", "--lazy", mount, check=False)


def _remove_cgroup(folder: Path) -> None:
    """Remove a cgroup without processes, and those below it."""
    for path, _, _ in os.walk(folder, topdown=False):
        for _ in range(50):
            try:
                Path(path).rmdir()
            except FileNotFoundError:
                break
            except OSError:  # a process that just ended is counted a little longer
                time.sleep(0.02)
            else:
                break


def _sweep() -> list[str]:
    abandoned = [run for run in _recorded() if run.is_abandoned]
    for run in abandoned:
        end(run)
    return [run.name for run in abandoned]


def _processes_of(run: Run, namespaces: Sequence[Path]) -> set[int]:
    found = processes.marked(f"{run.name}/") | processes.in_cgroup(f"/{run.name}")
    return found.union(*(processes.in_netns(path) for path in namespaces))


def _numbers_in_use() -> set[int]:
    """Third bytes of 10.77.N.0/24 that the machine knows, whoever uses them."""
    routes: list[dict[str, str]] = json.loads(command("ip", "-json", "-4", "route", "show", "table", "all") or "[]")
    targets = [route.get("dst", "") for route in routes]
    return {int(target.split(".")[2]) for target in targets if target.startswith("10.77.")}


def _recorded() -> list[Run]:
    runs = []
    for path in sorted(RECORDS.glob("*.json")):
        with suppress(ValueError, TypeError):  # the writer was killed half-way, before it made anything
            runs.append(Run(**json.loads(path.read_text())))
    return runs


def _record(run: Run) -> Path:
    return RECORDS / f"{run.name}.json"


@contextmanager
def _records_locked() -> Iterator[None]:
    RECORDS.mkdir(parents=True, exist_ok=True)
    with (RECORDS / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
