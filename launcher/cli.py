"""The command line: what each command takes, and which module does it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from launcher import addresses, console, demo, engines, environment, frontend, testing, up
from launcher.places import Places, make_folder, places
from launcher.refusal import Refusal

INTERRUPTED = 130

EPILOG = """\
A first look, on a machine with Docker or (as root on Debian or Ubuntu) without:

  ./gantry up                          then open the address that it prints

and without Docker, with simulated hosts:

  ./gantry demo

`./gantry COMMAND --help` tells more of each command. GANTRY_DATA names the data folder like --data does;
GANTRY_ENV a folder for what gets installed, which several data folders may share.
"""

UP_EPILOG = """\
The first start installs what is needed, below the data folder, and takes a minute or two; later ones some
seconds. The password of `admin` comes from GANTRY_ADMIN_PASSWORD, else from a link that works once and is
printed here. The local agent's engine is that of --engine, else of DOCKER_HOST, else the first usual Docker
or Podman socket that answers. If none does, root gets a private dockerd in the data folder, and on Debian
and Ubuntu docker.io is installed for it where it is missing.

Behind a proxy or on all addresses, set GANTRY_PUBLIC_URL to what people type into their browsers.

  ./gantry up --port 9000 --data /srv/gantry
  ./gantry up --host 0.0.0.0 --engine tcp://10.0.0.5:2375
"""

DEMO_EPILOG = """\
It needs no Docker and no root. Hosts, containers, logs and figures are simulated, out of the seed: the same
seed gives the same fleet. The agents are the real ones, on engines that live in memory, in one process. The
data folder is demo/ below the usual one; a later start goes on with it.

  ./gantry demo
  ./gantry demo --hosts 100 --containers 100 --changes-per-s 50 --port 8100
"""

AGENT_EPILOG = """\
The join token is needed once: after that the agent has a credential of its own in --state.
'Add host' in the console, or `./gantry join-token` beside it, gives one. It may come by GANTRY_JOIN_TOKEN too,
where other users of the machine can't read it.

  ./gantry agent --console https://gantry.example.org --join-token TOKEN
