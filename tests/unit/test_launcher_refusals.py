"""What `up` can't do, it says in one sentence, with what to do about it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import addresses, engines, locks
from launcher.places import Places, check_socket_path, make_folder, places
from launcher.refusal import Refusal

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parents[2]


def gantry(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", str(REPO / "gantry"), *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = gantry("up", "--data", str(tmp_path), "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"gantry: Port {port} on 127.0.0.1 is in use by another program: "
        "stop that one, or choose another port with --port."
    )


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [
        ("192.0.2.1", 8000, "192.0.2.1 is no address of this machine"),
        ("no such host", 8000, "'no such host' is no address of this machine"),
        ("127.0.0.1", 70000, "70000 is no port"),
    ],
)
def test_a_place_where_nothing_can_listen(host: str, port: int, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        addresses.check_free(addresses.address(host, port))


def test_a_data_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = gantry("up", "--data", str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert "can't be made (Not a directory): choose another folder with --data." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_data_folder_of_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    parent = os.fork()
    if parent == 0:
        os.setuid(65534)
        os._exit(0 if not os.access(folder, os.W_OK) and _is_refused(folder) else 1)
    assert os.waitpid(parent, 0)[1] == 0


def _is_refused(folder: Path) -> bool:
    try:
        make_folder(folder)
    except Refusal:
        return True
    return False


def test_a_path_too_long_for_sockets(tmp_path: Path) -> None:
    done = gantry("up", "--data", str(tmp_path / ("d" * 100)))
    assert done.returncode == 1
    assert "bytes long and a socket's path ends at 107: choose a data folder with a shorter path" in done.stderr
    check_socket_path(Path("/" + "x" * 106))
    with pytest.raises(Refusal):
        check_socket_path(Path("/" + "é" * 54))


def test_a_second_one_on_the_same_data_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with locks.locked(tmp_path / "run" / "gantry.lock"):
        done = gantry("up", "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"Gantry already runs on {tmp_path} (process {os.getpid()})" in done.stderr


def test_a_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom launcher.locks import locked\n"
        "with locked(Path(sys.argv[1])):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "lock")], cwd=REPO)
    with locks.locked(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("url", ["localhost:2375", "docker", "unix://", "ftp://host", "tcp://", "/run/docker.sock"])
def test_what_is_no_engine_address(url: str) -> None:
    with pytest.raises(Refusal, match="is not an engine's address: give one like unix:"):
        engines.check_url("--engine", url)


def test_engines_that_do_not_answer_are_told_apart(tmp_path: Path) -> None:
    missing = engines.trouble_with(f"unix://{tmp_path}/none.sock")
    assert missing == "does not answer (No such file or directory)"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        assert engines.trouble_with(f"unix://{tmp_path}/silent.sock") == "does not answer within 2 s"
    assert engines.trouble_with(f"unix://{tmp_path}/silent.sock") == "does not answer (Connection refused)"


def test_an_engine_that_was_asked_for_is_taken_even_while_it_is_away(tmp_path: Path) -> None:
    said: list[str] = []
    url = f"unix://{tmp_path}/none.sock"
    assert engines.choose(url, may_install=False, say=said.append) == engines.Choice(url=url)
    assert said == [
        f"the engine at {url} (--engine) does not answer (No such file or directory); the agent goes on trying"
    ]


def test_commands_before_the_first_up(tmp_path: Path) -> None:
    done = gantry("createadmin", "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"No console has been up on {tmp_path} yet" in done.stderr


def test_folders_come_from_the_option_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTRY_DATA", "/srv/a")
    monkeypatch.delenv("GANTRY_ENV", raising=False)
    assert places("/srv/b") == Places(data=Path("/srv/b"), env=Path("/srv/b/env"))
    assert places() == Places(data=Path("/srv/a"), env=Path("/srv/a/env"))
    monkeypatch.setenv("GANTRY_ENV", "/srv/env")
    assert places().env == Path("/srv/env")
    monkeypatch.delenv("GANTRY_DATA")
    assert places().data == REPO / "var"


@pytest.mark.parametrize(
    ("host", "local_url", "allowed"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000", "127.0.0.1,[::1],localhost"),
        ("10.0.0.5", "http://10.0.0.5:8000", "10.0.0.5,127.0.0.1,[::1],localhost"),
        ("0.0.0.0", "http://127.0.0.1:8000", "*"),
        ("::", "http://[::1]:8000", "*"),
        ("::1", "http://[::1]:8000", "127.0.0.1,[::1],localhost"),
    ],
)
def test_this_machine_reaches_the_console_wherever_it_listens(
    host: str, local_url: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANTRY_PUBLIC_URL", raising=False)
    monkeypatch.delenv("GANTRY_ALLOWED_HOSTS", raising=False)
    where = addresses.address(host, 8000)
    assert (where.local_url, where.allowed_hosts) == (local_url, allowed)
    assert "0.0.0.0" not in where.public_url


def test_a_public_address_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTRY_PUBLIC_URL", "https://gantry.example.org/")
    monkeypatch.delenv("GANTRY_ALLOWED_HOSTS", raising=False)
    where = addresses.address("127.0.0.1", 8000)
    assert where.public_url == "https://gantry.example.org"
    assert "gantry.example.org" in where.allowed_hosts.split(",")
