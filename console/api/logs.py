"""A container's log over REST: plain text, or one JSON document a line. It streams, and nothing is kept.

The next bytes are asked of the host when the client's socket has taken the last ones; when the client
leaves, the stream on the host is closed.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from agents.catalogue import Permission
from agents.protocol import ProtocolError
from agents.shapes import Misfit
from console.access import policy
from console.api.endpoints import Endpoint, Media, Parameter, View, endpoint
from console.api.problems import Problem, invalid_parameters
from console.api.shapes import Schema
from console.inventory import queries
from console.link.registry import open_stream_from_thread
from console.link.streams import HostOffline, Stream, StreamFailed
from console.operations.logs import Line, LineReader, parse_query

TEXT, NDJSON = "text/plain", "application/x-ndjson"
FIRST_READ_WITHIN_S = 30  # a client that has gone before the answer began never reads

_FLAG: Schema = {"type": "boolean"}
_TIME: Schema = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "number", "minimum": 0, "maximum": 1e11},
    ]
}


def _parameter(name: str, description: str, schema: Schema) -> Parameter:
    return Parameter(name, str, description, schema=schema, is_parsed=False)


PARAMETERS = [
    _parameter("follow", "Go on with what is logged from now on", {**_FLAG, "default": False}),
    _parameter(
        "tail", "Lines from the end, or all",
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 10_000_000}, {"const": "all"}], "default": "all"},
    ),
    _parameter("since", "From this time on: RFC 3339, or Unix seconds", _TIME),
    _parameter("until", "Up to this time: RFC 3339, or Unix seconds", _TIME),
    _parameter("timestamps", "With the time of each line", {**_FLAG, "default": False}),
    _parameter("stdout", "Standard output's lines", {**_FLAG, "default": True}),
    _parameter("stderr", "Standard error's lines", {**_FLAG, "default": True}),
    _parameter(
        "format", f"text (the default), or json as with `Accept: {NDJSON}`",
        {"type": "string", "enum": ["text", "json"]},
    ),
]  # fmt: skip

ANSWER = Media(
    {
        f"{TEXT}; charset=utf-8": {"type": "string", "description": "Lines; with `timestamps` each after its time"},
        NDJSON: {
            "type": "string",
            "description": 'An object a line: `{"time": RFC 3339 or null, "stream": "stdout" or "stderr", "text"}`. '
            'If the stream breaks the last one is `{"error": sentence}`.',
        },
    }
)

Format = Callable[[Line], str]


class ContainerLogs(View):
    http_method_names = ["get"]  # without HEAD, which would open a stream for nothing

    @endpoint(
        Endpoint("get_container_logs", "A container's log", {200: ANSWER}, parameters=PARAMETERS, problems=(409, 502))
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response | StreamingHttpResponse:
        container = policy.get(self.actor, queries.containers(self.actor), pk, Permission.LOGS)
        query = {name: texts[-1] for name, texts in request.query_params.lists()}
        is_json = _wants_json(query.pop("format", ""), request.headers.get("Accept", ""))
        try:
            ask = parse_query(container.engine_id, query)
        except Misfit as misfit:
            raise invalid_parameters(
                {name.removesuffix("_s"): text for name, text in misfit.errors.items()}
            ) from misfit
        host = container.host
        try:
            stream = open_stream_from_thread(host.pk, host.name, "container.logs", ask)
        except TimeoutError as error:
            raise Problem(502, f"{host.name} did not answer in time. Try again.") from error
        reader = LineReader(tty=bool(stream.meta.get("tty")), timestamps=ask.timestamps)
        lines = LogLines(
            stream, reader, _json_line if is_json else _text_line, _json_error if is_json else _text_error
        )
        response = StreamingHttpResponse(lines, content_type=NDJSON if is_json else f"{TEXT}; charset=utf-8")
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"  # a proxy that gathers output would hold a followed log back
        return response


class LogLines:
    """The body of the answer. Ends the stream on the host however it is left, also if it is never begun."""

    def __init__(self, stream: Stream, reader: LineReader, shown: Format, error: Callable[[str], str]) -> None:
        self._stream, self._reader, self._shown, self._error = stream, reader, shown, error
        self._is_begun = False
        loop = stream.loop
        loop.call_soon_threadsafe(loop.call_later, FIRST_READ_WITHIN_S, self._close_unread)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._is_begun = True
        async with self._stream as stream:
            try:
                async for chunk in stream:
                    if lines := self._reader.feed(chunk):
                        yield self._bytes(lines)
                if lines := self._reader.finish():
                    yield self._bytes(lines)
            except (HostOffline, StreamFailed) as error:  # the status is sent, so it can only be told here
                yield self._error(str(error)).encode()
            except ProtocolError:
                yield self._error("The host sent what is no log.").encode()

    def _bytes(self, lines: list[Line]) -> bytes:
        return "".join(map(self._shown, lines)).encode()

    def _close_unread(self) -> None:
        if not self._is_begun:
            self._closing = asyncio.ensure_future(self._stream.close())


def _wants_json(wanted: str, accept: str) -> bool:
    if wanted not in ("", "text", "json"):
        raise invalid_parameters({"format": "must be one of: text, json"})
    return wanted == "json" or (not wanted and NDJSON in accept)


def _text_line(line: Line) -> str:
    time, _, text = line
    return f"{time} {text}\n" if time else f"{text}\n"


def _json_line(line: Line) -> str:
    time, stream, text = line
    return json.dumps({"time": time, "stream": stream, "text": text}, ensure_ascii=False) + "\n"


def _text_error(sentence: str) -> str:
    return f"gantry: {sentence}\n"


def _json_error(sentence: str) -> str:
    return json.dumps({"error": sentence}, ensure_ascii=False) + "\n"
