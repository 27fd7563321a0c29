"""Which objects an event points to, and the mirror."""

from __future__ import annotations

from typing import Any

import pytest

from agents.protocol import EMPTY_DIGESTS, digest, fingerprint
from agents.watch import Mirror, keys_of


def event(kind: str, action: str, actor: str = "x", **attributes: str) -> dict[str, Any]:
    return {"Type": kind, "Action": action, "Actor": {"ID": actor, "Attributes": attributes}}


@pytest.mark.parametrize(
    ("happened", "keys"),
    [
        (event("container", "start"), [("container", "x")]),
        (event("container", "health_status: healthy"), [("container", "x")]),
        (event("container", "commit"), [("container", "x"), ("image", None)]),
        (event("container", "prune", ""), [("container", None)]),
        (event("container", "exec_create: sh -c true"), []),
        (event("container", "exec_die"), []),
        (event("container", "top"), []),
        (event("container", "archive-path"), []),
        (event("container", "attach"), []),
        (event("network", "connect", "n", container="c"), [("container", "c")]),
        (event("network", "disconnect", "n"), []),
        (event("network", "create"), [("network", None)]),
        (event("volume", "mount"), []),
        (event("volume", "destroy"), [("volume", None)]),
        (event("volume", "prune", ""), [("volume", None)]),
        (event("image", "untag"), [("image", None)]),
        (event("image", "pull", "busybox:1"), [("image", None)]),
        (event("daemon", "reload"), []),
        ({}, []),
        ({"Type": "container", "Actor": None, "Action": 5}, [("container", None)]),
        ({"Type": ["x"], "Actor": "y"}, []),
    ],
)
def test_an_event_says_what_to_look_at(happened: dict[str, Any], keys: list[Any]) -> None:
    assert keys_of(happened) == keys


def test_the_mirror_tells_what_changed() -> None:
    mirror = Mirror()
    assert mirror.digests() == {}
    mirror.is_listed = True
    assert mirror.digests() == EMPTY_DIGESTS
    assert mirror.put("volume", {"id": "v", "driver": "local"})
    assert not mirror.put("volume", {"id": "v", "driver": "local"})
    assert mirror.digests()["volume"] == digest([("v", fingerprint({"id": "v", "driver": "local"}))])
    assert mirror.put("volume", {"id": "v", "driver": "other"})
    assert mirror.drop("volume", "v")
    assert not mirror.drop("volume", "v")
    assert mirror.digests() == EMPTY_DIGESTS
