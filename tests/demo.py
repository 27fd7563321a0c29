"""`./gantry demo` as a person runs it, for tests and for pictures."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from typing import Any

from tests.up import Up, eventually


class Demo(Up):
    """`./gantry demo` on a data folder of its own, with REST as the administrator."""

    command = "demo"

    def __init__(self, *arguments: str, hosts: int, containers: int, before: Sequence[str] = (), **env: str) -> None:
        super().__init__("--hosts", str(hosts), "--containers", str(containers), *arguments, before=before, **env)
        self.arguments = ("--data", str(self.data), *self.arguments)
        self.size = (hosts, containers)
        self.token = ""

    def begin(self) -> Demo:
        self.start()
        self.token = self.gantry("token", "--user", "admin", "--data", str(self.data))
        eventually(self.is_whole, "all hosts are online, with their containers")
        return self

    def is_whole(self) -> bool:
        count, containers = self.size
        hosts = self.hosts(self.token)
        return len(hosts) == count and all(
            host["state"] == "online" and host["containers_count"] == containers for host in hosts
        )

    def open(self, path: str, body: object = None) -> Any:
        return urllib.request.urlopen(
            urllib.request.Request(
                f"{self.url}/api/v1{path}",
                None if body is None else json.dumps(body).encode(),
                {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            ),
            timeout=60,
        )

    def rest(self, path: str, body: object = None) -> Any:
        with self.open(path, body) as answer:
            found = json.load(answer)
        return found.get("results", found)

    def container(self, name: str) -> dict[str, Any]:
        found = self.rest(f"/containers?name={name}&limit=100")
        return dict(next(c for c in found if c["name"] == name))

    def fixtures(self) -> list[tuple[str, str, str]]:
        """What neither a deploy nor a crash changes."""
        networks = self.rest("/networks?limit=500")
        return sorted((row["host"]["name"], row["name"], row["engine_id"]) for row in networks)
