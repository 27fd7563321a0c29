from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Sequence

import pytest
from django.utils import timezone

from agents.catalogue import CreateContainer, PullImage, RemoveContainer, StopContainer
from agents.protocol import (
    Accepted,
    Cancel,
    Changes,
    Confirm,
    Hello,
    Message,
    Outcome,
    Perform,
    Progress,
)
from console.access.actors import Actor
from console.audit.models import Entry
from console.hosts.models import Host
from console.inventory.ingest import Mirroring
from console.inventory.models import object_id
from console.operations import waiting
from console.operations.dispatch import Dispatching
from console.operations.models import Operation, State
from console.operations.services import (
    HostNotEnrolled,
    KeyUsedOtherwise,
    NotCancellable,
    UnknownObject,
    cancel,
    request,
    shown,
)
from console.operations.tasks import GRACE, sweep
from tests.unit.records import container, container_id

pytestmark = pytest.mark.django_db

STOP = StopContainer(container_id(1))


@pytest.fixture
def mirrored(host: Host) -> Host:
    Mirroring(host).receive(Changes("container", 1, [container(1)]))
    return host


def performs(messages: Sequence[Message]) -> list[str]:
    return [message.operation for message in messages if isinstance(message, Perform)]


def test_an_ask_is_a_row_and_an_audit_entry_before_it_is_sent(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, STOP)
    assert (operation.state, operation.title, operation.kind) == ("queued", "Stop shop-web-1", "container.stop")
    entry = Entry.objects.get(action="container.stop")
    assert (entry.username, entry.object_name) == ("mira", "shop-web-1")


def test_it_is_sent_once_and_again_only_until_it_is_acknowledged(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, STOP)
    link = Dispatching(mirrored)
    assert performs(link.woken()) == [str(operation.pk)]
    assert performs(link.woken()) == []
    assert performs(Dispatching(mirrored).opened(hello())) == [str(operation.pk)]  # never acknowledged
    link.receive(Accepted(str(operation.pk)))
    assert performs(Dispatching(mirrored).opened(hello())) == []


def test_progress_and_outcome_reach_the_row(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, STOP)
    link = Dispatching(mirrored)
    link.woken()
    link.receive(Accepted(str(operation.pk)))
    link.receive(Progress(str(operation.pk), {"message": "stopping"}))
    operation.refresh_from_db()
    assert (operation.state, operation.progress) == ("running", {"message": "stopping"})
    reply = link.receive(Outcome(str(operation.pk), "succeeded", {"container": container_id(1)}))
    assert list(reply) == [Confirm(str(operation.pk))]
    operation.refresh_from_db()
    assert operation.state == "succeeded"
    assert operation.result["container"] == str(object_id(mirrored.pk, "container", container_id(1)))


def test_what_an_operation_made_becomes_its_target(actor: Actor, host: Host) -> None:
    operation = request(actor, host, CreateContainer("busybox", name="web"))
    link = Dispatching(host)
    link.woken()
    link.receive(Outcome(str(operation.pk), "succeeded", {"container": container_id(9)}))
    operation.refresh_from_db()
    assert operation.target_id == object_id(host.pk, "container", container_id(9))


def test_an_outcome_that_comes_again_is_confirmed_and_changes_nothing(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, STOP)
    link = Dispatching(mirrored)
    link.woken()
    link.receive(Outcome(str(operation.pk), "succeeded"))
    assert list(link.receive(Outcome(str(operation.pk), "failed", error="too late"))) == [Confirm(str(operation.pk))]
    operation.refresh_from_db()
    assert (operation.state, operation.error) == ("succeeded", "")


def test_an_agent_cannot_speak_for_another_hosts_operation(actor: Actor, mirrored: Host, other_host: Host) -> None:
    operation = request(actor, mirrored, STOP)
    stranger = Dispatching(other_host)
    stranger.receive(Accepted(str(operation.pk)))
    stranger.receive(Progress(str(operation.pk), {"message": "mine"}))
    stranger.receive(Outcome(str(operation.pk), "succeeded"))
    operation.refresh_from_db()
    assert (operation.state, operation.accepted_at) == ("queued", None)


def test_the_same_key_gives_the_first_operation(actor: Actor, mirrored: Host) -> None:
    assert request(actor, mirrored, STOP, key="k").pk == request(actor, mirrored, STOP, key="k").pk
    assert Operation.objects.count() == 1


