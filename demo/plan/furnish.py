"""Puts stacks onto a host, as they would stand there after some weeks of work, with what is wrong with some."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from demo.memory.images import add_image
from demo.memory.lifecycle import Lifecycle
from demo.memory.networks import make_network
from demo.memory.state import Container, Document, Facts, Fate, Run, State
from demo.memory.volumes import make_volume
from demo.plan.hosts import HostPlan
from demo.plan.programs import program_of
from demo.plan.stacks import REVIEW, STACKS, Service, Stack

HOUR_S, DAY_S = 3600.0, 86400.0
OOM_EVERY_S = 6.0


@dataclass
class Furnished:
    """One host with all that is on it. `steady`: containers that nothing is to befall by chance."""

    plan: HostPlan
    life: Lifecycle
    steady: set[str] = field(default_factory=set)


def facts_of_plan(plan: HostPlan, seed: int) -> Facts:
    engine = plan.engine
    return Facts(
        id=str(random.Random(f"{seed} engine {plan.name}").getrandbits(128)),
        hostname=plan.name,
        version=engine.version,
        api_version=engine.api_version,
        min_api_version=engine.min_api_version,
        containerd=engine.containerd,
        runc=engine.runc,
        storage_driver=engine.storage_driver,
        os_name=engine.os_name,
        kernel=engine.kernel,
        cpus=plan.cpus,
        memory_bytes=plan.memory_bytes,
        disk_bytes=plan.disk_bytes,
        disk_used=plan.disk_used,
        builds=plan.role == "ci",
    )


def furnish(
    plan: HostPlan, seed: int, containers: int, life: Lifecycle | None = None, *, born: float | None = None
) -> Furnished:
    """A host with so many containers; the same for the same plan, seed and number.

    `born` is the time that all times on it are counted from (Unix seconds); None: now.
    """
    life = life or Lifecycle(State(facts_of_plan(plan, seed), f"{seed} {plan.name}"))
    host = _Host(plan, life, random.Random(f"{seed} stacks {plan.name}"), containers, born)
    host.furnish()
    life.state.events.clear()
    return host.furnished


class _Host:
    def __init__(
        self, plan: HostPlan, life: Lifecycle, chance: random.Random, containers: int, born: float | None
    ) -> None:
        self.plan = plan
        self.life = life
        self.state = life.state
        self.chance = chance
        self.wanted = containers
        self.now = life.clock() if born is None else born
        self.furnished = Furnished(plan, life)

    def furnish(self) -> None:
        for network, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
            make_network(self.life, {"Name": network, "Driver": driver}, created=self.now - 90 * DAY_S)
        loose = self._loose_ones() if self.wanted >= 8 else []
        room = self.wanted - len(loose)
        for stack in self._stacks():
            if room <= 0:
                break
            room -= self._put(stack, stack.name, room)
        number = 1400 + self.plan.number * 37
        while room > 0:
            number += self.chance.randrange(1, 9)
            room -= self._put(REVIEW, f"review-{number}", room)
        for name, body, status, exit_code in loose:
            self._loose(name, body, status, exit_code)
        self._left_behind()
        self._troubles()

    def _stacks(self) -> list[Stack]:
        fitting = [stack for stack in STACKS if self.plan.role in stack.roles]
        first = {0: "shop", 1: "bank"}.get(self.plan.number % 7, "") if self.plan.role == "prod" else "shop"
        self.chance.shuffle(fitting)
        return sorted(fitting, key=lambda stack: stack.name != first)

    # --- stacks ---

    def _put(self, stack: Stack, project: str, room: int) -> int:
        """How many containers that made."""
        deployed = self.now - self.chance.uniform(2 * HOUR_S, 25 * DAY_S)
        made = 0
        for network in sorted({name for service in stack.services for name in service.networks}):
            labels = {"com.docker.compose.project": project, "com.docker.compose.network": network}
            if all(n.name != f"{project}_{network}" for n in self.state.networks.values()):
                make_network(
                    self.life,
                    {"Name": f"{project}_{network}", "Labels": labels, "Internal": network == "payments"},
                    created=deployed - 30 * DAY_S,
                )
        for service in stack.services:
            tag = self._tag(service, project)
            self._pull_all(service, tag, deployed)
            for number in range(1, service.replicas + 1):
                if made == room:
                    return made
                body = service_body(stack, project, service, tag, number)
                c = self.life.create(f"{project}-{service.name}-{number}", body, created=deployed)
                if service.is_job:
                    self.ran(c, deployed + 5, deployed + 5 + program_of(service.image).runs_for_s, 0)
                else:
                    self.runs(c, deployed + self.chance.uniform(1, 20))
                made += 1
        return made

    def _tag(self, service: Service, project: str) -> str:
        if service.tags == ("pr",):
            return f"pr-{project.rpartition('-')[2]}"
        if self.plan.role == "stage":
            return service.tags[-1]
        return service.tags[max(0, len(service.tags) - 1 - self.chance.choice((0, 1, 1)))]

    def _pull_all(self, service: Service, tag: str, deployed: float) -> None:
        """The tag that runs, and those of earlier deploys that nobody cleaned up."""
        tags = [*service.tags[: service.tags.index(tag)], tag] if tag in service.tags else [tag]
        kept = tags[-3:] if self.chance.random() < 0.6 else tags[-1:]
        for age, each in enumerate(reversed(kept)):
            add_image(self.life, f"{service.image}:{each}", created=deployed - (2 + age * 11) * DAY_S)

    # --- states ---

    def runs(self, c: Container, began: float) -> None:
        """It has been running since then, and is well."""
        c.runs.append(Run(began))
        c.status = "running"
        c.health = "healthy" if c.body.get("Healthcheck") else ""
        c.health_since = began + 8
        for name in c.host.get("PortBindings") or {}:
            protocol = name.partition("/")[2]
            port = int(c.host["PortBindings"][name][0].get("HostPort") or 0)
            while not port or self.state.publisher_of(port, protocol) not in (None, c):
                port += 1 if port else 32768
            c.host["PortBindings"][name][0]["HostPort"] = str(port)
            c.ports[name] = port

    def ran(self, c: Container, began: float, ended: float, exit_code: int, *, oom_killed: bool = False) -> None:
        c.runs.append(Run(began, ended, exit_code, oom_killed))
        c.status, c.health = "exited", ""

    # --- what does not belong to a stack ---

    def _loose_ones(self) -> list[tuple[str | None, Document, str, int]]:
        found: list[tuple[str | None, Document, str, int]] = [
            (None, {"Image": "hello-world:latest"}, "exited", 0),
        ]
        if self.wanted >= 20:
            found.append(
                ("debug-shell", {"Image": "alpine:3.20", "Cmd": ["sh"], "Tty": True, "OpenStdin": True}, "running", 0)
            )
            found.append((None, {"Image": "python:3.13-slim", "Cmd": ["python3", "-c", "import this"]}, "exited", 0))
        return found  # fmt: skip

    def _loose(self, name: str | None, body: Document, status: str, exit_code: int) -> None:
        began = self.now - self.chance.uniform(HOUR_S, 6 * DAY_S)
        add_image(self.life, str(body["Image"]), created=began - 30 * DAY_S)
        c = self.life.create(name, body, created=began)
        if status == "running":
            self.runs(c, began + 1)
        else:
            self.ran(c, began + 1, began + 2, exit_code)

    def _left_behind(self) -> None:
        """Dangling images, volumes and networks that nothing uses any more."""
        for n in range(self.chance.randrange(1, 4)):
            created = self.now - (3 + 9 * n) * DAY_S
            image = add_image(
                self.life, f"acme/shop-web:build-{self.plan.number}-{n}", created=created
            )
            for tag in list(image.tags):
                image.tags.remove(tag)
                del self.state.references[tag]
            image.digests.clear()
        for name in ("shop_db-before-16", "import-2024-10", "")[: self.chance.randrange(1, 4)]:
            anonymous = self.state.new_id("left volume")
            labels = {} if name else {"com.docker.volume.anonymous": ""}
            make_volume(self.life, name or anonymous, labels=labels, created=self.now - 40 * DAY_S)
        make_network(self.life, {"Name": "test_default"}, created=self.now - 12 * DAY_S)

    # --- what is wrong ---

    def _troubles(self) -> None:
        number = self.plan.number
        if number % 20 == 0:
            self._unhealthy("shop-checkout-2")
        if number % 24 == 1:
            self._out_of_memory("bank-ledger-1")
        if number % 25 == 2:
            self._port_is_taken("shop-web-2", "shop-web-1", 8443)
            self._failed("shop-migrate-1", 1)
        if number % 20 == 5:
            self._paused("ci-runner-3")
        if number % 16 == 8:
            self._failed("shop-search-indexer-1", 1)
        if number % 30 == 6:
            self._command_is_missing("identity-login-2")

    def _find(self, name: str) -> Container | None:
        engine_id = self.state.names.get(name)
        if engine_id is None:
            return None
        self.furnished.steady.add(engine_id)
        return self.state.containers[engine_id]

    def _unhealthy(self, name: str) -> None:
        if c := self._find(name):
            c.failing, c.health, c.health_since = True, "unhealthy", self.now - 23 * 60

    def _out_of_memory(self, name: str) -> None:
        if (c := self._find(name)) is None:
            return
        c.fate = Fate(OOM_EVERY_S, 137, oom_killed=True)
        c.runs.clear()
        c.restart_count = 37
        at = self.now - 400.0
        for _ in range(5):
            self.ran(c, at, at + OOM_EVERY_S, 137, oom_killed=True)
            at += OOM_EVERY_S + 60
        c.status, c.is_wanted = "exited", True

    def _port_is_taken(self, name: str, by: str, port: int) -> None:
        c, other = self._find(name), self._find(by)
        if c is None or other is None:
            return
        c.runs.clear()
        c.ports.clear()
        c.host["PortBindings"] = {key: [{"HostIp": "", "HostPort": str(port)}] for key in c.host["PortBindings"]}
        c.status, c.health, c.generation = "created", "", 1
        c.error = (
            "failed to set up container networking: driver failed programming external connectivity on endpoint "
            f"{name} ({c.id[::-1]}): Bind for 0.0.0.0:{port} failed: port is already allocated"
        )

    def _command_is_missing(self, name: str) -> None:
        if c := self._find(name):
            c.runs.clear()
            c.body = {**c.body, "Entrypoint": ["serv"]}
            c.status, c.health = "created", ""
            c.error = (
                "failed to create task for container: failed to create shim task: OCI runtime create failed: runc "
                'create failed: unable to start container process: error during container init: exec: "serv": '
                "executable file not found in $PATH"
            )

    def _failed(self, name: str, code: int) -> None:
        if c := self._find(name):
            c.runs.clear()
            c.body = {**c.body, "HostConfig": {**c.host, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}}
            ended = self.now - 41 * 60
            self.ran(c, ended - 4, ended, code)

    def _paused(self, name: str) -> None:
        if c := self._find(name):
            c.status = "paused"


def service_body(stack: Stack, project: str, service: Service, tag: str, number: int) -> Document:
    """What compose would send to create it."""
    program = program_of(service.image)
    folder = f"/srv/{project}"
    body: Document = {
        "Image": f"{service.image}:{tag}",
        "Env": [*service.env, "TZ=UTC"],
        "Labels": {
            "com.docker.compose.project": project,
            "com.docker.compose.service": service.name,
            "com.docker.compose.container-number": str(number),
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.project.working_dir": folder,
            "com.docker.compose.project.config_files": f"{folder}/compose.yml",
            "com.docker.compose.version": "2.40.3",
            "team": stack.team,
        },
        "HostConfig": {
            "NetworkMode": f"{project}_{service.networks[0]}",
            "RestartPolicy": {"Name": service.restart, "MaximumRetryCount": 0},
            "Mounts": [
                {"Type": "volume", "Source": f"{project}_{name}" if name else "", "Target": path}
                for name, path in service.volumes
            ]
            + [
                {"Type": "bind", "Source": source, "Target": path, "ReadOnly": True} for source, path in service.binds
            ],
            "Memory": service.memory_bytes,
            "NanoCpus": int(service.cpus * 1e9),
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        },
        "NetworkingConfig": {
            "EndpointsConfig": {
                f"{project}_{network}": {"Aliases": [service.name, f"{project}-{service.name}-{number}"]}
                for network in service.networks
            }
        },
    }
    if service.published:
        port = {"HostIp": "", "HostPort": str(service.published + number - 1)}
        body["HostConfig"]["PortBindings"] = {f"{program.port}/tcp": [port]}
    if program.check:
        body["Healthcheck"] = {
            "Test": ["CMD-SHELL", program.check],
            "Interval": 30_000_000_000,
            "Timeout": 5_000_000_000,
            "Retries": 3,
        }
    return body
