"""`./gantry test`: linters, then pytest; all of them run, and one that fails fails the whole."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from launcher import environment, frontend
from launcher.places import Places, make_folder

# Parts that one pytest runs. Browser tests have one of their own: Playwright leaves an event loop running in its
# process, and tests of coroutines can't start another.
TOGETHER = (("unit", "engine"), ("browser",))
PARTS = tuple(part for parts in TOGETHER for part in parts)

LINTERS = (
    ("ruff", "check", "--quiet", "."),
    ("mypy", "--no-error-summary"),
    ("lint-imports", "--no-cache"),
    ("djlint", "--lint", "--quiet", "templates"),
)
# Tests mostly wait for engines and browsers, so three files at a time keep two cores busy. A file's tests stay
# together, since they share engines and consoles.
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile")
NO_TESTS = 5  # pytest's exit code where none was chosen
# What tests import from the rig, in a process of its own: the launcher itself imports nothing but its own.
ENSURE_TOOLS = "from tests.rig.install import ensure_tools; ensure_tools('engine', 'browser')"


def run(places: Places, part: str | None, pytest_arguments: Sequence[str], *, may_install: bool) -> int:
    """Run the tests, or one part of them; 0 if all went well. Raises Refusal."""
    make_folder(places.data)
    with environment.building(places, _say):
        environment.refresh(places, _say, tests=True, may_install=may_install)
        frontend.refresh(places, _say, tests=True)
    env = {**environment.child_environment(places), "GANTRY_DATA": str(places.data / "test")}
    if part != "unit" and may_install and not _run(places, env, "python", "-c", ENSURE_TOOLS):
        return 1
    # Pages name their files by the manifest that this writes.
    if not _run(places, env, "python", "manage.py", "collectstatic", "--no-input", "--verbosity", "0"):
        return 1
    failed = []
    if part in (None, "unit"):
        failed = [linter[0] for linter in LINTERS if not _run(places, env, *linter)]
    codes = []
    for names in TOGETHER:
        if folders := [f"tests/{name}" for name in names if part in (None, name)]:
            command = ("python", "-m", "pytest", *SIDE_BY_SIDE, *folders, *pytest_arguments)
            codes.append(_code(places, env, *command))
    # What was chosen (`-k name`) may all be in one of them; nothing at all is a mistake.
    if set(codes) - {0, NO_TESTS} or 0 not in codes or (NO_TESTS in codes and not pytest_arguments):
        failed.append("pytest")
    if failed:
        _say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _run(places: Places, env: Mapping[str, str], program: str, *arguments: str) -> bool:
    """Run a program of the environment, its output passed through; whether it succeeded."""
    return _code(places, env, program, *arguments) == 0


def _code(places: Places, env: Mapping[str, str], program: str, *arguments: str) -> int:
    """The same; its exit code."""
    name = arguments[1] if arguments[:1] in (("-m",), ("manage.py",)) else program
    _say(f"{name} …")
    began = time.monotonic()
    code = subprocess.run([str(places.venv / "bin" / program), *arguments], env=env, cwd=places.repo).returncode
    _say(f"{name} {'passed' if code == 0 else 'FAILED'} after {time.monotonic() - began:.0f} s")
    return code


def _say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)
