from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.utils import timezone

from console.accounts.models import User
from console.hosts.models import Host
from console.inventory.ingest import Mirroring
from console.inventory.models import Container, Image, Network, Volume, object_id
from tests.unit.records import IMAGE_ID, container, container_id
from tests.unit.rest import Rest, problem

pytestmark = pytest.mark.django_db


def online(host: Host) -> Host:
    host.is_connected, host.heard_at = True, timezone.now()
    host.save()
    return host


def mirror(host: Host, *documents: dict[str, Any], kind: Any = "container") -> None:
    Mirroring(host)._upsert(kind, documents)


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [result["name"] for result in response.json()["results"]]


def image(tag: str = "acme/shop:1", **fields: Any) -> dict[str, Any]:
    return {"id": IMAGE_ID, "tags": [tag], "size_bytes": 5_000_000, "created_at": 1_764_000_000.0, **fields}


def test_a_container_is_shown_with_its_host_times_and_ports(rest: Rest, host: Host) -> None:
    online(host)
    mirror(
        host,
        container(
            1,
            labels={"com.docker.compose.project": "shop", "com.docker.compose.service": "web"},
            started_at=1_764_000_060.5,
            ports=[],
        ),
    )
    mirror(host, image(), kind="image")
    [shown] = rest.get("/containers").json()["results"]
    assert shown["id"] == str(object_id(host.pk, "container", container_id(1)))
    assert shown["engine_id"] == container_id(1)
    assert shown["host"] == {"id": str(host.pk), "name": "prod-01", "state": "online"}
    assert (shown["state"], shown["last_state"], shown["is_current"]) == ("running", "running", True)
    assert (shown["stack"], shown["service"]) == ("shop", "web")
    assert shown["started_at"] == "2025-11-24T16:01:00.500000Z"
    assert shown["finished_at"] is None
    assert shown["image_id"] == str(object_id(host.pk, "image", IMAGE_ID))


def test_an_image_that_is_not_mirrored_has_no_id(rest: Rest, host: Host) -> None:
    mirror(host, container(1))
    assert rest.get("/containers").json()["results"][0]["image_id"] is None


def test_what_runs_on_an_offline_host_is_unknown_and_its_last_state_told(rest: Rest, host: Host) -> None:
    mirror(host, container(1, health="healthy"))
    [shown] = rest.get("/containers").json()["results"]
    assert (shown["state"], shown["last_state"], shown["is_current"]) == ("unknown", "running", False)
    assert shown["health"] == "unknown"
    assert shown["host"]["state"] == "offline"


def test_an_engine_that_does_not_answer_makes_its_objects_last_known(rest: Rest, host: Host) -> None:
    host.engine_error = "The engine does not answer."
    online(host)
    mirror(host, container(1))
    assert rest.get("/containers").json()["results"][0]["state"] == "unknown"
    assert rest.get(f"/hosts/{host.pk}").json()["running_count"] is None


def test_a_filter_by_state_does_not_find_what_is_only_last_known(rest: Rest, host: Host, other_host: Host) -> None:
    online(host)
    mirror(host, container(1, name="here"), container(2, name="stopped", state="exited"))
    mirror(other_host, container(3, name="gone"))
    assert names(rest.get("/containers", state="running")) == ["here"]
    assert names(rest.get("/containers", state="unknown")) == ["gone"]
    assert names(rest.get("/containers", state="running,unknown")) == ["gone", "here"]
    assert names(rest.get("/containers", state=["running", "exited"])) == ["here", "stopped"]
    assert names(rest.get("/containers", last_state="running")) == ["gone", "here"]


def test_unreachable_objects_of_other_kinds_are_unknown_too(rest: Rest, host: Host) -> None:
    mirror(host, {"id": "data", "driver": "local"}, kind="volume")
    [volume] = rest.get("/volumes").json()["results"]
    assert (volume["name"], volume["state"], volume["last_state"]) == ("data", "unknown", "present")
    assert names(rest.get("/volumes", state="present")) == []
    online(host)
    assert names(rest.get("/volumes", state="present")) == ["data"]


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("tier", ["a"]),
        ("tier=web", ["a"]),
        ("tier=we", []),
        ('quo"te=1', ["a"]),
        ("0=zero", ["a"]),
        ("a.b'c=x=y,z", ["a"]),
        ("empty=", ["a"]),
        ("ünï=ö", ["a"]),
        ("nothing", []),
        ("=", []),
    ],
)
def test_labels_are_found_whatever_characters_they_have(rest: Rest, host: Host, label: str, found: list[str]) -> None:
    labels = {"tier": "web", 'quo"te': "1", "0": "zero", "a.b'c": "x=y,z", "empty": "", "ünï": "ö"}
    mirror(host, container(1, name="a", labels=labels), container(2, name="b", labels={"x": "y"}))
    assert names(rest.get("/containers", label=label)) == found


