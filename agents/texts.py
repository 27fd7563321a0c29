"""Text that came from an engine or a console is data: made valid Unicode, bounded, without controls."""

from __future__ import annotations


def clean(value: object, limit: int) -> str:
    """`value` as valid Unicode of at most `limit` characters, without NUL; '' for what is no string."""
    if not isinstance(value, str):
        return ""
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8", "replace")  # halves of surrogate pairs
    return value.replace("\x00", "")[:limit]


def sentence(value: object, limit: int = 2000) -> str:
    """`clean`, on one line and without control characters, for logs and error messages."""
    text = "".join(c if c.isprintable() else " " for c in clean(value, limit * 2))
    return " ".join(text.split())[:limit]