def test_a_key_used_for_something_else_is_refused(actor: Actor, mirrored: Host) -> None:
    request(actor, mirrored, STOP, key="k")
    with pytest.raises(KeyUsedOtherwise):
        request(actor, mirrored, RemoveContainer(container_id(1)), key="k")


def test_an_unknown_object_is_refused_before_a_row_is_written(actor: Actor, mirrored: Host, other_host: Host) -> None:
    with pytest.raises(UnknownObject):
        request(actor, other_host, STOP)
    assert not Operation.objects.exists()


def test_a_removed_host_takes_no_operations(actor: Actor, mirrored: Host) -> None:
    mirrored.revoked_at = timezone.now()
    with pytest.raises(HostNotEnrolled):
        request(actor, mirrored, STOP)


def test_one_that_was_not_sent_is_cancelled_at_once(actor: Actor, mirrored: Host) -> None:
    operation = cancel(actor, request(actor, mirrored, STOP))
    assert operation.state == State.CANCELLED
    assert performs(Dispatching(mirrored).woken()) == []


def test_one_that_was_sent_is_cancelled_by_its_agent(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, PullImage("busybox"))
    link = Dispatching(mirrored)
    link.woken()
    assert cancel(actor, operation).state == State.SENT
    assert list(link.woken()) == [Cancel(str(operation.pk))]


def test_one_that_has_ended_cannot_be_cancelled(actor: Actor, mirrored: Host) -> None:
    operation = cancel(actor, request(actor, mirrored, STOP))
    with pytest.raises(NotCancellable, match="cancelled already"):
        cancel(actor, operation)


def test_values_of_the_environment_are_neither_shown_nor_kept(actor: Actor, host: Host) -> None:
    operation = request(actor, host, CreateContainer("busybox", env={"PASSWORD": "hunter2"}))
    assert shown(operation.params)["env"] == {"PASSWORD": "•••"}
    link = Dispatching(host)
    link.woken()
    link.receive(Outcome(str(operation.pk), "failed", error="no"))
    operation.refresh_from_db()
    assert "hunter2" not in str(operation.params)


def test_what_was_never_sent_in_time_expires(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, STOP)
    Operation.objects.update(deadline_at=timezone.now() - dt.timedelta(seconds=1))
    sweep()
    operation.refresh_from_db()
    assert (operation.state, bool(operation.error)) == ("expired", True)


def test_what_was_sent_and_never_told_of_is_interrupted_after_the_grace(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, STOP)
    Dispatching(mirrored).woken()
    Operation.objects.update(deadline_at=timezone.now() - GRACE + dt.timedelta(minutes=1))
    sweep()
    operation.refresh_from_db()
    assert operation.state == "sent"
    Operation.objects.update(deadline_at=timezone.now() - GRACE)
    sweep()
    operation.refresh_from_db()
    assert operation.state == "interrupted"


def test_a_huge_progress_or_result_is_cut_down(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, STOP)
    link = Dispatching(mirrored)
    link.woken()
    link.receive(Progress(str(operation.pk), {"message": "m" * 5000, "layers": ["x" * 100] * 2000}))
    operation.refresh_from_db()
    assert operation.progress == {"message": "m" * 1000}


def test_text_that_no_database_takes_is_mended(actor: Actor, mirrored: Host) -> None:
    operation = request(actor, mirrored, STOP)
    link = Dispatching(mirrored)
    link.woken()
    odd = {"message": "a\0b \ud800 \udc00 \U0001f600 \\u0000", "layers": [{"id": "\0"}]}
    link.receive(Progress(str(operation.pk), odd))
    operation.refresh_from_db()
    assert operation.progress["message"].startswith("a\ufffdb \ufffd \ufffd \U0001f600")
    assert operation.progress["layers"] == [{"id": "\ufffd"}]


@pytest.mark.django_db(transaction=True)
def test_waiting_ends_with_the_operation(actor: Actor, host: Host) -> None:
    operation = request(actor, host, PullImage("busybox"))
    link = Dispatching(host)
    link.woken()
    ending = threading.Timer(0.05, lambda: link.receive(Outcome(str(operation.pk), "succeeded")))
    ending.start()
    started = time.monotonic()
    assert waiting.wait(operation, 20).state == "succeeded"
    assert time.monotonic() - started < 10
    ending.join()


def test_waiting_gives_up_in_time(actor: Actor, mirrored: Host) -> None:
    assert waiting.wait(request(actor, mirrored, STOP), 0.01).state == "queued"


def hello() -> Hello:
    return Hello(1, "0.1", str(uuid.uuid4()), time.time())
