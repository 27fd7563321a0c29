"""The rig itself: what other tests rely on."""

from __future__ import annotations

import urllib.request

from tests.rig.hosts import Host
from tests.rig.images import BUSYBOX

pytest_plugins = ("tests.rig.fixtures",)


def get(url: str, *, timeout_s: float = 5) -> bytes:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        content: bytes = answer.read()
        return content


def test_an_engine_says_its_version_and_its_hosts_name(host_of_each_version: Host) -> None:
    engine = host_of_each_version.engine

    assert engine.client.version()["Version"].startswith(engine.version)
    assert engine.client.info()["Name"] == host_of_each_version.hostname


def test_a_published_port_answers_at_the_hosts_address(host_of_each_version: Host) -> None:
    host_of_each_version.engine.client.containers.run(
        BUSYBOX, "httpd -f -p 80 -h /etc", detach=True, ports={"80": 8080}
    )

    assert get(f"http://{host_of_each_version.address}:8080/passwd").startswith(b"root:")
