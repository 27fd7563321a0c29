"""`python -m agents.bundle OUT.pyz`: the agent as one file that a bare python3 (3.10 or newer) runs.

The same sources give the same bytes. The wheels it needs are fetched once, checked by the hashes in
agents/requirements.txt, and kept in $GANTRY_ENV/agent-wheels (else in the user's cache), so that later builds
need no network.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
REQUIREMENTS = PACKAGE / "requirements.txt"
EPOCH = (1980, 1, 1, 0, 0, 0)
SHEBANG = b"#!/usr/bin/env python3\n"
DOWNLOAD_TIMEOUT_S = 600

# Parts of the wheels that the agent never imports.
LEFT_OUT = re.compile(
    r"websockets/(legacy|sync|trio|cli\.py|__main__\.py)|.*\.(so|c|pyi|h|typed)$|urllib3/contrib/emscripten/"
)
LICENCE = re.compile(r"[^/]+\.dist-info/(licenses/.*|LICEN[CS]E.*|NOTICE.*)$", re.IGNORECASE)

# Must be understood by any Python, to tell those that are too old.
MAIN = """\
import sys

if sys.version_info < (3, 10):
    sys.exit("gantry-agent needs Python 3.10 or newer; this is %d.%d." % sys.version_info[:2])

from agents.cli import main

main()
"""


class CannotBundle(Exception):
    """A sentence that says why, and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m agents.bundle", description=__doc__)
    parser.add_argument("target", type=Path, metavar="OUT.pyz")
    options = parser.parse_args(arguments)
    try:
        bundle(options.target, wheels(wheel_folder()))
    except CannotBundle as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.target}: {options.target.stat().st_size // 1024} KiB")
    return 0


def bundle(target: Path, wheel_paths: list[Path]) -> None:
    """Write the one-file agent; `target` is replaced whole or not at all."""
    files = dict(_own_files())
    for path in wheel_paths:
        files.update(_wheel_files(path))
    files["__main__.py"] = MAIN.encode()
    new = target.with_name(target.name + ".new")
    with new.open("wb") as out:
        out.write(SHEBANG)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                entry.create_system = 3  # as on Unix, wherever it is built
                archive.writestr(entry, files[name])
    new.chmod(0o755)
    new.replace(target)


def wheel_folder() -> Path:
    """Where fetched wheels are kept."""
    if environment := os.environ.get("GANTRY_ENV"):
        return Path(environment) / "agent-wheels"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gantry" / "agent-wheels"


def wheels(folder: Path) -> list[Path]:
    """The wheel for each requirement, fetched if it is not there yet. Raises CannotBundle."""
    wanted = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", REQUIREMENTS.read_text()))
    found = _known(folder, wanted)
    if len(found) < len(wanted):
        _fetch(folder)
        found = _known(folder, wanted)
    if len(found) < len(wanted):
        raise CannotBundle(f"Not all wheels of {REQUIREMENTS} are in {folder}: remove that folder and try again.")
    return [found[digest] for digest in sorted(found)]


def _known(folder: Path, wanted: set[str]) -> dict[str, Path]:
    digests = ((hashlib.sha256(path.read_bytes()).hexdigest(), path) for path in sorted(folder.glob("*.whl")))
    return {digest: path for digest, path in digests if digest in wanted}


def _fetch(folder: Path) -> None:
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--require-hashes", "--only-binary", ":all:"),
        *("--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", "3.10"),
        *("--dest", str(folder), "--requirement", str(REQUIREMENTS)),
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBundle(f"The agent's packages could not be fetched into {folder}: {error}.") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise CannotBundle(
            "The agent's packages could not be fetched: see that pip reaches its package index. pip says: "
            + (said[-1] if said else f"status {done.returncode}")
        )


def _own_files() -> Iterator[tuple[str, bytes]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE.parent)), path.read_bytes()


def _wheel_files(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            is_metadata = ".dist-info/" in name
            if name.endswith("/") or LEFT_OUT.match(name) or (is_metadata and not LICENCE.match(name)):
                continue
            yield name, wheel.read(name)


if __name__ == "__main__":
    sys.exit(main())
