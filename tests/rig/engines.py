"""Docker engines of several versions, each with a folder, socket, containerd and cgroup of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import docker

from tests.rig import install, processes, runs


class EngineVersion(StrEnum):
    """The engines that tests run on, by the version of their packages; of the last it is the oldest allowed.

    That one is of a release still in motion, and is started with what engine 29 has as defaults.
    """

    V20_10 = "20.10"
    V26_1 = "26.1"
    V28_5 = "28.5"

    @property
    def why_not(self) -> str | None:
        """None where this machine can run it, else the reason why it cannot."""
        return install.why_not(self.value)


def available_engines() -> list[EngineVersion]:
    """The versions that this machine can run, oldest first; fetches what is not in the cache yet."""
    return [version for version in EngineVersion if version.why_not is None]


class EngineNotStarted(Exception):
    """The engine ended or stayed silent; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Options:
    """How an engine is started; `arguments` go to dockerd as they are."""

    live_restore: bool = False
    insecure_registries: Sequence[str] = ()
    registry_mirror: str | None = None
    arguments: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)


class Engine:
    """One dockerd. `enter` is put before its command line and says where it runs (see hosts.Host)."""

    def __init__(
        self,
        run: runs.Run,
        name: str,
        version: EngineVersion = EngineVersion.V20_10,
        *,
        enter: Sequence[str] = (),
        options: Options | None = None,
    ) -> None:
        self.run = run
        self.name = name
        self.version = version
        self.options = options or Options()
        self.folder = run.folder / name
        self.data = self.folder / "data"
        self.etc = self.folder / "etc"  # its /etc/docker: a test may write daemon.json or certs.d there
        self.url = f"unix://{self.folder}/docker.sock"
        self.cgroup = f"/{run.name}/{name}"
        self._enter = list(enter)
        self._process: subprocess.Popen[bytes] | None = None
        self._mark = f"{run.name}/{name}/engine/"

    @cached_property
    def client(self) -> docker.DockerClient:
        """A client that speaks the engine's newest API version; it outlives restarts of the engine."""
        return docker.DockerClient(base_url=self.url, version="auto", timeout=60)

    @property
    def pid(self) -> int | None:
        """dockerd's pid while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    @property
    def log(self) -> str:
        """What dockerd has printed since the engine was made."""
        path = self.folder / "engine.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def id_file(self) -> Path:
        """Where its id is, once it has run; a copy of it makes another engine look like a cloned machine's."""
        in_etc = self.version is EngineVersion.V20_10
        return self.etc / "key.json" if in_etc else self.data / "engine-id"

    @property
    def cli_environment(self) -> dict[str, str]:
        """For running `docker`, and its `compose` and `buildx`, as a person on this host would."""
        config = self.folder / "cli"
        config.mkdir(parents=True, exist_ok=True)
        # 20.10's release has no plugins in a package; those of 28.5 talk to it too.
        for version in (self.version, EngineVersion.V28_5):
            plugins = install.cache_folder() / version / "usr/libexec/docker/cli-plugins"
            if plugins.is_dir() and not (config / "cli-plugins").exists():
                (config / "cli-plugins").symlink_to(plugins)
        return self._environment(mark=False) | {"DOCKER_HOST": self.url, "DOCKER_CONFIG": str(config)}

    def start(self, *, timeout_s: float = 60) -> None:
        """Start dockerd and wait until it answers. Raises EngineNotStarted."""
        self.launch()
        self.wait_until_ready(timeout_s=timeout_s)

    def launch(self) -> None:
        """Start dockerd without waiting, so that several can start side by side."""
        if self.is_running:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._forget_dead(self.folder / "pid", self.folder / "exec/containerd/containerd.pid")
        with (self.folder / "engine.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._enter, *self._command()],
                env=self._environment() | self.options.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for the rig, which ends it in order
            )

    def wait_until_ready(self, *, timeout_s: float = 60) -> None:
        """Wait until the engine answers. Raises EngineNotStarted."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if not self.is_running:
                break
            if self._answers():
                return
            time.sleep(0.05)
        raise EngineNotStarted(f"engine {self.version} did not start:\n" + self.log[-3000:])

    def stop(self, *, timeout_s: float = 30) -> None:
        """End it as an init system would; containers are stopped too, except with live_restore."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(timeout_s)

    def restart(self) -> None:
        """`stop` and `start`."""
        self.stop()
        self.start()

    def crash(self) -> None:
        """Kill -9 dockerd alone: its containerd, the shims and the containers go on."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """Kill -9 dockerd and all it started: containerd, shims, containers; a machine without power."""
        self.crash()
        processes.kill_all(self._processes)

    def close(self) -> None:
        """`kill`, and let go of the client's connections."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()
        self.kill()

    def remove(self) -> None:
        """Remove what a killed engine leaves: mounts, files, cgroups."""
        runs.remove_leftovers(self.folder, self.cgroup)

    def _forget_dead(self, *pid_files: Path) -> None:
        """Remove pid files of killed daemons.

        The engine would do so itself, but takes a process that is dead and not yet reaped for a living one, and
        then waits for it in vain: not every machine's init reaps at once.
        """
        for path in pid_files:
            if path.exists() and processes.started(int(path.read_text())) is None:
                path.unlink()

    def _processes(self) -> set[int]:
        return processes.marked(self._mark) | processes.in_cgroup(self.cgroup)

    def _answers(self) -> bool:
        # A client of its own: the cached one must not be made before the engine can tell its API version.
        try:
            with docker.APIClient(base_url=self.url, version="1.44", timeout=5) as client:
                return client.get(f"{client.base_url}/_ping").ok
        except (docker.errors.DockerException, OSError):
            return False

    def _command(self) -> list[str]:
        command = [
            str(install.tree(self.version) / "usr/sbin/dockerd"),
            f"--host={self.url}",
            f"--data-root={self.data}",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/pid",
            f"--cgroup-parent={self.cgroup}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--containerd-namespace={self.name}",
            f"--containerd-plugins-namespace={self.name}-plugins",
        ]
        if self.version is EngineVersion.V28_5:
            command.append("--feature=containerd-snapshotter=true")
        if self.options.live_restore:
            command.append("--live-restore")
        if self.options.registry_mirror:
            command.append(f"--registry-mirror={self.options.registry_mirror}")
        command += [f"--insecure-registry={registry}" for registry in self.options.insecure_registries]
        return [*command, *self.options.arguments]

    def _environment(self, *, mark: bool = True) -> dict[str, str]:
        packages = install.tree(self.version)
        # Its own docker-proxy and containerd come first; runc is the machine's, newer ones need a newer libc.
        own = f"{packages}/usr/sbin:{packages}/usr/bin"
        environment = os.environ | {"PATH": f"{own}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
        if self.version is EngineVersion.V28_5:
            environment["DOCKER_MIN_API_VERSION"] = "1.44"  # with the containerd store: as engine 29 is
        if mark:
            environment[processes.MARK] = self._mark
        return environment
