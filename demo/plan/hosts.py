"""The hosts: names by role and region, their engines of several ages, and what is wrong with some."""

from __future__ import annotations

import random
from dataclasses import dataclass

from demo.plan.programs import GIB

ROLES = ("prod", "prod", "stage", "edge", "data", "ci", "prod", "edge")  # in this order, again and again
REGIONS = ("fra", "ash", "sin")
GROUPS = {"prod": "production", "stage": "staging", "edge": "edge", "data": "data", "ci": "build"}


@dataclass(frozen=True, slots=True)
class EnginePlan:
    version: str
    api_version: str
    min_api_version: str
    containerd: str
    runc: str
    storage_driver: str
    os_name: str
    kernel: str


ENGINES: tuple[EnginePlan, ...] = (
    EnginePlan("28.5.2", "1.51", "1.44", "v2.1.5", "1.3.3", "overlayfs", "Debian GNU/Linux 13 (trixie)", "6.12.48+deb13-amd64"),
    EnginePlan("28.5.2", "1.51", "1.44", "v2.1.5", "1.3.3", "overlay2", "Debian GNU/Linux 12 (bookworm)", "6.1.0-40-amd64"),
    EnginePlan("27.5.1", "1.47", "1.24", "1.7.25", "1.2.4", "overlay2", "Ubuntu 24.04.3 LTS", "6.8.0-85-generic"),
    EnginePlan("26.1.5", "1.45", "1.24", "1.7.24", "1.1.15", "overlay2", "Debian GNU/Linux 13 (trixie)", "6.12.48+deb13-amd64"),
    EnginePlan("20.10.24", "1.41", "1.12", "1.6.20", "1.1.5", "overlay2", "Debian GNU/Linux 11 (bullseye)", "5.10.0-35-amd64"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host. What is wrong with it is part of the plan."""

    name: str
    role: str
    region: str
    number: int
    cpus: int
    memory_bytes: int
    disk_bytes: int
    disk_used: float  # of one
    engine: EnginePlan
    agent_version: str = ""  # '': the present one
    clock_offset_s: float = 0
    goes_away: bool = False  # its agent is lost now and then

    @property
    def group(self) -> str:
        return GROUPS[self.role]

    @property
    def labels(self) -> dict[str, str]:
        return {"role": self.role, "region": self.region}


def host_plans(seed: int, count: int) -> list[HostPlan]:
    """The same first hosts for every count."""
    numbers: dict[tuple[str, str], int] = {}
    plans = []
    for index in range(count):
        chance = random.Random(f"{seed} host {index}")
        role = ROLES[index % len(ROLES)]
        region = REGIONS[(index // len(ROLES)) % len(REGIONS)] if index >= len(ROLES) else REGIONS[index % 2]
        number = numbers[(role, region)] = numbers.get((role, region), 0) + 1
        cpus = chance.choice((8, 16)) if role != "edge" else 4
        memory = cpus * 4 * GIB
        plans.append(
            HostPlan(
                name=f"{role}-{region}-{number:02}",
                role=role,
                region=region,
                number=index,
                cpus=cpus,
                memory_bytes=memory - chance.randrange(100, 900) * 1024 * 1024,
                disk_bytes=chance.choice((160, 320, 640)) * GIB,
                disk_used=0.94 if index == 4 else round(chance.uniform(0.28, 0.66), 3),
                engine=ENGINES[4] if index == 2 else ENGINES[chance.randrange(4)],
                agent_version="0.0.9" if index % 40 == 5 else "",
                clock_offset_s=94.0 if index % 50 == 7 else 0,
                goes_away=index % 30 == 3,
            )
        )
    return plans
