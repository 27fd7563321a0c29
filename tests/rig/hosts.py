"""Hosts with an address on a network of the rig.

A host is a network namespace with its own engine. The network's bridge lies in a namespace too (the hub),
joined to the machine by one link: so no rule of the machine's firewall has to be changed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.rig import install, processes, runs
from tests.rig.engines import Engine, EngineVersion, Options


class Network:
    """A subnet with hosts. What the machine's own processes listen on at `gateway`, the hosts reach."""

    def __init__(self) -> None:
        """Sweep what dead runs left, then make an empty network. Raises NotAvailable."""
        if os.geteuid() != 0:
            raise install.NotAvailable("only root can make network namespaces")
        install.ensure_tools()
        self.run = runs.begin()
        self.gateway = self.run.address(1)
        self.subnet = self.run.subnet
        self.hub = f"{self.run.name}-hub"
        self.hosts: list[Host] = []
        self._made = 0
        try:
            self._link_to_machine()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def host(
        self,
        version: EngineVersion = EngineVersion.V20_10,
        *,
        name: str | None = None,
        options: Options | None = None,
        start: bool = True,
    ) -> Host:
        """Make a host; with `start`, wait until its engine answers."""
        self._made += 1
        host = Host(self, self._made, version, name or f"host-{self._made}", options)
        self.hosts.append(host)
        if start:
            host.engine.start()
        return host

    def start(self, hosts: Sequence[Host]) -> None:
        """Start the engines of `hosts` side by side."""
        for host in hosts:
            host.engine.launch()
        for host in hosts:
            host.engine.wait_until_ready()

    def close(self) -> None:
        """Take everything down, leaving nothing on the machine."""
        for host in self.hosts:
            host.engine.close()
        runs.end(self.run)
        for host in self.hosts:
            host.reap()
        self.hosts.clear()

    def _link_to_machine(self) -> None:
        outside = self.run.name
        runs.command("ip", "netns", "add", self.hub)
        runs.command(
            "ip", "link", "add", outside, "type", "veth", "peer", "name", "machine", "netns", self.hub
        )
        runs.command("ip", "address", "add", f"{self.gateway}/24", "dev", outside)
        runs.command("ip", "link", "set", outside, "up")
        in_namespace(
            self.hub,
            "link set lo up",
            "link add hub type bridge",
            "link set hub up",
            "link set machine master hub up",
        )


class Host:
    """A machine as Docker sees one: an address, a hostname, an engine."""

    def __init__(
        self, network: Network, number: int, version: EngineVersion, hostname: str, options: Options | None
    ) -> None:
        self.network = network
        self.hostname = hostname
        self.address = network.run.address(10 + number)
        self.netns = f"{network.run.name}-h{number}"
        self._link = f"h{number}"
        self._mark = f"{network.run.name}/h{number}/guest/"
        self._started: list[subprocess.Popen[bytes]] = []
        self._join()
        self.engine = Engine(
            network.run,
            f"h{number}",
            version,
            enter=self._enter,
            options=with_registries(options, network.subnet),
        )

    @property
    def _enter(self) -> list[str]:
        # Not `ip netns exec`: that remounts /sys, and the engine then finds no cgroups.
        set_hostname = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"'
        namespace = runs.NAMESPACES / self.netns
        return ["nsenter", f"--net={namespace}", "unshare", "--uts", "sh", "-c", set_hostname, self.hostname]

    def cut(self) -> None:
        """Pull the cable: packets to and from the host are lost without an error."""
        in_namespace(self.network.hub, f"link set {self._link} down")

    def heal(self) -> None:
        """Put the cable back in."""
        in_namespace(self.network.hub, f"link set {self._link} up")

    def run_in(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process on the host (an agent, say), with its network and hostname and the machine's files.

        `env` replaces the environment as with Popen. The pid is the process's own. It ends with the host at the
        latest.
        """
        environment = dict(os.environ if env is None else env) | {processes.MARK: self._mark}
        process = subprocess.Popen(
            [*self._enter, *argv],
            env=environment, cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True,
        )  # fmt: skip
        self._started.append(process)
        return process

    def close(self) -> None:
        """Take this host away, as if the machine were gone: cable, processes, files."""
        self.engine.close()
        processes.kill_all(lambda: processes.marked(self._mark))
        self.engine.remove()
        runs.command("ip", "netns", "delete", self.netns)
        self.reap()
        self.network.hosts.remove(self)

    def reap(self) -> None:
        """Collect the processes that were started here and are dead now."""
        for process in self._started:
            process.wait()

    def _join(self) -> None:
        runs.command("ip", "netns", "add", self.netns)
        in_namespace(
            self.netns,
            "link set lo up",
            f"link add eth0 type veth peer name {self._link} netns {self.network.hub}",
            f"address add {self.address}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {self.network.gateway}",
        )
        in_namespace(self.network.hub, f"link set {self._link} master hub up")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        runs.command("nsenter", f"--net={runs.NAMESPACES / self.netns}", "sh", "-c", forward)


def with_registries(options: Options | None, subnet: str) -> Options:
    """`options`, or the usual ones, with every registry of the rig's own network allowed without TLS."""
    options = options or Options()
    return replace(options, insecure_registries=(*options.insecure_registries, subnet))


def in_namespace(namespace: str, *lines: str) -> None:
    """Run lines of `ip` in a network namespace."""
    runs.command("ip", "-netns", namespace, "-batch", "-", stdin="\n".join(lines))
