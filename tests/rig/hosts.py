"""Hosts with an address on a network of the rig.

A host is a network namespace with its own engine. The network's bridge lies in a namespace too (the hub),
joined to the machine by one link: so no rule of the machine's firewall has to be changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.rig import install, processes, runs, slow
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
        self._numbers = cycle(range(1, 240))
        self._made = 0
        try:
            self._link_to_machine()
        except RuntimeError as error:
            self.close()
            raise install.NotAvailable(f"this machine allows no network namespaces: {error}") from error
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
        taken = {host.number for host in self.hosts}
        number = next(number for number in self._numbers if number not in taken)
        host = Host(self, number, version, name or f"host-{self._made}", options)
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
        for host in [*self.hosts]:
            host.close()
        runs.end(self.run)

    def _link_to_machine(self) -> None:
        outside = self.run.name
        runs.command("ip", "netns", "add", self.hub)
        runs.command("ip", "link", "add", outside, "type", "veth", "peer", "name", "machine", "netns", self.hub)
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
        self.number = number
        self.hostname = hostname
        self.address = network.run.address(10 + number)
        self.netns = f"{network.run.name}-h{number}"
        self._link = f"h{number}"
        self._mark = f"{network.run.name}/h{number}/guest/"
        self._helpers: list[subprocess.Popen[bytes]] = []
        self._guests: list[subprocess.Popen[bytes]] = []
        self._relay: subprocess.Popen[bytes] | None = None
        self._join()
        self._enter = self._make_namespaces(network.run.folder / self._link)
        self.engine = Engine(
            network.run,
            self._link,
            version,
            enter=self._inside(Path("/")),
            options=with_registries(options, network.subnet),
        )

    def cut(self) -> None:
        """Pull the cable: packets to and from the host are lost without an error."""
        in_namespace(self.network.hub, f"link set {self._link} down")

    def heal(self) -> None:
        """Put the cable back in."""
        in_namespace(self.network.hub, f"link set {self._link} up")

    def slow(self, delay_ms: float, loss_percent: float = 0) -> None:
        """Delay and lose packets, each way (a round trip takes twice `delay_ms`); `slow(0)` ends it."""
        self._end_relay()
        if delay_ms or loss_percent:
            self._start_relay(delay_ms, loss_percent)

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

        `env` replaces the environment as with Popen. The pid is the process's own. It ends with the host, or
        before.
        """
        environment = dict(os.environ if env is None else env) | {processes.MARK: self._mark}
        process = subprocess.Popen(
            [*self._inside(cwd or Path.cwd()), *argv],
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self._guests.append(process)
        return process

    def reset(self) -> None:
        """Make the line good again and end what was started with `run_in`."""
        self.heal()
        self.slow(0)
        for process in self._guests:
            process.kill()
        self.reap()

    def close(self) -> None:
        """Take this host away, as if the machine were gone: cable, processes, files."""
        self.engine.close()
        self._end_relay()
        processes.kill_all(lambda: processes.marked(self._mark))
        self.reap()
        for helper in self._helpers:
            helper.wait()
        self.engine.remove()
        runs.command("ip", "netns", "delete", self.netns)
        self.network.hosts.remove(self)

    def reap(self) -> None:
        """Collect the processes that were started here and are dead now."""
        for process in self._guests:
            process.wait()
        self._guests.clear()

    def _join(self) -> None:
        runs.command("ip", "netns", "add", self.netns)
        in_namespace(
            self.netns,
            "link set lo up",
            # An address belongs to one MAC for good: others remember it, and numbers are used again.
            f"link add eth0 address 02:77:00:00:00:{self.number:02x} type veth"
            f" peer name {self._link} netns {self.network.hub}",
            f"address add {self.address}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {self.network.gateway}",
        )
        in_namespace(self.network.hub, f"link set {self._link} master hub up")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        runs.command("nsenter", f"--net={runs.NAMESPACES / self.netns}", "sh", "-c", forward)

    def _make_namespaces(self, folder: Path) -> list[str]:
        """Give the host a hostname, an /etc/docker and a resolver of its own; gives the command to enter it.

        Mounts of the host stay in the host, and end with it. `/` is shared there as on a machine with an init
        system, which mounts with propagation need.
        """
        etc = folder / "etc"
        etc.mkdir(parents=True)
        Path("/etc/docker").mkdir(exist_ok=True)  # else there is nothing to mount over
        # Nobody answers there, at once: an engine that looks for the public registry fails fast.
        (folder / "resolv.conf").write_text(f"nameserver {self.network.gateway}\n")
        script = """
            set -e
            echo "$0" > /proc/sys/kernel/hostname
            mount --make-rshared /
            mount --bind "$1/etc" /etc/docker
            mount --bind "$1/resolv.conf" /etc/resolv.conf
            echo ready
            exec sleep infinity
        """
        # Not `ip netns exec`: that remounts /sys, and the engine then finds no cgroups.
        net = f"--net={runs.NAMESPACES / self.netns}"
        namespaces = ["unshare", "--uts", "--mount", "--propagation", "slave"]
        holder = self._start_helper("nsenter", net, *namespaces, "sh", "-c", script, self.hostname, folder)
        return ["nsenter", net, f"--uts=/proc/{holder.pid}/ns/uts", f"--mount=/proc/{holder.pid}/ns/mnt"]

    def _inside(self, cwd: Path) -> list[str]:
        # nsenter itself would leave the working folder.
        return [*self._enter, "sh", "-c", 'cd "$0" && exec "$@"', str(cwd)]

    def _start_relay(self, delay_ms: float, loss_percent: float) -> None:
        """Put the relay between the host's link and the hub, with a bridge of its own on the host's side."""
        hub, link = self.network.hub, self._link
        enter_hub = ("nsenter", f"--net={runs.NAMESPACES / hub}")
        self._relay = self._start_helper(
            *enter_hub, sys.executable, slow.__file__, f"{link}-far", f"{link}-near", str(delay_ms), str(loss_percent)
        )
        in_namespace(
            hub,
            f"link add {link}-line type bridge",
            f"link set {link}-line up",
            f"link set {link}-near master {link}-line up",
            f"link set {link}-far master hub up",
            f"link set {link} master {link}-line",
        )

    def _end_relay(self) -> None:
        if self._relay is None:
            return
        in_namespace(self.network.hub, f"link set {self._link} master hub", f"link delete {self._link}-line")
        self._relay.kill()
        self._relay.wait()
        self._relay = None

    def _start_helper(self, *argv: str | Path) -> subprocess.Popen[bytes]:
        """Start a process of the host's and wait for its `ready`."""
        helper = subprocess.Popen(
            argv,
            env=os.environ | {processes.MARK: self._mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._helpers.append(helper)
        assert helper.stdout is not None
        with helper.stdout as output:
            if output.readline() != b"ready\n":
                raise RuntimeError(f"{argv[0]} of {self.hostname} did not start")
        return helper


def with_registries(options: Options | None, subnet: str) -> Options:
    """`options`, or the usual ones, with every registry of the rig's own network allowed without TLS."""
    options = options or Options()
    return replace(options, insecure_registries=(*options.insecure_registries, subnet))


def in_namespace(namespace: str, *lines: str) -> None:
    """Run lines of `ip` in a network namespace."""
    runs.command("ip", "-netns", namespace, "-batch", "-", stdin="\n".join(lines))
