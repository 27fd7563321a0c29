"""Whatever is sent, the answer is a problem document with a sentence, and never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from console.accounts.models import ApiToken, User
from console.accounts.services import issue_api_token
from console.hosts.models import Host
from tests.unit.rest import BASE, Rest, problem

pytestmark = pytest.mark.django_db

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v2/hosts", "/api/", "/api/v1/hosts/x/y", "/api/v1/hosts//"]
)
def test_an_unknown_address_is_a_problem_for_whoever_asks(path: str) -> None:
    problem(Client().get(path), 404)
    problem(Client().post(path, b"{", content_type="application/json"), 404)


@pytest.mark.parametrize("pk", ["x", "777", "%00", "%ff%fe", "..%2f", "' OR 1=1", "9" * 5000, NOBODY])
def test_an_id_that_is_none_is_not_found(rest: Rest, pk: str) -> None:
    problem(rest.get(f"/containers/{pk}"), 404)
    problem(rest.get(f"/tokens/{pk}"), 404)


def test_another_method_is_told_what_is_allowed(rest: Rest) -> None:
    for method in ("put", "patch", "delete", "options", "trace"):
        response = rest.send(method, "/hosts")
        assert "Allow" in problem(response, 405)["detail"]
        assert response["Allow"] == "GET, HEAD"


def test_head_is_get_without_a_body(rest: Rest) -> None:
    response = rest.client.head(f"{BASE}/hosts")
    assert (response.status_code, response.content) == (200, b"")


def test_without_a_token_the_answer_is_401_and_says_how() -> None:
    response = Client().get(f"{BASE}/hosts")
    assert "Bearer" in problem(response, 401)["detail"]
    assert response["WWW-Authenticate"] == 'Bearer realm="gantry"'


@pytest.mark.parametrize("secret", ["", "gtt_wrong", "\x00", "ü", "a b", "x" * 5000])
def test_a_wrong_token_is_401(db: None, secret: str) -> None:
    problem(Client().get(f"{BASE}/hosts", headers={"Authorization": f"Bearer {secret}"}), 401)


def test_another_scheme_counts_as_no_token(db: None) -> None:
    problem(Client().get(f"{BASE}/hosts", headers={"Authorization": "Basic YTpi"}), 401)


def test_expired_deleted_and_inactive_users_tokens_are_401(user: User, rest: Rest) -> None:
    assert rest.get("/me").status_code == 200
    user.is_active = False
    user.save()
    problem(rest.get("/me"), 401)
    user.is_active = True
    user.save()
    ApiToken.objects.update(expires_at="2020-01-01T00:00:00Z")
    problem(rest.get("/me"), 401)
    ApiToken.objects.all().delete()
    problem(rest.get("/me"), 401)


def test_a_session_needs_the_csrf_token_for_what_changes_something(user: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    assert browser.get(f"{BASE}/me").json()["token"] is None
    body = (f"{BASE}/tokens", b'{"name": "ci"}', "application/json")
    assert "CSRF" in problem(browser.post(*body), 403)["detail"]
    token = "t" * 32
    browser.cookies[settings.CSRF_COOKIE_NAME] = token
    assert "CSRF" in problem(browser.post(*body), 403)["detail"]
    response = browser.post(*body, headers={"X-CSRFToken": token})
    assert (response.status_code, response.json()["name"]) == (201, "ci")
    assert browser.delete(f"{BASE}/tokens/{response.json()['id']}", headers={"X-CSRFToken": token}).status_code == 204


@pytest.mark.parametrize("content", [{"a": "b"}, {"csrfmiddlewaretoken": "t" * 32}])
def test_a_form_with_a_session_is_415_too(user: User, content: dict[str, str]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    browser.cookies[settings.CSRF_COOKIE_NAME] = "t" * 32
    problem(browser.post(f"{BASE}/join-tokens", content, headers={"X-CSRFToken": "t" * 32}), 415)
    address = f"{BASE}/join-tokens"
    form = "application/x-www-form-urlencoded"
    problem(browser.post(address, b"a=b", content_type=form, headers={"X-CSRFToken": "t" * 32}), 415)


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"{", 400, "not valid JSON"),
        (b"\xff\xfe", 400, "UTF-8"),
        (b'{"name": NaN}', 400, "NaN"),
        (b'{"name": Infinity}', 400, "Infinity"),
        (b'{"name": "a", "name": "b"}', 400, "twice"),
        (b'{"name": ' + b"9" * 6000 + b"}", 400, "not valid JSON"),
        (b'{"a":' * 100_000, 400, "nested"),
        (b"[" * 100_000, 400, "nested"),
        (b"[]", 422, "object"),
        (b"null", 422, "object"),
        (b'"x"', 422, "object"),
        (b"5", 422, "object"),
        (b'{"name": 1e999}', 422, "string"),
        (b'{"name": "\\u0000"}', 422, "NUL"),
        (b'{"name": "\\ud800"}', 422, "Unicode"),
        (b'{"\\ud800": 1, "name": "x"}', 422, "not a field"),
        (b'{"name": "x", "expires_in_s": 99999999999999999999999}', 422, "64 bits"),
        (b'{"name": "x", "expires_in_s": 3600.5}', 422, "whole number"),
        (b'{"name": "x", "expires_in_s": true}', 422, "whole number"),
        (b'{"name": ["x"]}', 422, "string"),
        (b'{"name": {"a": {}}}', 422, "string"),
        (b"{}", 422, "required"),
        (b"", 422, "required"),
        (b'{"name": "' + b"x" * 3_000_000 + b'"}', 413, "too large"),
    ],
)
def test_a_bad_body_is_told_what_is_wrong(rest: Rest, content: bytes, status: int, told: str) -> None:
    assert told in problem(rest.post("/tokens", content), status)["detail"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "???"]
)
def test_a_body_that_is_not_declared_as_json_is_415(rest: Rest, kind: str) -> None:
    response = rest.client.post(f"{BASE}/tokens", b'{"name": "x"}', content_type=kind)
    assert "application/json" in problem(response, 415)["detail"]


def test_utf8_with_a_charset_is_json_too(rest: Rest) -> None:
    body = json.dumps({"name": "ünï"}, ensure_ascii=False).encode()
    response = rest.client.post(f"{BASE}/tokens", body, content_type="application/json; charset=utf-8")
    assert (response.status_code, response.json()["name"]) == (201, "ünï")


def test_what_accept_says_does_not_matter(rest: Rest) -> None:
    for accept in ("text/html", "image/png", "*/*", "x", ""):
        response = rest.client.get(f"{BASE}/me", headers={"Accept": accept})
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_an_unknown_host_header_is_a_problem_too(rest: Rest) -> None:
    problem(rest.client.get(f"{BASE}/me", headers={"Host": "evil.example.com"}), 400)


def test_a_fault_of_the_console_is_500_without_its_details(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("console.api.me.own_api_tokens", fail)
    document = problem(rest.get("/tokens"), 500)
    assert "hunter2" not in json.dumps(document)
    assert "hunter2" in caplog.text
    assert document["request_id"] in caplog.text


def test_who_may_not_administer_is_refused_with_403(rest: Rest, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.access.policy.may_administer", lambda actor: False)
    assert "administrator" in problem(rest.get("/join-tokens"), 403)["detail"]
    problem(rest.post("/join-tokens"), 403)
    problem(rest.patch(f"/hosts/{host.pk}", {"name": "x"}), 403)
    problem(rest.delete(f"/hosts/{host.pk}"), 403)
    assert Host.objects.enrolled().count() == 1


def test_a_token_of_another_user_is_not_there(rest: Rest) -> None:
    other, _ = issue_api_token(User.objects.create_user("other"), "theirs")
    problem(rest.get(f"/tokens/{other.pk}"), 404)
    problem(rest.delete(f"/tokens/{other.pk}"), 404)
    assert [token["name"] for token in rest.get("/tokens").json()["results"]] == ["test"]
