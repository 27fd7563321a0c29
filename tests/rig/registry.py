"""A real registry on a network of the rig."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tests.rig import install, processes
from tests.rig.engines import Engine
from tests.rig.hosts import Network


class RegistryError(Exception):
    """The registry did not start, or an engine could not push to it."""


class Registry:
    """`docker-registry` at the network's gateway; files in the run's folder, deleting allowed."""

    def __init__(self, network: Network, *, users: Mapping[str, str] | None = None, port: int | None = None) -> None:
        """Start it and wait until it answers. With `users` (names and passwords) nothing goes without one."""
        self.users = dict(users or {})
        self.address = f"{network.gateway}:{port or _free_port(network.gateway)}"
        name = f"registry-{secrets.token_hex(2)}"
        self.folder = network.run.folder / name
        self.folder.mkdir()
        self._process = self._start(f"{network.run.name}/{name}/")
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where its HTTP API is."""
        return f"http://{self.address}"

    def push(self, engine: Engine, image: str, name: str) -> str:
        """Push the engine's `image` as `name` (`app:1`); gives the full reference. Raises RegistryError."""
        repository, _, tag = f"{self.address}/{name}".rpartition(":")
        if "/" in tag:
            repository, tag = f"{self.address}/{name}", "latest"
        engine.client.images.get(image).tag(repository, tag)
        for line in engine.client.images.push(
            repository, tag, stream=True, decode=True, auth_config=self._credentials()
        ):
            if "error" in line:
                raise RegistryError(f"pushing {repository}:{tag}: {line['error']}")
        return f"{repository}:{tag}"

    def close(self) -> None:
        """End it and remove its files."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _credentials(self) -> dict[str, str] | None:
        for username, password in self.users.items():
            return {"username": username, "password": password}
        return None

    def _start(self, mark: str) -> subprocess.Popen[bytes]:
        config = self.folder / "config.yml"
        config.write_text(json.dumps(self._config()))  # JSON is YAML
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [install.tree("tools") / "usr/bin/docker-registry", "serve", config],
                env=os.environ | {processes.MARK: mark, "OTEL_TRACES_EXPORTER": "none"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _config(self) -> dict[str, object]:
        config: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {
                "filesystem": {"rootdirectory": f"{self.folder}/storage"},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address, "secret": "rig"},
        }
        if self.users:
            passwords = self.folder / "htpasswd"
            passwords.write_text("".join(f"{name}:{_bcrypt(word)}\n" for name, word in self.users.items()))
            config["auth"] = {"htpasswd": {"realm": "rig", "path": str(passwords)}}
        return config

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/v2/", timeout=2).close()
                return
            except urllib.error.HTTPError:
                return  # 401: it asks for a password
            except OSError:
                time.sleep(0.03)
        raise RegistryError(f"the registry did not start:\n{(self.folder / 'log').read_text()[-2000:]}")


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _bcrypt(password: str) -> str:
    """The one hash that the registry takes; Python has none of its own, the C library's crypt() does."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    salt = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(21))
    hashed: bytes | None = crypt(password.encode(), f"$2b$05${salt}.".encode())
    if hashed is None or not hashed.startswith(b"$2b$"):
        raise RegistryError("this machine's C library has no bcrypt")
    return hashed.decode()
