"""`python -m demo`: the fleet of `./gantry demo`, which starts it beside the console.

The people's REST tokens come as JSON in GANTRY_DEMO_TOKENS: all may read a process's arguments.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from agents.identity import Unusable
from demo.fleet import Fleet, Options
from demo.rest import Refused


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Simulated hosts for a console.")
    parser.add_argument("--console", metavar="URL", required=True)
    parser.add_argument(
        "--folder", metavar="DIR", type=Path, required=True, help="where the agents keep their identities"
    )
    parser.add_argument("--hosts", type=int, default=12)
    parser.add_argument("--containers", type=int, default=24, help="on each host")
    parser.add_argument("--changes-per-s", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("agent", "agent.engine", "agent.link", "agent.watch", "agent.operations", "websockets", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)  # of so many agents, only what is wrong
    options = Options(
        given.console, json.loads(os.environ["GANTRY_DEMO_TOKENS"]), given.folder.absolute(), given.hosts,
        given.containers, given.changes_per_s, given.seed,
    )  # fmt: skip
    try:
        asyncio.run(_run(options))
    except (Unusable, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _run(options: Options) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await Fleet(options).run(stopping)


if __name__ == "__main__":
    sys.exit(main())
