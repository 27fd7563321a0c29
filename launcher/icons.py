"""One SVG sprite of the icons that pages use: `<svg class="i"><use href="…/icons.svg#server"/></svg>`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from launcher.refusal import Refusal

FILLED = "-filled"
# Tabler puts an invisible 24x24 path first in every icon; nothing needs it in a symbol with a viewBox.
CANVAS = re.compile(r'\s*<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>')
BODY = re.compile(r"<svg\b[^>]*>(.*)</svg>", re.DOTALL)
# No stroke-width: the page's style sheet sets it on the <svg> that uses the symbol.
OUTLINE = 'fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"'
SOLID = 'fill="currentColor"'


def read_names(file: Path) -> list[str]:
    """The names in a list of one a line; `#` starts a comment. None when there is no list yet."""
    if not file.exists():
        return []
    lines = (line.split("#", 1)[0].strip() for line in file.read_text().splitlines())
    return sorted({line for line in lines if line})


def sprite(folder: Path, names: Sequence[str]) -> str:
    """The sprite of these icons; `name-filled` is the filled form of `name`. Raises Refusal."""
    missing = [name for name in names if not _file(folder, name).exists()]
    if missing:
        raise Refusal(f"static/icons.txt names icons that Tabler doesn't have: {', '.join(missing)}.")
    symbols = "".join(_symbol(name, _file(folder, name).read_text()) for name in names)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{symbols}</svg>\n'


def _file(folder: Path, name: str) -> Path:
    if name.endswith(FILLED):
        return folder / "filled" / f"{name.removesuffix(FILLED)}.svg"
    return folder / "outline" / f"{name}.svg"


def _symbol(name: str, svg: str) -> str:
    found = BODY.search(svg)
    body = CANVAS.sub("", found.group(1)) if found else ""
    shapes = "".join(line.strip() for line in body.splitlines())
    paint = SOLID if name.endswith(FILLED) else OUTLINE
    return f'\n<symbol id="{name}" viewBox="0 0 24 24" {paint}>{shapes}</symbol>'
