"""What gets installed is locked, and what is current is not made again."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher import environment, frontend, icons, processes, stamps
from launcher.places import Places
from launcher.refusal import Refusal

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parents[2]
LOCKS = sorted(REPO.glob("requirements*.txt"))


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+(?:\[[a-z,]+\])?==[^ \\]+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_hashes_and_names_no_server(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "index" not in text
    entries = [entry for entry in re.split(r"\n(?=[a-z])", text) if "==" in entry]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_tests_run_on_what_users_get() -> None:
    assert pins(REPO / "requirements.txt") <= pins(REPO / "requirements-test.txt")


def test_the_front_ends_lock_names_no_server() -> None:
    packages = json.loads((REPO / "package-lock.json").read_text())["packages"]
    named = json.loads((REPO / "package.json").read_text())
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all(package.get("integrity") for name, package in packages.items() if name)
    for name, version in {**named["dependencies"], **named["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version


def test_the_launcher_runs_on_a_bare_python() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(REPO / "gantry"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "GANTRY_DATA" in done.stdout


@pytest.mark.parametrize("command", ["up", "agent", "join-token", "token", "createadmin", "test", "env"])
def test_every_command_has_help(command: str) -> None:
    done = subprocess.run([sys.executable, str(REPO / "gantry"), command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--data DIR" in done.stdout


def test_an_old_python_can_read_its_refusal() -> None:
    ast.parse((REPO / "gantry").read_text(), feature_version=(3, 5))


def test_a_stamp_of_trees_sees_every_kind_of_change(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "a.css"
    file.write_text("a")
    seen = {stamps.of_trees([tmp_path])}
    file.write_text("ab")
    seen.add(stamps.of_trees([tmp_path]))
    (tmp_path / "folder" / "b.css").write_text("")
    seen.add(stamps.of_trees([tmp_path]))
    (tmp_path / "folder" / "b.css").rename(tmp_path / "folder" / "c.css")
    seen.add(stamps.of_trees([tmp_path]))
    assert len(seen) == 4
    assert stamps.of_trees([tmp_path]) in seen


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_a_damaged_stamp_counts_as_none(tmp_path: Path, damage: str) -> None:
    (tmp_path / "stamp").write_text(damage)
    assert stamps.read(tmp_path / "stamp") == {}


OUTLINE = """<svg
  xmlns="http://www.w3.org/2000/svg"
  stroke-width="2"
>
  <path stroke="none" d="M0 0h24v24H0z" fill="none" />
  <path d="M7 8l0 .01" />
</svg>"""


def test_the_sprite_has_a_symbol_for_each_name(tmp_path: Path) -> None:
    for kind in ("outline", "filled"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "server.svg").write_text(OUTLINE)
    sprite = icons.sprite(tmp_path, ["server", "server-filled"])
    assert (
        '<symbol id="server" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" '
        'stroke-linejoin="round"><path d="M7 8l0 .01" /></symbol>'
    ) in sprite
    assert '<symbol id="server-filled" viewBox="0 0 24 24" fill="currentColor">' in sprite
    assert "stroke-width" not in sprite


def test_an_icon_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="names icons that Tabler doesn't have: servr"):
        icons.sprite(tmp_path, ["servr"])


def test_names_of_icons_may_have_comments(tmp_path: Path) -> None:
    (tmp_path / "icons.txt").write_text("# navigation\nserver\n\nbox # containers\nserver\n")
    assert icons.read_names(tmp_path / "icons.txt") == ["box", "server"]
    assert icons.read_names(tmp_path / "none.txt") == []


def test_references_to_source_maps_are_dropped(tmp_path: Path) -> None:
    source, target = tmp_path / "a.js", tmp_path / "b.js"
    source.write_text("code();\n//# sourceMappingURL=a.js.map\n")
    frontend._copy(source, target)
    assert target.read_text() == "code();\n"
    source.write_text("a{}\n/*# sourceMappingURL=a.css.map */")
    frontend._copy(source, target)
    assert target.read_text() == "a{}\n"


def places_in(folder: Path) -> Places:
    return Places(data=folder, env=folder / "env")


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    with pytest.raises(Refusal, match=f"install the package {package} and start again"):
        environment.refresh(places_in(tmp_path), print, may_install=False)


def test_a_disk_without_room_is_refused_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "ROOM_BYTES", 2**60)
    with pytest.raises(Refusal, match=r"Only \d+ MB are free on the disk of .*: free some, or choose another disk"):
        environment.refresh(places_in(tmp_path), print)


def test_a_step_that_fails_shows_how(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"(?s)the cause.*trying failed, see above"):
        environment.run_quietly(["sh", "-c", "echo the cause; exit 1"], doing="trying", places=places_in(tmp_path))
    with pytest.raises(Refusal, match=r"The disk of .* is full \(trying\)"):
        environment.run_quietly(
            ["dd", "if=/dev/zero", "of=/dev/full", "count=1"], doing="trying", places=places_in(tmp_path)
        )


def test_kill_9_ends_a_step_too(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom launcher import environment\nfrom launcher.places import Places\n"
        "environment.run_quietly(['sh', '-c', 'echo $$ > pid; exec sleep 1000'], doing='it', cwd=Path(sys.argv[1]),\n"
        "                        places=Places(data=Path('/'), env=Path('/')))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=REPO)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        time.sleep(0.02)
    step = processes.find(int((tmp_path / "pid").read_text()))
    assert step is not None
    process.kill()
    process.wait()
    processes.wait_until_gone([step], 10)
    assert not processes.is_running(step)
