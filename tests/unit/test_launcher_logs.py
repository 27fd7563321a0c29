"""The launcher's log, with a real terminal (a pty) and a real full or closed output."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher import logs
from launcher.logs import Log, harmless, without_clock

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("tab\tstays", "tab\tstays"),
        ("ünïcödé 箱", "ünïcödé 箱"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten", "over\\x0dwritten"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("\u202egpj.exe", "\\x202egpj.exe"),
        ("ends\r\n", "ends"),
    ],
)
def test_text_can_not_act_on_the_terminal(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("2026-11-25 04:31:02,123 INFO joined", "INFO joined"),
        ("[2026-11-25 04:31:02,123: WARNING/MainProcess] slow", "[WARNING/MainProcess] slow"),
        (
            "16134:M 25 Nov 2026 04:29:26.738 # Valkey is now ready to exit, bye bye...",
            "Valkey is now ready to exit, bye bye...",
        ),
        ('time="2026-11-25T04:27:39Z" level=error msg="no"', 'level=error msg="no"'),
        ("2026-11-25 is a date", "2026-11-25 is a date"),
    ],
)
def test_a_part_s_own_clock_is_left_out(line: str, shown: str) -> None:
    assert without_clock(line) == shown


def test_a_line_is_cut_at_its_length() -> None:
    shown = harmless("x" * (logs.LINE_CHARACTERS + 10))
    assert shown.endswith("… (10 characters more)")
    assert len(shown) < logs.LINE_CHARACTERS + 40


def test_the_file_has_the_lines_with_their_date_but_no_secrets(tmp_path: Path) -> None:
    file = tmp_path / "log" / "gantry.log"
    stream = io.StringIO()
    log = Log(file, stream)
    log.line("web", "hello")
    log.say("the link: SECRET", secret=True)
    log.close()
    assert "SECRET" in stream.getvalue()
    text = file.read_text()
    assert "SECRET" not in text
    assert text.startswith(time.strftime("%Y-"))
    assert text.endswith(" web    | hello\n")


def test_the_files_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 10_000)
    file = tmp_path / "gantry.log"
    log = Log(file, io.StringIO())
    for number in range(2_000):
        log.line("web", f"line {number} {'x' * 80}")
    log.close()
    assert len(list(tmp_path.iterdir())) == logs.OLD_FILES + 1
    assert sum(part.stat().st_size for part in tmp_path.iterdir()) <= 10_000 * (logs.OLD_FILES + 1)
    assert "line 1999 " in file.read_text()


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    log = Log(Path("/dev/full"), stream := io.StringIO())
    log.line("web", "goes on")
    log.close()
    assert "goes on" in stream.getvalue()


def test_a_terminal_that_is_stopped_does_not_stop_the_log() -> None:
    """Nobody reads the pipe, so its writer blocks: like a terminal after Ctrl-S."""
    reading, writing = os.pipe()
    log = Log(None, os.fdopen(writing, "w"))
    began = time.monotonic()
    for _ in range(3 * logs.WAITING_LINES):
        log.line("web", "x" * 200)
    assert time.monotonic() - began < 5
    os.close(reading)


def test_a_closed_output_does_not_end_the_program(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom launcher.logs import Log\n"
        "log = Log(Path(sys.argv[1]))\n"
        "for number in range(50):\n    log.line('web', f'line {number}'); time.sleep(0.005)\n"
        "log.close()\n"
    )
    file = tmp_path / "gantry.log"
    command = f'{sys.executable} -c "$0" {file} | head -1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command, script], cwd=REPO, capture_output=True, text=True, timeout=30)
    assert "line 0" in done.stdout
    assert "line 49" in file.read_text()


def test_colours_only_on_a_terminal() -> None:
    controller, terminal = os.openpty()
    log = Log(None, os.fdopen(terminal, "w"))
    log.line("web", "hello")
    log.close()
    assert b"\x1b[36m" in os.read(controller, 1000)
    os.close(controller)
    log = Log(None, stream := io.StringIO())
    log.line("web", "hello")
    log.close()
    assert "\x1b" not in stream.getvalue()
