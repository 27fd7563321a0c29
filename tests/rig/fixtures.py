"""Fixtures for tests on real engines; `pytest_plugins = ("tests.rig.fixtures",)` brings them to a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rig import install
from tests.rig.engines import Engine, EngineVersion, Options
from tests.rig.hosts import Host, Network
from tests.rig.images import busybox
from tests.rig.pool import HostFactory, Pool, cleaned, skip_unless_available, versions_of
from tests.rig.registry import Registry


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """One network for the session; it is swept clean of what dead runs left before."""
    try:
        network = Network()
    except install.NotAvailable as error:
        pytest.skip(f"no rig: {error}")
    with network:
        yield network


@pytest.fixture(scope="session")
def pool(network: Network) -> Pool:
    """The session's shared hosts."""
    return Pool(network)


@pytest.fixture
def host(pool: Pool) -> Iterator[Host]:
    """The shared host with engine 20.10; what the test makes in its engine is removed after it."""
    shared = pool.host(EngineVersion.V20_10)
    with cleaned(shared.engine):
        yield shared
        shared.reset()


@pytest.fixture
def engine(host: Host) -> Engine:
    """The engine of `host`: 20.10, with the image busybox:local."""
    return host.engine


@pytest.fixture(params=list(EngineVersion), ids=str)
def host_of_each_version(request: pytest.FixtureRequest, pool: Pool) -> Iterator[Host]:
    """As `host`, once for each version of the engine."""
    shared = pool.host(request.param)
    with cleaned(shared.engine):
        yield shared
        shared.reset()


@pytest.fixture
def engines(host_of_each_version: Host) -> Engine:
    """As `engine`, once for each version of the engine."""
    return host_of_each_version.engine


@pytest.fixture
def hosts(network: Network) -> Iterator[HostFactory]:
    """Makes hosts for one test alone: `hosts(3)`, `hosts("20.10", "28.5", options=Options(…))`."""
    made: list[Host] = []

    def make(*what: int | str, options: Options | None = None) -> list[Host]:
        versions = versions_of(what)
        for version in versions:
            skip_unless_available(version)
        new = [network.host(version, options=options, start=False) for version in versions]
        made.extend(new)
        network.start(new)
        for host in new:
            busybox(host.engine)
        return new

    yield make
    for host in made:
        if host in network.hosts:  # else the test has closed it
            host.close()


@pytest.fixture(scope="session")
def registry(network: Network) -> Iterator[Registry]:
    """An open registry that every engine of the rig may use without TLS."""
    with Registry(network) as registry:
        yield registry
