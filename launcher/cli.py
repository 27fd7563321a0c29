from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from launcher import environment, frontend
from launcher.places import make_folder, places
from launcher.refusal import Refusal


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="gantry")
    commands = parser.add_subparsers(dest="command", required=True)
    env = commands.add_parser("env", help="make or refresh the environment")
    env.add_argument("--data")
    env.add_argument("--tests", action="store_true")
    options = parser.parse_args(argv)
    try:
        where = places(options.data)
        make_folder(where.data)
        with environment.building(where, print):
            environment.refresh(where, print, tests=options.tests)
            frontend.refresh(where, print, tests=options.tests)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0
