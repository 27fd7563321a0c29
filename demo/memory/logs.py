"""Logs of the engine in memory. Nothing is kept: a line follows from the container, its run and its number."""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

from demo.memory.documents import time_text
from demo.memory.lifecycle import SHELLS
from demo.memory.state import Container, Run
from demo.plan.writing import STYLES, Line, Moment

KEPT_LINES = 20_000  # of a run, as with a log driver that rotates
BOOT_APART_S = 0.15
LOOK_S = 0.5  # how often a run that writes little is looked at while it is followed

Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Stamped:
    at: float
    stream: int
    text: str


def _moment(c: Container, run: Run, at: float, index: int) -> Moment:
    return Moment(random.Random(_mix(c.id, run.began, index)), at, c.name, index)


def _mix(engine_id: str, began: float, index: int) -> int:
    """A number that differs from line to line, and is the same in every process."""
    return zlib.crc32(f"{engine_id} {began} {index}".encode())


def _echoed(c: Container) -> list[Line] | None:
    """What a command such as `echo hello` writes; None where the image decides."""
    words = [str(word) for word in (c.body.get("Cmd") or [])]
    if words[:1] == ["echo"]:
        return [(1, " ".join(words[1:]))]
    if len(words) == 3 and words[0] in SHELLS and words[1] == "-c":
        said = [part.strip() for part in words[2].replace("\n", ";").split(";")]
        return [
            (2 if ">&2" in p else 1, p[5:].replace(">&2", "").strip(" '\"")) for p in said if p.startswith("echo ")
        ]
    return None


def lines_of(c: Container, run: Run, now: float) -> tuple[int, Callable[[int], list[Stamped]]]:
    """How many entries a run has written by `now`, and the function that gives the lines of one."""
    program = c.program
    style = STYLES[program.style]
    said = _echoed(c)
    boot = said if said is not None else style.boot(_moment(c, run, run.began, -1))
    end = run.ended if run.ended is not None else now
    first_at = run.began + 0.1 + BOOT_APART_S * len(boot)
    every = 1 / program.lines_per_s if program.lines_per_s and said is None else 0
    written = max(0, int((end - first_at) / every)) if every else 0
    booted = min(len(boot), max(0, int((end - run.began - 0.1) / BOOT_APART_S) + 1))
    if run.ended is not None:
        booted = len(boot)
    closing = 1 if run.ended is not None else 0

    def entry(index: int) -> list[Stamped]:
        if index < booted:
            stream, text = boot[index]
            return [Stamped(min(run.began + 0.1 + BOOT_APART_S * index, end), stream, text)]
        index -= booted
        if index < written:
            jitter = (_mix(c.id, run.began, -2 - index) % 900) / 1000
            at = first_at + (index + jitter) * every
            return [Stamped(at, *line) for line in style.write(_moment(c, run, at, index))]
        lines = style.end(_moment(c, run, end, index), run.exit_code, run.oom_killed) if said is None else []
        return [Stamped(end, *line) for line in lines]

    return booted + written + closing, entry


def past(c: Container, now: float, tail: int | None, since: float, until: float) -> list[Stamped]:
    """The newest `tail` lines (None: all that are kept), oldest first."""
    found: list[Stamped] = []
    most = KEPT_LINES if tail is None else min(tail, KEPT_LINES)
    for stamped in _backwards(c, now):
        if stamped.at < since or len(found) >= most:
            break
        if not until or stamped.at <= until:
            found.append(stamped)
    found.reverse()
    return found


def _backwards(c: Container, now: float) -> Iterator[Stamped]:
    for run in reversed(c.runs):
        count, entry = lines_of(c, run, now)
        for index in range(count - 1, max(-1, count - 1 - KEPT_LINES), -1):
            yield from reversed([stamped for stamped in entry(index) if stamped.at <= now])


async def follow(
    c: Container, since: float, clock: Callable[[], float], sleep: Sleep
) -> AsyncIterator[list[Stamped]]:
    """What is written from `since` on, until the present run ends."""
    run = c.run
    seen = since
    while run is not None:
        now = clock()
        is_over = run.ended is not None
        lines = [stamped for stamped in past(c, now, None, seen, 0) if seen < stamped.at <= now]
        if lines:
            seen = lines[-1].at
            yield lines
        if is_over:
            return
        every = 1 / c.program.lines_per_s if c.program.lines_per_s else LOOK_S
        await sleep(min(max(every / 2, 0.05), LOOK_S))


def encoded(stamped: list[Stamped], *, tty: bool, timestamps: bool, stdout: bool, stderr: bool) -> bytes:
    """As the engine sends it: frames, or with a TTY the plain bytes."""
    pieces = []
    for line in stamped:
        if not (stdout if line.stream == 1 or tty else stderr):
            continue
        text = f"{time_text(line.at)} {line.text}" if timestamps else line.text
        if tty:
            pieces.append(text.encode() + b"\r\n")
            continue
        payload = text.encode() + b"\n"
        pieces.append(bytes([line.stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload)
    return b"".join(pieces)
