"""Engines that a session's tests share, and leaving them as they were found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, Self

import pytest
from docker.errors import ImageNotFound, NotFound

from tests.rig.engines import Engine, EngineVersion, Options
from tests.rig.hosts import Host, Network
from tests.rig.images import busybox

# An engine makes these anew, with other ids, whenever it starts.
PREDEFINED_NETWORKS = {"bridge", "host", "none"}


class HostFactory(Protocol):
    """Makes hosts: `make(3)`, `make("20.10", "28.5", options=Options(live_restore=True))`."""

    def __call__(self, *what: int | str, options: Options | None = None) -> list[Host]: ...


@dataclass(frozen=True, slots=True)
class Pool:
    """One host of each version, started when first asked for and kept for the session."""

    network: Network
    hosts: dict[EngineVersion, Host] = field(default_factory=dict)

    def host(self, version: EngineVersion) -> Host:
        """The shared host with this engine, running and with the busybox image. Skips where there is none."""
        skip_unless_available(version)
        if version not in self.hosts:
            self.hosts[version] = self.network.host(version, name=f"engine-{version.replace('.', '-')}", start=False)
        host = self.hosts[version]
        host.engine.start()
        busybox(host.engine)
        return host


@contextmanager
def cleaned(engine: Engine) -> Iterator[None]:
    """Remove all that was made in `engine` meanwhile; what was there before is left alone."""
    before = Contents.of(engine)
    yield
    engine.start()  # the test may have stopped it
    if engine.client.info()["Swarm"]["LocalNodeState"] != "inactive":
        engine.client.swarm.leave(force=True)
    Contents.of(engine).remove(engine, but=before)


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in an engine: ids, names of volumes, and references of images."""

    containers: frozenset[str]
    networks: frozenset[str]
    volumes: frozenset[str]
    images: frozenset[str]

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """Read them now."""
        api = engine.client.api
        images = api.images()
        return cls(
            containers=frozenset(c["Id"] for c in api.containers(all=True)),
            networks=frozenset(n["Id"] for n in api.networks() if n["Name"] not in PREDEFINED_NETWORKS),
            volumes=frozenset(v["Name"] for v in api.volumes()["Volumes"] or []),
            images=frozenset(name for i in images for name in (i["Id"], *(i.get("RepoTags") or ()))),
        )

    def remove(self, engine: Engine, *, but: Contents) -> None:
        """Remove from `engine` all of these except `but`."""
        api = engine.client.api
        for container in self.containers - but.containers:
            with suppress(NotFound):
                api.remove_container(container, force=True, v=True)
        for network in self.networks - but.networks:
            with suppress(NotFound):
                api.remove_network(network)
        for volume in self.volumes - but.volumes:
            with suppress(NotFound):
                api.remove_volume(volume, force=True)
        # Names first: an id goes with its last name, and then is not found.
        for image in sorted(self.images - but.images, key=lambda name: name.startswith("sha256:")):
            with suppress(NotFound, ImageNotFound):
                if image != "<none>:<none>":
                    api.remove_image(image, force=True)


def versions_of(what: Sequence[int | str]) -> list[EngineVersion]:
    """Each number means so many hosts with 20.10, each version one host with it."""
    versions = []
    for item in what:
        versions += [EngineVersion.V20_10] * item if isinstance(item, int) else [EngineVersion(item)]
    return versions


def skip_unless_available(version: EngineVersion) -> None:
    """Skip the test by name where this machine cannot run `version`."""
    if version.why_not is not None:
        pytest.skip(f"no engine {version}: {version.why_not}")
