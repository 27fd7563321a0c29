"""How a state looks: its word, icon, tone and place in 'worst first'. Plain values in, no database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from console.dashboard.amounts import span_text

Tone = Literal["ok", "begin", "busy", "bad", "warn", "pause", "idle"]

WARN_FROM, BAD_FROM = 0.8, 0.9  # of a gauge

# What a running operation does to its container, as its row says it.
DOING = {
    "container.create": "creating",
    "container.start": "starting",
    "container.stop": "stopping",
    "container.restart": "restarting",
    "container.kill": "killing",
    "container.remove": "removing",
    "image.pull": "pulling",
    "image.remove": "removing",
    "network.create": "creating",
    "network.remove": "removing",
    "volume.create": "creating",
    "volume.remove": "removing",
}


@dataclass(frozen=True, slots=True)
class Look:
    """One state as it is shown. `key` is what filters and tests call it; the lower the `rank`, the worse."""

    key: str
    word: str
    icon: str
    tone: Tone
    rank: int
    spins: bool = False


HEALTHY = Look("healthy", "healthy", "circle-check-filled", "ok", 90)
RUNNING = Look("running", "running", "player-play-filled", "ok", 91)
STARTING = Look("starting", "starting", "progress", "begin", 60)
UNHEALTHY = Look("unhealthy", "unhealthy", "alert-octagon-filled", "bad", 10)
RESTARTING = Look("restarting", "restarting", "refresh-alert", "warn", 20)
PAUSED = Look("paused", "paused", "player-pause-filled", "pause", 50)
CREATED = Look("created", "created", "circle-dashed", "idle", 95)
REMOVING = Look("removing", "removing", "trash", "idle", 61)
DEAD = Look("dead", "dead", "skull", "bad", 5)
_EXITED_WELL = Look("exited", "exited (0)", "square", "idle", 93)

ONLINE = Look("online", "online", "circle-check-filled", "ok", 90)
OFFLINE = Look("offline", "offline", "plug-connected-x", "bad", 1)
ENGINE_DOWN = Look("engine-down", "engine down", "alert-octagon-filled", "bad", 2)

_OPERATIONS = {
    "queued": Look("queued", "queued", "clock", "idle", 40),
    "sent": Look("sent", "sent", "loader-2", "busy", 41, spins=True),
    "running": Look("running", "running", "loader-2", "busy", 42, spins=True),
    "succeeded": Look("succeeded", "succeeded", "circle-check-filled", "ok", 90),
    "failed": Look("failed", "failed", "circle-x-filled", "bad", 1),
    "interrupted": Look("interrupted", "interrupted", "alert-triangle-filled", "warn", 2),
    "expired": Look("expired", "expired", "hourglass-off", "warn", 3),
    "cancelled": Look("cancelled", "cancelled", "circle-minus", "idle", 91),
    "skipped": Look("skipped", "skipped", "circle-minus", "idle", 92),
}


def container_look(
    state: str,
    health: str = "none",
    exit_code: int | None = None,
    *,
    is_known: bool = True,
    operation: str = "",
    operation_s: int | None = None,
) -> Look:
    """The one state of a container.

    `is_known`: its host is online; else the state is the last known one. `operation`: the kind of one that is
    under way on it, and since how many seconds.
    """
    if operation and is_known:
        return _doing(operation, operation_s)
    look = _engine_look(state, health, exit_code)
    if is_known:
        return look
    return Look("last-known", f"last {look.word}", "help-circle", "idle", 80)


def _engine_look(state: str, health: str, exit_code: int | None) -> Look:
    match state:
        case "running" if health == "healthy":
            return HEALTHY
        case "running" if health == "unhealthy":
            return UNHEALTHY
        case "running" if health == "starting":
            return STARTING
        case "running":
            return RUNNING
        case "restarting":
            return RESTARTING
        case "paused":
            return PAUSED
        case "created":
            return CREATED
        case "removing":
            return REMOVING
        case "dead":
            return DEAD
        case "exited" if not exit_code:
            return _EXITED_WELL
        case "exited":
            return Look("failed", f"exited ({exit_code})", "square-x-filled", "warn", 30)
    return Look("unknown", state[:20] or "unknown", "help-circle", "idle", 94)


def _doing(kind: str, seconds: int | None) -> Look:
    word = DOING.get(kind, "working")
    if seconds is not None and seconds >= 1:
        word = f"{word}, {span_text(seconds)}"
    return Look("operation", word, "loader-2", "busy", 40, spins=True)


def possible_actions(state: str) -> frozenset[str]:
    """What the engine would do with a container in this state; the rest is shown as not possible now."""
    match state:
        case "running" | "restarting" | "paused":
            return frozenset({"stop", "restart", "kill", "remove"})
        case "created" | "exited":
            return frozenset({"start", "restart", "remove"})
        case "dead":
            return frozenset({"remove"})
    return frozenset()


def host_look(is_online: bool, engine_error: str = "") -> Look:
    if not is_online:
        return OFFLINE
    return ENGINE_DOWN if engine_error else ONLINE


def operation_look(state: str) -> Look:
    return _OPERATIONS.get(state) or Look("unknown", state[:20] or "unknown", "help-circle", "idle", 94)


def gauge_level(fraction: float) -> str:
    """'' , 'warn' from 80 % and 'bad' from 90 %."""
    if fraction >= BAD_FROM:
        return "bad"
    return "warn" if fraction >= WARN_FROM else ""


_PROBLEMS = {
    "offline": OFFLINE,
    "failed": _OPERATIONS["failed"],
    "unhealthy": UNHEALTHY,
    "restarting": RESTARTING,
    "dead": DEAD,
    "created": Look("not-started", "not started", "alert-triangle-filled", "warn", 31),
    "exited": Look("failed", "exited", "square-x-filled", "warn", 30),
}
_WARNING = Look("warning", "warning", "alert-triangle-filled", "warn", 30)


def problem_look(state: str, label: str) -> Look:
    """A problem's state, with the words that say it best here, such as 'clock off'."""
    by_label = {"engine down": ENGINE_DOWN, **_OPERATIONS}
    return replace(by_label.get(label) or _PROBLEMS.get(state, _WARNING), word=label)


# The overview's words for containers by state, beside the states themselves: look and filter of the list.
_SUMMARY = {
    "healthy": (HEALTHY, "state=running&health=healthy"),
    "running": (replace(RUNNING, word="running, no health check"), "state=running&health=none"),
    "starting": (STARTING, "state=running&health=starting"),
    "unhealthy": (UNHEALTHY, "state=running&health=unhealthy"),
    "restarting": (RESTARTING, "state=restarting"),
    "paused": (PAUSED, "state=paused"),
    "exited (0)": (_EXITED_WELL, "state=exited&failed=false"),
    "exited with an error": (
        Look("failed", "exited with an error", "square-x-filled", "warn", 30),
        "state=exited&failed=true",
    ),
    "created": (CREATED, "state=created"),
    "dead": (DEAD, "state=dead"),
    "removing": (REMOVING, "state=removing"),
    "last known, host offline": (
        Look("last-known", "last known, host offline", "help-circle", "idle", 80),
        "state=unknown",
    ),
}


def summary_look(word: str) -> Look:
    return _SUMMARY[word][0] if word in _SUMMARY else Look("unknown", word, "help-circle", "idle", 94)


def summary_query(word: str) -> str:
    return _SUMMARY[word][1] if word in _SUMMARY else ""