def test_several_labels_must_all_be_there(rest: Rest, host: Host) -> None:
    mirror(host, container(1, name="a", labels={"x": "1", "y": "2"}), container(2, name="b", labels={"x": "1"}))
    assert names(rest.get("/containers", label=["x=1", "y"])) == ["a"]


def test_containers_are_found_by_network_volume_image_and_host(rest: Rest, host: Host, other_host: Host) -> None:
    front = [{"name": "front", "id": "n1", "ip": "", "aliases": []}]
    data = [{"type": "volume", "target": "/d", "source": "", "name": "data", "read_only": False}]
    mirror(host, {**container(1, name="a", image="nginx:1.27"), "networks": front, "mounts": data})
    mirror(other_host, container(2, name="b"))
    assert names(rest.get("/containers", network="front")) == ["a"]
    assert names(rest.get("/containers", network="fron")) == []
    assert names(rest.get("/containers", volume="data")) == ["a"]
    assert names(rest.get("/containers", image="nginx")) == ["a"]
    assert names(rest.get("/containers", host="prod-01")) == ["a"]
    assert names(rest.get("/containers", host=[str(other_host.pk), "prod-01"])) == ["a", "b"]
    assert names(rest.get("/containers", q="nginx prod-01")) == ["a"]
    assert names(rest.get("/containers", host="no-such-host")) == []


def test_images_are_found_by_tag_and_count_their_containers(rest: Rest, host: Host) -> None:
    mirror(host, container(1), container(2))
    mirror(host, image(), image("old:1", id="sha256:" + "b" * 64, tags=[], dangling=True), kind="image")
    assert names(rest.get("/images", name="shop")) == ["acme/shop:1"]
    [dangling] = rest.get("/images", dangling="true").json()["results"]
    assert (dangling["name"], dangling["containers_count"]) == ("", 0)
    assert rest.get("/images", name="shop").json()["results"][0]["containers_count"] == 2


def test_networks_and_hosts_are_listed(rest: Rest, host: Host, other_host: Host) -> None:
    online(host)
    mirror(host, {"id": "n" * 25, "name": "front", "driver": "bridge", "subnets": ["10.1.0.0/24"]}, kind="network")
    assert names(rest.get("/networks", driver="bridge,overlay")) == ["front"]
    assert names(rest.get("/hosts")) == ["prod-01", "prod-02"]
    assert names(rest.get("/hosts", state="offline")) == ["prod-02"]
    assert names(rest.get("/hosts", state="online,offline")) == ["prod-01", "prod-02"]


def test_one_object_has_the_form_of_the_list_and_another_id_is_not_found(rest: Rest, host: Host) -> None:
    mirror(host, container(1))
    [listed] = rest.get("/containers").json()["results"]
    assert rest.get(f"/containers/{listed['id']}").json() == listed
    assert rest.get(f"/containers/{listed['id']}/").json() == listed
    problem(rest.get(f"/containers/{uuid.uuid4()}"), 404)
    problem(rest.get(f"/images/{listed['id']}"), 404)


def test_objects_of_a_removed_host_are_not_there(rest: Rest, host: Host) -> None:
    mirror(host, container(1))
    [listed] = rest.get("/containers").json()["results"]
    Host.objects.update(revoked_at=timezone.now())
    assert rest.get("/containers").json()["count"] == 0
    problem(rest.get(f"/containers/{listed['id']}"), 404)


def test_pages_cover_the_list_once_and_link_to_each_other(rest: Rest, host: Host) -> None:
    mirror(host, *(container(n, name="same-name", labels={"n": str(n)}) for n in range(25)))
    seen: list[str] = []
    page = rest.get("/containers", limit=10, label="n", sort="name").json()
    assert (page["count"], page["previous"]) == (25, None)
    while True:
        seen += [result["id"] for result in page["results"]]
        if page["next"] is None:
            break
        page = rest.client.get(page["next"]).json()
    assert len(seen) == len(set(seen)) == 25
    assert len(rest.client.get(page["previous"]).json()["results"]) == 10
    assert rest.get("/containers", offset=100).json()["results"] == []


