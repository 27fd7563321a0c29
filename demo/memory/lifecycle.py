"""What becomes of containers: made, started, ended, restarted by their policy, checked, removed. With the events.

Nothing runs but timers: `later` calls a function after some seconds, `clock` gives Unix time.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from collections.abc import Callable
from typing import Any

from demo.memory.state import ApiError, Container, Document, Endpoint, Fate, Run, State
from demo.memory.volumes import make_volume

Later = Callable[[float, Callable[[], None]], Any]

HEALTHY_AFTER_S = (4.0, 12.0)
BACK_OFF_FIRST_S, BACK_OFF_MOST_S = 0.1, 60.0
STEADY_S = 10.0  # a run of this length begins the back-off anew
FIRST_PORT = 32768
SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15}
ENDING_SIGNALS = (2, 3, 9, 15)
SHELLS = ("sh", "bash", "ash", "/bin/sh", "/bin/bash")
COMMANDS = frozenset(
    (*SHELLS, "sleep", "echo", "true", "false", "ls", "cat", "env", "date", "ping", "top", "tail", "yes", "seq",
     "python", "python3", "node", "nginx", "redis-server", "uname", "hostname", "id", "ps", "sync", "/hello")
)  # fmt: skip


def _on_loop(delay_s: float, function: Callable[[], None]) -> Any:
    return asyncio.get_running_loop().call_later(delay_s, function)


class Lifecycle:
    """All that changes a state."""

    def __init__(self, state: State, clock: Callable[[], float] = time.time, later: Later = _on_loop) -> None:
        self.state = state
        self.clock = clock
        self.later = later

    # --- events ---

    def emit(self, kind: str, action: str, engine_id: str, attributes: dict[str, str]) -> None:
        now = self.clock()
        event: Document = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": engine_id, "Attributes": attributes},
            "scope": "local",
            "time": int(now),
            "timeNano": int(now * 1e9),
        }
        if kind in ("container", "image"):
            event.update(status=action, id=engine_id)
        if kind == "container":
            event["from"] = attributes.get("image", "")
        self.state.events.append(event)
        for listener in list(self.state.listeners):
            listener(event)

    def _tell(self, c: Container, action: str, **more: str) -> None:
        self.emit("container", action, c.id, {**c.labels, "image": str(c.body.get("Image")), "name": c.name, **more})

    # --- containers ---

    def create(self, name: str | None, body: Document, *, created: float | None = None) -> Container:
        """Raises ApiError."""
        state = self.state
        image = state.image(str(body.get("Image") or ""))
        program = image.program
        engine_id = state.new_id(f"container {name}")
        name = name or f"{_ADJECTIVES[int(engine_id[:4], 16) % 20]}_{_PEOPLE[int(engine_id[4:8], 16) % 20]}"
        if name in state.names:
            raise ApiError(
                409,
                f'Conflict. The container name "/{name}" is already in use by container "{state.names[name]}". '
                "You have to remove (or rename) that container to be able to reuse that name.",
            )
        if program is not None:
            given = body.get("Cmd") or body.get("Entrypoint")
            body = {**body, "Cmd": body.get("Cmd") if given else list(program.command)}
            if body.get("Entrypoint") is None and program.entrypoint:
                body["Entrypoint"] = list(program.entrypoint)
            if program.port:
                body["ExposedPorts"] = {f"{program.port}/tcp": {}, **(body.get("ExposedPorts") or {})}
            if image.labels:
                body["Labels"] = {**image.labels, **(body.get("Labels") or {})}
        c = Container(engine_id, name, body, image.id, self.clock() if created is None else created)
        self._mount(c, program.volume if program else "")
        self._place(c)
        state.containers[engine_id] = c
        state.names[name] = engine_id
        self._tell(c, "create")
        return c

    def start(self, c: Container) -> bool:
        """False where it runs already. Raises ApiError, and then the container stays as it is, with the error."""
        if c.status == "paused":
            raise ApiError(409, "cannot start a paused container, try unpause instead")
        if c.status in ("running", "restarting"):
            return False
        self._check_command(c)
        self._publish(c)
        c.is_wanted = True
        c.restart_count = 0
        self._run(c)
        return True

    def _run(self, c: Container) -> None:
        now = self.clock()
        c.generation += 1
        c.status, c.error, c.meter = "running", "", None
        c.runs.append(Run(now))
        for name, endpoint in c.endpoints.items():
            self.emit("network", "connect", endpoint.network, {"container": c.id, "name": name, "type": "bridge"})
        self._tell(c, "start")
        if c.body.get("Healthcheck"):
            c.health, c.health_since = "starting", now
            spread = int(c.id[:4], 16) / 65536
            first, last = HEALTHY_AFTER_S
            self._later(c, first + (last - first) * spread, lambda: self.check(c))
        fate = c.fate or fate_of(c)
        if fate is not None:
            self._later(c, fate.after_s, lambda: self.end(c, fate.exit_code, oom_killed=fate.oom_killed))

    def _later(self, c: Container, delay_s: float, function: Callable[[], None]) -> None:
        """Call it then, if this run still goes on."""
        generation = c.generation

        def call() -> None:
            if c.generation == generation and c.is_running:
                function()

        self.later(delay_s, call)

    def check(self, c: Container) -> None:
        """The health check's verdict, from now on."""
        if not c.health or not c.is_running:
            return
        health = "unhealthy" if c.failing else "healthy"
        if health != c.health:
            c.health, c.health_since = health, self.clock()
            self._tell(c, f"health_status: {health}")

    def end(self, c: Container, exit_code: int, *, oom_killed: bool = False, is_wanted: bool = True) -> None:
        """The main process has ended; the restart policy decides what follows."""
        run = c.run
        if not c.is_running or run is None:
            return
        c.generation += 1
        c.is_wanted = is_wanted
        run.ended, run.exit_code, run.oom_killed = self.clock(), exit_code, oom_killed
        if oom_killed:
            self._tell(c, "oom")
        restarts = is_wanted and self._restarts(c, exit_code)
        c.health = ""
        c.status = "restarting" if restarts else "exited"
        for name, endpoint in c.endpoints.items():
            self.emit("network", "disconnect", endpoint.network, {"container": c.id, "name": name, "type": "bridge"})
        self._tell(c, "die", exitCode=str(exit_code), execDuration=str(int(run.ended - run.began)))
        if restarts:
            generation = c.generation
            self.later(self._back_off_s(c), lambda: self._again(c, generation))
        elif c.host.get("AutoRemove"):
            self.remove(c, force=True, volumes=True)

    def _again(self, c: Container, generation: int) -> None:
        if c.generation == generation and c.status == "restarting":
            c.restart_count += 1
            self._run(c)

    def _restarts(self, c: Container, exit_code: int) -> bool:
        policy = c.restart_policy
        if policy == "on-failure":
            most = int((c.host.get("RestartPolicy") or {}).get("MaximumRetryCount") or 0)
            return exit_code != 0 and (not most or c.restart_count < most)
        return policy in ("always", "unless-stopped")

    def _back_off_s(self, c: Container) -> float:
        short = 0
        for run in reversed(c.runs):
            if run.ended is None or run.ended - run.began >= STEADY_S:
                break
            short += 1
        return BACK_OFF_FIRST_S if not short else min(BACK_OFF_FIRST_S * 2 ** (short + 4), BACK_OFF_MOST_S)

    def stop(self, c: Container, *, killed: bool = False) -> bool:
        """False where it does not run."""
        if c.status == "restarting":
            c.status, c.is_wanted = "exited", False
            c.generation += 1
            self._tell(c, "stop")
            return True
        if not c.is_running:
            return False
        self._tell(c, "kill", signal="15")
        if killed:
            self._tell(c, "kill", signal="9")
        self.end(c, 137 if killed else _code_at_term(c), is_wanted=False)
        if c.id in self.state.containers:
            self._tell(c, "stop")
        return True

    def restart(self, c: Container) -> None:
        """Raises ApiError."""
        self.stop(c)
        self.start(c)
        self._tell(c, "restart")

    def kill(self, c: Container, signal: str) -> None:
        """Raises ApiError."""
        name = signal.upper().removeprefix("SIG")
        number = int(name) if name.isdigit() else SIGNALS.get(name)
        if number is None or not 0 < number < 65:
            raise ApiError(400, f"Invalid signal: {signal}")
        if not c.is_running:
            raise ApiError(409, f"Cannot kill container: {c.id}: Container {c.id} is not running")
        self._tell(c, "kill", signal=str(number))
        if number in ENDING_SIGNALS or (number == 1 and c.program.runs_for_s):  # daemons read their files anew
            self.end(c, 128 + number, is_wanted=number not in (9, 15))

    def pause(self, c: Container) -> None:
        """Raises ApiError."""
        if c.status != "running":
            said = "is already paused" if c.status == "paused" else "is not running"
            raise ApiError(409, f"Container {c.id} {said}")
        c.status = "paused"
        self._tell(c, "pause")

    def unpause(self, c: Container) -> None:
        """Raises ApiError."""
        if c.status != "paused":
            raise ApiError(500, f"Container {c.id} is not paused")
        c.status = "running"
        self._tell(c, "unpause")
        self.check(c)
        fate = c.fate or fate_of(c)
        if fate is not None:
            self._later(c, fate.after_s, lambda: self.end(c, fate.exit_code, oom_killed=fate.oom_killed))

    def rename(self, c: Container, name: str) -> None:
        """Raises ApiError."""
        if name in self.state.names:
            raise ApiError(409, f'Error when allocating new name: Conflict. The container name "/{name}" is already '
                                f'in use by container "{self.state.names[name]}".')  # fmt: skip
        before = c.name
        del self.state.names[before]
        c.name = name
        self.state.names[name] = c.id
        self._tell(c, "rename", oldName=f"/{before}")

    def update(self, c: Container, changes: Document) -> None:
        c.body = {**c.body, "HostConfig": {**c.host, **changes}}
        self._tell(c, "update")

    def remove(self, c: Container, *, force: bool, volumes: bool) -> None:
        """Raises ApiError."""
        if c.is_running or c.status == "restarting":
            if not force:
                raise ApiError(
                    409,
                    f'cannot remove container "/{c.name}": container is running: stop the container before removing '
                    "or force remove",
                )
            if c.is_running:
                self._tell(c, "kill", signal="9")
                self.end(c, 137, is_wanted=False)
        if self.state.containers.pop(c.id, None) is None:
            return  # it removed itself when it ended
        c.generation += 1
        self.state.names.pop(c.name, None)
        if volumes:
            for mount in c.mounts:
                found = self.state.volumes.get(str(mount.get("Name") or ""))
                is_anonymous = found is not None and len(found.name) == 64
                if found is not None and is_anonymous and not self.state.users_of_volume(found.name):
                    del self.state.volumes[found.name]
                    self.emit("volume", "destroy", found.name, {"driver": found.driver})
        self._tell(c, "destroy")

    # --- what a container is made of ---

    def _mount(self, c: Container, declared: str) -> None:
        mounts: list[Document] = []
        for mount in c.host.get("Mounts") or []:
            kind, target = str(mount.get("Type") or "volume"), str(mount.get("Target"))
            source, is_read_only = str(mount.get("Source") or ""), bool(mount.get("ReadOnly"))
            if kind == "volume":
                mounts.append(self._volume_mount(c, source, target, is_read_only))
            elif kind == "bind":
                mounts.append(_mount_document("bind", "", source, target, is_read_only))
            else:
                mounts.append(_mount_document("tmpfs", "", "", target, is_read_only))
        for bind in c.host.get("Binds") or []:
            source, _, rest = str(bind).partition(":")
            target, _, mode = rest.partition(":")
            if source.startswith("/"):
                mounts.append(_mount_document("bind", "", source, target, "ro" in mode))
            else:
                mounts.append(self._volume_mount(c, source, target, "ro" in mode))
        if declared and all(mount["Destination"] != declared for mount in mounts):
            mounts.append(self._volume_mount(c, "", declared, False))
        c.mounts = mounts

    def _volume_mount(self, c: Container, name: str, target: str, is_read_only: bool) -> Document:
        name = name or self.state.new_id(f"volume {c.name} {target}")
        if name not in self.state.volumes:
            labels = {"com.docker.volume.anonymous": ""} if len(name) == 64 else {}
            make_volume(self, name, labels=labels, created=c.created)
        return _mount_document("volume", name, f"/var/lib/docker/volumes/{name}/_data", target, is_read_only)

    def _place(self, c: Container) -> None:
        mode = str(c.host.get("NetworkMode") or "bridge")
        wanted: dict[str, Document] = (c.body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
        if mode in ("host", "none") or mode.startswith("container:"):
            if mode == "none" and any(n.name == "none" for n in self.state.networks.values()):
                c.endpoints["none"] = Endpoint(self.state.network("none").id, "")
            return
        if not wanted:
            wanted = {"bridge" if mode == "default" else mode: {}}
        for name, endpoint in wanted.items():
            self.attach(c, name, endpoint or {})

    def attach(self, c: Container, name: str, endpoint: Document) -> None:
        """Give it a place in a network. Raises ApiError."""
        network = self.state.network(name)
        if network.name in c.endpoints:
            raise ApiError(403, f"endpoint with name {c.name} already exists in network {network.name}")
        ip = str((endpoint.get("IPAMConfig") or {}).get("IPv4Address") or "")
        if not ip and network.subnet:
            first, second, *_ = network.subnet.split(".")
            ip = f"{first}.{second}.{network.next_address // 256}.{network.next_address % 256}"
            network.next_address += 1
        c.endpoints[network.name] = Endpoint(network.id, ip, list(endpoint.get("Aliases") or []))

    def _publish(self, c: Container) -> None:
        bindings: dict[str, list[Document]] = c.host.get("PortBindings") or {}
        ports: dict[str, int] = {}
        for name, wanted in bindings.items():
            protocol = name.partition("/")[2] or "tcp"
            for binding in wanted or [{}]:
                number = int(binding.get("HostPort") or 0) or self._free_port(protocol)
                other = self.state.publisher_of(number, protocol)
                if other is not None:
                    endpoint = f"{c.name} ({c.id[::-1]})"
                    c.error = (
                        "failed to set up container networking: driver failed programming external connectivity on "
                        f"endpoint {endpoint}: Bind for {binding.get('HostIp') or '0.0.0.0'}:{number} failed: port "
                        "is already allocated"
                    )
                    raise ApiError(500, c.error)
                ports[name] = number
        c.ports = ports

    def _free_port(self, protocol: str) -> int:
        port = FIRST_PORT
        while self.state.publisher_of(port, protocol) is not None:
            port += 1
        return port

    def _check_command(self, c: Container) -> None:
        command = c.body.get("Entrypoint") or c.body.get("Cmd") or []
        program = c.program
        known = {*COMMANDS, *program.command[:1], *program.entrypoint[:1]}
        word = str(command[0]) if command else ""
        if word and word not in known and re.fullmatch(r"[a-z0-9_-]+", word):
            c.error = (
                "failed to create task for container: failed to create shim task: OCI runtime create failed: runc "
                f'create failed: unable to start container process: error during container init: exec: "{word}": '
                "executable file not found in $PATH"
            )
            raise ApiError(400, c.error)


def _mount_document(kind: str, name: str, source: str, target: str, is_read_only: bool) -> Document:
    document: Document = {
        "Type": kind,
        "Source": source,
        "Destination": target,
        "Mode": "ro" if is_read_only else ("z" if kind == "volume" else ""),
        "RW": not is_read_only,
        "Propagation": "rprivate" if kind == "bind" else "",
    }
    if kind == "volume":
        document.update(Name=name, Driver="local")
    return document


def _code_at_term(c: Container) -> int:
    """What its main process ends with when it is asked to."""
    style = c.program.style
    if style in ("java", "ledger"):
        return 143
    if c.program.runs_for_s or style == "plain":
        return 137 if "sleep" in str(c.body.get("Cmd")) else 0
    return 0


def fate_of(c: Container) -> Fate | None:
    """How a run ends by itself, where its command or image says so."""
    words = [str(word) for word in (c.body.get("Cmd") or [])]
    program = c.program
    text = words[-1] if len(words) == 3 and words[0] in SHELLS and words[1] == "-c" else " ".join(words)
    if words[:1] == ["sleep"] or text.startswith("sleep "):
        duration = text.split()[1] if len(text.split()) > 1 else "0"
        return None if not duration.isdigit() else Fate(float(duration), 0)
    if found := re.search(r"\bexit (\d{1,3})\b", text):
        naps = sum(float(nap) for nap in re.findall(r"\bsleep (\d{1,6})\b", text))
        return Fate(0.2 + naps, int(found[1]))
    if words[:1] and words[0] in ("true", "echo", "date", "env", "ls", "uname", "hostname", "id", "sync", "/hello"):
        return Fate(0.05, 0)
    if words[:1] == ["false"]:
        return Fate(0.05, 1)
    if "while" in text or "tail -f" in text or "sleep infinity" in text or words[:1] in (["top"], ["yes"], ["ping"]):
        return None
    if program.runs_for_s and words[:1] and words[0] in SHELLS and (c.tty or c.body.get("OpenStdin")):
        return None
    return Fate(program.runs_for_s, 0) if program.runs_for_s else None


def words_of(command: str) -> list[str]:
    """A command line as its words; one word where its quotes don't match."""
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


_ADJECTIVES = (
    "admiring", "bold", "busy", "clever", "crazy", "dazzling", "eager", "epic", "festive", "focused", "gallant",
    "happy", "jolly", "keen", "lucid", "modest", "nifty", "quirky", "serene", "zen",
)  # fmt: skip
_PEOPLE = (
    "archimedes", "babbage", "bohr", "curie", "darwin", "euler", "faraday", "franklin", "gauss", "hopper", "hypatia",
    "kepler", "lovelace", "meitner", "newton", "noether", "pascal", "ramanujan", "turing", "wing",
)  # fmt: skip
