"""Pauses between tries, addresses, the state folder."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from agents.identity import Identity, StateFolder, Unusable, console_url, is_loopback, prepare
from agents.link import Backoff, link_url
from agents.protocol import CLOSE_REFUSED


def test_pauses_double_up_to_a_minute_with_jitter() -> None:
    longest = Backoff(chance=lambda: 1.0)
    assert [longest.after(0) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    shortest = Backoff(chance=lambda: 0.0)
    assert [shortest.after(0) for _ in range(3)] == [0.5, 1, 2]


def test_a_link_that_lived_begins_anew() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    for _ in range(6):
        backoff.after(0)
    assert backoff.after(59) == 60
    assert backoff.after(61) == 1


def test_a_console_that_restarts_is_dialled_soon_and_a_refusal_each_minute() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    assert backoff.after(5, 1012) == 2.0
    assert backoff.after(5, CLOSE_REFUSED) == 60
    assert backoff.after(5) == 1


def test_addresses_of_the_console(caplog: pytest.LogCaptureFixture) -> None:
    assert console_url("https://console.example.com/") == "https://console.example.com"
    assert link_url("https://console.example.com/base") == "wss://console.example.com/base/agent/link"
    assert link_url("http://127.0.0.1:8000") == "ws://127.0.0.1:8000/agent/link"
    console_url("http://127.0.0.1:8000")
    assert not caplog.records
    console_url("http://console.example.com")
    assert "not encrypted" in caplog.text
    assert is_loopback("127.0.0.53")
    assert not is_loopback("128.0.0.1")


@pytest.mark.parametrize(
    "text", ["", "x", "ws://h", "http://", "http://h:99999", "http://u:p@h", "http://h/?q", "http://h#f"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Unusable, match="is not an address"):
        console_url(text)


def test_an_identity_is_stored_before_it_is_used(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    with pytest.raises(Unusable, match="--join-token"):
        prepare(folder, "http://h", "n", has_token=False)
    identity = prepare(folder, "http://h", "n", has_token=True)
    path = tmp_path / "state" / "identity.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["credential"] == identity.credential
    assert prepare(folder, "http://h", "n", has_token=True) == identity
    with pytest.raises(Unusable, match="did not finish"):
        prepare(folder, "http://h", "n", has_token=False)
    folder.write(Identity("http://h", identity.credential, "n", host="x"))
    moved = prepare(folder, "http://other", "n2", has_token=False)
    assert (moved.console, moved.credential, moved.host, moved.name) == (
        "http://other",
        identity.credential,
        "x",
        "n",
    )


def test_a_folder_has_one_agent(tmp_path: Path) -> None:
    first = StateFolder(tmp_path)
    with pytest.raises(Unusable, match="Another agent runs"):
        StateFolder(tmp_path)
    del first
    StateFolder(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"console": "x"}', "\x00"])
def test_a_damaged_identity_is_a_sentence(tmp_path: Path, text: str) -> None:
    folder = StateFolder(tmp_path)
    (tmp_path / "identity.json").write_text(text)
    with pytest.raises(Unusable, match="can't be read"):
        folder.read()
