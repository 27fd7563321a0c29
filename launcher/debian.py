"""Debian's and Ubuntu's packages, for what PyPI and npm don't have."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

from launcher.refusal import Refusal

# Another apt at work, like a machine's own updates, is waited for.
WAIT = ("-o", "DPkg::Lock::Timeout=300")


def can_install() -> bool:
    """Whether this is root on Debian or something made from it."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], say: Callable[[str], None]) -> None:
    """Install packages without asking anything. Raises Refusal."""
    say(f"installing {' '.join(packages)} with apt-get")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *WAIT, *packages]
    # The package lists of a fresh machine are missing or old: one try with what is there, one after an update.
    done = _run(command, env)
    if done.returncode != 0:
        _run(["apt-get", "update", "-q", *WAIT], env)
        done = _run(command, env)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise Refusal(f"{tail}\n\n`apt-get install {' '.join(packages)}` failed, see above: install these by hand.")


def _run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
