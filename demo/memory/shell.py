"""A small shell: enough of one that a terminal on a simulated container shows something when one types."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Iterator

from demo.memory.files import Files
from demo.memory.lifecycle import words_of
from demo.memory.processes import rows
from demo.memory.state import Container, State
from demo.memory.stats import cpu_percent, memory_bytes

NOT_FOUND, FAILED = 127, 1
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEBIAN_STYLES = ("nginx", "postgres", "mysql", "python", "apache", "java", "ledger", "plain")


class Left(Exception):
    """The shell ends with this exit code."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


def shells_of(c: Container) -> tuple[str, ...]:
    """The shells in the container's image: none in those that hold a single static program."""
    image = str(c.body.get("Image"))
    if c.program.style == "logfmt" and "alpine" not in image:
        return ()
    if "alpine" in image or image.startswith("busybox"):
        return ("sh", "ash")
    return ("sh", "bash") if c.program.style in DEBIAN_STYLES or "debian" in image or "ubuntu" in image else ("sh",)


class Shell:
    """Commands go in, text and an exit code come out. `\\n` ends lines; the terminal makes `\\r\\n` of it."""

    def __init__(
        self,
        state: State,
        c: Container,
        clock: Callable[[], float],
        *,
        user: str = "",
        cwd: str = "",
        name: str = "sh",
        env: list[str] | None = None,
    ) -> None:
        self.state = state
        self.c = c
        self.clock = clock
        self.name = posixpath.basename(name)
        self.user = (user or str(c.body.get("User") or "root")).partition(":")[0]
        self.cwd = cwd or str(c.body.get("WorkingDir") or "/")
        self.code = 0
        self._env = env or []
        self._files = Files(c)

    @property
    def prompt(self) -> str:
        mark = "#" if self.user in ("root", "0") else "$"
        if self.name == "bash":
            return f"{self.user}@{self.c.body.get('Hostname') or self.c.id[:12]}:{self.cwd}{mark} "
        return f"{self.cwd} {mark} "

    def run(self, line: str) -> Iterator[str]:
        """The output of a line of commands, piece by piece; `code` is set. Raises Left."""
        for part in line.replace("\n", ";").split(";"):
            for step in part.split("&&"):
                words = words_of(step.strip())
                if words:
                    yield from self._command(words)
                    if self.code and "&&" in part:
                        break

    def _command(self, words: list[str]) -> Iterator[str]:
        name, rest = posixpath.basename(words[0]), words[1:]
        self.code = 0
        quiet = [word for word in rest if not word.startswith((">", "2>", "1>"))]
        known = _COMMANDS.get(name)
        if name == "exec" and rest:
            yield from self._command(rest)
            raise Left(self.code)
        if known is None:
            self.code = NOT_FOUND
            yield f"{self.name}: {words[0]}: {'command ' if self.name == 'bash' else ''}not found\n"
            return
        text = known(self, quiet)
        if not any(word in (">/dev/null", "1>/dev/null", "&>/dev/null") for word in rest):
            yield text

    def _path(self, given: str) -> str:
        return posixpath.normpath(posixpath.join(self.cwd, given))

    # --- commands ---

    def echo(self, words: list[str]) -> str:
        shown = " ".join(word for word in words if word != "-n")
        shown = shown.replace("$?", str(self.code)).replace("$USER", self.user).replace("$$", "42")
        return shown if words[:1] == ["-n"] else f"{shown}\n"

    def pwd(self, words: list[str]) -> str:
        return f"{self.cwd}\n"

    def cd(self, words: list[str]) -> str:
        target = self._path(words[0] if words else "/root")
        if self._files.folder(target) is None:
            self.code = FAILED
            return f"{self.name}: cd: {words[0] if words else target}: No such file or directory\n"
        self.cwd = target
        return ""

    def ls(self, words: list[str]) -> str:
        flags = "".join(word[1:] for word in words if word.startswith("-"))
        paths = [word for word in words if not word.startswith("-")] or ["."]
        pieces = []
        for given in paths:
            path = self._path(given)
            names = self._files.folder(path)
            if names is None and self._files.text(path) is not None:
                names = [given]
            if names is None:
                self.code = FAILED + 1
                pieces.append(f"ls: cannot access '{given}': No such file or directory\n")
                continue
            if "a" in flags:
                names = [".", "..", *names]
            pieces.append(self._long(path, names) if "l" in flags else "  ".join(names) + "\n" * bool(names))
        return "".join(pieces)

    def _long(self, path: str, names: list[str]) -> str:
        lines = []
        day = time.strftime("%b %e %H:%M", time.gmtime(self.c.created))
        for name in names:
            inner = posixpath.join(path, name)
            is_folder = name in (".", "..") or self._files.folder(inner) is not None
            size = 4096 if is_folder else len(self._files.text(inner) or "") or 1024
            mode = "drwxr-xr-x" if is_folder else "-rw-r--r--"
            lines.append(f"{mode}    1 root     root     {size:>9} {day} {name}\n")
        return f"total {len(names) * 4}\n" + "".join(lines)

    def cat(self, words: list[str]) -> str:
        pieces = []
        for given in words:
            text = self._files.text(self._path(given))
            if text is None:
                self.code = FAILED
                is_folder = self._files.folder(self._path(given)) is not None
                text = f"cat: {given}: {'Is a directory' if is_folder else 'No such file or directory'}\n"
            pieces.append(text)
        return "".join(pieces)

    def touch(self, words: list[str]) -> str:
        for given in words:
            self._files.make(self._path(given))
        return ""

    def mkdir(self, words: list[str]) -> str:
        for given in words:
            if not given.startswith("-"):
                self._files.make(self._path(given), is_folder=True)
        return ""

    def rm(self, words: list[str]) -> str:
        for given in words:
            if not given.startswith("-"):
                self._files.remove(self._path(given))
        return ""

    def env(self, words: list[str]) -> str:
        given = [entry for entry in (self.c.body.get("Env") or []) if "=" in entry]
        host = self.c.body.get("Hostname") or self.c.id[:12]
        return "\n".join([f"PATH={PATH}", f"HOSTNAME={host}", "TERM=xterm", *given, *self._env, "HOME=/root"]) + "\n"

    def ps(self, words: list[str]) -> str:
        lines = ["    PID TTY          TIME CMD"] if not words else ["PID   USER     TIME  COMMAND"]
        processes = [(inner, used, command) for inner, _, used, command in rows(self.c, self.clock())]
        own = [(42, "00:00:00", self.name), (57, "00:00:00", " ".join(["ps", *words]))]
        for pid, used, command in [*processes, *own]:
            is_ours = pid in (42, 57)
            if words:
                lines.append(f"{pid:>5} {self.user if is_ours else 'root':<8} {used[3:]} {command}")
            else:
                lines.append(f"{pid:>7} {'pts/0' if is_ours else '?':<8} {used:>8} {command.partition(' ')[0]}")
        return "\n".join(lines) + "\n"

    def top(self, words: list[str]) -> str:
        """One screen; a terminal draws it again and again."""
        now = self.clock()
        used = memory_bytes(self.c, now)
        total = self.state.facts.memory_bytes
        lines = [
            f"top -{self.uptime([]).rstrip()}",
            f"Tasks: {len(self.c.program.processes) + 3:>3} total,   1 running",
            f"%Cpu(s): {cpu_percent(self.c, now) / self.state.facts.cpus:4.1f} us,  0.4 sy, 98.1 id",
            f"MiB Mem : {total / 2**20:9.1f} total, {total / 2**20 * 0.41:9.1f} free",
            "",
            "\x1b[7m    PID USER      PR  NI    RES S  %CPU  %MEM     TIME+ COMMAND          \x1b[0m",
        ]
        found = rows(self.c, now)
        for position, (pid, _, spent, command) in enumerate(found):
            share = 0.7 if position == 0 else 0.3 / max(len(found) - 1, 1)
            lines.append(
                f"{pid:>7} root      20   0 {used * share / 2**20:5.0f}m S {cpu_percent(self.c, now) * share:5.1f} "
                f"{used * share / total * 100:5.1f} {spent:>9} {command[:30]}"
            )
        lines.append(f"{42:>7} {self.user:<8}  20   0     2m S   0.0   0.0  00:00:00 {self.name}")
        return "\n".join(lines) + "\n"

    def df(self, words: list[str]) -> str:
        size = self.state.facts.disk_bytes // 1024
        used = int(size * self.state.facts.disk_used)
        return (
            "Filesystem     1K-blocks      Used Available Use% Mounted on\n"
            f"overlay        {size:>9} {used:>9} {size - used:>9}  {self.state.facts.disk_used:.0%} /\n"
            "tmpfs              65536         0     65536   0% /dev\n"
        )

    def free(self, words: list[str]) -> str:
        total = self.state.facts.memory_bytes // 1024
        return (
            "               total        used        free\n"
            f"Mem:      {total:>10}  {int(total * 0.41):>10}  {int(total * 0.59):>10}\n"
        )

    def uname(self, words: list[str]) -> str:
        if words == ["-a"]:
            return f"Linux {self.c.id[:12]} {self.state.facts.kernel} #1 SMP x86_64 GNU/Linux\n"
        return f"{self.state.facts.kernel}\n" if words == ["-r"] else "Linux\n"

    def uptime(self, words: list[str]) -> str:
        clock = time.strftime("%H:%M:%S", time.gmtime(self.clock()))
        return f" {clock} up 41 days,  1 user,  load average: 0.42, 0.38, 0.35\n"

    def leave(self, words: list[str]) -> str:
        raise Left(int(words[0]) & 255 if words and words[0].isdigit() else self.code)

    def fail(self, words: list[str]) -> str:
        self.code = FAILED
        return ""

    def command_v(self, words: list[str]) -> str:
        """`command -v bash`, `which bash`, `type bash`."""
        wanted = [word for word in words if word != "-v"]
        found = [word for word in wanted if word in shells_of(self.c) or (word in _COMMANDS and word not in _SHELLS)]
        if len(found) < len(wanted):
            self.code = FAILED
        return "".join(f"/bin/{word}\n" for word in found)

    def inner(self, words: list[str]) -> str:
        """A shell within the shell."""
        if "-c" in words:
            line = words[words.index("-c") + 1 :][:1]
            return "".join(self.run(line[0])) if line else ""
        return ""

    def help(self, words: list[str]) -> str:
        return "A simulated container. It knows: " + " ".join(sorted(_COMMANDS)) + "\n"


