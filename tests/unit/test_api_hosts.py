"""Hosts, join tokens, one's own tokens."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from console.audit.models import Entry
from console.hosts.models import Host, JoinToken
from console.hosts.services import authenticate, enrol
from console.inventory.ingest import Mirroring
from console.inventory.models import Container, object_id
from console.operations.dispatch import Dispatching
from console.operations.models import Operation
from tests.unit.conftest import CREDENTIAL
from tests.unit.records import container, container_id
from tests.unit.rest import BASE, Rest, problem

pytestmark = pytest.mark.django_db


def time_of(text: str) -> dt.datetime:
    moment = parse_datetime(text)
    assert moment is not None
    return moment


def test_a_host_is_shown_with_its_engine(rest: Rest, host: Host) -> None:
    host.engine_product, host.engine_version, host.clock_offset_s = "Docker", "28.5.1", 31.23456
    host.save()
    shown = rest.get(f"/hosts/{host.pk}").json()
    assert (shown["name"], shown["state"], shown["last_seen_at"]) == ("prod-01", "offline", None)
    assert (shown["engine"]["product"], shown["engine"]["version"]) == ("Docker", "28.5.1")
    assert (shown["clock_offset_s"], shown["is_clock_off"]) == (31.235, True)
    assert b"credential" not in rest.get("/hosts").content


def test_a_host_is_renamed(rest: Rest, host: Host, other_host: Host) -> None:
    response = rest.patch(f"/hosts/{host.pk}", {"name": "edge-1"})
    assert (response.status_code, response.json()["name"]) == (200, "edge-1")
    assert Entry.objects.get(action="host.rename").object_name == "prod-01"
    taken = problem(rest.patch(f"/hosts/{host.pk}", {"name": "prod-02"}), 422)
    assert "already" in taken["errors"]["name"]
    for wrong in ("", "two words", "-", "x" * 101, "a/b"):
        assert problem(rest.patch(f"/hosts/{host.pk}", {"name": wrong}), 422)["errors"].keys() == {"name"}
    problem(rest.patch(f"/hosts/{uuid.uuid4()}", {"name": "x"}), 404)
    assert Host.objects.get(pk=host.pk).name == "edge-1"


def test_a_removed_host_is_gone_its_credential_worthless_and_its_operations_ended(rest: Rest, host: Host) -> None:
    Mirroring(host)._upsert("container", [container(1), container(2)])
    sent = object_id(host.pk, "container", container_id(1))
    queued = object_id(host.pk, "container", container_id(2))
    rest.post(f"/containers/{sent}/start")
    assert Dispatching(host).woken()
    rest.post(f"/containers/{queued}/start")

    response = rest.delete(f"/hosts/{host.pk}")
    assert (response.status_code, response.content) == (204, b"")
    assert authenticate(str(host.pk), CREDENTIAL) is None
    problem(rest.get(f"/hosts/{host.pk}"), 404)
    problem(rest.delete(f"/hosts/{host.pk}"), 404)
    assert Container.objects.count() == 0
    states = dict(Operation.objects.values_list("target_id", "state"))
    assert states == {sent: "interrupted", queued: "cancelled"}
    history = rest.get("/operations").json()["results"]
    assert {operation["host"]["state"] for operation in history} == {"removed"}
    assert Entry.objects.get(action="host.remove").object_name == "prod-01"


def test_the_name_of_a_removed_host_is_free(rest: Rest, host: Host, other_host: Host) -> None:
    rest.delete(f"/hosts/{host.pk}")
    secret = rest.post("/join-tokens").json()["secret"]
    assert enrol(secret, "k" * 43, "prod-01").name == "prod-01"
    rest.delete(f"/hosts/{other_host.pk}")
    anew = Host.objects.enrolled().get()
    assert rest.patch(f"/hosts/{anew.pk}", {"name": "prod-02"}).status_code == 200


def test_a_join_token_is_shown_once_and_buys_one_host(rest: Rest) -> None:
    made = rest.post("/join-tokens", {"expires_in_s": 600})
    assert made.status_code == 201
    document = made.json()
    valid_for = time_of(document["expires_at"]) - time_of(document["created_at"])
    assert abs(valid_for.total_seconds() - 600) < 5
    [listed] = rest.get("/join-tokens").json()["results"]
    assert listed == {name: value for name, value in document.items() if name != "secret"}
    assert (listed["state"], listed["host"], listed["created_by"]["username"]) == ("valid", None, "mira")
    host = enrol(document["secret"], "k" * 43, "edge")
    used = rest.get(f"/join-tokens/{document['id']}").json()
    assert (used["state"], used["host"]["name"], used["host"]["id"]) == ("used", "edge", str(host.pk))


def test_an_empty_body_makes_a_join_token_for_an_hour(rest: Rest) -> None:
    document = rest.post("/join-tokens").json()
    left = time_of(document["expires_at"]) - timezone.now()
    assert dt.timedelta(minutes=59) < left <= dt.timedelta(hours=1)


def test_a_join_token_is_deleted_and_expires(rest: Rest) -> None:
    document = rest.post("/join-tokens").json()
    JoinToken.objects.update(expires_at=timezone.now())
    assert rest.get(f"/join-tokens/{document['id']}").json()["state"] == "expired"
    assert rest.delete(f"/join-tokens/{document['id']}").status_code == 204
    problem(rest.get(f"/join-tokens/{document['id']}"), 404)


@pytest.mark.parametrize("body", [{"expires_in_s": 59}, {"expires_in_s": 2592001}, {"expires": 600}])
def test_a_join_token_lives_a_minute_to_30_days(rest: Rest, body: dict[str, Any]) -> None:
    problem(rest.post("/join-tokens", body), 422)


def test_a_token_is_made_used_and_deleted(rest: Rest) -> None:
    made = rest.post("/tokens", {"name": "ci", "expires_in_s": 3600}).json()
    ci = Rest(made["secret"])
    me = ci.get("/me").json()
    assert (me["username"], me["is_administrator"], me["token"]["name"]) == ("mira", True, "ci")
    assert rest.get(f"/tokens/{made['id']}").json()["last_used_at"] is not None
    assert b"gtt_" not in rest.get("/tokens").content
    assert rest.delete(f"/tokens/{made['id']}").status_code == 204
    problem(ci.get("/me"), 401)
    assert set(Entry.objects.values_list("action", flat=True)) == {"api_token.create", "api_token.delete"}


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101])
def test_a_token_needs_a_name(rest: Rest, name: str) -> None:
    assert problem(rest.post("/tokens", {"name": name}), 422)["errors"].keys() == {"name"}


def test_health_needs_no_token(db: None) -> None:
    assert Client().get("/healthz").status_code == 200
    ready = Client().get("/readyz")
    assert (ready.status_code, ready.json()["database"]) == (200, "ok")
    assert Client().get(f"{BASE}/schema").status_code == 200
