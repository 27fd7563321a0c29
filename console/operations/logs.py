"""A container's log: from a query to typed parameters, and from the engine's bytes to lines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime

from agents.catalogue import ContainerLogs, parse_stream
from agents.protocol import Demultiplexer
from agents.shapes import Misfit

EARLIEST_S = 1.0  # what is before 1970; 0 would mean that no time is given
LINE_BYTES = 1024 * 1024  # a longer line is cut into lines of this length

Line = tuple[str | None, str, str]  # time (RFC 3339, as the engine writes it), 'stdout' or 'stderr', text

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


def parse_query(container_id: str, query: Mapping[str, str]) -> ContainerLogs:
    """Parameters follow, tail (a number or 'all'), since, until (RFC 3339 or Unix time), timestamps, stdout, stderr.

    Raises Misfit with a sentence for each that is wrong.
    """
    params: dict[str, Any] = {"container": container_id}
    errors: dict[str, str] = {}
    for name in ("follow", "timestamps", "stdout", "stderr"):
        if (value := query.get(name)) is None:
            continue
        if value.lower() not in _TRUE + _FALSE:
            errors[name] = "must be true or false"
        params[name] = value.lower() in _TRUE
    tail = query.get("tail", "all")
    if tail != "all":
        if tail.isascii() and tail.isdigit() and len(tail) < 10:
            params["tail"] = int(tail)
        else:
            errors["tail"] = "must be a number of lines, or all"
    for name in ("since", "until"):
        if value := query.get(name):
            try:
                params[f"{name}_s"] = _unix_s(value)
            except ValueError:
                errors[name] = "must be a time such as 2026-01-31T03:00:00Z, or a Unix time"
    if errors:
        raise Misfit(errors)
    ask: ContainerLogs = parse_stream("container.logs", params)
    return ask


def _unix_s(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        pass
    moment = parse_datetime(value.replace(" ", "+"))
    if moment is None:
        raise ValueError("not a time")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(moment.timestamp(), EARLIEST_S)


class LineReader:
    """The engine's stream into lines. Bytes that are no UTF-8 become U+FFFD; a TTY's `\\r\\n` one line's end."""

    def __init__(self, *, tty: bool, timestamps: bool) -> None:
        self._demultiplexer = Demultiplexer(tty=tty)
        self._timestamps = timestamps
        self._rest: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def feed(self, data: bytes) -> list[Line]:
        """The lines that `data` completes. Raises ProtocolError where it is no log."""
        lines: list[Line] = []
        for name, piece in self._demultiplexer.feed(data):
            *complete, rest = (self._rest[name] + piece).split(b"\n")
            lines.extend(self._line(name, raw) for raw in complete)
            while len(rest) > LINE_BYTES:
                lines.append(self._line(name, rest[:LINE_BYTES]))
                rest = rest[LINE_BYTES:]
            self._rest[name] = rest
        return lines

    def finish(self) -> list[Line]:
        """What was left without a line's end."""
        lines = [self._line(name, rest) for name, rest in self._rest.items() if rest]
        self._rest = {"stdout": b"", "stderr": b""}
        return lines

    def _line(self, name: str, raw: bytes) -> Line:
        text = raw.removesuffix(b"\r").decode("utf-8", "replace")
        if not self._timestamps:
            return None, name, text
        time, separator, message = text.partition(" ")
        if not separator or not time.endswith("Z"):
            return None, name, text
        return time, name, message
