from __future__ import annotations

import time
import uuid

import pytest

from agents.protocol import (
    EMPTY_DIGESTS,
    Changes,
    Compare,
    Fetch,
    Heartbeat,
    Hello,
    Manifest,
    digest,
    fingerprint,
)
from console.hosts.models import Host
from console.inventory.ingest import Mirroring
from console.inventory.models import Container, object_id
from tests.unit.records import container, container_id

pytestmark = pytest.mark.django_db


def hello(digests: dict[str, str]) -> Hello:
    return Hello(1, "0.1", str(uuid.uuid4()), time.time(), digests=digests)


@pytest.fixture
def mirroring(host: Host) -> Mirroring:
    return Mirroring(host)


def test_a_change_becomes_a_row(mirroring: Mirroring, host: Host) -> None:
    document = container(1, labels={"com.docker.compose.project": "shop"}, exit_code=137)
    assert list(mirroring.receive(Changes("container", 1, [document]))) == []
    row = Container.objects.get()
    assert (row.name, row.state, row.stack, row.exit_code) == ("shop-web-1", "running", "shop", 137)
    assert row.pk == object_id(host.pk, "container", container_id(1))


def test_a_later_change_keeps_the_rows_id(mirroring: Mirroring) -> None:
    mirroring.receive(Changes("container", 1, [container(1)]))
    before = Container.objects.get().pk
    mirroring.receive(Changes("container", 2, [container(1, state="exited", exit_code=0)]))
    row = Container.objects.get()
    assert (row.pk, row.state) == (before, "exited")


def test_what_did_not_change_is_not_written(mirroring: Mirroring) -> None:
    mirroring.receive(Changes("container", 1, [container(1)]))
    before = Container.objects.get().changed_at
    mirroring.receive(Changes("container", 2, [container(1)]))
    assert Container.objects.get().changed_at == before


def test_a_removed_object_leaves(mirroring: Mirroring) -> None:
    mirroring.receive(Changes("container", 1, [container(1), container(2)]))
    mirroring.receive(Changes("container", 2, removed=[container_id(1)]))
    assert [row.engine_id for row in Container.objects.all()] == [container_id(2)]


def test_a_gap_in_the_numbers_means_a_fresh_comparison(mirroring: Mirroring) -> None:
    mirroring.receive(Changes("container", 1, [container(1)]))
    [message] = mirroring.receive(Changes("container", 4, [container(2)]))
    assert isinstance(message, Compare)
    assert set(message.kinds) == {"container", "image", "network", "volume"}


def test_equal_digests_ask_for_nothing(mirroring: Mirroring, host: Host) -> None:
    document = container(1)
    mirroring.receive(Changes("container", 1, [document]))
    digests = {**EMPTY_DIGESTS, "container": digest([(container_id(1), fingerprint(document))])}
    assert list(Mirroring(host).opened(hello(digests))) == []
    host.refresh_from_db()
    assert host.is_listed


def test_only_the_kinds_that_differ_are_compared(host: Host) -> None:
    [message] = Mirroring(host).opened(hello({**EMPTY_DIGESTS, "volume": "0" * 16}))
    assert message == Compare(["volume"])


def test_an_agent_that_has_not_listed_its_engine_removes_nothing(mirroring: Mirroring, host: Host) -> None:
    mirroring.receive(Changes("container", 1, [container(1)]))
    assert list(Mirroring(host).opened(hello({}))) == []
    assert Container.objects.count() == 1


def test_a_manifest_removes_what_is_gone_and_fetches_what_differs(mirroring: Mirroring) -> None:
    same, stale, gone = container(1), container(2), container(3)
    mirroring.receive(Changes("container", 1, [same, stale, gone]))
    now = container(2, state="paused")
    manifest = {container_id(1): fingerprint(same), container_id(2): fingerprint(now), container_id(4): "0" * 16}
    [fetch] = mirroring.receive(Manifest("container", 1, manifest))
    assert fetch == Fetch("container", [container_id(2), container_id(4)])
    assert not Container.objects.filter(engine_id=container_id(3)).exists()


def test_a_manifest_in_parts_counts_when_it_is_whole(mirroring: Mirroring) -> None:
    documents = [container(1), container(2)]
    mirroring.receive(Changes("container", 1, documents))
    marks = {document["id"]: fingerprint(document) for document in documents}
    first, second = ({key: mark} for key, mark in marks.items())
    assert list(mirroring.receive(Manifest("container", 1, first, last=False))) == []
    assert Container.objects.count() == 2
    assert list(mirroring.receive(Manifest("container", 1, second))) == []
    assert Container.objects.count() == 2


def test_a_heartbeat_whose_digests_differ_leads_to_a_comparison_once(mirroring: Mirroring) -> None:
    beat = Heartbeat(1.0, {**EMPTY_DIGESTS, "image": "f" * 16})
    assert list(mirroring.receive(beat)) == [Compare(["image"])]
    assert list(mirroring.receive(beat)) == []  # it is under way


def test_an_object_of_another_shape_is_left_out_and_the_others_stay(mirroring: Mirroring) -> None:
    bad_state, long_name = container(2) | {"state": "on fire"}, container(3) | {"name": "n" * 500}
    odd = [{"id": "x"}, {"id": 7, "name": []}, bad_state, long_name]
    mirroring.receive(Changes("container", 1, [*odd, container(1)]))
    assert [row.name for row in Container.objects.all()] == ["shop-web-1"]


def test_numbers_and_times_that_no_column_holds_do_no_harm(mirroring: Mirroring) -> None:
    document = container(1, exit_code=2**40, started_at=9e10, restart_count=2**40)
    mirroring.receive(Changes("container", 1, [document]))
    row = Container.objects.get()
    assert row.exit_code == 2**31 - 1
    assert row.started_at is None or row.started_at.year > 2000


def test_two_hosts_with_the_same_engine_ids_stay_apart(host: Host, other_host: Host) -> None:
    Mirroring(host).receive(Changes("container", 1, [container(1)]))
    Mirroring(other_host).receive(Changes("container", 1, [container(1)]))
    Mirroring(other_host).receive(Changes("container", 1, removed=[container_id(1)]))
    assert [row.host for row in Container.objects.all()] == [host]
