from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

MNT_DETACH = 2


def below(folder: Path) -> list[str]:
    """What is mounted at or below this folder, deepest first (/proc/self/mountinfo, proc(5))."""
    root = os.path.realpath(folder)
    points = []
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), line.split()[4])
        if point == root or point.startswith(f"{root}/"):
            points.append(point)
    return sorted(points, key=len, reverse=True)


def unmount_below(folder: Path) -> None:
    """Unmount all of that. A mount that is still in use goes when its user does."""
    libc = ctypes.CDLL(None)
    for point in below(folder):
        libc.umount2(os.fsencode(point), MNT_DETACH)
