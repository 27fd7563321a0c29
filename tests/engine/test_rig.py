"""The rig itself: what other tests rely on."""

from __future__ import annotations

import http.server
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rig import processes, runs
from tests.rig.engines import Engine, EngineVersion, Options
from tests.rig.hosts import Host, Network
from tests.rig.images import BUSYBOX, build_layers
from tests.rig.pool import Contents, HostFactory, cleaned
from tests.rig.registry import Registry, RegistryError

pytest_plugins = ("tests.rig.fixtures",)
pytestmark = pytest.mark.engine

REPOSITORY = Path(__file__).resolve().parents[2]


def get(url: str, *, timeout_s: float = 5) -> bytes:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        content: bytes = answer.read()
        return content


def answers(url: str) -> bool:
    try:
        return bool(get(url))
    except OSError:
        return False


def serve(host: Host) -> str:
    """Run a small web server on port 8080 of `host`; gives a URL that it answers."""
    url = f"http://{host.address}:8080/passwd"
    host.engine.client.containers.run(
        BUSYBOX,
        "httpd -f -p 80 -h /etc",
        detach=True,
        init=True,  # else it does not heed SIGTERM, and stopping it takes ten seconds
        ports={"80": 8080},
        restart_policy={"Name": "always"},
    )
    until(lambda: answers(url))  # the port is published before the server has started
    return url


def left_on_machine(name: str) -> list[str]:
    """Whatever there is of the rig's run `name`, or of its host `<run>/h1`."""
    run, _, _ = name.partition("/")
    found = [f"process {pid}" for pid in processes.marked(f"{name}/") | processes.in_cgroup(f"/{name}")]
    found += [f"cgroup {path}" for pattern in ("", "*/") for path in runs.CGROUPS.glob(f"{pattern}{name}")]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{name}" in line]
    found += [f"folder {path}" for path in Path("/tmp").glob(name)]
    if name == run:
        found += [line for line in runs.command("ip", "netns").splitlines() if run in line]
        found += [line for line in runs.command("ip", "link").splitlines() if run in line]
        found += [f"record {path}" for path in runs.RECORDS.glob(f"{run}*")]
    return found


def until(condition: Callable[[], bool], *, timeout_s: float = 10) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


