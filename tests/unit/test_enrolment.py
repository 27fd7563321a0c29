from __future__ import annotations

import datetime as dt
import json

import pytest
from django.test import Client
from django.utils import timezone

from console.hosts.models import Host, JoinToken
from console.hosts.services import JoinRefused, authenticate, enrol, issue_join_token

CREDENTIAL = "k" * 43

pytestmark = pytest.mark.django_db


def test_a_join_token_buys_a_host_that_its_credential_opens() -> None:
    _, secret = issue_join_token(None)
    host = enrol(secret, CREDENTIAL, "prod-01", origin="10.0.0.9")
    assert host.name == "prod-01"
    assert authenticate(str(host.pk), CREDENTIAL) == host
    assert authenticate(str(host.pk), "x" * 43) is None


def test_second_use_of_a_join_token_is_refused() -> None:
    _, secret = issue_join_token(None)
    enrol(secret, CREDENTIAL, "prod-01")
    with pytest.raises(JoinRefused, match="used already"):
        enrol(secret, "z" * 43, "prod-02")
    assert Host.objects.count() == 1


def test_asking_again_with_the_same_credential_gives_the_same_host() -> None:
    _, secret = issue_join_token(None)
    assert enrol(secret, CREDENTIAL, "prod-01") == enrol(secret, CREDENTIAL, "prod-01")
    assert Host.objects.count() == 1


def test_an_expired_join_token_is_refused() -> None:
    token, secret = issue_join_token(None)
    JoinToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    with pytest.raises(JoinRefused, match="expired"):
        enrol(secret, CREDENTIAL, "prod-01")


def test_an_unknown_join_token_is_refused() -> None:
    with pytest.raises(JoinRefused, match="not known"):
        enrol("gtj_made-up", CREDENTIAL, "prod-01")


def test_only_hashes_of_secrets_are_kept() -> None:
    token, secret = issue_join_token(None)
    host = enrol(secret, CREDENTIAL, "prod-01")
    token.refresh_from_db()
    assert secret not in token.secret_hash
    assert CREDENTIAL not in host.credential_hash


def test_cloned_machines_get_names_of_their_own() -> None:
    names = []
    for number in range(3):
        _, secret = issue_join_token(None)
        names.append(enrol(secret, f"{number}" * 43, "web<script>").name)
    assert names == ["web-script", "web-script-2", "web-script-3"]


def test_a_removed_host_is_not_let_in(host: Host) -> None:
    host.revoked_at = timezone.now()
    host.save()
    assert authenticate(str(host.pk), "c" * 43) is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"\xff", 422),
        (b'{"token": 1}', 422),
        (b"[" * 5000, 422),
        (b'{"token": "gtj_x", "credential": "short", "name": "n"}', 403),
        (b'{"token": "gtj_x", "credential": "%s", "name": "n"}' % (b"k" * 43), 403),
        (b" " * 10_000, 413),
    ],
)
def test_a_bad_request_to_join_is_answered_with_a_sentence(client: Client, body: bytes, status: int) -> None:
    answer = client.post("/agent/enrol", body, content_type="application/json")
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["detail"].endswith(".")
