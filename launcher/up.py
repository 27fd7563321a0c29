"""`./gantry up`: install, start in order, supervise, stop."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from launcher import (
    addresses,
    broker,
    console,
    engines,
    environment,
    frontend,
    leftovers,
    locks,
    private_engine,
    stamps,
)
from launcher.logs import Log
from launcher.places import Places, check_socket_path, make_folder
from launcher.refusal import Refusal
from launcher.supervisor import Part, StopRequested, Supervisor

# Started in this order, stopped in the reverse one.
ENGINE, BROKER, WEB, TASKS, AGENT = range(5)

# The agent talks to the console like any other; these are not its business.
CONSOLES_OWN = ("GANTRY_SECRET_KEY", "GANTRY_DATABASE_URL", "GANTRY_REDIS_URL")
PASSWORD = "GANTRY_ADMIN_PASSWORD"
BROKER_WITHIN_S = 30.0
READY_WITHIN_S = 60.0
ENGINE_WITHIN_S = 30.0
DISK_CHECK_EVERY_S = 10.0
JOIN_TOKEN_WITHIN_S = 20.0
JOIN_TOKEN_MINUTES = 60
# A console that runs needs room for its database, broker and log.
ROOM_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """What `./gantry up` was asked for."""

    places: Places
    host: str
    port: int
    engine: str | None
    with_agent: bool
    may_install: bool


def up(options: Options, make: Callable[[Options, Log], Start] | None = None) -> int:
    """Run until asked to stop; the exit code. Raises Refusal."""
    make = make or Start
    signal.signal(signal.SIGTERM, _interrupt)
    places = options.places
    _prepare_folders(places)
    try:
        with locks.locked(places.run / "gantry.lock"):
            log = Log(places.log / "gantry.log")
            try:
                return make(options, log).run()
            finally:
                log.close()
    except locks.Held as held:
        raise Refusal(
            f"Gantry already runs on {places.data} (process {held.pid}): "
            "stop that one first, or give this one a folder of its own with --data."
        ) from held


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _prepare_folders(places: Places) -> None:
    make_folder(places.data, mode=0o700)
    for folder in (places.run, places.log, places.agent):
        make_folder(folder, mode=0o700)
    check_socket_path(places.broker_socket)
    free = shutil.disk_usage(places.data).free
    if free < ROOM_BYTES:
        raise Refusal(
            f"The disk of {places.data} is full ({free // 2**20} MB are free): "
            "free some space, or choose a folder on another disk with --data."
        )


class Start:
    """One run of `up`, step by step."""

    def __init__(self, options: Options, log: Log) -> None:
        self.options = options
        self.places = options.places
        self.log = log
        self.where = addresses.address(options.host, options.port)
        self.setup_link: str | None = None
        self.disk_is_full = False

    def run(self) -> int:
        began = time.monotonic()
        leftovers.sweep(self.places.run, self.log.say)
        if self.places.engine.exists():
            private_engine.sweep(self.places)
        addresses.check_free(self.where)
        self._install()
        engine = self._choose_engine()
        self.env = self._environment()
        addresses.save(self.where, self.places.data / "address.json")
        with Supervisor(self.log, self.places.run) as self.supervisor:
            try:
                engine_url = self._start_engine(engine)
                self._start_console()
                self._greet(time.monotonic() - began)
                self._start_agent(engine_url)
                while not self.supervisor.stop_signals:
                    self.supervisor.run(DISK_CHECK_EVERY_S)
                    self._watch_disk()
            except StopRequested:
                pass
            self.log.say("stopping")
        self.log.say("stopped")
        return 0

    def _install(self) -> None:
        with environment.building(self.places, self.log.say):
            environment.refresh(self.places, self.log.say, may_install=self.options.may_install)
            frontend.refresh(self.places, self.log.say)

    def _environment(self) -> dict[str, str]:
        env = environment.child_environment(self.places)
        env.setdefault("GANTRY_DATABASE_URL", f"sqlite:///{self.places.data / 'console.sqlite3'}")
        env.setdefault("GANTRY_REDIS_URL", f"unix://{self.places.broker_socket}")
        env.update(addresses.environment(self.where))
        env.update(PYTHONUNBUFFERED="1", NO_COLOR="1")
        env.pop(PASSWORD, None)  # only the command that sets it gets to see it
        return env

    def _choose_engine(self) -> engines.Choice:
        if not self.options.with_agent:
            return engines.Choice()
        try:
            return engines.choose(self.options.engine, may_install=self.options.may_install, say=self.log.say)
        except Refusal as refusal:
            if self.options.engine:
                raise
            self.log.say(f"{refusal} The console runs without a local host.")
            return engines.Choice()

    def _start_engine(self, choice: engines.Choice) -> str | None:
        """The address of the engine for the agent. A private one starts while the console does."""
        if choice.dockerd is None:
            return choice.url
        try:
            part = private_engine.part(choice.dockerd, self.places, self.env, ENGINE, self.log.say)
        except Refusal as refusal:
            self.log.say(f"{refusal} The console runs without a local host.")
            return None
        self.log.say(
            f"no engine runs on this machine: starting a private one in {self.places.engine} "
            f"(`docker -H unix://{self.places.engine_socket}` speaks to it)"
        )
        self.supervisor.start(part)
        return f"unix://{self.places.engine_socket}"

    def _start_console(self) -> None:
        if self.env["GANTRY_REDIS_URL"] == f"unix://{self.places.broker_socket}":
            self.supervisor.start(broker.part(self.places, self.env, BROKER, self.log.say))
        self._collect_static()
        self._manage("migrate", "--no-input", "--verbosity", "0")
        if not self.supervisor.wait_for(self._broker_answers, BROKER_WITHIN_S):
            self.log.say(f"the broker has not answered for {BROKER_WITHIN_S:.0f} s; going on without it")
        self.supervisor.start(console.web(self.places, self.env, WEB, self.where))
        self._create_administrator()  # while the console starts
        self.supervisor.start(console.worker(self.places, self.env, TASKS))
        self.supervisor.start(console.beat(self.places, self.env, TASKS))
        if not self.supervisor.wait_for(lambda: console.is_ready(self.where), READY_WITHIN_S):
            self.log.say(f"the console is not ready after {READY_WITHIN_S:.0f} s; the lines above say why")

    def _broker_answers(self) -> bool:
        if self.env["GANTRY_REDIS_URL"] != f"unix://{self.places.broker_socket}":
            return True
        return broker.answers(self.places.broker_socket)

    def _collect_static(self) -> None:
        stamp = self.places.env / "static-stamp.json"
        if stamps.read(stamp).get("static") == console.fingerprint_of_static(self.places):
            return
        with environment.building(self.places, self.log.say):
            self.log.say("collecting static files")
            # Earlier files stay: a console that shares this environment may still be serving them.
            self._manage("collectstatic", "--no-input", "--verbosity", "0")
            stamps.write(stamp, {"static": console.fingerprint_of_static(self.places)})

    def _create_administrator(self) -> None:
        """The link goes to the terminal only: whoever reads it first becomes the administrator."""
        printed: list[str] = []
        password = {PASSWORD: os.environ[PASSWORD]} if os.environ.get(PASSWORD) else {}
        self._manage("createadmin", "--if-none", more_env=password, on_line=printed.append)
        for line in printed:
            if "/setup/" in line:
                self.setup_link = line.strip().split()[-1]
            elif line.strip():
                self.log.say(line)

    def _manage(
        self, *arguments: str, more_env: dict[str, str] | None = None, on_line: Callable[[str], None] | None = None
    ) -> None:
        code = self.supervisor.step(
            "setup",
            console.manage(self.places, *arguments),
            env={**self.env, **(more_env or {})},
            cwd=self.places.repo,
            on_line=on_line,
        )
        if code != 0:
            raise Refusal(f"`manage.py {arguments[0]}` failed, the lines above say why: mend that and start again.")

    def _greet(self, took_s: float) -> None:
        self.log.say(
            f"ready after {took_s:.1f} s: {self.where.public_url} (data in {self.places.data}; Ctrl-C stops it)"
        )
        if self.setup_link:
            self.log.say(f"set the password of `admin` here, the link works once: {self.setup_link}", secret=True)

    def _start_agent(self, engine_url: str | None) -> None:
        if engine_url is None:
            return
        if engine_url == f"unix://{self.places.engine_socket}":
            self.supervisor.wait_for(lambda: engines.trouble_with(engine_url) is None, ENGINE_WITHIN_S)
        self.supervisor.start(self._agent(engine_url))

    def _agent(self, engine_url: str) -> Part:
        return Part(
            name="agent",
            command=[
                str(self.places.python), "-m", "agents", "run",
                "--console", self.where.local_url,
                "--state", str(self.places.agent),
                "--engine", engine_url,
                "--name", socket.gethostname(),
            ],
            env={name: value for name, value in self.env.items() if name not in CONSOLES_OWN},
            more_env=self._way_in,
            cwd=self.places.repo,
            stage=AGENT,
        )  # fmt: skip

    def _watch_disk(self) -> None:
        """A full disk stops the database from writing and nothing else; say so once, and when it is over."""
        free = shutil.disk_usage(self.places.data).free
        is_full = free < ROOM_BYTES
        if is_full and not self.disk_is_full:
            self.log.say(
                f"the disk of {self.places.data} is nearly full ({free // 2**20} MB are free): "
                "free some space, else nothing can be saved"
            )
        if self.disk_is_full and not is_full:
            self.log.say(f"the disk of {self.places.data} has room again")
        self.disk_is_full = is_full

    def _way_in(self) -> dict[str, str]:
        """A join token for an agent that is not enrolled yet; by environment, since all may read arguments.

        One that was made is used again: an agent that dies while it joins is the same host only by the same token.
        """
        kept = self.places.data / "join-token.json"
        if stamps.read(self.places.agent / "identity.json").get("host"):
            kept.unlink(missing_ok=True)
            return {}
        values = stamps.read(kept)
        if float(values.get("until", 0)) < time.time():
            token = self._make_join_token()
            if token is None:
                return {}
            values = {"token": token, "until": str(time.time() + 60 * (JOIN_TOKEN_MINUTES - 5))}
            stamps.write(kept, values)
        return {"GANTRY_JOIN_TOKEN": values["token"]}

    def _make_join_token(self) -> str | None:
        try:
            done = subprocess.run(
                console.manage(self.places, "jointoken", "--expires-minutes", str(JOIN_TOKEN_MINUTES)),
                env=self.env,
                cwd=self.places.repo,
                capture_output=True,
                text=True,
                timeout=JOIN_TOKEN_WITHIN_S,
            )
        except subprocess.TimeoutExpired:
            self.log.say("no join token could be made for the local agent in time")
            return None
        if done.returncode != 0 or not done.stdout.split():
            self.log.say(f"no join token could be made for the local agent: {done.stderr.strip()[-300:]}")
            return None
        return done.stdout.split()[-1]
