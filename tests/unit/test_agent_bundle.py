"""The one-file agent."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agents.bundle import CannotBundle, bundle, wheel_folder, wheels


def test_the_same_sources_give_the_same_bytes_and_it_runs_alone(tmp_path: Path) -> None:
    try:
        paths = wheels(wheel_folder())
    except CannotBundle as error:
        pytest.skip(str(error))
    one, two = tmp_path / "one.pyz", tmp_path / "two.pyz"
    bundle(one, paths)
    bundle(two, list(reversed(paths)))
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_size < 1024 * 1024
    names = zipfile.ZipFile(one).namelist()
    assert not [name for name in names if name.endswith((".so", ".c"))]
    # -I -S: nothing of this environment is seen.
    check = (
        "import sys; sys.path.insert(0, sys.argv[1]); import agents.link, agents.operations.runner, docker, certifi"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", check, str(one)], check=True)
    shown = subprocess.run(
        [sys.executable, "-I", "-S", str(one), "--version"], check=True, capture_output=True, text=True
    )
    assert shown.stdout.startswith("gantry-agent ")
    told = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            str(one),
            "run",
            "--console",
            "http://127.0.0.1:9",
            "--state",
            str(tmp_path / "s"),
        ],
        capture_output=True,
        text=True,
    )
    assert told.returncode == 2
    assert "--join-token" in told.stderr


def test_without_wheels_and_network_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(CannotBundle, match="could not be fetched"):
        wheels(tmp_path / "wheels")
