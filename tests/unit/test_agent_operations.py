"""What operations are made of: bodies, references, progress, sentences, the queue's keys."""

from __future__ import annotations

from typing import Any

import pytest

from agents.catalogue import LABEL_OPERATION, OPERATIONS, parse_operation
from agents.documents import mask_env
from agents.operations.containers import create_config, network_name, reference_for
from agents.operations.errors import explain
from agents.operations.images import LAYERS_MOST, PullProgress, split_reference, with_tag
from agents.operations.job import DEEDS, Failed
from agents.operations.runner import key_of
from agents.streams import logs_query

ID = "a" * 64


def config(all_networks: bool = True, **params: Any) -> dict[str, Any]:
    parsed = parse_operation("container.create", {"image": "busybox:1", **params})
    return create_config(parsed, "uuid", [(n.network, n) for n in parsed.networks], all_networks=all_networks)


def test_every_operation_has_its_functions() -> None:
    assert DEEDS.keys() == OPERATIONS.keys()


def test_what_was_not_asked_for_is_left_to_the_image() -> None:
    body = config()
    assert "Cmd" not in body
    assert "Entrypoint" not in body
    assert "NetworkingConfig" not in body
    assert config(command=[])["Cmd"] == []


def test_our_label_can_not_be_overwritten() -> None:
    assert config(labels={LABEL_OPERATION: "forged", "a": "b"})["Labels"] == {LABEL_OPERATION: "uuid", "a": "b"}


def test_ports_mounts_and_limits() -> None:
    body = config(
        ports=[
            {"container_port": 80},
            {"container_port": 80, "host_port": 81, "host_ip": "::1"},
            {"container_port": 53, "protocol": "udp"},
        ],
        mounts=[{"target": "/d", "source": "v"}],
        cpus=1.5,
        memory_bytes=5,
    )
    assert body["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}}
    assert body["HostConfig"]["PortBindings"]["80/tcp"] == [
        {"HostIp": "", "HostPort": ""},
        {"HostIp": "::1", "HostPort": "81"},
    ]
    assert body["HostConfig"]["Mounts"] == [{"Type": "volume", "Source": "v", "Target": "/d", "ReadOnly": False}]
    assert (body["HostConfig"]["NanoCpus"], body["HostConfig"]["Memory"]) == (1_500_000_000, 5)


def test_older_engines_get_one_network_at_creation() -> None:
    networks = [{"network": "a", "aliases": ["x"]}, {"network": "b", "ipv4_address": "10.0.0.9"}]
    new, old = config(True, networks=networks), config(False, networks=networks)
    assert new["HostConfig"]["NetworkMode"] == old["HostConfig"]["NetworkMode"] == "a"
    assert new["NetworkingConfig"]["EndpointsConfig"] == {
        "a": {"Aliases": ["x"]},
        "b": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}},
    }
    assert list(old["NetworkingConfig"]["EndpointsConfig"]) == ["a"]


def test_networks_are_found_by_whole_id_or_name() -> None:
    entries = [{"Id": ID, "Name": "one"}, {"Id": "b" * 64, "Name": "twin"}, {"Id": "c" * 64, "Name": "twin"}]
    assert network_name(entries, ID) == "one"
    assert network_name(entries, "one") == "one"
    for wanted, words in (
        (ID[:12], "no network"),
        ("on", "no network"),
        ("twin", "2 networks"),
        ("container:x", "no net"),
    ):
        with pytest.raises(Failed, match=words):
            network_name(entries, wanted)


def test_a_name_that_could_be_the_beginning_of_an_id_gets_a_tag() -> None:
    assert reference_for("deadbeef") == "deadbeef:latest"
    assert reference_for("busybox") == "busybox"
    assert reference_for("sha256:" + ID) == "sha256:" + ID


@pytest.mark.parametrize(
    ("reference", "full", "parts"),
    [
        ("busybox", "busybox:latest", ("busybox", "latest")),
        ("busybox:1", "busybox:1", ("busybox", "1")),
        ("r:5000/a/b", "r:5000/a/b:latest", ("r:5000/a/b", "latest")),
        ("r:5000/a:2", "r:5000/a:2", ("r:5000/a", "2")),
        (f"a@sha256:{ID}", f"a@sha256:{ID}", ("a", f"sha256:{ID}")),
        (f"r:5000/a:2@sha256:{ID}", f"r:5000/a:2@sha256:{ID}", ("r:5000/a", f"sha256:{ID}")),
    ],
)
def test_a_pull_never_asks_for_all_tags(reference: str, full: str, parts: tuple[str, str]) -> None:
    assert with_tag(reference) == full
    assert split_reference(full) == parts


