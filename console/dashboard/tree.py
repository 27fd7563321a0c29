"""A JSON document as a tree for a page: bounded, and made text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from console.dashboard import amounts

NODES_MOST = 4000
DEPTH_MOST = 24
TEXT_MOST = 2000
PATH_MOST = 400


@dataclass(slots=True)
class Node:
    """A name with a value, or with parts. `path` is how jq would ask for it."""

    name: str
    path: str
    text: str = ""
    tone: str = "text"  # text, number, flag or none: what kind of value it is
    summary: str = ""  # of what has parts: '3 items'
    parts: list[Node] = field(default_factory=list)


def tree(document: Any) -> list[Node]:
    """The parts of the document; past NODES_MOST one node says that there is more."""
    left = [NODES_MOST]
    return _parts(document, "", 0, left)


def _parts(value: Any, path: str, depth: int, left: list[int]) -> list[Node]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    parts = []
    for name, inner in items:
        if left[0] <= 0:
            parts.append(Node("…", path, "more, in the raw document", "none"))
            break
        left[0] -= 1
        shown = amounts.plain_text(str(name), 300)
        parts.append(_node(shown, _path(path, name), inner, depth, left))
    return parts


def _node(name: str, path: str, value: Any, depth: int, left: list[int]) -> Node:
    if isinstance(value, (dict, list)) and value:
        count = len(value)
        noun = "key" if isinstance(value, dict) else "item"
        summary = f"{count} {noun}{'s' if count != 1 else ''}"
        if depth >= DEPTH_MOST:
            return Node(name, path, summary, "none")
        return Node(name, path, summary=summary, parts=_parts(value, path, depth + 1, left))
    return Node(name, path, *_text(value))


def _text(value: Any) -> tuple[str, str]:
    if value is None:
        return "null", "none"
    if isinstance(value, bool):
        return ("true" if value else "false"), "flag"
    if isinstance(value, (int, float)):
        return str(value)[:40], "number"
    if isinstance(value, (dict, list)):
        return ("{}" if isinstance(value, dict) else "[]"), "none"
    return ('""', "none") if value == "" else (amounts.plain_text(str(value), TEXT_MOST), "text")


def _path(path: str, name: object) -> str:
    if isinstance(name, int):
        return f"{path}[{name}]"[:PATH_MOST]
    text = amounts.plain_text(str(name), 300)
    return (f"{path}.{text}" if text.isidentifier() else f'{path}["{text}"]')[:PATH_MOST]
