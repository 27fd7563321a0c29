"""The messages on the wire, without a wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.protocol import (
    EMPTY_DIGESTS,
    FRAME_PAYLOAD_BYTES,
    MAX_BINARY_BYTES,
    MAX_TEXT_BYTES,
    RECORDS,
    STREAM_WINDOW_BYTES,
    TO_AGENT,
    TO_CONSOLE,
    Accepted,
    Changes,
    CloseStream,
    Compare,
    Credit,
    Demultiplexer,
    EngineFacts,
    Fetch,
    Frame,
    Heartbeat,
    Hello,
    Manifest,
    Message,
    Outcome,
    Perform,
    Progress,
    ProtocolError,
    ReceiveWindow,
    SendWindow,
    digest,
    dump,
    dump_frame,
    fingerprint,
    load,
    load_frame,
    record_of,
    split,
)

UUID = "00000000-0000-0000-0000-000000000001"
MARK = "0123456789abcdef"


@pytest.mark.parametrize(
    "message",
    [
        Hello(1, "0.1", UUID, 5.5, EngineFacts(id="x", cpus=2), "", {"image": MARK}),
        Hello(1, "0.1", UUID, 5.5, None, "No engine."),
        Heartbeat(5.0, {"volume": MARK}),
        Manifest("container", 3, {"a": MARK}, last=False),
        Changes("volume", 1, [{"id": "v"}], ["gone"]),
        Accepted(UUID),
        Progress(UUID, {"message": "x", "layers": [{"id": "a"}]}),
        Outcome(UUID, "failed", {"container": "a"}, "Why."),
        Credit(1, 5),
        CloseStream(2**32 - 1, "Gone."),
    ],
)
def test_what_the_agent_says_comes_back_whole(message: Message) -> None:
    assert load(dump(message), TO_CONSOLE) == message


@pytest.mark.parametrize("message", [Compare(["image"]), Fetch("network", ["a"]), Perform(UUID, "x.y", {"a": 1}, 5)])
def test_each_side_understands_only_what_is_meant_for_it(message: Message) -> None:
    assert load(dump(message), TO_AGENT) == message
    assert load(dump(message), TO_CONSOLE) is None


def test_unknown_messages_and_fields_are_ignored() -> None:
    assert load('{"type": "FromTheFuture", "x": 1}', TO_AGENT) is None
    assert load(json.dumps({"type": "Accepted", "operation": UUID, "new": 1}), TO_CONSOLE) == Accepted(UUID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "5",
        "{}",
        '{"type": 5}',
        '{"type": "Credit"}',
        '{"type": "Credit", "stream": 0, "size_bytes": 5}',
        '{"type": "Credit", "stream": true, "size_bytes": 5}',
        '{"type": "Credit", "stream": 1, "size_bytes": 1e999}',
        '{"type": "Confirm", "operation": "not-a-uuid"}',
        '{"type": "Heartbeat", "clock": NaN}',
        '{"type": "Perform", "operation": "' + UUID + '", "kind": "x", "params": {"\\ud800": 1}, "deadline_s": 5}',
        "[" * 50_000,
        " " * (MAX_TEXT_BYTES + 1),
    ],
)
def test_what_is_not_allowed_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        load(text, TO_AGENT)


@given(st.text(max_size=200))
def test_any_text_is_a_message_or_refused(text: str) -> None:
    try:
        load(text, TO_AGENT)
    except ProtocolError:
        pass


@given(st.integers(1, 2**32 - 1), st.binary(max_size=1000), st.booleans())
def test_frames_come_back_whole(stream: int, payload: bytes, is_end: bool) -> None:
    frame = Frame(stream, payload, is_end)
    assert load_frame(dump_frame(frame)) == frame


def test_frames_that_are_too_short_or_too_long_are_refused() -> None:
    for size in (0, 4, MAX_BINARY_BYTES + 1):
        with pytest.raises(ProtocolError):
            load_frame(b"x" * size)


def test_payloads_are_cut_into_frames() -> None:
    pieces = list(split(b"x" * (FRAME_PAYLOAD_BYTES * 2 + 1)))
    assert [len(piece) for piece in pieces] == [FRAME_PAYLOAD_BYTES, FRAME_PAYLOAD_BYTES, 1]


def test_credit_comes_back_as_it_is_taken() -> None:
    sender, receiver = SendWindow(), ReceiveWindow()
    sent = 0
    while sent < 10 * STREAM_WINDOW_BYTES:
        size = min(sender.available, 50_000)
        assert size
        sender.spend(size)
        receiver.receive(size)
        sent += size
        if granted := receiver.take(size):
            sender.grant(granted)


def test_who_ignores_the_credit_is_found_out() -> None:
    sender, receiver = SendWindow(), ReceiveWindow()
    with pytest.raises(ProtocolError):
        sender.spend(STREAM_WINDOW_BYTES + 1)
    receiver.receive(STREAM_WINDOW_BYTES)
    with pytest.raises(ProtocolError):
        receiver.receive(1)


def engine_frames(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for kind, data in parts)


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=100)), max_size=10),
    st.lists(st.integers(1, 30), max_size=30),
)
def test_the_engines_frames_come_apart_however_they_are_cut(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = engine_frames(parts)
    demultiplexer = Demultiplexer()
    found = {"stdout": b"", "stderr": b""}
    at = 0
    for size in [*cuts, len(data)]:
        for name, piece in demultiplexer.feed(data[at : at + size]):
            found[name] += piece
        at += size
    assert found["stdout"] == b"".join(piece for kind, piece in parts if kind == 1)
    assert found["stderr"] == b"".join(piece for kind, piece in parts if kind == 2)


def test_bytes_that_are_no_frames_are_refused() -> None:
    for data in (b"plain text", b"\x07\0\0\0\0\0\0\1x", b"\1\0\0\0\xff\xff\xff\xff"):
        with pytest.raises(ProtocolError):
            list(Demultiplexer().feed(data))
    assert list(Demultiplexer(tty=True).feed(b"plain text")) == [("stdout", b"plain text")]


def test_fingerprints_and_digests() -> None:
    assert fingerprint({"a": 1, "b": "é"}) == fingerprint({"b": "é", "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert digest([("a", MARK), ("b", MARK)]) == digest([("b", MARK), ("a", MARK)])
    assert digest([]) == EMPTY_DIGESTS["image"] != digest([("a", MARK)])
    document: dict[str, Any] = {"created_at": 1795579881.548905, "n": 5.0}
    assert fingerprint(json.loads(json.dumps(document))) == fingerprint(document)


def test_records_are_checked() -> None:
    assert record_of("volume", {"id": "v"}) == RECORDS["volume"](id="v")  # type: ignore[call-arg]
    for kind, broken in (
        ("volume", {}),
        ("volume", []),
        ("volume", {"id": "x" * 301}),
        ("volume", {"id": "v", "labels": {"a": 5}}),
        ("container", {"id": "c", "name": "n", "image": "i", "image_id": "", "state": "flying", "created_at": 1}),
    ):
        with pytest.raises(ProtocolError, match=kind):
            record_of(kind, broken)  # type: ignore[arg-type]
