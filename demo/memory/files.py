"""The files of a container in memory, as far as a shell shows them: names, and a few contents."""

from __future__ import annotations

import posixpath

from demo.memory.processes import ADDED, DELETED
from demo.memory.state import Container

_ROOT = ("bin", "dev", "etc", "home", "lib", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var")
_FOLDERS = {
    "/": _ROOT,
    "/etc": ("group", "hostname", "hosts", "os-release", "passwd", "resolv.conf", "ssl"),
    "/tmp": (),
    "/root": (),
    "/home": (),
    "/var": ("cache", "lib", "log", "tmp"),
    "/app": ("README.md", "config.yml", "server"),
    "/usr": ("bin", "lib", "local", "share"),
}

_ALPINE = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\n'
_DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'


class Files:
    """Read off the container; what a shell makes or removes goes into the container's changes."""

    def __init__(self, c: Container) -> None:
        self._c = c

    def folder(self, path: str) -> list[str] | None:
        """The names in a folder; None where there is no such folder."""
        names = set(_FOLDERS.get(path, ()))
        is_known = path in _FOLDERS
        if path == "/" and self._c.program.command[:1] == ("/app/server",):
            names.add("app")
        for mount in self._c.mounts:
            target = str(mount["Destination"])
            if target == path:
                is_known = True
                names.update(_in_volume(target))
            elif posixpath.dirname(target) == path:
                names.add(posixpath.basename(target))
                is_known = True
        for made, kind in self._made():
            if posixpath.dirname(made.rstrip("/")) == path:
                names.add(posixpath.basename(made.rstrip("/"))) if kind == ADDED else names.discard(
                    posixpath.basename(made)
                )
            is_known = is_known or made == f"{path}/"
        parent, name = posixpath.split(path)
        if not is_known and path != "/" and parent in _FOLDERS and name in _FOLDERS[parent] and "." not in name:
            is_known = parent != "/etc" or name == "ssl"
        return sorted(names) if is_known else None

    def text(self, path: str) -> str | None:
        """What stands in a file; None where there is none."""
        c = self._c
        family = "alpine" if "alpine" in str(c.body.get("Image")) else "debian"
        address = next((e.ip for e in c.endpoints.values() if e.ip), "127.0.0.1")
        known = {
            "/etc/hostname": f"{c.body.get('Hostname') or c.id[:12]}\n",
            "/etc/hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n{address}\t{c.id[:12]}\n",
            "/etc/resolv.conf": "nameserver 127.0.0.11\noptions ndots:0\n",
            "/etc/os-release": _ALPINE if family == "alpine" else _DEBIAN,
            "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
            "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
            "/app/README.md": "Simulated: there is no program in this container.\n",
            "/app/config.yml": "listen: 0.0.0.0:8080\nlog: info\n",
            "/proc/1/comm": f"{posixpath.basename(c.program.command[0])}\n",
        }
        if path in known:
            return known[path]
        return "" if any(made == path and kind == ADDED for made, kind in self._made()) else None

    def make(self, path: str, *, is_folder: bool = False) -> None:
        path = f"{path}/" if is_folder else path
        self._c.changes = [change for change in self._c.changes if change["Path"] != path]
        self._c.changes.append({"Path": path, "Kind": ADDED})

    def remove(self, path: str) -> None:
        self._c.changes = [change for change in self._c.changes if change["Path"].rstrip("/") != path]
        self._c.changes.append({"Path": path, "Kind": DELETED})

    def _made(self) -> list[tuple[str, int]]:
        return [(str(change["Path"]), int(change["Kind"])) for change in self._c.changes]


def _in_volume(path: str) -> tuple[str, ...]:
    if "postgres" in path:
        return ("PG_VERSION", "base", "global", "pg_wal", "postgresql.conf", "postmaster.pid")
    if path.endswith("docker.sock"):
        return ()
    if "mysql" in path:
        return ("ibdata1", "ib_buffer_pool", "mysql", "performance_schema")
    return ("index", "objects", "state.json")
