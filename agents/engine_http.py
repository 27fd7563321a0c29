"""HTTP/1.1 towards the engine for what does not answer at once: events, logs, pulls.

The SDK would take a thread for each such stream and reaches a quarter of the throughput. Here a
slow reader is felt by the engine: nothing is read from the socket before it is asked for.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

READ_BYTES = 64 * 1024
HEAD_BYTES = 256 * 1024  # status line and headers
CHUNK_LINE_BYTES = 4096
HEX = re.compile(rb"[0-9a-fA-F]{1,15}")


class BadAnswer(Exception):
    """The bytes that came are no HTTP answer, or ended in its middle."""


@dataclass(frozen=True)
class Address:
    """Where an engine listens: a unix socket's path, or a TCP port, with TLS or not."""

    text: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: ssl.SSLContext | None = None

    async def connect(self, timeout_s: float = 10) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises OSError, asyncio.TimeoutError."""
        opening = (
            asyncio.open_unix_connection(self.path, limit=HEAD_BYTES)
            if self.path
            else asyncio.open_connection(self.host, self.port, ssl=self.tls, limit=HEAD_BYTES)
        )
        return await asyncio.wait_for(opening, timeout_s)


class ChunkDecoder:
    """Transfer-Encoding: chunked (RFC 9112, 7.1). Bytes of the connection go in, bytes of the body come out."""

    def __init__(self) -> None:
        self.is_complete = False
        self._line = b""  # the begun size line or trailer
        self._left = 0  # of the current chunk's data
        self._phase = "size"

    def feed(self, data: bytes) -> bytes:
        """Raises BadAnswer."""
        pieces = []
        at = 0
        while at < len(data) and not self.is_complete:
            if self._phase == "data":
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._phase = "end of data"
                continue
            stop = data.find(b"\n", at)
            if stop < 0:
                self._line += data[at:]
                if len(self._line) > CHUNK_LINE_BYTES:
                    raise BadAnswer("a chunk's size line is too long")
                break
            line = (self._line + data[at:stop]).rstrip(b"\r")
            self._line = b""
            at = stop + 1
            self._take(line)
        return b"".join(pieces)

    def _take(self, line: bytes) -> None:
        if self._phase == "end of data":
            if line:
                raise BadAnswer("a chunk is longer than its size")
            self._phase = "size"
        elif self._phase == "trailer":
            self.is_complete = not line
        else:
            digits = line.split(b";", 1)[0].strip()
            if not HEX.fullmatch(digits):
                raise BadAnswer("a chunk has no size")
            self._left = int(digits, 16)
            self._phase = "data" if self._left else "trailer"


class Response:
    """An answer whose body is still coming. Must be closed."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.status = status
        self.headers = headers  # names in lower case
        self._reader = reader
        self._writer = writer
        self._chunks = ChunkDecoder() if "chunked" in headers.get("transfer-encoding", "").lower() else None
        length = headers.get("content-length", "")
        self._left = int(length) if self._chunks is None and length.isdigit() else None

    async def read(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises BadAnswer, OSError."""
        if self._chunks is None:
            return await self._read_plain()
        while not self._chunks.is_complete:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise BadAnswer("the engine closed the connection in the middle of its answer")
            if body := self._chunks.feed(data):
                return body
        return b""

    async def _read_plain(self) -> bytes:
        if self._left == 0:
            return b""
        data = await self._reader.read(READ_BYTES if self._left is None else min(READ_BYTES, self._left))
        if self._left is not None:
            if not data:
                raise BadAnswer("the engine closed the connection in the middle of its answer")
            self._left -= len(data)
        return data

    async def body(self, limit: int) -> bytes:
        """The whole body, cut at `limit` bytes."""
        pieces = []
        size = 0
        while size < limit and (piece := await self.read()):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)[:limit]

    def close(self) -> None:
        self._writer.close()


async def request(
    address: Address,
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    *,
    head_timeout_s: float = 60,
) -> Response:
    """Ask without a body and return when the head of the answer is there.

    Raises OSError, asyncio.TimeoutError where nothing answers, BadAnswer where something else does.
    """
    reader, writer = await address.connect()
    try:
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        length = "Content-Length: 0\r\n" if method != "GET" else ""
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n{length}\r\n".encode())
        await writer.drain()
        head = await asyncio.wait_for(_read_head(reader), head_timeout_s)
        return Response(*head, reader, writer)
    except BaseException:
        writer.close()
        raise


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise BadAnswer("the answer has no HTTP head") from error
        status, headers = parse_head(head)
        if status >= 200:
            return status, headers


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers (names in lower case) of an answer's head. Raises BadAnswer."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit() or len(rest) < 3:
        raise BadAnswer("the answer is not HTTP")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return int(rest[:3]), headers
