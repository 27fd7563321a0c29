"""A console and hosts of the rig with agents, all real: `./gantry up`, engines, websockets between namespaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from tests.rig.engines import EngineVersion
from tests.rig.hosts import Host, Network
from tests.rig.images import busybox
from tests.up import REPO, Up, eventually

IMAGE = "busybox:local"
FOREVER = ["sleep", "86400"]


class Refused(Exception):
    """A REST call was answered with a problem."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        super().__init__(f"{status}: {problem}")


class Console:
    """`./gantry up` without a local agent, listening where the rig's hosts reach it."""

    def __init__(self, network: Network, **env: str) -> None:
        # A short heartbeat: tests wait for hosts to be missed.
        settings = {"GANTRY_HEARTBEAT_S": "1", "GANTRY_LOST_AFTER_S": "4", **env}
        self.up = Up("--no-agent", "--host", network.gateway, **settings)
        self.up.url = self.url = f"http://{network.gateway}:{self.up.port}"
        self.token = ""

    def start(self) -> None:
        self.up.start()
        self.token = self.token or self.up.gantry("token", "--user", "admin")

    def join_token(self, *arguments: str) -> str:
        return self.up.gantry("join-token", *arguments)

    def ask(self, method: str, path: str, body: object = None, *, timeout_s: float = 90, **headers: str) -> Any:
        """One REST call under /api/v1. Raises Refused for a problem."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Refused(error.code, json.loads(error.read())) from error

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every object of a list, over all its pages."""
        found: list[dict[str, Any]] = []
        separator = "&" if "?" in path else "?"
        while True:
            page = self.get(f"{path}{separator}limit=1000&offset={len(found)}")
            found += page["results"]
            if not page["next"]:
                return found

    def done(self, operation_id: str, timeout_s: float = 60) -> dict[str, Any]:
        """The operation when it has ended."""

        def ended() -> Any:
            operation = self.get(f"/operations/{operation_id}?wait=5")
            return operation if operation["is_finished"] else None

        found = eventually(ended, f"the end of operation {operation_id}", timeout_s)
        assert isinstance(found, dict)
        return found


class Member:
    """A host of the rig with an agent of ours on it."""

    def __init__(self, console: Console, host: Host) -> None:
        self.console = console
        self.host = host
        self.state = console.up.data / f"agent-{host.hostname}"
        self.log = console.up.data / f"agent-{host.hostname}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.id = ""

    def start(self, *, join_token: str | None = None) -> None:
        """Start the agent; with a join token the first time."""
        env = {**os.environ, "PYTHONPATH": str(REPO)}
        env.pop("GANTRY_DATA", None)
        if join_token:
            env["GANTRY_JOIN_TOKEN"] = join_token
        argv = [sys.executable, "-m", "agents", "run", "--console", self.console.url, "--state", str(self.state)]
        with self.log.open("ab") as log:
            self.process = self.host.run_in(
                [*argv, "--engine", self.host.engine.url, "--name", self.host.hostname],
                env=env,
                cwd=REPO,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)

    def row(self) -> dict[str, Any]:
        found: dict[str, Any] = self.console.get(f"/hosts/{self.id}")
        return found

    def is_online(self) -> bool:
        return bool(self.row()["state"] == "online")

    def mirrored(self) -> dict[str, str]:
        """Name to state of the host's containers in the console."""
        return {c["name"]: c["last_state"] for c in self.console.all(f"/containers?host={self.id}")}

    def real(self) -> dict[str, str]:
        """Name to state of the host's containers in its engine."""
        return {c.name: c.status for c in self.host.engine.client.containers.list(all=True)}

    def run(self, name: str, **options: Any) -> Any:
        """Start a container behind Gantry's back, as somebody with the docker CLI does."""
        command = options.pop("command", FOREVER)
        return self.host.engine.client.containers.run(
            IMAGE, command, name=name, detach=True, stop_signal="SIGKILL", **options
        )

    def create(self, name: str, **body: Any) -> dict[str, Any]:
        """Ask the console for a container; gives the operation as it was answered."""
        ask = {"host": self.id, "name": name, "image": IMAGE, "command": FOREVER, **body}
        created: dict[str, Any] = self.console.ask("POST", "/containers", ask)
        return created


class Fleet:
    def __init__(self, network: Network, versions: Sequence[EngineVersion], **env: str) -> None:
        self.network = network
        self.console = Console(network, **env)
        self.hosts = [network.host(version, start=False) for version in versions]
        self.members: list[Member] = []

    def start(self) -> None:
        self.network.start(self.hosts)
        self.console.start()
        for host in self.hosts:
            busybox(host.engine)
            self.members.append(self.join(host))

    def join(self, host: Host) -> Member:
        member = Member(self.console, host)
        before = {row["id"] for row in self.console.all("/hosts")}
        member.start(join_token=self.console.join_token())

        def joined() -> str:
            rows = [row["id"] for row in self.console.all("/hosts?state=online") if row["id"] not in before]
            return rows[0] if rows else ""

        member.id = str(eventually(joined, f"{host.hostname} joins; its log: {member.log}"))
        return member

    def close(self) -> None:
        for member in self.members:
            if member.process is not None and member.process.poll() is None:
                member.kill()
        self.console.up.close()
        for host in self.hosts:
            host.close()


def same(member: Member, timeout_s: float = 30) -> None:
    """The console's picture of the host's containers becomes what the engine says."""
    eventually(lambda: member.mirrored() == member.real(), f"mirror of {member.host.hostname}", timeout_s)
