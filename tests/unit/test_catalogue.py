"""The catalogue: what may be asked of a host."""

from __future__ import annotations

from typing import Any

import pytest

from agents.catalogue import OPERATIONS, STREAMS, ContainerLogs, kind_of, parse_operation, parse_stream
from agents.shapes import Misfit

ID = "a" * 64


def refusal(kind: str, **params: Any) -> dict[str, str]:
    with pytest.raises(Misfit) as misfit:
        parse_operation(kind, params, strict=True)
    return misfit.value.errors


def test_every_entry_is_complete() -> None:
    for name, entry in OPERATIONS.items():
        assert entry.name == name
        assert entry.summary
        assert entry.verb
        assert entry.time_limit_s > 0
        assert entry.target or entry.makes
    assert OPERATIONS["container.remove"].destroys
    assert OPERATIONS["container.start"].target == "container"
    assert OPERATIONS["container.create"].target is None
    assert STREAMS["container.logs"].target == "container"


def test_parameters_know_their_entry() -> None:
    assert kind_of(parse_operation("container.start", {"container": ID})).name == "container.start"


def test_unknown_kinds_are_refused_with_what_there_is() -> None:
    assert "container.create" in refusal("container.fly")["kind"]
    with pytest.raises(Misfit):
        parse_stream("container.fly", {})


@pytest.mark.parametrize("engine_id", ["", "web", "a" * 12, "A" * 64, "a" * 65, "../" + "a" * 61, None, 5])
def test_objects_are_named_by_full_ids(engine_id: object) -> None:
    assert "container" in refusal("container.stop", container=engine_id)


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"image": "busybox", "name": "-x"}, "name"),
        ({"image": "busybox", "name": "a/b"}, "name"),
        ({"image": ""}, "image"),
        ({"image": "a b"}, "image"),
        ({"image": "a", "ports": [{"container_port": 0}]}, "ports.0.container_port"),
        ({"image": "a", "ports": [{"container_port": 80, "protocol": "icmp"}]}, "ports.0.protocol"),
        ({"image": "a", "mounts": [{"target": "data"}]}, "mounts.0.target"),
        ({"image": "a", "mounts": [{"target": "/d", "type": "bind", "source": "rel"}]}, "mounts.0.source"),
        ({"image": "a", "mounts": [{"target": "/d", "source": "/etc"}]}, "mounts.0.source"),
        ({"image": "a", "mounts": [{"target": "/d", "type": "tmpfs", "source": "x"}]}, "mounts.0.source"),
        ({"image": "a", "env": {"A=B": "c"}}, "env"),
        ({"image": "a", "auto_remove": True, "restart_policy": {"name": "always"}}, "auto_remove"),
        (
            {"image": "a", "restart_policy": {"name": "always", "maximum_retry_count": 3}},
            "restart_policy.maximum_retry_count",
        ),
        ({"image": "a", "memory": 5}, "memory"),
    ],
)
def test_what_can_not_be_created_is_refused_at_its_field(params: dict[str, Any], path: str) -> None:
    assert path in refusal("container.create", **params)


@pytest.mark.parametrize(
    "reference",
    ["nginx", "nginx:1.27", "r.example.com:5000/team/app@sha256:" + ID, "localhost/x", "a/b/c:D_1", "x--y"],
)
def test_references_that_can_be_pulled(reference: str) -> None:
    assert parse_operation("image.pull", {"reference": reference}).reference == reference


@pytest.mark.parametrize("reference", ["", "Nginx", "nginx:", "a b", "nginx:1:2", "/x", "x/", "a@sha256:1"])
def test_references_that_can_not(reference: str) -> None:
    assert "reference" in refusal("image.pull", reference=reference)


def test_a_log_without_stdout_and_stderr_is_refused() -> None:
    assert parse_stream("container.logs", {"container": ID}) == ContainerLogs(ID)
    with pytest.raises(Misfit):
        parse_stream("container.logs", {"container": ID, "stdout": False, "stderr": False})
