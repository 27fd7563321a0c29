"""JSON to frozen dataclasses and back, with a sentence for everything that does not fit.

The wire protocol and the catalogue of operations are dataclasses; this module is what turns
untrusted JSON into them. It knows exactly the types they use: str, int, float, bool, None,
list, dict[str, X], Literal, X | None, Any (JSON as it is, bounded by the frame), nested
dataclasses, and `Annotated` with the constraints below. It is our own because the agent must
run from one pure-Python file on Python 3.10, which rules out the compiled validators.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Callable
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Decoder = Callable[[object], Any]


class Misfit(ValueError):
    """The value does not have the shape. `errors`: path ('ports.0.host_port', '' for the whole) to sentence."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{path}: {text}" if path else text for path, text in errors.items()))


@dataclasses.dataclass(frozen=True, slots=True)
class Length:
    """Number of characters of a string, or of items of a list or dict, both ends included."""

    min: int = 0
    max: int = 65536


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both ends included."""

    min: float
    max: float


@dataclasses.dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that the whole string must match, and the words for one that does not."""

    regex: str
    words: str


def decode(shape: type[T], value: object, *, strict: bool = False) -> T:
    """Make a `shape` of JSON `value`. Unknown fields are ignored, or refused when `strict`. Raises Misfit."""
    return typing.cast(T, _decoder(typing.cast(Any, shape), strict)(value))


def encode(value: object) -> Any:
    """The JSON form of a dataclass, its lists and dicts included; fields that are None are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encode(item)
            for field in dataclasses.fields(value)
            if (item := getattr(value, field.name)) is not None
        }
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value


@functools.cache
def hints(shape: type) -> dict[str, Any]:
    """Field name to type of a dataclass, `Annotated` kept."""
    return get_type_hints(shape, include_extras=True)


def is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@functools.cache
def _decoder(shape: Any, strict: bool) -> Decoder:
    origin = get_origin(shape)
    if origin is typing.Annotated:
        return _constrained(shape, strict)
    if origin in (Union, types.UnionType):
        return _optional(shape, strict)
    if origin is Literal:
        return _literal(get_args(shape))
    if origin is list:
        return _list(get_args(shape)[0], strict)
    if origin is dict:
        return _dict(get_args(shape)[1], strict)
    if dataclasses.is_dataclass(shape):
        return _dataclass(typing.cast(type, shape), strict)
    if shape is Any:
        return lambda value: value
    if shape in _SCALARS:
        return _SCALARS[shape]
    raise TypeError(f"no decoder for {shape!r}")


def _fail(text: str) -> typing.NoReturn:
    raise Misfit({"": text})


def _string(value: object) -> str:
    if not isinstance(value, str):
        _fail("must be a string")
    if "\x00" in value:
        _fail("must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        _fail("must be valid Unicode: it holds half of a surrogate pair")
    return value


def _integer(value: object) -> int:
    if isinstance(value, float) and value.is_integer():  # JSON has one kind of number: 5.0 is 5
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        _fail("must be a whole number")
    if not -(2**63) <= value < 2**63:
        _fail("is too large: 64 bits is the most")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        _fail("must be a number")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        _fail("must be true or false")
    return value


_SCALARS: dict[Any, Decoder] = {str: _string, int: _integer, float: _number, bool: _boolean}


def _literal(choices: tuple[Any, ...]) -> Decoder:
    words = ", ".join(str(choice) for choice in choices)

    def check(value: object) -> object:
        if not isinstance(value, (str, int)) or value not in choices:
            _fail(f"must be one of: {words}")
        return value

    return check


def _optional(shape: Any, strict: bool) -> Decoder:
    inner = [arg for arg in get_args(shape) if arg is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"only X | None is supported, not {shape!r}")
    check = _decoder(inner[0], strict)
    return lambda value: None if value is None else check(value)


def _constrained(shape: Any, strict: bool) -> Decoder:
    inner, *constraints = get_args(shape)
    check = _decoder(inner, strict)
    compiled = [(c, re.compile(c.regex) if isinstance(c, Pattern) else None) for c in constraints]

    def constrain(value: object) -> Any:
        result = check(value)
        for constraint, regex in compiled:
            if regex is not None and not regex.fullmatch(result):
                _fail(constraint.words)
            if isinstance(constraint, Range) and not constraint.min <= result <= constraint.max:
                _fail(f"must be between {constraint.min:g} and {constraint.max:g}")
            if isinstance(constraint, Length) and not constraint.min <= len(result) <= constraint.max:
                _fail(_length_words(constraint, isinstance(result, str)))
        return result

    return constrain


def _length_words(length: Length, is_text: bool) -> str:
    if length.min and not is_text:
        return f"must have {length.min} to {length.max} items"
    if length.min == 1:
        return f"must not be empty, and have at most {length.max} characters"
    return f"must have at most {length.max} {'characters' if is_text else 'items'}"


def _collect(errors: dict[str, str], key: str, misfit: Misfit) -> None:
    for path, text in misfit.errors.items():
        if len(errors) < 20:
            errors[f"{key}.{path}" if path else key] = text


def _list(item: Any, strict: bool) -> Decoder:
    check = _decoder(item, strict)

    def decode_list(value: object) -> list[Any]:
        if not isinstance(value, list):
            _fail("must be a list")
        errors: dict[str, str] = {}
        result = []
        for index, entry in enumerate(value):
            try:
                result.append(check(entry))
            except Misfit as misfit:
                _collect(errors, str(index), misfit)
        if errors:
            raise Misfit(errors)
        return result

    return decode_list


def _dict(item: Any, strict: bool) -> Decoder:
    check = _decoder(item, strict)

    def decode_dict(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            _fail("must be an object")
        errors: dict[str, str] = {}
        result = {}
        for key, entry in value.items():
            try:
                result[_string(key)] = check(entry)
            except Misfit as misfit:
                _collect(errors, str(key)[:80], misfit)
        if errors:
            raise Misfit(errors)
        return result

    return decode_dict


def _dataclass(shape: type, strict: bool) -> Decoder:
    known = hints(shape)
    fields = [(f.name, _decoder(known[f.name], strict), is_required(f)) for f in dataclasses.fields(shape)]
    names = {name for name, _, _ in fields}

    def decode_dataclass(value: object) -> Any:
        if not isinstance(value, dict):
            _fail("must be an object")
        errors: dict[str, str] = {}
        result = {}
        for name, check, required in fields:
            if name not in value:
                if required:
                    errors[name] = "is required"
                continue
            try:
                result[name] = check(value[name])
            except Misfit as misfit:
                _collect(errors, name, misfit)
        if strict:
            for name in value:
                if name not in names and len(errors) < 20:
                    errors[str(name)[:80]] = f"is not a field here; there are: {', '.join(sorted(names))}"
        if errors:
            raise Misfit(errors)
        try:
            return shape(**result)
        except ValueError as error:  # a __post_init__ that looks at several fields together
            raise error if isinstance(error, Misfit) else Misfit({"": str(error)}) from error

    return decode_dataclass
