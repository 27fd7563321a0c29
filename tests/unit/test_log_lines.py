from __future__ import annotations

import pytest

from agents.protocol import ProtocolError
from agents.shapes import Misfit
from console.operations.logs import LINE_BYTES, LineReader, parse_query
from tests.unit.records import container_id

ID = container_id(1)


def frame(kind: int, payload: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def test_stdout_and_stderr_are_told_apart_however_the_bytes_are_cut() -> None:
    data = frame(1, b"one\ntw") + frame(2, b"bad\n") + frame(1, b"o\n")
    expected = [(None, "stdout", "one"), (None, "stderr", "bad"), (None, "stdout", "two")]
    for size in range(1, len(data) + 1):
        reader = LineReader(tty=False, timestamps=False)
        lines = [line for at in range(0, len(data), size) for line in reader.feed(data[at : at + size])]
        assert lines == expected


def test_times_are_split_off() -> None:
    reader = LineReader(tty=False, timestamps=True)
    lines = reader.feed(frame(1, b"2026-11-25T03:12:04.118000000Z started\n"))
    assert lines == [("2026-11-25T03:12:04.118000000Z", "stdout", "started")]


def test_a_tty_has_no_frames_and_ends_lines_with_carriage_returns() -> None:
    reader = LineReader(tty=True, timestamps=False)
    assert reader.feed(b"one\r\ntw") == [(None, "stdout", "one")]
    assert reader.finish() == [(None, "stdout", "tw")]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert LineReader(tty=True, timestamps=False).feed(b"\xff\x00\n") == [(None, "stdout", "\ufffd\x00")]


def test_a_line_without_end_is_cut_and_not_gathered() -> None:
    reader = LineReader(tty=True, timestamps=False)
    lines = [line for _ in range(40) for line in reader.feed(b"x" * 64 * 1024)]
    assert [len(text) for _, _, text in lines] == [LINE_BYTES, LINE_BYTES]


def test_what_is_no_log_is_refused() -> None:
    with pytest.raises(ProtocolError):
        LineReader(tty=False, timestamps=False).feed(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tail": "-1"}, "tail"),
        ({"tail": "many"}, "tail"),
        ({"tail": "9" * 40}, "tail"),
        ({"follow": "maybe"}, "follow"),
        ({"since": "yesterday"}, "since"),
        ({"since": "nan"}, "since"),
        ({"until": "2026-13-01T00:00:00Z"}, "until"),
        ({"stdout": "0", "stderr": "0"}, "stdout"),
    ],
)
def test_a_wrong_query_names_its_field(query: dict[str, str], field: str) -> None:
    with pytest.raises(Misfit) as caught:
        parse_query(ID, query)
    assert any(key.startswith(field) for key in caught.value.errors)


def test_a_query_is_understood() -> None:
    ask = parse_query(ID, {"tail": "100", "follow": "1", "since": "2026-11-25T03:00:00Z", "stderr": "0"})
    assert (ask.tail, ask.follow, ask.since_s, ask.stdout, ask.stderr) == (100, True, 1795575600.0, True, False)


def test_a_time_before_1970_is_not_taken_for_none() -> None:
    ask = parse_query("c" * 64, {"since": "1965-01-01T00:00:00Z", "until": "1965-01-01T00:00:00Z"})
    assert (ask.since_s, ask.until_s) == (1.0, 1.0)
