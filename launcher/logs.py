"""One log of all parts: on the terminal, and in a file that can't grow without bound."""

from __future__ import annotations

import io
import os
import queue
import re
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

FILE_BYTES = 5 * 1024 * 1024
OLD_FILES = 3
LINE_CHARACTERS = 4000
WAITING_LINES = 2000
PART_WIDTH = 7

COLOURS = {
    "gantry": "1", "web": "36", "worker": "35", "beat": "34", "broker": "33", "agent": "32", "engine": "90",
    "fleet": "32",
}  # fmt: skip
# What could move the cursor, recolour, retitle or reorder: log text comes from hosts and containers too.
UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# The times that the parts put before their lines themselves: Python's logging, Celery, Valkey, dockerd.
CLOCK = re.compile(
    r"""^(?: \d{4}-\d\d-\d\d[ ]\d\d:\d\d:\d\d,\d{3}[ ] | (?P<bracket>\[)\d{4}-\d\d-\d\d[ ]\d\d:\d\d:\d\d,\d{3}:[ ]
        | \d+:[A-Z][ ]\d\d[ ]\w{3}[ ]\d{4}[ ]\d\d:\d\d:\d\d\.\d{3}[ ][-.*\#][ ] | time="[^"]{,40}"[ ] )""",
    re.VERBOSE,
)


def without_clock(text: str) -> str:
    """`text` without a time of its own: every line has one already."""
    return CLOCK.sub(lambda found: found["bracket"] or "", text, count=1)


def harmless(text: str) -> str:
    """`text` on one line, of bounded length, without anything that a terminal would act on."""
    if len(text) > LINE_CHARACTERS:
        text = f"{text[:LINE_CHARACTERS]}… ({len(text) - LINE_CHARACTERS} characters more)"
    return UNSAFE.sub(lambda found: f"\\x{ord(found.group()):02x}", text.rstrip("\r\n"))


class Terminal:
    """Writes from a thread of its own: a terminal that was stopped with Ctrl-S must not stop the console."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, daemon=True, name="terminal")
        self._thread.start()

    def put(self, line: str) -> None:
        try:
            if self._dropped:
                self._lines.put_nowait(f"… {self._dropped} lines were not shown here; the log file has them\n")
                self._dropped = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        try:
            self._lines.put(None, timeout=1)
        except queue.Full:
            return
        self._thread.join(2)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._stream is None:
                continue
            try:
                self._stream.write(line)
                self._stream.flush()
            except (OSError, ValueError):
                self._stream = None  # closed, like in `gantry up | head`: the file goes on


class LogFile:
    """The newest lines, and some older files. Nothing is buffered: after a full disk the next line gets through."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._size = 0

    def write(self, line: str) -> None:
        """A full disk costs lines in the file, not the console."""
        data = line.encode(errors="replace")
        try:
            if self._descriptor < 0:
                self._open()
            if self._size + len(data) > FILE_BYTES and self._size:
                self._rotate()
            self._size += os.write(self._descriptor, data)
        except OSError:
            pass

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(OLD_FILES, 0, -1):
            newer = self._path if number == 1 else self._numbered(number - 1)
            if newer.exists():
                newer.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class Log:
    """Where every part's lines go. `file` None: the terminal only."""

    def __init__(self, file: Path | None, stream: TextIO | None = None) -> None:
        stream = stream or sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal speaks UTF-8
        self._is_coloured = stream.isatty()
        self._terminal = Terminal(stream)
        self._file: LogFile | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = LogFile(file)

    def line(self, part: str, text: str, *, secret: bool = False) -> None:
        """Write a line; one that is `secret` goes to the terminal only."""
        text = harmless(without_clock(text))
        now = time.localtime()
        clock = time.strftime("%H:%M:%S", now)
        self._terminal.put(self._dressed(clock, part, text))
        if self._file is not None and not secret:
            self._file.write(f"{time.strftime('%Y-%m-%d', now)} {clock} {part:<{PART_WIDTH}}| {text}\n")

    def say(self, text: str, *, secret: bool = False) -> None:
        """A line of the launcher's own."""
        self.line("gantry", text, secret=secret)

    def close(self) -> None:
        self._terminal.close()
        if self._file is not None:
            self._file.close()

    def _dressed(self, clock: str, part: str, text: str) -> str:
        if not self._is_coloured:
            return f"{clock} {part:<{PART_WIDTH}}| {text}\n"
        colour = COLOURS.get(part, "37")
        return f"\x1b[90m{clock}\x1b[0m \x1b[{colour}m{part:<{PART_WIDTH}}|\x1b[0m {text}\n"