def test_progress_of_a_pull() -> None:
    progress = PullProgress("app:1")
    assert progress.feed({"status": "Pulling from library/app", "id": "1"})
    assert progress.report()["message"] == "Pulling from library/app"
    for line in (
        {"status": "Pulling fs layer", "progressDetail": {}, "id": "aaa"},
        {"status": "Already exists", "progressDetail": {}, "id": "bbb"},
        {"status": "Downloading", "progressDetail": {"current": 30, "total": 100}, "id": "aaa"},
    ):
        assert progress.feed(line)
    assert progress.report() == {
        "message": "1 of 2 layers are there",
        "current": 30,
        "total": 100,
        "layers": [
            {"id": "aaa", "status": "Downloading", "current": 30, "total": 100},
            {"id": "bbb", "status": "Already exists", "current": 0, "total": 0},
        ],
    }
    progress.feed({"status": "Extracting", "progressDetail": {"current": 1, "total": 3}, "id": "aaa"})
    progress.feed({"status": "Pull complete", "id": "aaa"})
    assert (progress.report()["current"], progress.report()["message"]) == (100, "2 of 2 layers are there")


def test_the_last_line_may_be_an_error_and_nonsense_is_passed_over() -> None:
    progress = PullProgress("app:1")
    for line in (
        {},
        {"status": 5},
        {"id": "x"},
        {"status": "Downloading", "id": "y", "progressDetail": {"current": "a"}},
    ):
        progress.feed(line)
    for number in range(1000):
        progress.feed({"status": "Waiting", "id": f"l{number}"})
    assert len(progress.report()["layers"]) == LAYERS_MOST
    assert not progress.error
    progress.feed({"errorDetail": {"message": "toomanyrequests: slow down"}, "error": "toomanyrequests: slow down"})
    assert progress.error == "toomanyrequests: slow down"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Bind for 0.0.0.0:80 failed: port is already allocated", "choose another one"),
        ('Conflict. The container name "/a" is already in use by container ' + ID, "choose another name"),
        ("Error response: toomanyrequests: You have reached your pull rate limit", "limits how often"),
        ("write /x: no space left on device", "free some space"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "check the name"),
        ("can only kill running containers. x is in state stopped: container state improper", "does not run"),
        ("You cannot remove a running container x. Stop the container before attempting removal", "stop it first"),
        ("something new", ""),
    ],
)
def test_the_engines_words_follow_the_advice(message: str, words: str) -> None:
    text = explain(message)
    assert words in text
    assert "The engine says: " in text
    assert text.endswith(".")
    assert ID not in text


def test_operations_on_one_object_have_one_key() -> None:
    def key(kind: str, **params: Any) -> str:
        return key_of(OPERATIONS[kind], parse_operation(kind, params))

    assert key("container.stop", container=ID) == key("container.remove", container=ID)
    assert key("container.stop", container=ID) != key("container.stop", container="b" * 64)
    assert key("volume.create", name="vol") == key("volume.remove", volume="vol")
    assert key("container.create", image="x", name="aa") == key("container.create", image="y", name="aa")
    unnamed = [parse_operation("container.create", {"image": "x"}) for _ in range(2)]
    assert key_of(OPERATIONS["container.create"], unnamed[0]) != key_of(OPERATIONS["container.create"], unnamed[1])


def test_the_query_of_a_log() -> None:
    from agents.catalogue import ContainerLogs

    assert logs_query(ContainerLogs(ID)) == {
        "stdout": "1", "stderr": "1", "follow": "0", "timestamps": "0", "tail": "all",
    }  # fmt: skip
    query = logs_query(ContainerLogs(ID, follow=True, tail=0, since_s=1795579881.25, until_s=5, stderr=False))
    assert (query["follow"], query["tail"], query["since"], query["until"], query["stderr"]) == (
        "1", "0", "1795579881.250000", "5.000000", "0",
    )  # fmt: skip


def test_values_of_the_environment_are_masked_and_the_document_stays_as_it_was() -> None:
    document = {"Id": "a", "Config": {"Env": ["A=1", "B=", "C", "D=x=y", 5], "Image": "i"}}
    masked = mask_env(document)
    assert masked["Config"] == {"Env": ["A=•••", "B=•••", "C", "D=•••", "5"], "Image": "i"}
    assert document["Config"]["Env"][0] == "A=1"  # type: ignore[index]
    assert mask_env({"Config": None}) == {"Config": None}
    assert mask_env({"Config": {"Env": None}}) == {"Config": {"Env": None}}
