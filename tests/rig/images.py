"""Images from nothing, since the rig has no public registry."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from docker.errors import ImageNotFound

from tests.rig import install
from tests.rig.engines import Engine

BUSYBOX = "busybox:local"


def busybox(engine: Engine, tag: str = BUSYBOX) -> str:
    """Make sure that `engine` has a small image with a shell under `tag`, which is given back."""
    try:
        engine.client.images.get(tag)
    except ImageNotFound:
        repository, _, version = tag.rpartition(":")
        with busybox_tar().open("rb") as file:
            engine.client.api.import_image_from_data(
                file.read(), repository=repository, tag=version, changes=['CMD ["sh"]']
            )
    return tag


def busybox_tar() -> Path:
    """A root file system of busybox with links for its applets; made once and kept in the cache."""
    path = install.cache_folder() / "busybox.tar"
    with install.locked(install.cache_folder() / "busybox.lock"):
        if not path.exists():
            scratch = path.with_suffix(".part")
            _write_busybox(scratch)
            scratch.rename(path)
    return path


def build_layers(engine: Engine, tag: str, layers_bytes: Sequence[int]) -> str:
    """Make an image of busybox and one layer for each size, of bytes that do not compress; gives `tag`.

    For pulls and pushes that last: the layers are new each time, so no registry or engine has them already.
    """
    with tempfile.NamedTemporaryFile() as archive:
        _write_archive(Path(archive.name), tag, layers_bytes)
        with open(archive.name, "rb") as file:
            engine.client.images.load(file)
    return tag


def _write_busybox(path: Path) -> None:
    binary = next(
        found for place in ("bin", "usr/bin") if (found := install.tree("tools") / place / "busybox").exists()
    )
    listed = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True)
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(folder)
        _add_file(tar, "bin/busybox", binary.read_bytes(), mode=0o755)
        _add_file(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
        _add_file(tar, "etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        for applet in set(listed.stdout.split()) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)


def _write_archive(path: Path, tag: str, layers_bytes: Sequence[int]) -> None:
    """Write what `docker save` would (https://github.com/moby/docker-image-spec, v1.2)."""
    layers = [busybox_tar().read_bytes(), *(_layer(number, size) for number, size in enumerate(layers_bytes))]
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers],
        },
        "history": [{"created_by": f"layer {number}"} for number in range(len(layers))],
    }
    encoded = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(encoded).hexdigest()}.json"
    names = [f"layer-{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": config_name, "RepoTags": [tag], "Layers": names}]
    with tarfile.open(path, "w") as tar:
        _add_file(tar, "manifest.json", json.dumps(manifest).encode())
        _add_file(tar, config_name, encoded)
        for name, layer in zip(names, layers, strict=True):
            _add_file(tar, name, layer)


def _layer(number: int, size_bytes: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add_file(tar, f"data-{number}", os.urandom(size_bytes))
    return buffer.getvalue()


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, *, mode: int = 0o644) -> None:
    file = tarfile.TarInfo(name)
    file.size, file.mode = len(content), mode
    tar.addfile(file, io.BytesIO(content))


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
