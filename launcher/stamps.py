"""Stamps tell what was made from what, so that a second start skips what is current."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path


def of_files(files: Iterable[Path]) -> str:
    """A hash of these files' contents; one that is missing counts as such."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"\0{file.name}\0".encode())
        try:
            digest.update(file.read_bytes())
        except FileNotFoundError:
            digest.update(b"missing")
    return digest.hexdigest()


def of_trees(roots: Iterable[Path]) -> str:
    """A hash of every file's path, size and time below these folders; the contents are not read."""
    digest = hashlib.sha256()
    for root in roots:
        digest.update(f"\0{root}".encode())
        for folder, subfolders, names in os.walk(root):
            subfolders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                try:
                    status = os.stat(path)
                except FileNotFoundError:
                    continue
                digest.update(f"\0{path}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def read(stamp: Path) -> dict[str, str]:
    """The stamp's values; empty when there is none or it is damaged."""
    try:
        values = json.loads(stamp.read_text())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def write(stamp: Path, values: dict[str, str]) -> None:
    """Written last and moved into place, so that a stamp never speaks of work that was cut off."""
    draft = stamp.with_name(f"{stamp.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
    draft.replace(stamp)
