"""JSON to dataclasses, with a sentence for what does not fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.shapes import Length, Misfit, Pattern, Range, decode, encode


@dataclass(frozen=True, slots=True)
class Inner:
    port: Annotated[int, Range(1, 65535)]
    name: Annotated[str, Length(1, 5), Pattern(r"[a-z]+", "must be of small letters")] = "x"


@dataclass(frozen=True, slots=True)
class Outer:
    kind: Literal["a", "b"]
    size: float = 0
    on: bool = False
    maybe: int | None = None
    inner: list[Inner] = field(default_factory=list)
    words: Annotated[dict[str, str], Length(0, 2)] = field(default_factory=dict)
    anything: Any = None


@dataclass(frozen=True, slots=True)
class Pair:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise Misfit({"low": "must not be above high"})


def errors_of(shape: type, value: object, *, strict: bool = False) -> dict[str, str]:
    with pytest.raises(Misfit) as misfit:
        decode(shape, value, strict=strict)
    return misfit.value.errors


def test_whole_and_back() -> None:
    value = {
        "kind": "a",
        "size": 1.5,
        "on": True,
        "maybe": 3,
        "inner": [{"port": 80, "name": "web"}],
        "words": {"a": "b"},
    }
    outer = decode(Outer, value)
    assert outer == Outer("a", 1.5, True, 3, [Inner(80, "web")], {"a": "b"})
    assert encode(outer) == value


def test_what_is_none_is_left_out_and_defaults_come_back() -> None:
    assert "maybe" not in encode(Outer("a"))
    assert decode(Outer, {"kind": "b"}) == Outer("b")
    assert decode(Outer, {"kind": "b", "maybe": None}) == Outer("b")


def test_every_error_has_its_path() -> None:
    errors = errors_of(Outer, {"size": "x", "on": 1, "inner": [{"port": 0}, {"port": 80, "name": "LONG"}, {}]})
    assert errors == {
        "kind": "is required",
        "size": "must be a number",
        "on": "must be true or false",
        "inner.0.port": "must be between 1 and 65535",
        "inner.1.name": "must be of small letters",
        "inner.2.port": "is required",
    }


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ([], "", "must be an object"),
        ({"kind": "c"}, "kind", "must be one of: a, b"),
        ({"kind": ["a"]}, "kind", "must be one of: a, b"),
        ({"kind": "a", "maybe": True}, "maybe", "must be a whole number"),
        ({"kind": "a", "maybe": 2**70}, "maybe", "is too large: 64 bits is the most"),
        ({"kind": "a", "size": float("inf")}, "size", "must be a number"),
        ({"kind": "a", "words": {"a": "1", "b": "2", "c": "3"}}, "words", "must have at most 2 items"),
        ({"kind": "a", "words": {"a": "\x00"}}, "words.a", "must not contain a NUL character"),
        (
            {"kind": "a", "words": {"a": "\ud800"}},
            "words.a",
            "must be valid Unicode: it holds half of a surrogate pair",
        ),
        ({"kind": "a", "inner": {}}, "inner", "must be a list"),
        (
            {"kind": "a", "inner": [{"port": 1, "name": ""}]},
            "inner.0.name",
            "must not be empty, and have at most 5 characters",
        ),
    ],
)
def test_what_does_not_fit_is_said(value: object, path: str, words: str) -> None:
    assert errors_of(Outer, value) == {path: words}


def test_unknown_fields_are_ignored_or_refused() -> None:
    assert decode(Inner, {"port": 1, "new": 2}) == Inner(1)
    assert errors_of(Inner, {"port": 1, "new": 2}, strict=True) == {
        "new": "is not a field here; there are: name, port"
    }


def test_fields_that_must_fit_together() -> None:
    assert decode(Pair, {"low": 1, "high": 2}) == Pair(1, 2)
    assert errors_of(Pair, {"low": 3, "high": 2}) == {"low": "must not be above high"}


def test_errors_are_bounded() -> None:
    assert len(errors_of(Outer, {"kind": "a", "inner": [{}] * 1000})) <= 20


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


@given(
    st.dictionaries(st.sampled_from(["kind", "size", "on", "maybe", "inner", "words", "anything", "z"]), json_values)
)
def test_any_json_fits_or_is_a_misfit(value: dict[str, Any]) -> None:
    for strict in (False, True):
        try:
            outer = decode(Outer, value, strict=strict)
        except Misfit:
            continue
        assert decode(Outer, encode(outer)) == outer
