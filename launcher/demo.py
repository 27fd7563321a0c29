"""`./gantry demo`: a console with simulated hosts, on a data folder of its own. Needs no engine and no root."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from launcher import console, engines, stamps
from launcher.logs import Log
from launcher.places import Places
from launcher.refusal import Refusal
from launcher.supervisor import Part
from launcher.up import AGENT, CONSOLES_OWN, PASSWORD, Options, Start, up

TOKENS = "GANTRY_DEMO_TOKENS"
TOKENS_WITHIN_S = 60.0
HOSTS_AT_MOST, CONTAINERS_AT_MOST = 500, 1000


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is simulated."""

    hosts: int
    containers: int  # on each host
    changes_per_s: float
    seed: int


def demo(options: Options, fleet: Fleet) -> int:
    """Run until asked to stop; the exit code. Raises Refusal."""
    _check(fleet)
    _check_folder(options.places)
    os.environ["GANTRY_DEMO"] = "1"

    return up(options, partial(_DemoStart, fleet))


def places_of(where: Places, given: str | None) -> Places:
    """A folder below the usual one, unless another was given; what is installed is shared with `up`."""
    return Places(data=Path(os.path.abspath(given)) if given else where.data / "demo", env=where.env)


def _check(fleet: Fleet) -> None:
    if not 1 <= fleet.hosts <= HOSTS_AT_MOST:
        raise Refusal(f"--hosts must be from 1 to {HOSTS_AT_MOST}.")
    if not 1 <= fleet.containers <= CONTAINERS_AT_MOST:
        raise Refusal(f"--containers must be from 1 to {CONTAINERS_AT_MOST}: so many on each host.")
    if not 0 <= fleet.changes_per_s <= 1000:
        raise Refusal("--changes-per-s must be from 0 to 1000.")


def _check_folder(places: Places) -> None:
    """The demo forgets hosts that it did not make: it must never run on a real console's data."""
    if (places.data / "console.sqlite3").exists() and not (places.data / "demo.json").exists():
        raise Refusal(
            f"{places.data} holds a console that is no demo: give this one a folder of its own with --data."
        )


class _DemoStart(Start):
    """`up`, with a fleet in place of the local agent."""

    def __init__(self, fleet: Fleet, options: Options, log: Log) -> None:
        super().__init__(options, log)
        self.fleet = fleet
        stamps.write(self.places.data / "demo.json", {"seed": str(fleet.seed)})
        self.password = os.environ.get(PASSWORD) or self._own_password()

    def _own_password(self) -> str:
        kept = self.places.data / "admin-password"
        if not kept.exists():
            with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(9))
        return kept.read_text().strip()

    def _choose_engine(self) -> engines.Choice:
        return engines.Choice()

    def _create_administrator(self) -> None:
        os.environ[PASSWORD] = self.password
        super()._create_administrator()

    def _greet(self, took_s: float) -> None:
        super()._greet(took_s)
        self.log.say(f"a demo: sign in as `admin` with the password {self.password}", secret=True)

    def _start_agent(self, engine_url: str | None) -> None:
        fleet = self.fleet
        self.supervisor.start(
            Part(
                name="fleet",
                command=[
                    str(self.places.python), "-m", "demo",
                    "--console", self.where.local_url,
                    "--folder", str(self.places.data / "agents"),
                    "--hosts", str(fleet.hosts),
                    "--containers", str(fleet.containers),
                    "--changes-per-s", str(fleet.changes_per_s),
                    "--seed", str(fleet.seed),
                ],
                env={name: value for name, value in self.env.items() if name not in CONSOLES_OWN},
                more_env=self._tokens,
                cwd=self.places.repo,
                stage=AGENT,
            )
        )  # fmt: skip

    def _tokens(self) -> dict[str, str]:
        """REST tokens of the demo's people; by environment, since all may read arguments."""
        try:
            done = subprocess.run(
                console.manage(self.places, "demopeople"),
                env=self.env,
                cwd=self.places.repo,
                capture_output=True,
                text=True,
                timeout=TOKENS_WITHIN_S,
            )
        except subprocess.TimeoutExpired:
            self.log.say("no tokens could be made for the demo's people in time")
            return {TOKENS: "{}"}
        found = done.stdout.strip().splitlines()[-1:]
        if done.returncode != 0 or not found or not _is_object(found[0]):
            self.log.say(f"no tokens could be made for the demo's people: {done.stderr.strip()[-300:]}")
            return {TOKENS: "{}"}
        return {TOKENS: found[0]}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
