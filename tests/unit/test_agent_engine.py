"""Where the engine is and what is said when it is not; HTTP without a network."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.engine import BadAddress, Engine, EngineGone, candidates, parse_address
from agents.engine_http import Address, BadAnswer, ChunkDecoder, parse_head, request


def test_addresses() -> None:
    assert parse_address("unix:///run/x.sock").path == "/run/x.sock"
    tcp = parse_address("tcp://10.0.0.1:2375")
    assert (tcp.host, tcp.port, tcp.tls) == ("10.0.0.1", 2375, None)
    assert parse_address("http://[::1]:2375").host == "::1"


@pytest.mark.parametrize(
    "text", ["", "ssh://x", "unix://relative", "tcp://x", "tcp://x:99999", "/run/x.sock", "npipe:////x"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadAddress, match=r"unix:///path/to/docker\.sock"):
        parse_address(text)


def test_the_given_address_comes_before_docker_host_and_the_usual_ones() -> None:
    environment = {"DOCKER_HOST": "tcp://h:1", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert [a.text for a in candidates("unix:///g", environment)] == ["unix:///g"]
    assert [a.text for a in candidates(None, environment)] == ["tcp://h:1"]
    usual = [a.path for a in candidates(None, {"XDG_RUNTIME_DIR": "/run/user/7"})]
    assert usual[0] == "/var/run/docker.sock"
    assert "/run/user/7/podman/podman.sock" in usual


async def why_not(*addresses: Address) -> str:
    engine = Engine(list(addresses))
    with pytest.raises(EngineGone) as gone:
        await engine.connect()
    assert engine.error == str(gone.value)
    assert not engine.is_up
    await engine.close()
    return str(gone.value)


async def test_each_cause_has_its_sentence(tmp_path: Path) -> None:
    assert "There is no engine at" in await why_not(Address("unix:///nowhere", path=str(tmp_path / "no")))
    several = [Address("unix:///a", path=str(tmp_path / "a")), Address("unix:///b", path=str(tmp_path / "b"))]
    assert "No Docker or Podman socket" in await why_not(*several)
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(dead))
    assert "No engine answers at" in await why_not(Address("unix:///dead", path=str(dead)))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "is not a Docker engine"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "is not a Docker engine"),
        (b"HTTP/1.1 200 OK\r\nApi-Version: 1.12\r\n\r\n", "update the engine"),
        (b"HTTP/1.1 200 OK\r\nApi-Version: x.y\r\n\r\n", "is not a Docker engine"),
        (b"", "is not a Docker engine"),
    ],
)
async def test_something_else_that_answers(answer: bytes, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert words in await why_not(parse_address(f"tcp://127.0.0.1:{port}"))
    server.close()


def chunked(pieces: list[bytes]) -> bytes:
    return (
        b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
        + b"0\r\nTrailer: x\r\n\r\n"
    )


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 50), max_size=30))
def test_chunks_come_together_however_they_are_cut(pieces: list[bytes], cuts: list[int]) -> None:
    data = chunked(pieces)
    decoder = ChunkDecoder()
    body = b""
    at = 0
    for size in [*cuts, len(data)]:
        body += decoder.feed(data[at : at + size])
        at += size
    assert body == b"".join(pieces)
    assert decoder.is_complete


@pytest.mark.parametrize(
    "data", [b"zz\r\n", b"\r\n", b"-1\r\n", b"0x5\r\n", b"3\r\nabcd\r\n", b"1" * 5000, b"f" * 30 + b"\r\n"]
)
def test_broken_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        ChunkDecoder().feed(data)


@given(st.binary(max_size=200))
def test_a_head_is_parsed_or_refused(data: bytes) -> None:
    try:
        status, _ = parse_head(data)
    except BadAnswer:
        return
    assert 0 <= status <= 999


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", b"hello"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked([b"a", b"bc"]), b"abc"),
    ],
)
async def test_the_three_kinds_of_body(answer: bytes, body: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = parse_address(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    response = await request(address, "GET", "/x")
    assert await response.body(1000) == body
    response.close()
    server.close()


@pytest.mark.parametrize("answer", [b"Content-Length: 50\r\n\r\nshort", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"])
async def test_a_body_that_breaks_off_is_noticed(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = parse_address(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    response = await request(address, "GET", "/x")
    with pytest.raises(BadAnswer, match="in the middle"):
        await response.body(1000)
    server.close()
