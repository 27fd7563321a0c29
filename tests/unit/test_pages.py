"""Pages without a browser: what they find, what they say before something goes, and who may see them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from console.accounts.models import ApiToken, User
from console.audit.models import Entry
from console.hosts.models import Host
from console.inventory.ingest import Mirroring
from console.inventory.models import Container, Image, Network, Volume
from tests.unit.records import IMAGE_ID, container
from tests.unit.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def online(host: Host) -> Host:
    host.is_connected, host.heard_at = True, timezone.now()
    host.save()
    return host


def mirror(host: Host, *documents: dict[str, Any], kind: Any = "container") -> None:
    Mirroring(host)._upsert(kind, documents)


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return sorted(result["name"] for result in response.json()["results"])


def text(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content
    return " ".join(response.content.decode().split())


@pytest.fixture
def mixed(online: Host) -> None:
    now = timezone.now().timestamp()
    mirror(
        online,
        container(1, health="unhealthy", labels={"com.docker.compose.project": "shop"}),
        container(2, state="exited", exit_code=0, finished_at=now),
        container(3, state="exited", exit_code=1, finished_at=now),
        container(4, state="exited", exit_code=1, finished_at=now - 90_000),
        container(5, state="created"),
        container(6, state="created", error="port is taken"),
        container(7),
    )


def test_what_needs_somebody_and_what_failed_are_filters(rest: Rest, mixed: None) -> None:
    wrong = ["shop-web-1", "shop-web-3", "shop-web-6"]
    assert names(rest.get("/containers", problem="true")) == wrong
    assert len(names(rest.get("/containers", problem="false"))) == 4
    assert names(rest.get("/containers", state="exited", failed="true")) == ["shop-web-3", "shop-web-4"]
    assert names(rest.get("/containers", state="exited", failed="false")) == ["shop-web-2"]


def test_nothing_on_an_offline_host_is_a_problem_of_its_own(rest: Rest, host: Host) -> None:
    mirror(host, container(1, health="unhealthy"))
    assert names(rest.get("/containers", problem="true")) == []


def test_the_overview_leads_to_exactly_what_it_counts(client: Client, mixed: None) -> None:
    overview = text(client.get("/"))
    assert "3 problems" in overview
    assert "state=exited&amp;failed=true" in overview
    assert "not started" in overview
    assert "1 unhealthy" in overview  # of the host
    found = text(client.get("/containers?state=exited&failed=true"))
    assert "exited with an error" in found
    assert "2 found" in found


def test_worst_first_and_groups(client: Client, mixed: None) -> None:
    page = client.get("/containers")
    assert page.context["rows"][0].name == "shop-web-1"
    grouped = text(client.get("/containers?group=stack&sort=name"))
    assert grouped.index(">shop</b>") < grouped.index(">no stack</b>")
    assert "6 containers" in grouped
    assert client.get("/containers?group=nonsense").status_code == 200


def test_a_dialog_says_what_uses_an_object_and_what_the_engine_will_refuse(client: Client, online: Host) -> None:
    mirror(online, {"id": IMAGE_ID, "tags": ["acme/shop:1"], "size_bytes": 5_000_000}, kind="image")
    mirror(online, {"id": "n" * 64, "name": "shop"}, kind="network")
    mirror(online, {"id": "data", "name": "data"}, {"id": "free", "name": "free"}, kind="volume")
    mounts = [{"type": "volume", "name": "data", "source": "/x", "target": "/data"}]
    mirror(online, container(1, networks=[{"id": "n" * 64, "name": "shop"}], mounts=mounts))

    for place, used in (("/networks", "n" * 64), ("/volumes", "data")):
        assert client.get(place).context["uses"] == {(online.pk, used): 1}

    def dialog(kind: str, found: Any) -> str:
        return text(client.get(reverse("dashboard:confirm", args=[kind]), {"ids": str(found.pk)}))

    image = dialog("image.remove", Image.objects.get())
    assert "used by shop-web-1" in image
    assert "running containers use it" in image
    assert "5.0 MB" in image
    assert "running containers are in it" in dialog("network.remove", Network.objects.get())
    assert "containers mount it" in dialog("volume.remove", Volume.objects.get(name="data"))
    assert "refuse" not in dialog("volume.remove", Volume.objects.get(name="free"))
    assert "and the volume data." in dialog("container.remove", Container.objects.get())


def test_a_host_is_renamed_or_told_why_not(client: Client, online: Host, other_host: Host) -> None:
    address = reverse("dashboard:host_rename", args=[online.pk])
    assert "There is a host named prod-02" in text(client.post(address, {"name": "prod-02"}), 422)
    assert "letters, digits" in text(client.post(address, {"name": "<b>"}), 422)
    assert client.post(address, {"name": "edge-01"}).status_code == 302
    online.refresh_from_db()
    assert online.name == "edge-01"


def test_a_host_is_removed_after_its_dialog(client: Client, online: Host) -> None:
    mirror(online, container(1))
    address = reverse("dashboard:host_remove", args=[online.pk])
    said = text(client.get(address))
    assert "1 container here" in said
    assert Container.objects.exists()
    answer = client.post(address, headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/hosts")
    assert not Container.objects.exists()
    assert client.get(address).status_code == 404


def test_tokens_are_made_shown_once_and_revoked(client: Client, user: User) -> None:
    made = text(client.post("/tokens", {"name": "backup", "valid_days": "30"}))
    secret = made.partition("gtt_")[2].partition("<")[0]
    assert secret
    assert Rest(f"gtt_{secret}").get("/me").status_code == 200
    token = ApiToken.objects.get(name="backup")
    assert token.expires_at is not None
    assert token.expires_at - timezone.now() < dt.timedelta(days=31)
    assert secret not in text(client.get("/tokens"))
    assert "This field is required" in text(client.post("/tokens", {"name": "", "valid_days": "30"}), 422)
    revoke = reverse("dashboard:token_revoke", args=[token.pk])
    assert "Revoke the token backup?" in text(client.get(revoke))
    assert client.post(revoke).status_code == 302
    assert Rest(f"gtt_{secret}").get("/me").status_code == 401
    assert {"api_token.create", "api_token.delete"} <= set(Entry.objects.values_list("action", flat=True))


def test_nobody_revokes_another_ones_token(client: Client) -> None:
    other = User.objects.create_user("jonas")
    token = ApiToken.objects.create(user=other, name="his", secret_hash="x" * 64)
    assert client.post(reverse("dashboard:token_revoke", args=[token.pk])).status_code == 404
    assert list(client.get("/tokens").context["tokens"]) == []
    assert ApiToken.objects.filter(pk=token.pk).exists()


@pytest.mark.parametrize("path", ["/", "/containers", "/tokens", "/components"])
def test_pages_are_for_those_who_signed_in(path: str) -> None:
    assert Client().get(path).headers["Location"].startswith("/login")


def test_the_parts_are_all_on_one_page(client: Client) -> None:
    page = text(client.get("/components"))
    for word in ("last healthy", "stopping, 4 s", "The engine will refuse", "Taken on prod-01"):
        assert word in page


def test_a_form_says_all_that_is_wrong_at_once(client: Client, online: Host) -> None:
    wrong = {
        "host": str(online.pk), "image": "Bad Image!", "ports": "80:80\nhello", "env": "FOO", "command": "'",
        "mounts": "a:b:c", "restart_policy": "no",
    }  # fmt: skip
    form = client.post("/containers/create", wrong).context["form"]
    assert set(form.errors) == {"image", "ports", "env", "command", "mounts"}
    assert "Line 2 must be such as" in str(form.errors["ports"])


def test_caches_tell_a_page_from_its_part(client: Client, online: Host) -> None:
    page, part = client.get("/containers"), client.get("/containers", headers={"HX-Request": "true"})
    assert "HX-Request" in page["Vary"]
    assert part["Cache-Control"] == "no-store"
    assert "<html" not in part.content.decode()
    assert "no-store" not in client.get("/containers").get("Cache-Control", "")
