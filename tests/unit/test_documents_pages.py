"""Documents of engines on the console: what hosts send is checked, bounded and shown, or it is said why not."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.accounts.models import User
from console.dashboard.tree import DEPTH_MOST, NODES_MOST, Node, tree
from console.dashboard.views import documents
from console.hosts.models import Host
from console.inventory.models import Container, Network, object_id
from console.link.reading import Unreadable, parse_document

ID = "a" * 64
EVIL = '<script>alert(1)</script>"\u202e'


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("container.inspect", b"no json"),
        ("container.inspect", b"[]"),
        ("container.inspect", b'{"Size": NaN}'),
        ("container.inspect", b'{"Size": 1e999}'),
        ("container.inspect", b'{"Name": "\\ud800"}'),
        ("container.inspect", b'{"a":' * 100_000),
        ("container.top", b'{"titles": ["PID"]}'),
        ("container.top", b'{"titles": ["PID"], "processes": [[1]]}'),
        ("container.changes", b'{"changes": [{"path": "/x", "change": "eaten"}]}'),
        ("image.history", b'{"layers": [{"size_bytes": -1}]}'),
        ("host.disk_usage", b'{"images": {}}'),
    ],
)
def test_what_is_no_document_of_its_kind_is_refused(kind: str, sent: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse_document(kind, sent)


def test_a_document_keeps_what_its_shape_has_and_drops_the_rest() -> None:
    sent = {"titles": ["PID"], "processes": [["1"]], "surprise": True}
    assert parse_document("container.top", json.dumps(sent).encode()) == {
        "titles": ["PID"], "processes": [["1"]], "truncated": False,
    }  # fmt: skip


# --- the tree ----------------------------------------------------------------------------------


def all_nodes(nodes: list[Node]) -> list[Node]:
    return [inner for node in nodes for inner in (node, *all_nodes(node.parts))]


def test_a_tree_says_how_to_ask_for_each_part() -> None:
    paths = {node.path: node for node in all_nodes(tree({"A": {"b-c": [1, None, True, ""]}, "E": {}}))}
    assert list(paths) == [".A", '.A["b-c"]', '.A["b-c"][0]', '.A["b-c"][1]', '.A["b-c"][2]', '.A["b-c"][3]', ".E"]
    assert [paths[f'.A["b-c"][{n}]'].text for n in range(4)] == ["1", "null", "true", '""']
    assert paths['.A["b-c"]'].summary == "4 items"


def test_a_tree_is_bounded() -> None:
    wide = all_nodes(tree({str(n): n for n in range(NODES_MOST * 2)}))
    assert len(wide) == NODES_MOST + 1
    assert wide[-1].text == "more, in the raw document"
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"a": deep, "b": 1}
    assert max(node.path.count(".a") for node in all_nodes(tree(deep))) == DEPTH_MOST + 1


# --- pages -------------------------------------------------------------------------------------


@pytest.fixture
def container(host: Host) -> Container:
    host.is_connected, host.heard_at = True, timezone.now()
    host.save()
    return Container.objects.create(
        id=object_id(host.pk, "container", ID), host=host, engine_id=ID, name=EVIL, image=EVIL, state="running",
        image_engine_id="sha256:" + ID, fingerprint="0" * 16, changed_at=timezone.now(),
    )  # fmt: skip


@pytest.fixture
def page(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def answer(monkeypatch: pytest.MonkeyPatch, document: dict[str, Any] | Exception) -> None:
    def read(host: Host, kind: str, params: object) -> dict[str, Any]:
        if isinstance(document, Exception):
            raise document
        return document

    monkeypatch.setattr(documents, "read_document", read)


DEEP: dict[str, Any] = {}
for _ in range(60):
    DEEP = {EVIL: DEEP, "list": [EVIL, 1]}


@pytest.mark.parametrize(
    ("stream", "document", "words"),
    [
        ("container.inspect", DEEP, "2 keys"),
        ("container.top", {"titles": [EVIL], "processes": [[EVIL]], "truncated": True}, "the first of more"),
        ("container.changes", {"changes": [{"path": EVIL, "change": "added"}], "truncated": False}, "1 path."),
        ("container.changes", {"changes": [], "truncated": False}, "Nothing in it differs"),
    ],
)
def test_parts_show_hostile_documents_as_text(
    page: Client,
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    stream: str,
    document: dict[str, Any],
    words: str,
) -> None:
    answer(monkeypatch, document)
    shown = page.get(f"/parts/{stream}/{container.pk}")
    text = shown.content.decode()
    assert shown.status_code == 200
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert words in text


def test_what_can_not_be_read_is_said_in_its_place(
    page: Client, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, Unreadable("prod-01 did not answer in time. Try again."))
    assert "did not answer in time" in page.get(f"/parts/container.top/{container.pk}").content.decode()


def test_an_offline_host_is_not_asked(page: Client, container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    Host.objects.update(is_connected=False)
    answer(monkeypatch, AssertionError("asked"))
    assert "its agent is offline" in page.get(f"/parts/container.top/{container.pk}").content.decode()
    for tab in ("processes", "changes", "inspect"):  # the page around it stays
        assert page.get(f"/containers/{container.pk}/{tab}").status_code == 200


def test_only_known_documents_and_tabs_are_there(page: Client, container: Container) -> None:
    for path in (
        f"/parts/container.logs/{container.pk}",
        f"/parts/container.top/{uuid.uuid4()}",
        f"/parts/image.history/{container.pk}",
        f"/containers/{container.pk}/nonsense",
    ):
        assert page.get(path).status_code == 404


def test_members_are_looked_up_once_and_strangers_are_named(
    page: Client, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network.objects.create(
        id=object_id(container.host_id, "network", "n" * 25), host=container.host, engine_id="n" * 25, name="front",
        fingerprint="0" * 16, changed_at=timezone.now(),
    )  # fmt: skip
    stranger = {"Name": EVIL, "MacAddress": 4}
    members = {ID: {"Name": "web", "IPv4Address": "10.0.0.2/24"}, "b" * 64: stranger, "c": None}
    answer(monkeypatch, {"Containers": members})
    text = page.get(f"/parts/network.inspect/{network.pk}").content.decode()
    assert f"/containers/{container.pk}" in text
    assert "10.0.0.2/24" in text
    assert text.count("<tr>") == 3  # the head, and two
