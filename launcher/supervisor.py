"""Runs the parts, each in a session of its own, and starts again what dies.

One thread does it all: it waits for output, for signals and for the next start that is due. Parts
are stopped stage by stage, the last stage first.
"""

from __future__ import annotations

import math
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType

from launcher import leftovers, processes
from launcher.logs import Log
from launcher.processes import tethered

BACK_OFF_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
# A part that ran this long counts as well when it dies: its back-off begins anew.
WELL_AFTER_S = 60.0
STOP_WITHIN_S = 10.0
READ_BYTES = 65536
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):
    """A person or the machine asked the supervisor to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process to keep running."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    stage: int
    stop_within_s: float = STOP_WITHIN_S
    # What the kernel sends it if the supervisor is killed: SIGTERM for what has something to put in order.
    on_orphaned: signal.Signals = signal.SIGKILL
    # Called before every start, with how often in a row it died soon after one; and after the last stop.
    before: Callable[[int], None] | None = None
    # What to add to `env`, asked for anew at every start.
    more_env: Callable[[], Mapping[str, str]] | None = None
    # Lines that say nothing to anyone.
    noise: re.Pattern[str] | None = None
    after: Callable[[], None] | None = None


@dataclass(slots=True)
class Child:
    """A part and how it is doing."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    started_ticks: int = 0
    started_at: float = 0.0
    failures: int = 0
    start_due: float = 0.0


@dataclass(slots=True)
class Output:
    """One pipe from a child, cut into lines."""

    descriptor: int
    on_line: Callable[[str], None]
    rest: bytes = b""

    def read(self) -> bool:
        """Take what is there; False once there won't be more."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return True
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > READ_BYTES or (not data and self.rest):
            lines, self.rest = [*lines, self.rest], b""
        for line in lines:
            self.on_line(line.decode(errors="replace"))
        return bool(data)


@dataclass(slots=True)
class Supervisor:
    """Used as a context: leaving it, for whatever reason, stops everything."""

    log: Log
    run_folder: Path
    children: list[Child] = field(default_factory=list)
    stop_signals: int = 0
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _wakeup: tuple[int, int] = (-1, -1)
    _is_stopping: bool = False

    def __enter__(self) -> Supervisor:
        self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        self._selector.register(self._wakeup[0], selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, _ignore)
        for number in STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
                signal.signal(number, self._on_stop_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        signal.set_wakeup_fd(-1)

    def start(self, part: Part) -> None:
        """Start a part, and from now on start it again when it ends."""
        child = Child(part)
        self.children.append(child)
        self._start(child)

    def step(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        on_line: Callable[[str], None] | None = None,
    ) -> int:
        """Run a command to its end beside the parts; its exit code. `on_line` gets its standard output."""
        process = self._spawn(name, command, env, cwd, signal.SIGKILL, on_line)
        try:
            while process.poll() is None:
                self._turn()
                if self.stop_signals:
                    raise StopRequested
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._drain()
        return process.returncode

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Go on supervising until something is so; whether it became so in time. Raises StopRequested."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self.stop_signals:
                raise StopRequested
            if is_so():
                return True
            left = deadline - time.monotonic()
            if left < 0:
                return False
            self._turn(min(left, 0.05))

    def run(self, for_s: float = math.inf) -> None:
        """Supervise until asked to stop, or for this long."""
        deadline = time.monotonic() + for_s
        while not self.stop_signals and (left := deadline - time.monotonic()) > 0:
            self._turn(min(left, 1.0))

    def stop(self) -> None:
        """End all parts, the last stage first; kill what doesn't end in its time, or at a second signal."""
        self._is_stopping = True
        signals_before = self.stop_signals
        for stage in sorted({child.part.stage for child in self.children}, reverse=True):
            ending = [child for child in self.children if child.part.stage == stage]
            for child in ending:
                if child.process is not None:
                    child.process.terminate()
            asked_at = time.monotonic()
            while left := [child for child in ending if child.process is not None]:
                is_impatient = self.stop_signals > max(signals_before, 1)
                for child in left:
                    if is_impatient or time.monotonic() > asked_at + child.part.stop_within_s:
                        self._kill(child)
                self._turn(0.05)
            for child in ending:
                if child.part.after is not None:
                    child.part.after()
        self.children.clear()
        self._drain()

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop_signals += 1

    def _start(self, child: Child) -> None:
        part = child.part
        if part.before is not None:
            part.before(child.failures)
        env = {**part.env, **part.more_env()} if part.more_env is not None else part.env
        child.process = self._spawn(part.name, part.command, env, part.cwd, part.on_orphaned, noise=part.noise)
        child.started_at = time.monotonic()
        started = processes.find(child.process.pid)
        child.started_ticks = started.started if started else 0
        leftovers.record(self.run_folder, part.name, child.process.pid)

    def _spawn(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        on_orphaned: signal.Signals,
        on_line: Callable[[str], None] | None = None,
        noise: re.Pattern[str] | None = None,
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            tethered(command, on_orphaned),
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            umask=0o077,  # what the parts write is for this user alone
        )

        def log_line(text: str) -> None:
            if text.strip() and not (noise and noise.search(text)):
                self.log.line(name, text)

        for pipe, take in ((process.stdout, on_line or log_line), (process.stderr, log_line)):
            assert pipe is not None
            # The descriptor is our own copy: the Popen object may be let go while a grandchild still writes.
            descriptor = os.dup(pipe.fileno())
            pipe.close()
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ, Output(descriptor, take))
        return process

    def _turn(self, timeout_s: float = 1.0) -> None:
        """Wait for something to do, and do it."""
        for key, _ in self._selector.select(self._time_to_next_start(timeout_s)):
            if isinstance(key.data, Output):
                self._read(key.data)
            else:
                os.read(self._wakeup[0], READ_BYTES)
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child)
            elif child.process is None and not self._is_stopping and child.start_due <= time.monotonic():
                self._start(child)

    def _time_to_next_start(self, timeout_s: float) -> float:
        due = [child.start_due for child in self.children if child.process is None]
        if not due or self._is_stopping:
            return timeout_s
        return min(timeout_s, max(0.0, min(due) - time.monotonic()))

    def _read(self, output: Output) -> bool:
        """Whether the pipe stays open."""
        if output.read():
            return True
        self._selector.unregister(output.descriptor)
        os.close(output.descriptor)
        return False

    def _drain(self) -> None:
        """Take what children that ended have still left in their pipes."""
        while ready := [key.data for key, _ in self._selector.select(0) if isinstance(key.data, Output)]:
            for output in ready:
                self._read(output)

    def _bury(self, child: Child) -> None:
        """A part has ended: end what it left in its session, and set the time of its next start."""
        assert child.process is not None
        code = child.process.returncode
        leftovers.end_session(child.process.pid, child.started_ticks, grace_s=0)
        leftovers.forget(self.run_folder, child.part.name)
        child.process = None
        self._drain()
        if self._is_stopping:
            return
        if time.monotonic() - child.started_at > WELL_AFTER_S:
            child.failures = 0
        delay = BACK_OFF_S[min(child.failures, len(BACK_OFF_S) - 1)]
        child.failures += 1
        child.start_due = time.monotonic() + delay
        self.log.say(f"{child.part.name} {_ending(code)}; it starts again in {delay:.0f} s")

    def _kill(self, child: Child) -> None:
        assert child.process is not None
        self.log.say(f"{child.part.name} did not stop in time and is killed")
        child.process.kill()
        child.process.wait()


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _ignore(number: int, frame: FrameType | None) -> None:
    """SIGCHLD only needs to wake the loop, which set_wakeup_fd does."""
