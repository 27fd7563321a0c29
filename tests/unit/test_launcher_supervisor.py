"""The supervisor with real processes: stand-ins that print, sleep, die or refuse to stop."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from launcher import leftovers, processes

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parents[2]

SUPERVISE = """
import os, sys, json
from pathlib import Path
from launcher import leftovers
from launcher.logs import Log
from launcher.supervisor import Part, Supervisor
folder = Path(sys.argv[1])
parts = json.loads(sys.argv[2])
log = Log(None)
leftovers.sweep(folder, log.say)
with Supervisor(log, folder) as supervisor:
    for stage, (name, command, seconds) in enumerate(parts):
        supervisor.start(Part(name=name, command=command, env=dict(os.environ), cwd=folder, stage=stage,
                              stop_within_s=seconds))
    supervisor.run()
log.say('stopped')
log.close()
"""

SLEEP = ["sleep", "1000"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"]
# A child with a child of its own, which survives it.
PARENT = ["sh", "-c", "sleep 1000 & echo $! > grandchild; wait"]


class Supervised:
    """A supervisor in a process of its own, with what it has printed so far."""

    def __init__(self, folder: Path, *parts: tuple[str, list[str], float]) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, str(folder), json.dumps(parts)],
            cwd=REPO,
            stdout=self.output.open("a"),
            stderr=subprocess.STDOUT,
        )
        for name, _, _ in parts:
            eventually(partial(self.has_begun, name), f"{name} runs")

    def has_begun(self, name: str) -> bool:
        return (self.folder / f"{name}.json").exists() and "tether" not in self.command_of(name)

    def pid_of(self, name: str) -> int:
        return int(json.loads((self.folder / f"{name}.json").read_text())["pid"])

    def command_of(self, name: str) -> str:
        process = processes.find(self.pid_of(name))
        return processes.command_line(process) if process else ""

    def text(self) -> str:
        return self.output.read_text()


def eventually(is_so: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    process = processes.find(pid)
    return process is None or process.is_zombie


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    begun: list[Supervised] = []

    def begin(*parts: tuple[str, list[str], float]) -> Supervised:
        begun.append(Supervised(tmp_path, *parts))
        return begun[-1]

    yield begin
    for supervised in begun:
        supervised.process.kill()
        supervised.process.wait()
    leftovers.sweep(tmp_path, lambda text: None)


def test_lines_bear_the_time_and_the_name_of_their_part(supervise: Callable[..., Supervised]) -> None:
    run = supervise(("talker", ["sh", "-c", "echo out; echo err >&2; sleep 1000"], 5))
    eventually(lambda: "err" in run.text(), "both streams are shown")
    assert re.search(r"^\d\d:\d\d:\d\d talker \| out$", run.text(), re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d talker \| err$", run.text(), re.MULTILINE)


def test_a_child_that_dies_is_started_again_and_the_log_says_so(supervise: Callable[..., Supervised]) -> None:
    run = supervise(("web", SLEEP, 5))
    first = run.pid_of("web")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: "web was killed by SIGKILL; it starts again in 1 s" in run.text(), "the death is said")
    eventually(lambda: (run.folder / "web.json").exists() and run.pid_of("web") != first, "a new one runs")


def test_the_pause_before_a_new_start_grows(supervise: Callable[..., Supervised]) -> None:
    run = supervise(("web", ["sh", "-c", "sleep 0.3; exit 3"], 5))
    eventually(lambda: "web ended with exit code 3; it starts again in 1 s" in run.text(), "the first pause")
    eventually(lambda: "web ended with exit code 3; it starts again in 2 s" in run.text(), "the second pause")


def test_a_command_that_is_missing_is_said_in_a_sentence(supervise: Callable[..., Supervised]) -> None:
    run = supervise()
    run.process.kill()
    run = supervise(("good", SLEEP, 5))
    run.process.terminate()
    run.process.wait(30)
    command = json.dumps([("bad", ["/nowhere/program"], 5)])
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(run.folder), command], cwd=REPO, stdout=run.output.open("a")
    )
    eventually(lambda: "/nowhere/program can't be run: No such file or directory" in run.text(), "the sentence")
    process.terminate()
    assert process.wait(30) == 0


def test_kill_9_of_the_supervisor_ends_its_children(supervise: Callable[..., Supervised]) -> None:
    run = supervise(("broker", SLEEP, 5), ("web", STUBBORN, 5))
    children = [run.pid_of("broker"), run.pid_of("web")]
    run.process.kill()
    run.process.wait()
    for pid in children:
        eventually(partial(is_gone, pid), f"{pid} is gone")


def test_the_next_start_ends_what_a_killed_child_left(supervise: Callable[..., Supervised]) -> None:
    run = supervise(("engine", PARENT, 5))
    eventually(lambda: (run.folder / "grandchild").exists(), "there is a grandchild")
    grandchild = int((run.folder / "grandchild").read_text())
    run.process.kill()
    run.process.wait()
    assert not is_gone(grandchild), "the kernel ends the child only, so there is something to sweep"
    again = supervise(("other", SLEEP, 5))
    eventually(lambda: is_gone(grandchild), "the grandchild is gone")
    assert "which an earlier run left behind" in again.text()


def test_a_child_that_dies_takes_its_own_children_along(supervise: Callable[..., Supervised]) -> None:
    run = supervise(("worker", PARENT, 5))
    eventually(lambda: (run.folder / "grandchild").exists(), "there is a grandchild")
    grandchild = int((run.folder / "grandchild").read_text())
    os.kill(run.pid_of("worker"), signal.SIGKILL)
    eventually(lambda: is_gone(grandchild), "the grandchild is gone")


def test_a_stranger_with_a_recorded_pid_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    leftovers.record(tmp_path, "web", stranger.pid)
    record = json.loads((tmp_path / "web.json").read_text())
    (tmp_path / "web.json").write_text(json.dumps({**record, "started": record["started"] - 1}))
    leftovers.sweep(tmp_path, lambda text: None)
    assert stranger.poll() is None
    assert not (tmp_path / "web.json").exists()
    stranger.kill()
    stranger.wait()


def test_a_record_from_before_a_reboot_names_nobody(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    leftovers.record(tmp_path, "web", stranger.pid)
    record = json.loads((tmp_path / "web.json").read_text())
    (tmp_path / "web.json").write_text(json.dumps({**record, "boot": "another"}))
    leftovers.sweep(tmp_path, lambda text: None)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_damaged_record_is_removed(tmp_path: Path, damage: str) -> None:
    (tmp_path / "web.json").write_text(damage)
    leftovers.sweep(tmp_path, lambda text: None)
    assert not (tmp_path / "web.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_parts_in_reverse_order(
    supervise: Callable[..., Supervised], number: signal.Signals
) -> None:
    polite = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    run = supervise(("first", ["sh", "-c", polite], 5), ("second", ["sh", "-c", polite], 5))
    eventually(lambda: run.text().count("up") == 2, "both are up")
    run.process.send_signal(number)
    assert run.process.wait(30) == 0
    text = run.text()
    assert text.index("second | bye") < text.index("first  | bye") < text.index("stopped")
    assert not list(run.folder.glob("*.json"))


def test_a_child_that_does_not_stop_in_its_time_is_killed(supervise: Callable[..., Supervised]) -> None:
    run = supervise(("web", STUBBORN, 0.5))
    eventually(lambda: "up" in run.text(), "it is up")
    run.process.terminate()
    assert run.process.wait(30) == 0
    assert "web did not stop in time and is killed" in run.text()


def test_a_second_signal_does_not_wait(supervise: Callable[..., Supervised]) -> None:
    run = supervise(("web", STUBBORN, 60))
    eventually(lambda: "up" in run.text(), "it is up")
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(30) == 0


def test_supervisors_of_two_folders_do_not_touch_each_other(tmp_path: Path) -> None:
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    one, two = (Supervised(folder, ("web", SLEEP, 5)) for folder in folders)
    kept = two.pid_of("web")
    one.process.kill()
    one.process.wait()
    leftovers.sweep(folders[0], lambda text: None)
    assert not is_gone(kept)
    two.process.terminate()
    assert two.process.wait(30) == 0


def test_a_step_gives_its_exit_code_and_keeps_its_output_out_of_the_log(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom launcher.logs import Log\n"
        "from launcher.supervisor import Supervisor\nlog, lines = Log(None), []\n"
        "with Supervisor(log, Path(sys.argv[1])) as supervisor:\n"
        "    code = supervisor.step('setup', ['sh', '-c', 'echo secret; echo shown >&2; exit 4'],\n"
        "                           env=dict(os.environ), cwd=Path('/'), on_line=lines.append)\n"
        "log.close()\nprint(code, lines)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=REPO, capture_output=True, text=True, timeout=20
    )
    assert done.stdout.splitlines()[-1] == "4 ['secret']"
    assert "| secret" not in done.stdout
    assert "setup  | shown" in done.stdout