"""

TEST_EPILOG = """\
  ./gantry test                        linters and all tests, on real engines and in a real browser (root)
  ./gantry test unit                   linters and the quick part, which needs neither
  ./gantry test engine -k reconnect    what follows goes to pytest
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command != "test":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return int(options.run(options, rest))
    except Refusal as refusal:
        print(f"gantry: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gantry: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gantry",
        description="One console for many Docker hosts.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", metavar="DIR", help="the data folder (default: var/ beside the code)")
    common.add_argument("--no-install", action="store_true", help="never install packages of the system")

    def command(name: str, text: str, epilog: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=epilog,
            parents=[common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    start = command("up", "install, start and supervise a console with an agent on the local engine", UP_EPILOG)
    start.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    start.add_argument("--port", type=int, default=8000, help="the port to listen on (default: 8000)")
    start.add_argument("--engine", metavar="URL", help="the local agent's engine, like unix:///run/docker.sock")
    start.add_argument("--no-agent", action="store_true", help="run the console without a local host")
    start.set_defaults(run=_up)

    show = command("demo", "a console with simulated hosts, to try Gantry with", DEMO_EPILOG)
    show.add_argument("--hosts", type=int, default=12, metavar="N", help="how many hosts (default: 12)")
    show.add_argument("--containers", type=int, default=24, metavar="M", help="on each host (default: 24)")
    show.add_argument(
        "--changes-per-s", type=float, default=0.2, metavar="R", help="deploys, crashes and the like (default: 0.2)"
    )
    show.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    show.add_argument("--port", type=int, default=8000, help="the port to listen on (default: 8000)")
    show.add_argument("--seed", type=int, default=1, metavar="S", help="what all is made up from (default: 1)")
    show.set_defaults(run=_demo)

    agent = command("agent", "run an agent by itself", AGENT_EPILOG)
    agent.add_argument("--console", metavar="URL", required=True, help="the console's address")
    agent.add_argument("--join-token", metavar="T", help="what lets this host in, the first time")
    agent.add_argument("--engine", metavar="URL", help="the engine (default: chosen as `up` does)")
    agent.add_argument("--state", metavar="DIR", help="where the agent keeps its credential and journal")
    agent.add_argument("--name", help="what the host is called (default: the machine's name)")
    agent.set_defaults(run=_agent)

    join = command("join-token", "print a join token, which lets one host in")
    join.add_argument("--expires-minutes", type=int, default=60, metavar="N", help="default: 60")
    join.set_defaults(run=_join_token)

    token = command("token", "print a new REST token of a user")
    token.add_argument("--user", required=True, metavar="NAME", help="whose token it is")
    token.add_argument("--name", metavar="TEXT", help="what it is for, as shown in lists")
    token.set_defaults(run=_token)

    admin = command(
        "createadmin",
        "make an administrator, or let one in again",
        "The password is that of GANTRY_ADMIN_PASSWORD; without it, a link to set one is printed. It works once.",
    )
    admin.add_argument("--username", default="admin", metavar="NAME", help="default: admin")
    admin.set_defaults(run=_createadmin)

    test = command("test", "install what the tests need and run them", TEST_EPILOG)
    test.add_argument("part", nargs="?", choices=testing.PARTS, help="only this part")
    test.set_defaults(run=_test)

    env = command("env", "make or refresh the environment, and nothing else")
    env.add_argument("--tests", action="store_true", help="with what the tests need")
    env.set_defaults(run=_env)
    return parser


def _up(options: argparse.Namespace, rest: list[str]) -> int:
    return up.up(
        up.Options(
            places=places(options.data),
            host=options.host,
            port=options.port,
            engine=options.engine,
            with_agent=not options.no_agent,
            may_install=not options.no_install,
        )
    )


def _demo(options: argparse.Namespace, rest: list[str]) -> int:
    return demo.demo(
        up.Options(
            places=demo.places_of(places(), options.data),
            host=options.host,
            port=options.port,
            engine=None,
            with_agent=False,
            may_install=not options.no_install,
        ),
        demo.Fleet(options.hosts, options.containers, options.changes_per_s, options.seed),
    )


def _agent(options: argparse.Namespace, rest: list[str]) -> int:
    where = _ready_places(options)
    choice = engines.choose(options.engine, may_install=False, say=_say)
    if choice.url is None:
        raise Refusal("No engine answers on this machine: start Docker's service, or name one with --engine.")
    env = environment.child_environment(where)
    if options.join_token:
        env["GANTRY_JOIN_TOKEN"] = options.join_token
    command = [str(where.python), "-m", "agents", "run", "--console", options.console, "--engine", choice.url]
    command += ["--state", options.state or str(where.data / "standalone-agent")]
    command += ["--name", options.name] if options.name else []
    os.chdir(where.repo)
    os.execvpe(command[0], command, env)


def _join_token(options: argparse.Namespace, rest: list[str]) -> int:
    return _manage(options, "jointoken", "--expires-minutes", str(options.expires_minutes))


def _token(options: argparse.Namespace, rest: list[str]) -> int:
    name = ["--name", options.name] if options.name else []
    return _manage(options, "apitoken", "--user", options.user, *name)


def _createadmin(options: argparse.Namespace, rest: list[str]) -> int:
    return _manage(options, "createadmin", "--username", options.username)


def _test(options: argparse.Namespace, rest: list[str]) -> int:
    return testing.run(places(options.data), options.part, rest, may_install=not options.no_install)


def _env(options: argparse.Namespace, rest: list[str]) -> int:
    _ready_places(options, tests=options.tests, with_frontend=True)
    return 0


def _ready_places(options: argparse.Namespace, *, tests: bool = False, with_frontend: bool = False) -> Places:
    where = places(options.data)
    make_folder(where.data, mode=0o700)
    with environment.building(where, _say):
        environment.refresh(where, _say, tests=tests, may_install=not options.no_install)
        if with_frontend:
            frontend.refresh(where, _say, tests=tests)
    return where


def _manage(options: argparse.Namespace, *arguments: str) -> int:
    """Run a manage.py command on the database of a console that has been up."""
    where = places(options.data)
    address = addresses.saved(where.data / "address.json")
    if address is None:
        raise Refusal(
            f"No console has been up on {where.data} yet: start one with `./gantry up`, or give its --data."
        )
    _ready_places(options)
    env = environment.child_environment(where)
    for name, value in addresses.environment(address).items():
        env.setdefault(name, value)
    return subprocess.run(console.manage(where, *arguments), env=env, cwd=where.repo).returncode


def _say(text: str) -> None:
    print(f"gantry: {text}", file=sys.stderr)
