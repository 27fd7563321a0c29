"""Sizes, spans of time and foreign text as people read them. static/js/time.js says spans in the same words."""

from __future__ import annotations

import re
import unicodedata

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400

# Marks that turn or hide the text around them; a host may have put them into a name.
_TRICKS = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def bytes_text(count: int | float | None, *, binary: bool = False) -> str:
    """'1.7 GiB' of memory (`binary`), '4.6 GB' of disk; '–' for none."""
    if count is None:
        return "–"
    step, units = (1024.0, ("B", "KiB", "MiB", "GiB", "TiB")) if binary else (1000.0, ("B", "kB", "MB", "GB", "TB"))
    value = float(count)
    for unit in units:
        if abs(value) < step or unit == units[-1]:
            break
        value /= step
    digits = 1 if unit in units[3:] or (0 < abs(value) < 10 and unit != "B") else 0
    return f"{value:.{digits}f} {unit}"


def span_text(seconds: float) -> str:
    """'6 s', '14 min', '3 h', '3 d 4 h', '41 d', '2 y 14 d'."""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return f"{whole // HOUR} h"
    if whole < YEAR:
        days, hours = whole // DAY, whole % DAY // HOUR
        return f"{days} d {hours} h" if days < 7 and hours else f"{days} d"
    years, days = whole // YEAR, whole % YEAR // DAY
    return f"{years} y {days} d" if days else f"{years} y"


def took_text(seconds: float) -> str:
    """How long something took: '0.4 s', '31 s', '4 min 12 s', '2 h 5 min'."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        minutes, rest = divmod(whole, MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // MINUTE, MINUTE)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def plain_text(text: object, length: int = 200) -> str:
    """Foreign text in one line: tricks made visible as U+FFFD, cut at `length` with an ellipsis."""
    line = _TRICKS.sub("\ufffd", str(text).strip("\r\n")[: length + 1])
    # A pile of combining marks grows out of its row.
    line = re.sub(r"[\u0300-\u036f]{3,}", lambda found: unicodedata.normalize("NFC", found.group()[:2]), line)
    return line if len(line) <= length else line[: length - 1] + "…"


def image_parts(reference: str) -> tuple[str, str]:
    """A reference as its repository and what picks the image: ('acme/web', ':2.31.4'), ('', 'sha256:9f3c…')."""
    if reference.startswith("sha256:"):
        return "", reference[:19]
    name, at, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        name, pick = head, f":{tag}"
    else:
        pick = ""
    return name, pick + (f"@{digest[:19]}" if at else "")
