"""The virtual environment: made once, refreshed when the locked requirements change."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher import debian, locks, stamps
from launcher.places import Places, make_folder
from launcher.processes import tethered
from launcher.refusal import Refusal

Say = Callable[[str], None]

RUNTIME = "requirements.txt"
TEST = "requirements-test.txt"  # holds all of RUNTIME too
NODE = "requirements-node.txt"
AGENT = "agents/requirements.txt"  # of the one-file agent, which the console serves

# Measured: 330 MB with the front end; 550 MB with what the tests need.
ROOM_BYTES = 700 * 1024 * 1024


@contextmanager
def building(places: Places, say: Say) -> Iterator[None]:
    """Only one process at a time changes the environment, which several data folders may share."""
    if places.env.is_dir() and not os.access(places.env, os.W_OK):
        yield  # somebody else's, which is fine as long as it is current
        return
    make_folder(places.env)
    with locks.locked(
        places.env / ".lock",
        on_wait=lambda pid: say(f"waiting for process {pid}, which is at work on {places.env}"),
    ):
        yield


def refresh(places: Places, say: Say, *, tests: bool = False, may_install: bool = True) -> None:
    """Bring the virtual environment in line with the locked requirements. Raises Refusal."""
    stamp = places.venv / "gantry-stamp.json"
    current = stamps.read(stamp)
    wanted = _fingerprint(places, tests=tests)
    if os.access(places.python, os.X_OK) and wanted.items() <= current.items():
        return
    make_folder(places.env)
    _check_room(places.env)
    if not _is_usable(places, current):
        _make(places, say, may_install=may_install)
        current = {}
    lock_file = TEST if tests else RUNTIME
    say(f"installing {'what the tests need' if tests else 'the console'} into {places.venv} ({lock_file})")
    stamp.unlink(missing_ok=True)
    pip_install(places, lock_file)
    _fetch_for_the_agent(places)
    # A refresh of the runtime leaves the test packages as they are: still there, perhaps outdated.
    stamps.write(stamp, {**current, **wanted})


def pip_install(places: Places, lock_file: str) -> None:
    """Install what a lock file names, checked by its hashes. Raises Refusal."""
    run_quietly(
        [
            str(places.python), "-m", "pip", "install", "--require-hashes", "--no-input",
            "--disable-pip-version-check", "--progress-bar", "off", "-r", str(places.repo / lock_file),
        ],
        doing=f"installing {lock_file}",
        places=places,
    )  # fmt: skip


def _fetch_for_the_agent(places: Places) -> None:
    """Build the one-file agent once, so that the console builds it later without the network. Raises Refusal."""
    with tempfile.TemporaryDirectory() as folder:
        run_quietly(
            [str(places.python), "-m", "agents.bundle", str(Path(folder) / "gantry-agent.pyz")],
            doing="fetching the agent's packages",
            places=places,
            env=child_environment(places),
        )


def run_quietly(
    command: list[str], *, doing: str, places: Places, env: dict[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a step whose output matters only if it fails: then its end is part of the Refusal."""
    done = subprocess.run(
        tethered(command),  # two of them must never be at work on one environment, not even after a kill -9
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env,
        cwd=cwd or places.repo,
    )
    if done.returncode == 0:
        return
    if "No space left on device" in done.stdout or "ENOSPC" in done.stdout:
        raise Refusal(f"The disk of {places.env} is full ({doing}): free some space and start again.")
    tail = "\n".join(line for line in done.stdout.splitlines()[-25:] if "is ignored" not in line)
    raise Refusal(f"{tail}\n\n{doing} failed, see above: mend that (often it is the network) and start again.")


def _fingerprint(places: Places, *, tests: bool) -> dict[str, str]:
    values = {name: stamps.of_files([places.repo / name]) for name in (RUNTIME, AGENT)}
    values["python"] = platform.machine()
    if tests:
        values[TEST] = stamps.of_files([places.repo / TEST])
    return values


def _is_usable(places: Places, current: dict[str, str]) -> bool:
    """Whether there is an environment to add to: its python runs, and has pip."""
    if not os.access(places.python, os.X_OK):
        return False
    try:
        return subprocess.run([places.python, "-m", "pip", "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def _make(places: Places, say: Say, *, may_install: bool) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        _get_venv_package(say, may_install=may_install)
    say(f"making the virtual environment {places.venv} with Python {platform.python_version()}")
    shutil.rmtree(places.venv, ignore_errors=True)
    run_quietly([sys.executable, "-m", "venv", str(places.venv)], doing="making the environment", places=places)


def _get_venv_package(say: Say, *, may_install: bool) -> None:
    """Debian keeps what `python3 -m venv` needs in a package of its own."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if not may_install or not debian.can_install():
        raise Refusal(f"This Python can't make virtual environments: install the package {package} and start again.")
    debian.install([package], say)


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free >= ROOM_BYTES:
        return
    raise Refusal(
        f"Only {free // 2**20} MB are free on the disk of {folder}, and {ROOM_BYTES // 2**20} are needed to install: "
        "free some, or choose another disk with --data."
    )


def child_environment(places: Places) -> dict[str, str]:
    """This process's environment with the folders named and the virtual environment first in PATH."""
    env = dict(os.environ)
    env.pop("PYTHONHOME", None)
    env.update(
        GANTRY_DATA=str(places.data),
        GANTRY_ENV=str(places.env),
        VIRTUAL_ENV=str(places.venv),
        PATH=f"{places.venv / 'bin'}:{env.get('PATH', os.defpath)}",
    )
    return env
