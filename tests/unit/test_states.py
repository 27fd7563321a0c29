from __future__ import annotations

import pytest

from console.dashboard.amounts import bytes_text, image_parts, plain_text, span_text, took_text
from console.dashboard.states import container_look, gauge_level, host_look, operation_look, possible_actions


@pytest.mark.parametrize(
    ("state", "health", "exit_code", "word", "icon", "tone"),
    [
        ("running", "healthy", None, "healthy", "circle-check-filled", "ok"),
        ("running", "none", None, "running", "player-play-filled", "ok"),
        ("running", "starting", None, "starting", "progress", "begin"),
        ("running", "unhealthy", None, "unhealthy", "alert-octagon-filled", "bad"),
        ("restarting", "none", 137, "restarting", "refresh-alert", "warn"),
        ("paused", "healthy", None, "paused", "player-pause-filled", "pause"),
        ("exited", "none", 0, "exited (0)", "square", "idle"),
        ("exited", "unhealthy", 137, "exited (137)", "square-x-filled", "warn"),
        ("created", "none", 0, "created", "circle-dashed", "idle"),
        ("dead", "none", 1, "dead", "skull", "bad"),
    ],
)
def test_every_state_of_a_container_has_its_word_and_icon(
    state: str, health: str, exit_code: int | None, word: str, icon: str, tone: str
) -> None:
    look = container_look(state, health, exit_code)
    assert (look.word, look.icon, look.tone) == (word, icon, tone)


def test_a_state_on_an_offline_host_is_the_last_known_one() -> None:
    look = container_look("running", "healthy", is_known=False)
    assert (look.word, look.icon, look.tone) == ("last healthy", "help-circle", "idle")


def test_an_operation_under_way_covers_the_state() -> None:
    look = container_look("running", "healthy", operation="container.stop", operation_s=4)
    assert (look.word, look.tone, look.spins) == ("stopping, 4 s", "busy", True)


def test_an_operation_that_waits_for_an_offline_host_does_not_hide_what_was_known() -> None:
    assert container_look("running", is_known=False, operation="container.stop").word == "last running"


def test_a_state_that_no_engine_has_is_shown_as_it_came() -> None:
    assert container_look("hibernating").word == "hibernating"


def test_worst_comes_first() -> None:
    looks = [container_look("running"), container_look("exited", exit_code=1), container_look("running", "unhealthy")]
    assert [look.word for look in sorted(looks, key=lambda look: look.rank)] == ["unhealthy", "exited (1)", "running"]


def test_hosts_are_online_offline_or_without_their_engine() -> None:
    assert host_look(True).word == "online"
    assert host_look(True, "no answer").word == "engine down"
    assert host_look(False, "no answer").word == "offline"


@pytest.mark.parametrize(
    "state", ["queued", "sent", "running", "succeeded", "failed", "cancelled", "expired", "interrupted"]
)
def test_every_state_of_an_operation_has_its_own_word(state: str) -> None:
    assert operation_look(state).word == state


def test_a_gauge_warns_from_80_percent_and_is_bad_from_90() -> None:
    assert [gauge_level(x) for x in (0.79, 0.8, 0.9)] == ["", "warn", "bad"]


@pytest.mark.parametrize(
    ("count", "binary", "text"),
    [
        (0, False, "0 B"),
        (412 * 2**20, True, "412 MiB"),
        (1.7 * 2**30, True, "1.7 GiB"),
        (4_600_000_000, False, "4.6 GB"),
        (192_000_000, False, "192 MB"),
        (None, False, "–"),
    ],
)
def test_sizes_have_a_space_and_the_unit_of_their_kind(count: int | None, binary: bool, text: str) -> None:
    assert bytes_text(count, binary=binary) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(6, "6 s"), (14 * 60, "14 min"), (3 * 3600, "3 h"), (76 * 3600, "3 d 4 h"), (41 * 86400 + 7200, "41 d")],
)
def test_spans_are_short(seconds: int, text: str) -> None:
    assert span_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (31, "31 s"), (252, "4 min 12 s"), (7500, "2 h 5 min")]
)
def test_durations_are_exact_enough(seconds: float, text: str) -> None:
    assert took_text(seconds) == text


def test_hostile_names_are_cut_and_disarmed() -> None:
    assert plain_text("web\u202egnp.exe\n2") == "web\ufffdgnp.exe\ufffd2"
    assert len(plain_text("x" * 4096, 200)) == 200


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("acme/web:2.31.4", ("acme/web", ":2.31.4")),
        ("registry.example.com:5000/team/app", ("registry.example.com:5000/team/app", "")),
        ("redis", ("redis", "")),
        ("sha256:" + "9f3c1ab2d3e4" + "0" * 52, ("", "sha256:9f3c1ab2d3e4")),
    ],
)
def test_an_image_reference_parts_into_repository_and_pick(reference: str, parts: tuple[str, str]) -> None:
    assert image_parts(reference) == parts


def test_only_what_the_engine_would_do_is_possible() -> None:
    assert "start" not in possible_actions("running")
    assert "stop" in possible_actions("paused")
    assert possible_actions("dead") == {"remove"}
    assert possible_actions("removing") == frozenset()
