"""The agent's one websocket to the console: dialled, kept, dialled again, forever."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
import uuid
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from agents import __version__
from agents.engine import Engine
from agents.identity import Identity, tls_context
from agents.operations.runner import Runner
from agents.outbox import Outbox
from agents.protocol import (
    CLOSE_DUPLICATE,
    CLOSE_REFUSED,
    MAX_TEXT_BYTES,
    PROTOCOL_VERSION,
    SUBPROTOCOL,
    TO_AGENT,
    Cancel,
    CloseStream,
    Compare,
    Confirm,
    Credit,
    EngineState,
    Fetch,
    Hello,
    Message,
    OpenStream,
    Perform,
    ProtocolError,
    Welcome,
    dump,
    load,
)
from agents.streams import Streams
from agents.texts import sentence
from agents.watch import Watch

log = logging.getLogger("agent.link")

OPEN_TIMEOUT_S = 15.0
WELCOME_TIMEOUT_S = 30.0
FIRST_LOOK_S = 3.0
DIGESTS_S = 60.0
REFUSED_PAUSE_S = 60.0
CLOSE_SERVICE_RESTART = 1012
COMPLAINTS_APART_S = 10.0


class Backoff:
    """How long to wait before the next try: 1 s to 60 s, doubled each time, with jitter."""

    FIRST_S, MOST_S, STEADY_S = 1.0, 60.0, 60.0

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._next_s = self.FIRST_S

    def after(self, lived_s: float, code: int | None = None) -> float:
        """The pause after a link that lived so long, or 0 for none, and was closed with `code`."""
        if lived_s > self.STEADY_S:
            self._next_s = self.FIRST_S
        if code == CLOSE_SERVICE_RESTART:
            return 0.1 + 1.9 * self._chance()
        if code == CLOSE_REFUSED:
            return REFUSED_PAUSE_S
        pause_s = self._next_s
        self._next_s = min(self._next_s * 2, self.MOST_S)
        return pause_s * (0.5 + 0.5 * self._chance())


class Lost(Exception):
    """The link is gone; a sentence, and the close code where there was one."""

    def __init__(self, text: str, code: int | None = None) -> None:
        self.code = code
        super().__init__(text)


class Link:
    """Connects console, runner, watch and streams."""

    def __init__(self, identity: Identity, engine: Engine, watch: Watch, runner: Runner) -> None:
        self._identity = identity
        self._engine = engine
        self._watch = watch
        self._runner = runner
        self.version = __version__
        self.clock: Callable[[], float] = time.time
        self._instance = str(uuid.uuid4())
        self._outbox: Outbox | None = None
        self._complained_at = 0.0
        watch.on_change = self._changed
        watch.on_engine = self._engine_changed
        watch.on_listed = self._listed
        runner.send = self.send

    def send(self, message: Message) -> None:
        """Hand over a message; it is dropped while there is no link: what matters is sent again by who keeps it."""
        if self._outbox is not None:
            self._outbox.send(message)

    async def run(self) -> None:
        """Dial, and serve until the link is gone, again and again."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        await self._watch.first_try(FIRST_LOOK_S)  # so that the first greeting can tell of the engine
        last_text = ""
        while True:
            connected_at: float | None = None

            def begun() -> None:
                nonlocal connected_at, last_text
                connected_at, last_text = loop.time(), ""

            code = None
            try:
                await self._live(begun)
                text = "The link to the console was closed."
            except Lost as lost:
                text, code = str(lost), lost.code
            pause_s = backoff.after(loop.time() - connected_at if connected_at is not None else 0, code)
            if text != last_text:
                log.warning("%s The agent tries again, now and then.", text)
                last_text = text
            await asyncio.sleep(pause_s)

    # --- one connection ---

    async def _live(self, begun: Callable[[], None]) -> None:
        """From dialling to the end of one connection. Raises Lost."""
        socket = await self._dial()
        outbox = self._outbox = Outbox(self._watch.mirror, self.clock)
        streams = Streams(self._engine, outbox)
        try:
            welcome = await self._greet(socket)
            begun()
            log.info("connected to the console at %s (%s)", self._identity.console, welcome.console_version)
            await self._runner.resend()
            await self._serve(socket, outbox, streams, welcome)
        except ConnectionClosed as closed:
            raise _closed(closed) from closed
        except asyncio.TimeoutError as error:
            raise Lost(f"The console at {self._identity.console} does not greet back.") from error
        finally:
            self._outbox = None
            await streams.close_all()
            await _close(socket)

    async def _dial(self) -> ClientConnection:
        url = self._identity.console
        try:
            return await connect(
                link_url(url),
                additional_headers={"Authorization": f"Bearer {self._identity.host}.{self._identity.credential}"},
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                max_size=MAX_TEXT_BYTES,
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=5,
                ping_interval=None,  # the heartbeats tell more
                user_agent_header=f"gantry-agent/{__version__}",
                ssl=tls_context() if url.startswith("https:") else None,
            )
        except InvalidStatus as error:
            raise _refused(url, error.response.status_code) from error
        except ssl.SSLError as error:
            raise Lost(f"The certificate of {url} is not accepted ({sentence(str(error), 200)}).") from error
        except (OSError, asyncio.TimeoutError) as error:
            raise Lost(f"No console answers at {url}: check the address and the network.") from error
        except (InvalidHandshake, InvalidURI, EOFError) as error:
            raise Lost(f"What answers at {url} is not a Gantry console ({sentence(str(error), 200)}).") from error

    async def _greet(self, socket: ClientConnection) -> Welcome:
        hello = Hello(
            protocol=PROTOCOL_VERSION,
            agent_version=self.version,
            instance=self._instance,
            clock=self.clock(),
            engine=self._engine.facts,
            engine_error=self._engine.error,
            digests=self._watch.mirror.digests(),
        )
        await socket.send(dump(hello))
        text = await asyncio.wait_for(socket.recv(), WELCOME_TIMEOUT_S)
        try:
            message = load(text, TO_AGENT) if isinstance(text, str) else None
        except ProtocolError as error:
            raise Lost(f"The console's greeting can't be understood: {error}.") from error
        if not isinstance(message, Welcome):
            raise Lost("The console did not greet back: its version may be too new or too old for this agent.")
        if message.host != self._identity.host:
            log.warning("the console takes this host for %s, not %s", message.host, self._identity.host)
        return message

    async def _serve(self, socket: ClientConnection, outbox: Outbox, streams: Streams, welcome: Welcome) -> None:
        """Until one of reading, writing and the heartbeat ends. Raises Lost, ConnectionClosed."""
        heard = Heard()
        parts = [
            asyncio.ensure_future(self._read(socket, outbox, streams, heard)),
            asyncio.ensure_future(_write(socket, outbox)),
            asyncio.ensure_future(_beat(outbox, welcome, heard)),
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _read(self, socket: ClientConnection, outbox: Outbox, streams: Streams, heard: Heard) -> None:
        while True:
            data = await socket.recv()
            heard.now()
            if isinstance(data, bytes):
                continue  # no stream of this version takes input
            try:
                message = load(data, TO_AGENT)
            except ProtocolError as error:
                self._complain("the console sent what this agent can't understand: %s", error)
                continue
            try:
                await self._take(message, outbox, streams)
            except (ConnectionClosed, asyncio.CancelledError):
                raise
            except Exception:
                log.exception("a message of the console could not be handled")
            await outbox.ebb()

    async def _take(self, message: Message | None, outbox: Outbox, streams: Streams) -> None:
        if isinstance(message, Perform):
            await self._runner.perform(message)
        elif isinstance(message, Cancel):
            await self._runner.cancel(message)
        elif isinstance(message, Confirm):
            await self._runner.confirm(message)
        elif isinstance(message, Compare):
            outbox.compare(message.kinds)
        elif isinstance(message, Fetch):
            for engine_id in message.ids:
                outbox.changed(message.kind, engine_id)
        elif isinstance(message, OpenStream):
            streams.open(message)
        elif isinstance(message, Credit):
            streams.credit(message)
        elif isinstance(message, CloseStream):
            streams.close(message)

    def _complain(self, text: str, error: object) -> None:
        """Into the log, but not thousands of times."""
        now = time.monotonic()
        if now - self._complained_at > COMPLAINTS_APART_S or not self._complained_at:
            self._complained_at = now
            log.warning(text, sentence(str(error), 300))

    # --- what the watch tells ---

    def _changed(self, kind: Any, engine_id: str) -> None:
        if self._outbox is not None and self._watch.mirror.is_listed:
            self._outbox.changed(kind, engine_id)

    def _engine_changed(self) -> None:
        self.send(EngineState(self._engine.facts, self._engine.error))

    def _listed(self) -> None:
        if self._outbox is not None:
            self._outbox.heartbeat(with_digests=True)


class Heard:
    """When the console was heard last."""

    def __init__(self) -> None:
        self.now()

    def now(self) -> None:
        self._at = time.monotonic()

    @property
    def ago_s(self) -> float:
        return time.monotonic() - self._at


async def _write(socket: ClientConnection, outbox: Outbox) -> None:
    while True:
        await socket.send(await outbox.next())


async def _beat(outbox: Outbox, welcome: Welcome, heard: Heard) -> None:
    heartbeat_s = min(max(welcome.heartbeat_s, 0.2), 300.0)
    lost_after_s = max(welcome.lost_after_s, 2 * heartbeat_s)
    told_at = time.monotonic()
    while True:
        await asyncio.sleep(heartbeat_s)
        if heard.ago_s > lost_after_s:
            raise Lost(f"Nothing was heard of the console for {lost_after_s:.0f} s.")
        is_time = time.monotonic() - told_at >= DIGESTS_S
        if is_time:
            told_at = time.monotonic()
        outbox.heartbeat(with_digests=is_time)


async def _close(socket: ClientConnection) -> None:
    try:
        await asyncio.wait_for(socket.close(), 6)
    except (OSError, asyncio.TimeoutError, ConnectionClosed):
        socket.transport.abort()


def link_url(console: str) -> str:
    """`wss://…/agent/link` for `https://…`."""
    return "ws" + console.removeprefix("http").rstrip("/") + "/agent/link"


def _refused(url: str, status: int) -> Lost:
    if status in (401, 403):
        return Lost(
            f"The console at {url} does not accept this host's credential: an administrator may restore the host, "
            "or give a new join token for a new state folder.",
            CLOSE_REFUSED,
        )
    if status == 404:
        return Lost(f"What answers at {url} is not a Gantry console, or not at this address (404).")
    return Lost(f"The console at {url} answered with status {status}.")


def _closed(closed: ConnectionClosed) -> Lost:
    frame = closed.rcvd
    if frame is None:
        return Lost("The connection to the console broke.")
    reason = sentence(frame.reason, 200)
    if frame.code == CLOSE_REFUSED:
        return Lost(
            f"The console does not accept this host any more: {reason or 'ask its administrator'}.", CLOSE_REFUSED
        )
    if frame.code == CLOSE_DUPLICATE:
        text = reason or "another agent with the same identity is connected: end one of the two"
        return Lost(f"The console says: {text.rstrip('.')}.", CLOSE_DUPLICATE)
    if frame.code == CLOSE_SERVICE_RESTART:
        return Lost("The console is being restarted.", frame.code)
    return Lost(f"The console closed the link ({frame.code}{': ' + reason if reason else ''}).", frame.code)
