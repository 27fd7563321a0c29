"""The mirror of the engine's objects on the host's side: read at each (re)connection, kept by the engine's events.

An event only says which object to look at; what is true is read from the engine, because the order of
events and what they carry differ between engines, and some changes give no event at all. So everything is
also compared after each reconnection and every few minutes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents import engine_http as http
from agents.catalogue import OBJECT_KINDS, ObjectKind
from agents.engine import Engine, EngineError, EngineGone
from agents.protocol import digest, fingerprint
from agents.records import RECORD_OF_ENTRY, Unusable, bounded_document, container_record

log = logging.getLogger("agent.watch")

READS_AT_ONCE = 8
QUIET_S = 0.05  # after a read the next event on the same object waits so long, and stands for all that come meanwhile
QUIET_LISTS = 3  # after a list was read, so many times as long as it took
COMPARISON_S = 300
COMPARISON_RETRY_S = 5
SILENCE_S = 30  # the engine is asked whether it is alive when no event came for so long
RETRY_FIRST_S, RETRY_MOST_S = 0.5, 10.0
EVENT_BYTES = 4 * 1024 * 1024  # one with all labels of a container may be large

# What the engine is asked to report. Reading (top, attach, archive-path) and health probes (exec_*) give events too,
# up to hundreds a second; those are never sent.
CONTAINER_ACTIONS = (
    "create",
    "start",
    "die",
    "stop",
    "kill",
    "oom",
    "pause",
    "unpause",
    "restart",
    "rename",
    "update",
    "destroy",
    "health_status",
    "remove",
    "died",
    "commit",
)
IMAGE_ACTIONS = (
    "tag",
    "untag",
    "pull",
    "load",
    "import",
    "delete",
    "build",
    "remove",
)
OTHER_ACTIONS = ("connect", "disconnect", "prune")
ACTIONS = (*CONTAINER_ACTIONS, *IMAGE_ACTIONS, *OTHER_ACTIONS)

# One container, or a whole kind where the id is None.
Key = tuple[ObjectKind, "str | None"]
Changed = Callable[[ObjectKind, str], None]


@dataclass(slots=True)
class Entry:
    fingerprint: str
    text: str  # the document as JSON: a quarter of the memory


@dataclass
class Mirror:
    """The records of one engine. Knows no engine: records go in, differences come out."""

    objects: dict[ObjectKind, dict[str, Entry]] = field(default_factory=lambda: {kind: {} for kind in OBJECT_KINDS})
    is_listed: bool = False  # all kinds were read at least once
    _digests: dict[ObjectKind, str] = field(default_factory=dict)

    def put(self, kind: ObjectKind, document: dict[str, Any]) -> bool:
        """Whether it is new or has changed."""
        mark = fingerprint(document)
        known = self.objects[kind].get(document["id"])
        if known is not None and known.fingerprint == mark:
            return False
        self.objects[kind][document["id"]] = Entry(mark, json.dumps(document, separators=(",", ":")))
        self._digests.pop(kind, None)
        return True

    def drop(self, kind: ObjectKind, engine_id: str) -> bool:
        """Whether it was there."""
        if self.objects[kind].pop(engine_id, None) is None:
            return False
        self._digests.pop(kind, None)
        return True

    def document(self, kind: ObjectKind, engine_id: str) -> dict[str, Any] | None:
        entry = self.objects[kind].get(engine_id)
        return json.loads(entry.text) if entry else None

    def fingerprints(self, kind: ObjectKind) -> dict[str, str]:
        return {engine_id: entry.fingerprint for engine_id, entry in self.objects[kind].items()}

    def digests(self) -> dict[str, str]:
        """Empty until everything was listed once."""
        if not self.is_listed:
            return {}
        for kind in OBJECT_KINDS:
            if kind not in self._digests:
                self._digests[kind] = digest(self.fingerprints(kind).items())
        return {kind: self._digests[kind] for kind in OBJECT_KINDS}


def keys_of(event: Mapping[str, Any]) -> list[Key]:
    """What to look at because of an engine event."""
    kind, action = event.get("Type"), str(event.get("Action", "")).partition(":")[0]
    actor = event.get("Actor")
    actor = actor if isinstance(actor, dict) else {}
    engine_id = str(actor.get("ID") or "")[:300]
    if kind == "container":
        if action == "prune" or not engine_id:
            return [("container", None)]
        if action not in CONTAINER_ACTIONS:
            return []
        if action == "commit":
            return [("container", engine_id), ("image", None)]
        return [("container", engine_id)]
    if kind == "network" and action in ("connect", "disconnect"):
        attributes = actor.get("Attributes")
        container = attributes.get("container") if isinstance(attributes, dict) else None
        return [("container", str(container)[:300])] if container else []
    if kind == "network":
        return [("network", None)]
    if kind == "volume" and action in ("mount", "unmount"):
        return []
    if kind == "volume":
        return [("volume", None)]
    if kind == "image":
        return [("image", None)]
    return []


class Watch:
    """Keeps the mirror true.

    `on_change` is told of each object that changed, `on_engine` when the engine comes or goes, `on_listed` once.
    """

    def __init__(self, engine: Engine) -> None:
        self.mirror = Mirror()
        self.on_change: Changed = lambda kind, engine_id: None
        self.on_engine: Callable[[], None] = lambda: None
        self.on_listed: Callable[[], None] = lambda: None
        self._engine = engine
        self._slots = asyncio.Semaphore(READS_AT_ONCE)
        self._reading: dict[Key, asyncio.Task[bool]] = {}
        self._next: dict[Key, asyncio.Task[bool]] = {}
        self._looks: set[asyncio.Task[None]] = set()
        self._quiet: dict[Key, bool] = {}  # whether an event came in the quiet time
        self._up = asyncio.Event()
        self._was_tried = asyncio.Event()  # whether the engine is there is known, one way or the other

    async def run(self) -> None:
        """Find the engine, follow it until it goes, again and again."""
        pause_s = RETRY_FIRST_S
        last_error = ""
        while True:
            try:
                await self._engine.connect()
                facts = self._engine.facts
                assert facts is not None
                log.info("%s engine %s (API %s) on this host", facts.product, facts.version, facts.api_version)
                pause_s, last_error = RETRY_FIRST_S, ""
                await self._follow()
            except (EngineGone, EngineError) as error:
                self._engine.lost(str(error))
            self._was_tried.set()
            if self._engine.error != last_error:
                last_error = self._engine.error
                log.warning("%s", last_error)
                self.on_engine()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)

    async def first_try(self, timeout_s: float | None = None) -> None:
        """Returns when the agent has looked for the engine at least once, or `timeout_s` have passed."""
        try:
            await asyncio.wait_for(self._was_tried.wait(), timeout_s)
        except asyncio.TimeoutError:
            pass

    async def wait_for_engine(self, timeout_s: float) -> bool:
        """Whether the engine answers, now or within `timeout_s`."""
        try:
            await asyncio.wait_for(self._up.wait(), timeout_s)
        except asyncio.TimeoutError:
            return False
        return True

    async def refresh(self, kind: ObjectKind, engine_id: str | None = None) -> bool:
        """Read an object, or a whole kind, once from now on, and report what changed.

        Images, networks and volumes are always read as a whole: their lists are cheap and settle what one
        object's change does to others. False where the engine did not answer; the next comparison repairs that.
        """
        key: Key = (kind, engine_id if kind == "container" else None)
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._read_after(self._reading.get(key), key))
        return await asyncio.shield(task)

    async def compare(self) -> bool:
        """Read everything. False where the engine did not answer all of it."""
        return all(await asyncio.gather(*(self.refresh(kind) for kind in OBJECT_KINDS)))

    async def _follow(self) -> None:
        """From the engine's events until they end. Raises EngineGone, EngineError."""
        query = {"filters": json.dumps({"type": list(OBJECT_KINDS), "event": list(ACTIONS)})}
        events = await self._engine.open("GET", "/events", query)
        # Only now, so that nothing happens unseen between list and events.
        listing = asyncio.ensure_future(self._list_now_and_then())
        try:
            self._up.set()
            self._was_tried.set()
            self.on_engine()
            await self._listen(events)
        except (OSError, http.BadAnswer) as error:
            raise EngineGone("The engine went away: start it again; the agent looks for it.") from error
        finally:
            self._up.clear()
            listing.cancel()
            events.close()

    async def _list_now_and_then(self) -> None:
        while True:
            try:
                is_complete = await self.compare()
                if not is_complete:
                    await asyncio.sleep(COMPARISON_RETRY_S)
                    continue
                if not self.mirror.is_listed:
                    self.mirror.is_listed = True
                    counts = ", ".join(f"{len(self.mirror.objects[kind])} {kind}s" for kind in OBJECT_KINDS)
                    log.info("listed %s", counts)
                    self.on_listed()
            except Exception:
                log.exception("comparing with the engine failed; it is done again later")
            await asyncio.sleep(COMPARISON_S)

    async def _listen(self, events: http.Response) -> None:
        rest = b""
        while True:
            data = await self._read_events(events)
            if not data:
                raise EngineGone("The engine went away: start it again; the agent looks for it.")
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > EVENT_BYTES:
                rest = b""
            for line in lines:
                self._take(line)

    async def _read_events(self, events: http.Response) -> bytes:
        """The next bytes; in a long silence the engine must show that it is alive."""
        reading = asyncio.ensure_future(events.read())
        try:
            while True:
                done, _ = await asyncio.wait({reading}, timeout=SILENCE_S)
                if done:
                    return reading.result()
                await self._engine.alive()
        finally:
            reading.cancel()

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            log.warning("the engine sent an event that is not JSON; everything is compared in a few minutes")
            return
        if isinstance(event, dict):
            for key in keys_of(event):
                self._poke(key)

    def _poke(self, key: Key) -> None:
        """Look at it: at once, or after the quiet time, together with all that comes meanwhile."""
        if key in self._quiet:
            self._quiet[key] = True
        elif key not in self._next:
            self._quiet[key] = False
            task = asyncio.create_task(self._look_quietly(key))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)

    async def _look_quietly(self, key: Key) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            await self.refresh(*key)
            await asyncio.sleep(max(QUIET_S, QUIET_LISTS * (loop.time() - begun) if key[1] is None else 0))
        finally:
            was_poked = self._quiet.pop(key)
        if was_poked:
            self._poke(key)

    async def _read_after(self, previous: asyncio.Task[bool] | None, key: Key) -> bool:
        """Reads of one key run one after the other, so that an older answer never covers a newer one."""
        if previous is not None:
            await asyncio.wait({previous})
        task = self._next.pop(key)
        self._reading[key] = task
        try:
            kind, engine_id = key
            if engine_id is None:
                return await self._read_kind(kind)
            async with self._slots:
                await self._read_container(engine_id)
            return True
        except EngineGone as gone:
            log.debug("reading %s: %s", key, gone)
        except EngineError as error:
            log.warning("the engine can't show %s %s: %s", key[0], key[1] or "list", error.message)
            return key[1] is not None  # one that is broken does not spoil the whole list
        except Exception:
            log.exception("reading %s %s failed", key[0], key[1] or "list")
        finally:
            if self._reading.get(key) is task:
                del self._reading[key]
        return False

    async def _read_container(self, engine_id: str) -> None:
        try:
            document = await self._engine.look(
                lambda client: bounded_document(container_record(client.inspect_container(engine_id)))
            )
        except EngineError as error:
            if error.status != 404:
                raise
            self._gone("container", engine_id)
            return
        except Unusable as unusable:
            log.warning("container %s: %s", engine_id[:12], unusable)
            return
        if document["id"] == engine_id:  # else the engine took an id for a name
            self._here("container", document)

    async def _read_kind(self, kind: ObjectKind) -> bool:
        before = set(self.mirror.objects[kind])
        if kind == "container":
            ids = await self._engine.look(
                lambda client: [str(entry["Id"]) for entry in client.containers(all=True, quiet=True)]
            )
            for engine_id in before.difference(ids):
                self._gone(kind, engine_id)
            return all(await asyncio.gather(*(self.refresh(kind, engine_id) for engine_id in ids)))
        documents = await self._engine.look(lambda client: _list(client, kind))
        for document in documents:
            self._here(kind, document)
        for engine_id in before.difference(document["id"] for document in documents):
            self._gone(kind, engine_id)
        return True

    def _here(self, kind: ObjectKind, document: dict[str, Any]) -> None:
        if self.mirror.put(kind, document):
            self.on_change(kind, document["id"])

    def _gone(self, kind: ObjectKind, engine_id: str) -> None:
        if self.mirror.drop(kind, engine_id):
            self.on_change(kind, engine_id)


def _list(client: Any, kind: ObjectKind) -> list[dict[str, Any]]:
    """The documents of a whole kind, made in the thread that asked."""
    if kind == "image":
        entries = client.images()
    elif kind == "network":
        entries = client.networks()
    else:
        entries = client.volumes().get("Volumes") or []
    documents = {}
    for entry in entries:
        try:
            document = bounded_document(RECORD_OF_ENTRY[kind](entry))
        except Unusable as unusable:
            log.warning("%s: %s", kind, unusable)
            continue
        documents[document["id"]] = document
    return list(documents.values())
