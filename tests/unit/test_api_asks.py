"""What REST asks of hosts: the catalogue's actions, waiting for their end, and asking once."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

import pytest
from django.db import connection

from agents.catalogue import OPERATIONS
from agents.protocol import Outcome
from console.accounts.models import User
from console.audit.models import Entry
from console.hosts.models import Host
from console.inventory.ingest import Mirroring
from console.inventory.models import Container, object_id
from console.operations.dispatch import Dispatching
from console.operations.models import Operation
from tests.unit.records import IMAGE_ID, container, container_id
from tests.unit.rest import Rest, problem

pytestmark = pytest.mark.django_db

IDS = {"container": container_id(1), "image": IMAGE_ID, "network": "n" * 25, "volume": "data"}
DOCUMENTS: dict[Any, dict[str, Any]] = {
    "container": container(1),
    "image": {"id": IMAGE_ID, "tags": ["acme/shop:1"]},
    "network": {"id": IDS["network"], "name": "front"},
    "volume": {"id": "data"},
}
# Of what has no object yet: what it needs at least.
LEAST = {
    "container.create": {"image": "nginx:1.27"},
    "image.pull": {"reference": "nginx"},
    "network.create": {"name": "front"},
    "volume.create": {"name": "data"},
}


@pytest.fixture
def mirrored(host: Host) -> Host:
    for kind, document in DOCUMENTS.items():
        Mirroring(host)._upsert(kind, [document])
    return host


def path_of(host: Host, kind: Any) -> str:
    return f"/{kind}s/{object_id(host.pk, kind, IDS[kind])}"


def asked(response: Any) -> dict[str, Any]:
    assert response.status_code == 202, response.content
    document: dict[str, Any] = response.json()
    assert response["Location"] == f"/api/v1/operations/{document['id']}"
    return document


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_of_the_catalogue_has_its_action(rest: Rest, mirrored: Host, name: str) -> None:
    kind = OPERATIONS[name]
    domain, word = name.split(".")
    if kind.target:
        document = asked(rest.post(f"{path_of(mirrored, kind.target)}/{word}"))
        assert document["target"]["id"] == path_of(mirrored, kind.target).rpartition("/")[2]
    else:
        path = f"/{domain}s" if word == "create" else f"/{domain}s/{word}"
        document = asked(rest.post(path, {"host": "prod-01", **LEAST[name]}))
        assert document["target"]["id"] is None
    assert (document["kind"], document["state"], document["is_finished"]) == (name, "queued", False)
    assert document["host"] == {"id": str(mirrored.pk), "name": "prod-01", "state": "offline"}
    assert document["requested_by"]["username"] == "mira"
    assert Entry.objects.get(action=name).token_id is not None


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_can_be_asked_for_by_kind(rest: Rest, mirrored: Host, name: str) -> None:
    kind = OPERATIONS[name]
    params = {kind.target: IDS[kind.target]} if kind.target else LEAST[name]
    document = asked(rest.post("/operations", {"host": str(mirrored.pk), "kind": name, "params": params}))
    assert document["kind"] == name
    assert Operation.objects.get(pk=document["id"]).params.items() >= params.items()


def test_delete_is_remove_with_its_options_in_the_query(rest: Rest, mirrored: Host) -> None:
    document = asked(rest.delete(f"{path_of(mirrored, 'container')}?force=true&volumes=1"))
    assert document["kind"] == "container.remove"
    assert document["params"] == {"container": IDS["container"], "force": True, "volumes": True}
    image = asked(rest.delete(f"{path_of(mirrored, 'image')}?tag=acme/shop:1"))
    assert image["params"] == {"image": IMAGE_ID, "tag": "acme/shop:1", "force": False}
    wrong = problem(rest.delete(f"{path_of(mirrored, 'container')}?force=maybe"), 400)
    assert wrong["errors"] == {"force": "must be true or false"}


def test_parameters_are_checked_and_each_wrong_one_is_told(rest: Rest, mirrored: Host) -> None:
    body = {
        "host": "prod-01",
        "image": "nginx",
        "name": "-x",
        "ports": [{"container_port": 0, "prot": "tcp"}],
        "colour": "red",
    }
    errors = problem(rest.post("/containers", body), 422)["errors"]
    assert set(errors) == {"name", "ports.0.container_port", "ports.0.prot", "colour"}
    stop = f"{path_of(mirrored, 'container')}/stop"
    assert problem(rest.post(stop, {"timeout_s": -1}), 422)["errors"] == {"timeout_s": "must be between 0 and 3600"}
    assert "container" in problem(rest.post(stop, {"container": IDS["container"]}), 422)["errors"]
    assert Operation.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"image": "nginx"}, {"host": "is required: the id or the name of a host"}),
        ({"host": 5, "image": "nginx"}, {"host": "must be the id or the name of a host"}),
        ({"host": "a\x00", "image": "nginx"}, {"host": "must be the id or the name of a host"}),
        ({"host": "\ud800", "image": "nginx"}, {"host": "must be valid Unicode"}),
        ({"host": "nowhere", "image": "n"}, {"host": "there is no such host; GET /api/v1/hosts lists them"}),
    ],
)
def test_the_host_must_be_there(rest: Rest, mirrored: Host, body: dict[str, Any], errors: dict[str, str]) -> None:
    assert problem(rest.post("/containers", body), 422)["errors"] == errors


def test_an_ask_by_kind_is_checked_too(rest: Rest, mirrored: Host) -> None:
    ask = {"host": "prod-01", "kind": "container.stop", "params": {"container": container_id(1), "timeout_s": "x"}}
    assert problem(rest.post("/operations", ask), 422)["errors"] == {"params.timeout_s": "must be a whole number"}
    assert "kind" in problem(rest.post("/operations", {**ask, "kind": "container.fly"}), 422)["errors"]
    assert "kind" in problem(rest.post("/operations", {**ask, "kind": ["a"]}), 422)["errors"]
    assert "params" in problem(rest.post("/operations", {**ask, "params": 5}), 422)["errors"]
    unknown = {**ask, "params": {"container": container_id(9)}}
    assert "removed meanwhile" in problem(rest.post("/operations", unknown), 409)["detail"]


def test_values_of_environment_variables_are_not_shown(rest: Rest, mirrored: Host) -> None:
    document = asked(rest.post("/containers", {"host": "prod-01", "image": "nginx", "env": {"PASSWORD": "s3cret"}}))
    assert document["params"]["env"] == {"PASSWORD": "•••"}
    assert b"s3cret" not in rest.get(f"/operations/{document['id']}").content


def test_what_does_not_exist_can_not_be_acted_on(rest: Rest, mirrored: Host) -> None:
    problem(rest.post(f"/containers/{uuid.uuid4()}/start"), 404)
    problem(rest.delete(f"/volumes/{uuid.uuid4()}"), 404)


def conclude(host: Host, operation_id: str, **result: Any) -> None:
    Dispatching(host).receive(Outcome(operation_id, "succeeded", result))


@pytest.mark.django_db(transaction=True)
def test_waiting_answers_200_when_the_operation_ends_and_202_when_it_does_not(rest: Rest, mirrored: Host) -> None:
    start = f"{path_of(mirrored, 'container')}/start"
    began = time.monotonic()
    document = asked(rest.post(f"{start}?wait=0.3"))
    assert time.monotonic() - began >= 0.3
    got = rest.get(f"/operations/{document['id']}", wait="0.1")
    assert (got.status_code, got.json()["state"]) == (202, "queued")
    assert rest.get(f"/operations/{document['id']}").status_code == 200

    timer = threading.Timer(0.3, conclude, (mirrored, document["id"]))
    timer.start()
    began = time.monotonic()
    got = rest.get(f"/operations/{document['id']}", wait="30")
    timer.join()
    assert time.monotonic() - began < 10
    assert (got.status_code, got.json()["state"]) == (200, "succeeded")
    assert got.json()["finished_at"].endswith("Z")


@pytest.mark.parametrize("wait", ["-1", "301", "nan", "inf", "x", "1e999"])
def test_a_wrong_wait_is_told(rest: Rest, mirrored: Host, wait: str) -> None:
    assert "wait" in problem(rest.post(f"{path_of(mirrored, 'container')}/start?wait={wait}"), 400)["errors"]
    assert Operation.objects.count() == 0


def test_the_same_key_asks_once(rest: Rest, mirrored: Host) -> None:
    start = f"{path_of(mirrored, 'container')}/start"
    first = asked(rest.post(start, Idempotency_Key="deploy-17"))
    assert asked(rest.post(start, Idempotency_Key="deploy-17"))["id"] == first["id"]
    assert Operation.objects.count() == 1
    conclude(mirrored, first["id"])
    again = rest.post(start, Idempotency_Key="deploy-17")
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, first["id"], "succeeded")


def test_a_key_that_was_used_for_something_else_is_refused(rest: Rest, mirrored: Host) -> None:
    start = f"{path_of(mirrored, 'container')}/start"
    asked(rest.post(start, Idempotency_Key="k"))
    assert "new key" in problem(rest.post(start.replace("start", "kill"), Idempotency_Key="k"), 422)["detail"]
    assert "new key" in problem(rest.delete(path_of(mirrored, "volume"), Idempotency_Key="k"), 422)["detail"]


def test_who_repeats_what_removed_an_object_gets_that_operation(rest: Rest, mirrored: Host) -> None:
    path = path_of(mirrored, "container")
    first = asked(rest.delete(f"{path}?force=true", Idempotency_Key="once"))
    conclude(mirrored, first["id"])
    Container.objects.all().delete()
    again = rest.delete(f"{path}?force=true", Idempotency_Key="once")
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    problem(rest.delete(path, Idempotency_Key="once"), 422)
    problem(rest.delete(f"{path}?force=true", Idempotency_Key="another"), 404)


@pytest.mark.parametrize("key", ["", "x" * 101, "with space", "ünï"])
def test_a_key_has_1_to_100_printable_characters(rest: Rest, mirrored: Host, key: str) -> None:
    response = rest.post(f"{path_of(mirrored, 'container')}/start", Idempotency_Key=key)
    assert problem(response, 400)["errors"].keys() == {"Idempotency-Key"}


@pytest.mark.django_db(transaction=True)
def test_twenty_at_the_same_moment_with_one_key_make_one_operation(rest: Rest, mirrored: Host) -> None:
    path = f"{path_of(mirrored, 'container')}/start"
    answers: list[Any] = []
    barrier = threading.Barrier(20)

    def ask() -> None:
        barrier.wait()
        answers.append(rest.post(path, Idempotency_Key="together"))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Operation.objects.count() == 1
    assert Entry.objects.filter(action="container.start").count() == 1


def test_operations_are_filtered_and_cancelled(rest: Rest, user: User, mirrored: Host) -> None:
    path = path_of(mirrored, "container")
    document = asked(rest.post(f"{path}/start"))
    asked(rest.post(f"{path}/kill"))

    def count(**query: str) -> int:
        found: int = rest.get("/operations", **query).json()["count"]
        return found

    assert count(kind="container.kill") == 1
    assert count(target=path.rpartition("/")[2]) == 2
    assert count(host="prod-01", state="queued,running") == 2
    cancelled = rest.post(f"/operations/{document['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert count(state="cancelled", q="start") == 1
    assert "cancelled already" in problem(rest.post(f"/operations/{document['id']}/cancel"), 409)["detail"]
    problem(rest.post(f"/operations/{uuid.uuid4()}/cancel"), 404)
