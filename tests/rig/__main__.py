"""`python -m tests.rig up`: hosts to try things on, until Ctrl-C. `python -m tests.rig sweep`: clean up."""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from tests.rig import install, runs
from tests.rig.engines import EngineVersion
from tests.rig.hosts import Network
from tests.rig.images import busybox
from tests.rig.registry import Registry


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    commands = parser.add_subparsers(required=True)
    up_command = commands.add_parser("up", help="make hosts and keep them until Ctrl-C")
    up_command.add_argument("--hosts", type=int, default=3, help="how many (%(default)s)")
    up_command.add_argument(
        "--engines",
        type=lambda text: [EngineVersion(version) for version in text.split(",")],
        default=list(EngineVersion),
        help="their versions, in turn (20.10,26.1,28.5)",
    )
    up_command.add_argument("--registry", action="store_true", help="a registry too")
    up_command.set_defaults(run=lambda options: up(options.hosts, options.engines, registry=options.registry))
    commands.add_parser("sweep", help="take away what killed runs left").set_defaults(run=lambda _: sweep())
    commands.add_parser("fetch", help="only fetch the engines").set_defaults(run=lambda _: fetch())
    options = parser.parse_args()
    options.run(options)


def up(count: int, versions: list[EngineVersion], *, registry: bool) -> None:
    """Make `count` hosts, print where they are, and keep them until a signal."""
    signal.signal(signal.SIGTERM, _interrupt)
    with Network() as network:
        try:
            hosts = [network.host(versions[n % len(versions)], start=False) for n in range(count)]
            network.start(hosts)
            print(f"{network.run.name}: the console is reached by the hosts at {network.gateway}")
            for host in hosts:
                busybox(host.engine)
                print(f"{host.hostname}  {host.address}  {host.engine.version}  {host.engine.url}")
            if registry:
                print(f"registry  {Registry(network).address}")
            print("Ctrl-C takes everything down.", flush=True)
            signal.pause()
        except KeyboardInterrupt:
            print("Taking everything down.", flush=True)


def sweep() -> None:
    """Clean up after dead runs and say which."""
    for name in runs.sweep():
        print(f"swept {name}")


def fetch() -> None:
    """Fill the cache, so that later runs need no package archive."""
    install.ensure_tools()
    missing = {version: version.why_not for version in EngineVersion if version.why_not is not None}
    for version, reason in missing.items():
        print(f"no engine {version}: {reason}", file=sys.stderr)
    install.tree("tools")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
