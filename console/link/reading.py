"""Whole documents that a host reads from its engine when somebody looks, such as an inspect."""

from __future__ import annotations

import json
from typing import Any

from agents.catalogue import STREAMS
from agents.shapes import Misfit, decode, encode
from console.hosts.models import Host
from console.link.registry import read_whole_from_thread

DOCUMENT_BYTES = 5 * 1024 * 1024  # a little more than agents send


class Unreadable(Exception):
    """The host did not answer, or with what is no document; the text says so."""


def read_document(host: Host, kind: str, params: object) -> dict[str, Any]:
    """The JSON object of a stream of that kind, in its shape. Raises HostOffline, StreamFailed, Unreadable."""
    try:
        content = read_whole_from_thread(host.pk, host.name, kind, params, limit=DOCUMENT_BYTES)
        return parse_document(kind, content)
    except TimeoutError as error:
        raise Unreadable(f"{host.name} did not answer in time. Try again.") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{host.name} sent what can't be read as a document of its engine.") from error


def parse_document(kind: str, content: bytes) -> dict[str, Any]:
    """What a host sent, which can be sent on as JSON and as a page. Raises ValueError, RecursionError."""
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError("a document is a JSON object")
    json.dumps(document, allow_nan=False, ensure_ascii=False).encode()  # no NaN, no halves of surrogate pairs
    shape = STREAMS[kind].answer
    if shape is None:
        return document
    try:
        shaped: dict[str, Any] = encode(decode(shape, document))
    except Misfit as misfit:
        raise ValueError(str(misfit)) from misfit
    return shaped
