"""What the rig needs from the machine's package archive.

Small tools are installed; engines are only unpacked into a cache folder, so that three versions
stand side by side and no service of theirs is ever started on the machine.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

TOOLS: dict[str, tuple[str, ...]] = {
    # The engines are linked against libdevmapper and libsystemd, and unpacking installs no dependencies.
    "engine": ("runc", "iptables", "iproute2", "util-linux", "libdevmapper1.02.1", "libsystemd0"),
    "browser": ("chromium", "chromium-driver", "fonts-dejavu-core", "fonts-noto-color-emoji"),
    "broker": ("redis-server",),
}

# Folder in the cache: (release the packages are of, packages).
TREES: dict[str, tuple[str, tuple[str, ...]]] = {
    "tools": ("bookworm", ("docker-registry", "busybox-static")),
    "20.10": ("bookworm", ("docker.io", "containerd", "tini")),
    "26.1": ("trixie", ("docker.io", "docker-cli", "containerd", "docker-compose", "docker-buildx", "tini")),
    "28.5": (
        "forky",
        ("docker.io", "docker-cli", "containerd", "docker-compose", "docker-buildx", "tini-static"),
    ),
}

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class NotAvailable(Exception):
    """The machine cannot give what was asked: not root, no such release in its mirror, no mirror at all."""


def cache_folder() -> Path:
    """`$GANTRY_RIG_CACHE`, else `var/rig` of the checkout; it may be shared between checkouts."""
    default = Path(__file__).resolve().parents[2] / "var" / "rig"
    folder = Path(os.environ.get("GANTRY_RIG_CACHE") or default).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`; it falls with the process, however that ends."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_tools(*groups: str) -> None:
    """Install the packages of `groups` of TOOLS (none given: `engine`). Raises NotAvailable."""
    wanted = [package for group in groups or ("engine",) for package in TOOLS[group]]
    if not _missing(wanted):
        return
    if os.geteuid() != 0:
        raise NotAvailable(f"only root can install {', '.join(_missing(wanted))}")
    with locked(cache_folder() / "apt.lock"):
        missing = _missing(wanted)
        if not missing:
            return
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *missing)


def _missing(packages: Sequence[str]) -> list[str]:
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    installed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in installed]


@cache
def tree(name: str) -> Path:
    """The folder with the unpacked packages of TREES[name], fetched if need be. Raises NotAvailable."""
    folder = cache_folder() / name
    release, packages = TREES[name]
    stamp = folder / ".complete"
    if _is_stamped(stamp, packages):
        return folder
    with locked(cache_folder() / f"{name}.lock"):
        if _is_stamped(stamp, packages):
            return folder
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=f".{name}-") as scratch:
            unpacked = _fetch(release, packages, Path(scratch))
            _check_that_it_runs(unpacked)
            (unpacked / ".complete").write_text(" ".join(packages))
            shutil.rmtree(folder, ignore_errors=True)
            unpacked.rename(folder)
    return folder


@cache
def why_not(name: str) -> str | None:
    """None where `tree(name)` can be had, else why it cannot; asked of the archive once a process."""
    try:
        tree(name)
    except NotAvailable as error:
        return str(error)
    return None


def _is_stamped(stamp: Path, packages: Sequence[str]) -> bool:
    return stamp.is_file() and stamp.read_text() == " ".join(packages)


def _fetch(release: str, packages: Sequence[str], scratch: Path) -> Path:
    """Download `packages` of `release`, checked by apt against the archive's signature, and unpack them."""
    for folder in ("lists/partial", "cache/archives/partial", "debs", "unpacked"):
        (scratch / folder).mkdir(parents=True)
    options = _private_apt(scratch)
    mirror = _mirror()
    source = scratch / "sources.list"
    source.write_text(f"deb [signed-by={KEYRING}] {mirror} {release} main\n")
    try:
        _apt("update", options=options)
    except NotAvailable:
        # An older keyring may not have this release's key yet; the machine's own release ships a newer one.
        keyring = _newer_keyring(scratch)
        source.write_text(f"deb [signed-by={keyring}] {mirror} {release} main\n")
        _apt("update", options=options)
    _apt("download", *packages, options=options, cwd=scratch / "debs")
    unpacked = scratch / "unpacked"
    for package in (scratch / "debs").glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, unpacked], check=True)
    return unpacked


def _check_that_it_runs(unpacked: Path) -> None:
    """A newer release's programs may need libraries that this machine has not."""
    for program in ("usr/sbin/dockerd", "usr/bin/containerd", "usr/bin/docker"):
        path = unpacked / program
        if not path.exists():
            continue
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotAvailable(f"{path.name} does not run here: {done.stderr.strip()}")


def _private_apt(scratch: Path) -> list[str]:
    """Options that keep apt away from the machine's own lists, cache and status."""
    settings = {
        "Dir::Etc::SourceList": scratch / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": scratch / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": scratch / "cache",
        "APT::Sandbox::User": "root",  # its usual user could not write into the cache folder
        "Acquire::Languages": "none",
        "APT::Update::Error-Mode": "any",  # else a release that cannot be fetched is only a warning
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _newer_keyring(scratch: Path) -> Path:
    folder = scratch / "keyring"
    folder.mkdir()
    _apt("update")
    _apt("download", "debian-archive-keyring", options=["-o", "APT::Sandbox::User=root"], cwd=folder)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder], check=True)
    return next(folder.glob(f"usr/share/keyrings/{KEYRING.stem}.*"))


def _mirror() -> str:
    """The address the machine itself has its Debian packages from. Raises NotAvailable."""
    configured = Path("/etc/apt")
    for source in sorted((configured / "sources.list.d").glob("*.sources")):
        for stanza in source.read_text().split("\n\n"):
            address = _mirror_in_stanza(stanza)
            if address:
                return address
    for source in (configured / "sources.list", *sorted((configured / "sources.list.d").glob("*.list"))):
        lines = source.read_text().splitlines() if source.is_file() else []
        for line in lines:
            address = _mirror_in_line(line)
            if address:
                return address
    raise NotAvailable("this machine's package sources name no Debian archive")


def _mirror_in_stanza(stanza: str) -> str | None:
    fields = dict(line.split(":", 1) for line in stanza.splitlines() if ":" in line and not line.startswith("#"))
    if fields.get("Enabled", "yes").strip() == "no" or "main" not in fields.get("Components", "").split():
        return None
    return next((uri for uri in fields.get("URIs", "").split() if _is_debian(uri)), None)


def _mirror_in_line(line: str) -> str | None:
    kind, _, rest = line.strip().partition(" ")
    if kind != "deb":
        return None
    if rest.lstrip().startswith("["):
        rest = rest.partition("]")[2]
    words = rest.split()
    if len(words) > 2 and "main" in words[2:] and _is_debian(words[0]):
        return words[0]
    return None


def _is_debian(uri: str) -> bool:
    """The archive proper: its security part is an archive of its own and has no whole releases."""
    return uri.rstrip("/").rpartition("/")[2] == "debian"


def _apt(*arguments: str | Path, options: Sequence[str] = (), cwd: Path | None = None) -> None:
    # The lock timeout is for another run that installs at the same time.
    command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *options, *arguments]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise NotAvailable("this machine has no apt-get") from None
    if done.returncode != 0:
        raise NotAvailable(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}")
