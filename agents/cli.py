"""`python -m agents run`: the agent's command line, and what runs side by side in one agent."""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import logging
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, NoReturn

from agents import __version__
from agents.engine import BadAddress, Engine, candidates
from agents.identity import Identity, NoConsole, StateFolder, Unusable, console_url, enrol, prepare
from agents.journal import Journal
from agents.supervise import forever

log = logging.getLogger("agent")

EXIT_UNUSABLE = 2


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run, and end the process: with 0 after a signal, 2 where the agent can't run like this."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    logging.getLogger("websockets").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        status = asyncio.run(_run(options))
    except (Unusable, BadAddress) as error:
        print(error, file=sys.stderr)
        status = EXIT_UNUSABLE
    logging.shutdown()
    sys.stderr.flush()
    # Python would wait for its threads, and one may wait for an engine that takes an hour to stop a container.
    os._exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gantry-agent", description="Gantry's agent on a Docker host.")
    parser.add_argument("--version", action="version", version=f"gantry-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="run")
    run = commands.add_parser("run", help="connect this host's engine to a console")
    run.add_argument("--console", required=True, metavar="URL", help="the console's address")
    run.add_argument("--state", required=True, metavar="DIR", type=Path, help="the agent's own folder")
    run.add_argument(
        "--join-token",
        metavar="T",
        default=os.environ.get("GANTRY_JOIN_TOKEN"),
        help="needed once, to join; else GANTRY_JOIN_TOKEN",
    )
    run.add_argument("--engine", metavar="URL", help="else DOCKER_HOST, else the usual Docker and Podman sockets")
    run.add_argument("--name", metavar="N", help="this host's name in the console; else its host name")
    run.add_argument("--verbose", action="store_true", help="log more")
    return parser


async def _run(options: argparse.Namespace) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    engine = Engine(candidates(options.engine, os.environ))
    console = console_url(options.console)
    folder = StateFolder(options.state.absolute())
    token = (options.join_token or "").strip()
    identity = prepare(folder, console, options.name or socket.gethostname(), has_token=bool(token))
    if not identity.host:
        joined = await _or_stopping(_join(folder, identity, token), stopping)
        if joined is None:
            return 0
        identity = joined
    log.info("agent %s of host %s, state in %s", __version__, identity.host, folder.path)
    await _serve(folder, identity, engine, stopping)
    return 0


async def _join(folder: StateFolder, identity: Identity, token: str) -> Identity:
    """Ask until a console answers. Raises Unusable."""
    from agents.link import Backoff

    backoff = Backoff()
    last_text = ""
    loop = asyncio.get_running_loop()
    thread = concurrent.futures.ThreadPoolExecutor(1)  # of its own: asyncio.run would wait for one of the default's
    while True:
        try:
            joined = await loop.run_in_executor(thread, enrol, identity, token)
        except NoConsole as error:
            if str(error) != last_text:
                last_text = str(error)
                log.warning("%s The agent tries again, now and then.", error)
            await asyncio.sleep(backoff.after(0))
            continue
        folder.write(joined)
        log.info("joined the console at %s", joined.console)
        return joined


async def _or_stopping(work: Coroutine[Any, Any, Identity], stopping: asyncio.Event) -> Identity | None:
    """What `work` gives, or None when the agent is to stop first."""
    task = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if task.done():
        return task.result()
    task.cancel()
    return None


async def _serve(folder: StateFolder, identity: Identity, engine: Engine, stopping: asyncio.Event) -> None:
    from agents.link import Link
    from agents.operations.runner import Runner
    from agents.watch import Watch

    try:
        journal = Journal(folder.journal_path)
    except sqlite3.Error as error:
        raise Unusable(
            f"The journal {folder.journal_path} can't be opened ({error}): free some space there; if it is damaged, "
            "move it away, and look at the operations that were running."
        ) from error
    watch = Watch(engine)
    runner = Runner(journal, engine, watch)
    link = Link(identity, engine, watch, runner)
    await runner.recover()
    parts = [
        asyncio.ensure_future(forever("watching the engine", watch.run)),
        asyncio.ensure_future(forever("the link", link.run)),
        asyncio.ensure_future(forever("housekeeping", runner.keep_house)),
    ]
    await stopping.wait()
    log.info("stopping")
    for part in parts:
        part.cancel()
    await asyncio.gather(*parts, return_exceptions=True)
    await runner.stop()
    await engine.close()
