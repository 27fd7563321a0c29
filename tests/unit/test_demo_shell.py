"""What one can type on a container of the demo."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from demo.memory.exec import Channel, Execs
from demo.memory.state import ApiError, Container
from demo.plan.furnish import Furnished, furnish
from demo.plan.hosts import host_plans

pytestmark = pytest.mark.unit


@pytest.fixture
def host() -> Furnished:
    return furnish(host_plans(7, 1)[0], 7, 24)


@pytest.fixture
def container(host: Furnished) -> Container:
    return host.life.state.container("shop-db-1")


async def output(channel: Channel, until: str = "") -> str:
    """What comes until a text has come, or to the end."""

    async def gather() -> str:
        found = ""
        while piece := await channel.read():
            found += piece.decode(errors="replace")
            if until and until in found:
                break
        return found

    return await asyncio.wait_for(gather(), 5)


async def ran(host: Furnished, c: Container, *words: str, tty: bool = True) -> tuple[str, int | None]:
    execs = Execs(host.life)
    made = execs.create(c, {"Cmd": list(words), "Tty": tty})
    text = await output(execs.start(made))
    await asyncio.sleep(0)
    return text, execs.document(made)["ExitCode"]


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["echo", "hello", "there"], "hello there\r\n", 0),
        (["sh", "-c", "echo one; false"], "one\r\n", 1),
        (["sh", "-c", "cd /etc && pwd"], "/etc\r\n", 0),
        (["sh", "-c", "exit 7"], "", 7),
        (["bash", "-c", "nosuch"], "bash: nosuch: command not found\r\n", 127),
        (["cat", "/etc/nothing"], "cat: /etc/nothing: No such file or directory\r\n", 1),
    ],
)
async def test_commands(host: Furnished, container: Container, words: list[str], said: str, code: int) -> None:
    assert await ran(host, container, *words) == (said, code)


async def test_ps_and_env_show_the_container(host: Furnished, container: Container) -> None:
    text, _ = await ran(host, container, "ps", "aux")
    assert "postgres: checkpointer" in text
    text, _ = await ran(host, container, "env")
    assert "POSTGRES_DB=shop" in text


async def test_without_a_terminal_it_comes_in_frames(host: Furnished, container: Container) -> None:
    text, _ = await ran(host, container, "echo", "hello", tty=False)
    assert text == "\x01\x00\x00\x00\x00\x00\x00\x06hello\n"


async def test_an_image_without_a_shell_says_so(host: Furnished) -> None:
    text, code = await ran(host, host.life.state.container("shop-cart-1"), "sh")
    assert "executable file not found in $PATH" in text
    assert code == 127


async def test_a_terminal_echoes_erases_and_is_left(host: Furnished, container: Container) -> None:
    execs = Execs(host.life)
    made = execs.create(container, {"Cmd": ["sh"], "Tty": True})
    channel = execs.start(made)
    await output(channel, "/ # ")
    await channel.write(b"echo hellp\x7fo\r")
    assert "hello\r\n" in await output(channel, "\r\n/ # ")
    await channel.write(b"half a line\x03")
    await output(channel, "^C\r\n/ # ")
    await channel.write(b"exit 3\r")
    await output(channel)
    await asyncio.sleep(0)
    assert execs.document(made)["ExitCode"] == 3


async def test_top_draws_again_until_q(host: Furnished, container: Container) -> None:
    execs = Execs(host.life)
    channel = execs.start(execs.create(container, {"Cmd": ["sh"], "Tty": True}))
    await output(channel, "/ # ")
    await channel.write(b"top\r")
    assert "Tasks:" in await output(channel, "COMMAND")
    await channel.write(b"q")
    await output(channel, "/ # ")
    channel.close()


async def test_what_is_made_in_a_shell_is_a_change_of_the_container(host: Furnished, container: Container) -> None:
    await ran(host, container, "sh", "-c", "touch /tmp/mark; mkdir /tmp/folder; rm /etc/hosts")
    assert [(change["Path"], change["Kind"]) for change in container.changes] == [
        ("/tmp/mark", 1), ("/tmp/folder/", 1), ("/etc/hosts", 2),
    ]  # fmt: skip
    text, _ = await ran(host, container, "ls", "/tmp")
    assert "folder" in text
    assert "mark" in text


async def test_it_ends_with_its_container(host: Furnished, container: Container, monkeypatch: Any) -> None:
    execs = Execs(host.life)
    made = execs.create(container, {"Cmd": ["sh"], "Tty": True})
    channel = execs.start(made)
    await output(channel, "/ # ")
    host.life.stop(container)
    await output(channel)
    await asyncio.sleep(0)
    assert execs.document(made)["ExitCode"] == 137


async def test_none_on_what_does_not_run_or_is_paused(host: Furnished, container: Container) -> None:
    host.life.pause(container)
    with pytest.raises(ApiError, match="is paused"):
        Execs(host.life).create(container, {"Cmd": ["sh"]})
    host.life.unpause(container)
    host.life.stop(container)
    with pytest.raises(ApiError, match="is not running"):
        Execs(host.life).create(container, {"Cmd": ["sh"]})
