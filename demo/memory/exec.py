"""Processes that are run in a container beside its own (exec), and being attached to its own: both ways, by bytes."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator
from dataclasses import dataclass

from demo.memory import logs
from demo.memory.lifecycle import Lifecycle
from demo.memory.shell import Left, Shell, shells_of
from demo.memory.state import ApiError, Container, Document

REDRAW_S = 2.0
CTRL_C, CTRL_D, CTRL_L = "\x03", "\x04", "\x0c"
KILLED = 137


@dataclass(slots=True)
class Exec:
    """One process: made, then started, then ended."""

    id: str
    container: Container
    body: Document
    is_running: bool = False
    exit_code: int | None = None
    has_started: bool = False

    @property
    def tty(self) -> bool:
        return bool(self.body.get("Tty"))

    @property
    def words(self) -> list[str]:
        return [str(word) for word in (self.body.get("Cmd") or [])]


class Channel:
    """What goes in and comes out of one process. `read` gives b"" at the end."""

    def __init__(self, tty: bool) -> None:
        self.tty = tty
        self._in: asyncio.Queue[bytes] = asyncio.Queue(1000)
        self._out: asyncio.Queue[bytes] = asyncio.Queue(64)
        self.is_closed = False
        self.task: asyncio.Future[None] | None = None  # what serves it

    def close(self) -> None:
        """Whoever was at this end has gone: so does what served it."""
        if self.task is not None:
            self.task.cancel()
        self.finish()

    async def read(self) -> bytes:
        return await self._out.get() if not (self.is_closed and self._out.empty()) else b""

    async def write(self, data: bytes) -> None:
        if data and not self.is_closed:
            await self._in.put(data)

    async def end_input(self) -> None:
        await self._in.put(b"")

    async def take(self) -> bytes:
        """The next input; b"" where no more comes."""
        return await self._in.get()

    async def say(self, text: str, *, stderr: bool = False) -> None:
        if not text:
            return  # nothing is the end
        data = text.encode()
        if self.tty:
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        else:
            data = bytes([2 if stderr else 1, 0, 0, 0]) + len(data).to_bytes(4, "big") + data
        await self._out.put(data)

    def finish(self) -> None:
        self.is_closed = True
        if not self._out.full():
            self._out.put_nowait(b"")


class Execs:
    """The processes of one engine."""

    def __init__(self, life: Lifecycle) -> None:
        self._life = life
        self._known: dict[str, Exec] = {}

    def create(self, c: Container, body: Document) -> Exec:
        """Raises ApiError."""
        if c.status == "paused":
            raise ApiError(409, f"Container {c.id} is paused, unpause the container before exec")
        if not c.is_running:
            raise ApiError(409, f"container {c.id} is not running")
        if not body.get("Cmd"):
            raise ApiError(400, "no exec command specified")
        made = Exec(self._life.state.new_id("exec"), c, body)
        self._known[made.id] = made
        while len(self._known) > 1000:
            del self._known[next(iter(self._known))]
        return made

    def get(self, exec_id: str) -> Exec:
        """Raises ApiError."""
        found = self._known.get(exec_id)
        if found is None:
            raise ApiError(404, f"No such exec instance: {exec_id}")
        return found

    def document(self, found: Exec) -> Document:
        """`GET /exec/{id}/json`."""
        words = found.words
        return {
            "ID": found.id,
            "Running": found.is_running,
            "ExitCode": found.exit_code,
            "Pid": 4242 if found.is_running else 0,
            "ContainerID": found.container.id,
            "OpenStdin": bool(found.body.get("AttachStdin")),
            "OpenStderr": True,
            "OpenStdout": True,
            "CanRemove": False,
            "ProcessConfig": {
                "tty": found.tty,
                "entrypoint": words[0],
                "arguments": words[1:],
                "user": found.body.get("User") or "",
                "privileged": False,
            },
            "DetachKeys": "",
        }

    def start(self, found: Exec) -> Channel:
        """Begin it, attached. Raises ApiError."""
        if found.has_started:
            raise ApiError(409, f"Error: Exec command {found.id} has already run")
        if not found.container.is_running:
            raise ApiError(409, f"container {found.container.id} is not running")
        found.has_started = found.is_running = True
        channel = Channel(found.tty)
        task = channel.task = asyncio.ensure_future(self._serve(found, channel))
        task.add_done_callback(lambda _: channel.finish())
        return channel

    async def _serve(self, found: Exec, channel: Channel) -> None:
        code = 0
        process = asyncio.ensure_future(self._process(found, channel))
        watch = asyncio.ensure_future(self._until_it_stops(found.container))
        try:
            done, _ = await asyncio.wait({process, watch}, return_when=asyncio.FIRST_COMPLETED)
            code = process.result() if process in done else KILLED
        finally:
            process.cancel()
            watch.cancel()
            found.is_running, found.exit_code = False, code

    async def _until_it_stops(self, c: Container) -> None:
        gone = asyncio.Event()

        def notice(event: Document) -> None:
            if event["Action"] == "die" and event["Actor"]["ID"] == c.id:
                gone.set()

        self._life.state.listeners.append(notice)
        try:
            await gone.wait()
        finally:
            self._life.state.listeners.remove(notice)

    async def _process(self, found: Exec, channel: Channel) -> int:
        """Its exit code."""
        words, c = found.words, found.container
        name = posixpath.basename(words[0])
        shell = Shell(
            self._life.state, c, self._life.clock, user=str(found.body.get("User") or ""),
            cwd=str(found.body.get("WorkingDir") or ""), name=name, env=list(found.body.get("Env") or []),
        )  # fmt: skip
        if name in ("sh", "bash", "ash", "zsh") and name not in shells_of(c):
            await channel.say(
                f'OCI runtime exec failed: exec failed: unable to start container process: exec: "{words[0]}": '
                "executable file not found in $PATH: unknown\r\n"
            )
            return 127
        try:
            if name in shells_of(c) and "-c" in words:
                return await self._script(shell, " ".join(words[words.index("-c") + 1 :][:1]), channel)
            if name in shells_of(c):
                return await Terminal(shell, channel).run()
            return await self._script(shell, " ".join(words), channel)
        except Left as left:
            return left.code

    async def _script(self, shell: Shell, line: str, channel: Channel) -> int:
        last = words_before_exec(line)
        if last is not None and posixpath.basename(last) in shells_of(shell.c):
            shell.name = posixpath.basename(last)
            return await Terminal(shell, channel).run()
        if line.strip() == "top" and channel.tty:
            terminal = Terminal(shell, channel)
            await terminal.top()
            return 0
        for text in shell.run(line):
            await channel.say(text, stderr=shell.code == 127)
        return shell.code


def words_before_exec(line: str) -> str | None:
    """The program that a script ends in becoming, as `… && exec bash || exec sh` has it."""
    words = line.replace(";", " ").split()
    follows = [words[index + 1] for index, word in enumerate(words[:-1]) if word == "exec"]
    return follows[-1].strip("\"'") if follows else None


class Terminal:
    """A shell with somebody at its keyboard: echo, erasing, Ctrl-C, Ctrl-D."""

    def __init__(self, shell: Shell, channel: Channel) -> None:
        self._shell = shell
        self._channel = channel
        self._history: list[str] = []

    async def run(self) -> int:
        """Until it is left; its exit code."""
        try:
            await self._prompt()
            async for line in self._lines():
                if line is None:
                    self._shell.code = 130
                elif line.strip() == "top" and self._channel.tty:
                    await self.top()
                else:
                    for text in self._shell.run(line):
                        await self._channel.say(text)
                await self._prompt()
        except Left as left:
            if self._channel.tty and self._shell.name == "bash":
                await self._channel.say("exit\n")
            return left.code
        return self._shell.code

    async def top(self) -> None:
        """Drawn again and again until q or Ctrl-C."""
        while True:
            screen = "\x1b[H\x1b[2J" + "".join(self._shell.run("top -b"))
            await self._channel.say(screen)
            try:
                typed = await asyncio.wait_for(self._channel.take(), REDRAW_S)
            except TimeoutError:
                continue
            if not typed or typed[:1] in (b"q", b"\x03"):
                return

    async def _prompt(self) -> None:
        if self._channel.tty:
            await self._channel.say(self._shell.prompt)

    async def _lines(self) -> AsyncIterator[str | None]:
        """What is entered; None for Ctrl-C."""
        line = ""
        while typed := await self._channel.take():
            text = typed.decode("utf-8", "replace")
            if not self._channel.tty:
                *whole, line = (line + text).split("\n")
                for one in whole:
                    yield one
                continue
            text = self._recalled(text)
            for letter in text:
                if letter in "\r\n":
                    await self._channel.say("\n")
                    entered, line = line, ""
                    if entered.strip():
                        self._history.append(entered)
                    yield entered
                elif letter == CTRL_C:
                    await self._channel.say("^C\n")
                    line = ""
                    yield None
                elif letter == CTRL_D and not line:
                    return
                elif letter == CTRL_L:
                    await self._channel.say("\x1b[H\x1b[2J" + self._shell.prompt + line)
                elif letter in "\x7f\b":
                    if line:
                        line = line[:-1]
                        await self._channel.say("\b \b")
                elif letter.isprintable():
                    line += letter
                    await self._channel.say(letter)

    def _recalled(self, text: str) -> str:
        """The last line for the up arrow; other keys of that kind are passed over."""
        if text == "\x1b[A" or text == "\x1bOA":
            return self._history[-1] if self._history else ""
        return "" if text.startswith("\x1b") else text


async def attached(
    life: Lifecycle, c: Container, channel: Channel, *, with_logs: bool
) -> None:
    """Its own process's output for whoever is attached, until the run ends."""
    if c.tty and c.program.runs_for_s:
        await Terminal(Shell(life.state, c, life.clock), channel).run()
        return
    since = life.clock()
    if with_logs:
        for line in logs.past(c, since, 50, 0, 0):
            await channel.say(line.text + "\n", stderr=line.stream == 2)
    async for lines in logs.follow(c, since, life.clock, asyncio.sleep):
        for line in lines:
            await channel.say(line.text + "\n", stderr=line.stream == 2)