def test_lists_are_sorted_by_several_columns(rest: Rest, host: Host) -> None:
    mirror(
        host, container(1, name="a", image="x"), container(2, name="b", image="x"), container(3, name="c", image="w")
    )
    assert names(rest.get("/containers", sort="-image,name")) == ["a", "b", "c"]
    assert names(rest.get("/containers", sort="image,-name")) == ["c", "b", "a"]
    assert names(rest.get("/containers", sort=["image", "-name"])) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("path", "query", "parameter", "told"),
    [
        ("/containers", {"stat": "running"}, "stat", "state"),
        ("/containers", {"state": "runing"}, "state", "running"),
        ("/containers", {"health": "good"}, "health", "healthy"),
        ("/containers", {"sort": "size"}, "sort", "created_at"),
        ("/containers", {"limit": "0"}, "limit", "1000"),
        ("/containers", {"limit": "1001"}, "limit", "1000"),
        ("/containers", {"limit": "ten"}, "limit", "number"),
        ("/containers", {"limit": ["1", "2"]}, "limit", "once"),
        ("/containers", {"limit": "9" * 5000}, "limit", "number"),
        ("/containers", {"offset": "-1"}, "offset", "0"),
        ("/containers", {"name": "x" * 301}, "name", "300"),
        ("/containers", {"name": "a\x00b"}, "name", "Null"),
        ("/containers", {"label": "a\x00b"}, "label", "NUL"),
        ("/containers", {"host": ["h"] * 101}, "host", "100"),
        ("/images", {"dangling": "maybe"}, "dangling", "true or false"),
        ("/images", {"image": "x"}, "image", "dangling"),
        ("/hosts", {"state": "up"}, "state", "online"),
        ("/operations", {"state": "done"}, "state", "succeeded"),
        ("/operations", {"target": "x"}, "target", "UUID"),
        ("/me", {"x": "1"}, "x", "none"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(
    rest: Rest, path: str, query: dict[str, Any], parameter: str, told: str
) -> None:
    document = problem(rest.get(path, **query), 400)
    assert list(document["errors"]) == [parameter]
    assert told in document["errors"][parameter]
    assert document["errors"][parameter] in document["detail"]


def many(host: Host, count: int) -> None:
    """Rows of all kinds, written past the agent's documents: only their number matters."""
    now = timezone.now()
    labels = {f"com.example.label-{n}": "some value or other" for n in range(10)}
    rows = [
        Container(
            id=uuid.uuid4(), host=host, engine_id=f"{n:064x}", fingerprint="0" * 16, name=f"c-{n % 5000}",
            labels={**labels, "n": str(n % 7)}, changed_at=now, created_at=now - dt.timedelta(seconds=n),
            state="running" if n % 3 else "exited", image=f"acme/{n % 50}", image_engine_id=IMAGE_ID,
            networks=[{"name": f"net-{n % 9}", "id": "x"}],
        )
        for n in range(count)
    ]  # fmt: skip
    Container.objects.bulk_create(rows, batch_size=2000)


def test_the_first_page_of_many_takes_no_more_queries(
    rest: Rest, host: Host, django_assert_max_num_queries: Any
) -> None:
    online(host)
    many(host, 2000)
    rest.get("/me")  # notes the token's use
    asks: list[dict[str, Any]] = [
        {},
        {"state": "running", "sort": "-created_at"},
        {"label": "n=3", "sort": "image,-name"},
        {"network": "net-4", "q": "acme c-1"},
    ]
    for query in asks:
        with django_assert_max_num_queries(5):
            response = rest.get("/containers", **query)
        assert len(response.json()["results"]) == 100


@pytest.mark.parametrize(("path", "queries"), [("/containers", 3), ("/images", 2), ("/networks", 2), ("/volumes", 2)])
def test_the_number_of_queries_does_not_grow_with_the_page(
    rest: Rest, host: Host, other_host: Host, path: str, queries: int, django_assert_num_queries: Any
) -> None:
    rest.get("/me")  # notes the token's use
    for owner in (host, other_host):
        for n in range(20):
            common = {"id": uuid.uuid4(), "host": owner, "fingerprint": "0" * 16, "changed_at": timezone.now()}
            Container.objects.create(**common, engine_id=f"c{n}", name=f"c{n}", state="running")
            Image.objects.create(**common, engine_id=f"i{n}", name=f"i{n}")
            Network.objects.create(**common, engine_id=f"n{n}", name=f"n{n}")
            Volume.objects.create(**common, engine_id=f"v{n}", name=f"v{n}")
    with django_assert_num_queries(queries + 1):  # and the token's
        assert rest.get(path).json()["count"] == 40


def test_hosts_and_operations_are_listed_with_few_queries(
    rest: Rest, user: User, host: Host, other_host: Host, django_assert_num_queries: Any
) -> None:
    rest.get("/me")
    with django_assert_num_queries(3):
        rest.get("/hosts")
    mirror(host, container(1))
    pk = object_id(host.pk, "container", container_id(1))
    for _ in range(5):
        assert rest.post(f"/containers/{pk}/start").status_code == 202
    with django_assert_num_queries(3):
        assert rest.get("/operations").json()["count"] == 5