_SHELLS = ("sh", "bash", "ash")
_COMMANDS: dict[str, Callable[[Shell, list[str]], str]] = {
    "echo": Shell.echo,
    "pwd": Shell.pwd,
    "cd": Shell.cd,
    "ls": Shell.ls,
    "cat": Shell.cat,
    "touch": Shell.touch,
    "mkdir": Shell.mkdir,
    "rm": Shell.rm,
    "env": Shell.env,
    "printenv": Shell.env,
    "ps": Shell.ps,
    "top": Shell.top,
    "df": Shell.df,
    "free": Shell.free,
    "uname": Shell.uname,
    "uptime": Shell.uptime,
    "exit": Shell.leave,
    "logout": Shell.leave,
    "true": lambda shell, words: "",
    "false": Shell.fail,
    "whoami": lambda shell, words: f"{shell.user}\n",
    "id": lambda shell, words: "uid=0(root) gid=0(root) groups=0(root)\n",
    "hostname": lambda shell, words: f"{shell.c.body.get('Hostname') or shell.c.id[:12]}\n",
    "date": lambda shell, words: time.strftime("%a %b %e %H:%M:%S UTC %Y\n", time.gmtime(shell.clock())),
    "clear": lambda shell, words: "\x1b[H\x1b[2J",
    "stty": lambda shell, words: "",
    "export": lambda shell, words: "",
    "set": lambda shell, words: "",
    "command": Shell.command_v,
    "which": Shell.command_v,
    "type": Shell.command_v,
    "help": Shell.help,
    "sh": Shell.inner,
    "bash": Shell.inner,
    "ash": Shell.inner,
}
