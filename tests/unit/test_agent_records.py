"""Records from documents that real engines gave (tests/unit/engine_documents), and from hostile ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.engine import facts_of
from agents.protocol import OBJECT_BYTES, ContainerRecord, document_of, record_of
from agents.records import (
    LABELS_MOST,
    Unusable,
    bounded_document,
    container_record,
    image_id,
    image_record,
    labels_of,
    network_record,
    seconds,
    volume_record,
)

FOLDER = Path(__file__).parent / "engine_documents"
VERSIONS = ("20.10", "26.1", "28.5")


@pytest.fixture(params=VERSIONS)
def documents(request: pytest.FixtureRequest) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((FOLDER / f"{request.param}.json").read_text())
    return result


def test_a_running_container(documents: dict[str, Any]) -> None:
    record = container_record(documents["containers"]["web"])
    assert record.name == "web"
    assert record.image == "busybox:local"
    assert record.image_id.startswith("sha256:")
    assert record.state == "running"
    assert record.exit_code is None
    assert record.finished_at is None
    assert record.started_at is not None
    assert record.started_at >= record.created_at > 1.7e9
    assert record.health == "healthy"
    assert record.health_output == "fine\n"
    assert record.command == "sh -c sleep 1000"
    assert record.labels == {"com.docker.compose.project": "p", "x": "y"}
    assert record.restart_policy == "on-failure:2"
    assert [(p.container_port, p.protocol, p.ip) for p in record.ports] == [
        (53, "udp", "127.0.0.1"),
        (80, "tcp", ""),
        (90, "tcp", ""),
    ]
    assert record.ports[1].host_port == 18000
    (mount,) = record.mounts
    assert (mount.type, mount.name, mount.target, mount.read_only) == ("volume", "data", "/data", True)
    (network,) = record.networks
    assert network.name == "back"
    assert network.ip.startswith("10.90.0.")
    assert record.id[:12] not in network.aliases
    assert "SECRET" not in json.dumps(document_of(record))


def test_a_start_that_failed(documents: dict[str, Any]) -> None:
    record = container_record(documents["containers"]["bad"])
    assert (record.state, record.exit_code) == ("created", 127)
    assert "nosuchcommand" in record.error
    assert record.started_at is None


def test_one_that_ended(documents: dict[str, Any]) -> None:
    record = container_record(documents["containers"]["ended"])
    assert (record.state, record.exit_code, record.error) == ("exited", 3, "")
    assert record.finished_at is not None


def test_images_have_no_placeholder_tags(documents: dict[str, Any]) -> None:
    records = [image_record(entry) for entry in documents["images"]]
    by_tag = {tag: record for record in records for tag in record.tags}
    assert set(by_tag) == {"busybox:local", "moving:1"}
    assert by_tag["moving:1"].labels["a"] == "b"
    untagged = [record for record in records if not record.tags]
    assert untagged
    for record in untagged:
        assert record.dangling
        assert record.digests == []
    assert all(record.size_bytes > 0 and record.created_at for record in records)


def test_networks_and_volumes(documents: dict[str, Any]) -> None:
    networks = {record.name: record for record in map(network_record, documents["networks"])}
    assert set(networks) == {"back", "bridge", "host", "none"}
    assert networks["back"].subnets == ["10.90.0.0/24"]
    assert networks["back"].labels == {"n": "1"}
    (volume,) = map(volume_record, documents["volumes"])
    assert (volume.id, volume.driver, volume.labels) == ("data", "local", {"v": "1"})
    assert volume.created_at is not None


def test_records_are_what_the_protocol_takes(documents: dict[str, Any]) -> None:
    for document in documents["containers"].values():
        sent = json.loads(json.dumps(bounded_document(container_record(document))))
        assert record_of("container", sent) == container_record(document)
    for entry in documents["images"]:
        record_of("image", bounded_document(image_record(entry)))


def test_engine_facts(documents: dict[str, Any]) -> None:
    facts = facts_of(documents["version"], documents["info"])
    assert facts.product == "Docker"
    assert facts.version[:5] in ("20.10", "26.1.", "28.5.")
    assert facts.containerd_version
    assert facts.runc_version
    assert facts.cpus > 0
    assert facts.cgroup_version in ("1", "2")
    assert not facts.is_swarm_member


def test_pulled_by_digest_is_a_digest_and_not_a_tag() -> None:
    digest = "app@sha256:" + "a" * 64
    on_containerd = image_record({"Id": "sha256:" + "b" * 64, "RepoTags": [digest], "RepoDigests": [digest]})
    assert (on_containerd.tags, on_containerd.digests, on_containerd.dangling) == ([], [digest], False)
    classic = image_record({"Id": "sha256:" + "b" * 64, "RepoTags": ["<none>:<none>"], "RepoDigests": [digest]})
    assert (classic.tags, classic.digests, classic.dangling) == ([], [digest], True)
    imported = image_record({"Id": "b" * 64, "RepoTags": None, "RepoDigests": None, "Size": -1})
    assert (imported.id, imported.tags, imported.size_bytes) == ("sha256:" + "b" * 64, [], 0)


def test_states_of_podman_are_translated() -> None:
    for theirs, ours in (("configured", "created"), ("stopped", "exited"), ("stopping", "running"), ("new", "dead")):
        assert container_record({"Id": "a", "State": {"Status": theirs}}).state == ours


def test_a_restart_loop_shows_its_last_exit_code() -> None:
    state = {"Status": "restarting", "Running": True, "Restarting": True, "ExitCode": 1}
    assert container_record({"Id": "a", "State": state}).exit_code == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T04:11:21.54890501Z", 1795579881.548905),
        ("2026-11-25T05:11:21+01:00", 1795579881.0),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        (0, None),
        (-62135596800, None),
        (1795579881, 1795579881.0),
        ("9999-99-99T00:00:00Z", None),
        ([], None),
        (True, None),
    ],
)
def test_times(text: object, expected: float | None) -> None:
    assert seconds(text) == expected


def test_labels_are_bounded_and_ours_are_kept() -> None:
    labels = {f"a{n:04}": "v" for n in range(1000)} | {"com.docker.compose.project": "p", "io.gantry.team": "t"}
    kept = labels_of(labels | {"": "empty key", "long" * 1000: "x", "value": "v" * 10000})
    assert len(kept) == LABELS_MOST
    assert kept["com.docker.compose.project"] == "p"
    assert kept["io.gantry.team"] == "t"
    assert labels_of({"k": "v" * 10000})["k"] == "v" * 4096
    assert labels_of({"k": None, "n": 5}) == {"k": "", "n": ""}


def test_text_is_made_valid() -> None:
    record = container_record(
        {"Id": "a", "Name": "/x\ud800y\x00z", "Config": {"Labels": {"k\udfff": "\x00\x1b[31m"}}}
    )
    assert record.name == "x?yz"
    assert record.labels == {"k?": "\x1b[31m"}
    record_of("container", json.loads(json.dumps(document_of(record))))


def test_a_record_that_is_too_large_is_cut_down() -> None:
    record = container_record(
        {
            "Id": "a",
            "Config": {"Labels": {f"l{n}": "é" * 4096 for n in range(300)}},
            "NetworkSettings": {
                "Ports": {f"{n}/tcp": [{"HostIp": "1.2.3.4", "HostPort": "1"}] for n in range(1, 1500)}
            },
            "Mounts": [{"Destination": "/" + "m" * 4000} for _ in range(500)],
        }
    )
    document = bounded_document(record)
    assert len(json.dumps(document)) <= OBJECT_BYTES * 1.1
    assert document["labels"]
    record_of("container", document)


def test_an_object_without_an_id_is_refused() -> None:
    for broken in ({}, {"Id": None}, {"Id": ""}, {"Id": "x" * 301}):
        with pytest.raises(Unusable):
            container_record(broken)


def test_image_ids_are_full() -> None:
    assert image_id("a" * 64) == "sha256:" + "a" * 64
    assert image_id("sha256:" + "a" * 64) == "sha256:" + "a" * 64


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


PARTS = ("Name", "Created", "State", "Config", "HostConfig", "NetworkSettings", "Mounts", "Args", "Image")


@given(
    st.fixed_dictionaries(
        {"Id": st.text(min_size=1, max_size=30).filter(lambda t: t.strip("\x00"))},
        optional=dict.fromkeys(
            ("Name", "Created", "State", "Config", "HostConfig", "NetworkSettings", "Mounts", "Args", "Image"),
            json_values,
        ),
    )
)
def test_whatever_an_engine_sends_becomes_a_record(document: dict[str, Any]) -> None:
    record = container_record(document)
    assert isinstance(record, ContainerRecord)
    record_of("container", json.loads(json.dumps(bounded_document(record))))


@given(json_values, json_values, json_values)
def test_whatever_a_list_holds_becomes_records(first: Any, second: Any, third: Any) -> None:
    entry = {"Id": "a", "Name": "n", "RepoTags": first, "RepoDigests": second, "Labels": third, "IPAM": first}
    record_of(
        "image", json.loads(json.dumps(bounded_document(image_record({**entry, "Size": second, "Created": third}))))
    )
    record_of("network", json.loads(json.dumps(bounded_document(network_record({**entry, "Driver": second})))))
    record_of("volume", json.loads(json.dumps(bounded_document(volume_record({**entry, "CreatedAt": first})))))