@contextmanager
def rig_in_another_process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m tests.rig up` with one host, and the name of its run."""
    command = [sys.executable, "-m", "tests.rig", "up", "--hosts", "1", "--engines", "20.10"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            until(lambda: "Ctrl-C" in str(process.stdout and process.stdout.readline()))
            yield process, first.partition(":")[0]
        finally:
            process.kill()
            process.wait()
            runs.sweep()


def test_an_engine_says_its_version_and_its_hosts_name(host_of_each_version: Host) -> None:
    engine = host_of_each_version.engine

    version = engine.client.version()["Version"].split(".")
    assert [int(part) for part in version[:2]] >= [int(part) for part in engine.version.split(".")]
    assert engine.client.info()["Name"] == host_of_each_version.hostname


def test_a_published_port_answers_at_the_hosts_address(host_of_each_version: Host) -> None:
    assert get(serve(host_of_each_version)).startswith(b"root:")


def test_containers_have_an_init_process_where_asked(engines: Engine) -> None:
    printed = engines.client.containers.run(BUSYBOX, "cat /proc/1/comm", init=True, remove=True)

    assert printed == b"docker-init\n"


def test_compose_brings_a_project_up(engines: Engine, tmp_path: Path) -> None:
    project = tmp_path / "compose.yaml"
    project.write_text(f"services: {{web: {{image: '{BUSYBOX}', command: sleep 1000, init: true}}}}\n")

    subprocess.run(
        ["docker", "compose", "--project-name", "rig", "up", "--detach"],
        cwd=tmp_path, env=engines.cli_environment, check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert [container.name for container in engines.client.containers.list()] == ["rig-web-1"]


def test_what_a_test_made_is_removed_after_it(engines: Engine) -> None:
    before = Contents.of(engines)
    with cleaned(engines):
        volume = engines.client.volumes.create().name
        network = engines.client.networks.create("made").name
        container = engines.client.containers.run(
            BUSYBOX, "sleep 1000", detach=True, network=network, volumes=[f"{volume}:/data"]
        )
        container.commit("made", "1")
        build_layers(engines, "made:2", [1000])
        assert Contents.of(engines) != before

    assert Contents.of(engines) == before


def test_a_host_is_reset_after_a_test(host: Host) -> None:
    url = serve(host)
    process = host.run_in(["sleep", "1000"])
    host.slow(60)
    host.cut()

    host.reset()

    assert process.returncode == -signal.SIGKILL
    assert get(url, timeout_s=1)


def test_a_swarm_is_left_after_a_test(engine: Engine) -> None:
    with cleaned(engine):
        engine.client.swarm.init(advertise_addr="127.0.0.1")

    assert engine.client.info()["Swarm"]["LocalNodeState"] == "inactive"


def test_a_host_that_is_cut_off_is_silent_until_healed(host: Host) -> None:
    url = serve(host)
    assert get(url)

    host.cut()
    with pytest.raises(OSError, match="timed out"):
        get(url, timeout_s=0.5)
    host.heal()

    assert get(url)


def test_a_slow_line_delays_each_way(host: Host) -> None:
    serve(host)

    def round_trip_s() -> float:
        began = time.monotonic()
        socket.create_connection((host.address, 8080), timeout=5).close()
        return time.monotonic() - began

    host.slow(60)
    round_trip_s()  # the first one asks for the other's hardware address too
    slow = round_trip_s()
    host.slow(0)

    assert 0.12 <= slow < 0.5
    assert round_trip_s() < 0.05


def test_a_process_on_a_host_has_its_name_and_reaches_the_gateway(host: Host, network: Network) -> None:
    with http.server.ThreadingHTTPServer((network.gateway, 0), http.server.SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script = f"uname -n; wget -q -O - http://{network.gateway}:{server.server_port}/pyproject.toml | head -c 5"
        process = host.run_in(["sh", "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE)
        printed, _ = process.communicate(timeout=10)
        server.shutdown()

    assert printed.decode().split() == [host.hostname, "#", "Too"]


def test_hosts_reach_one_another(hosts: HostFactory) -> None:
    first, second = hosts(2)
    serve(first)

    process = second.run_in(
        [sys.executable, "-c", f"import socket; socket.create_connection(('{first.address}', 8080), 3)"]
    )

    assert process.wait(10) == 0


def test_hosts_have_engine_ids_of_their_own_unless_cloned(hosts: HostFactory, network: Network) -> None:
    first, second = hosts(2)
    clone = network.host(start=False)
    shutil.copy(first.engine.id_file, clone.engine.id_file)
    clone.engine.start()

    ids = [host.engine.client.info()["ID"] for host in (first, second, clone)]
    clone.close()

    assert ids[0] != ids[1]
    assert ids[0] == ids[2]


def test_hosts_with_different_engines_form_a_swarm(hosts: HostFactory) -> None:
    manager, *workers = hosts("20.10", "26.1", "28.5")
    swarm = manager.engine.client.swarm
    swarm.init(advertise_addr=manager.address)
    swarm.reload()
    for worker in workers:
        worker.engine.client.swarm.join([manager.address], swarm.attrs["JoinTokens"]["Worker"])

    names = {node.attrs["Description"]["Hostname"] for node in manager.engine.client.nodes.list()}

    assert names == {host.hostname for host in (manager, *workers)}


def test_an_image_goes_through_the_registry(engines: Engine, registry: Registry) -> None:
    image = build_layers(engines, "layered:1", [3_000_000, 2_000_000])
    name = registry.push(engines, image, f"team/layered:{engines.version}")
    engines.client.images.remove(image)
    engines.client.images.remove(name, force=True)

    lines = list(engines.client.api.pull(name, stream=True, decode=True))

    new = {line["id"] for line in lines if line["status"] == "Pull complete"}
    assert len(new) == 2  # and the layer below is busybox's
    assert engines.client.containers.run(name, "wc -c /data-0", remove=True) == b"3000000 /data-0\n"


def test_a_registry_with_users_wants_a_password(engine: Engine, network: Network) -> None:
    with Registry(network, users={"anna": "secret"}) as registry:
        assert registry.push(engine, BUSYBOX, "private:1") == f"{registry.address}/private:1"

        registry.users["anna"] = "wrong"
        with pytest.raises(RegistryError):
            registry.push(engine, BUSYBOX, "private:2")


def test_a_registry_stands_in_for_the_public_one(engine: Engine, registry: Registry, hosts: HostFactory) -> None:
    registry.push(engine, BUSYBOX, "library/busybox:1.0")
    (host,) = hosts("28.5", options=Options(registry_mirror=registry.url))

    assert host.engine.client.images.pull("busybox", "1.0").tags == ["busybox:1.0"]


def test_a_stopped_engine_comes_back_with_its_containers(host_of_each_version: Host) -> None:
    url = serve(host_of_each_version)

    host_of_each_version.engine.restart()

    until(lambda: answers(url))


@pytest.mark.parametrize("version", list(EngineVersion), ids=str)
def test_containers_outlive_a_crashed_engine_with_live_restore(hosts: HostFactory, version: EngineVersion) -> None:
    (host,) = hosts(version, options=Options(live_restore=True))
    container = host.engine.client.containers.run(BUSYBOX, "sleep 1000", detach=True)
    container.reload()
    began = container.attrs["State"]["StartedAt"]

    host.engine.crash()
    host.engine.start()

    container.reload()
    assert container.attrs["State"]["Running"]
    assert container.attrs["State"]["StartedAt"] == began


def test_killing_an_engine_kills_all_it_started(host_of_each_version: Host) -> None:
    engine = host_of_each_version.engine
    url = serve(host_of_each_version)

    engine.kill()

    assert not processes.marked(f"{engine.run.name}/{engine.name}/engine/")
    assert not processes.in_cgroup(engine.cgroup)
    engine.start()
    until(lambda: answers(url))


@pytest.mark.parametrize("version", list(EngineVersion), ids=str)
def test_a_closed_host_leaves_nothing(hosts: HostFactory, network: Network, version: EngineVersion) -> None:
    (host,) = hosts(version)
    serve(host)
    sockets = runs.shim_sockets(host.engine.folder)
    assert [socket.exists() for socket in sockets] == [True]
    host.run_in(["sleep", "1000"])
    host.slow(1)

    host.close()

    assert left_on_machine(f"{network.run.name}/{host.engine.name}") == []
    assert host.netns not in runs.command("ip", "netns")
    assert f"{host.engine.name}-" not in runs.command("ip", "-netns", network.hub, "link")
    assert [socket.exists() for socket in sockets] == [False]


def test_a_run_that_ends_leaves_nothing(network: Network) -> None:
    with rig_in_another_process() as (process, name):
        assert left_on_machine(name)
        assert name != network.run.name

        process.send_signal(signal.SIGTERM)

        assert process.wait(20) == 0
        assert left_on_machine(name) == []


def test_the_next_run_sweeps_up_after_a_killed_one(network: Network) -> None:
    with rig_in_another_process() as (process, name):
        process.kill()
        process.wait()
        assert left_on_machine(name)

        with Network() as next_network:
            assert left_on_machine(name) == []
            assert next_network.subnet != network.subnet
    assert network.run.folder.exists()
