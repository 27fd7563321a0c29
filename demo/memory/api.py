"""The Engine API, a function for each path that agents ask for. Requests go in, answers come out; no sockets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.memory import documents, images, logs, networks, processes, usage, volumes
from demo.memory.events import event_stream, matches
from demo.memory.exec import Channel, Execs, attached
from demo.memory.lifecycle import Lifecycle
from demo.memory.state import ApiError, Container, Document
from demo.memory.stats import stats

Sleep = Callable[[float], Awaitable[object]]

START_S, RESTART_S, REMOVE_S, CREATE_S = 0.35, 0.5, 0.25, 0.12
DEFAULT_STOP_S = 10


class Takes(Exception):
    """The engine needs some seconds for this: ask again when they have passed."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `has_waited`: the time that it takes has passed."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Document = field(default_factory=dict)
    has_waited: bool = False
    id: str = ""  # of the object that the path names

    def flag(self, name: str) -> bool:
        return str(self.query.get(name, "")).lower() in ("1", "true", "t", "yes")

    def number(self, name: str) -> float:
        try:
            return float(self.query.get(name) or 0)
        except ValueError:
            return 0.0

    @property
    def filters(self) -> dict[str, list[str]]:
        """Raises ApiError."""
        text = self.query.get("filters")
        if not text:
            return {}
        try:
            found = json.loads(text)
            return {
                name: [str(value) for value in values] if isinstance(values, list) else list(values)
                for name, values in found.items()
            }
        except (ValueError, AttributeError, TypeError) as error:
            raise ApiError(400, "invalid filter") from error


@dataclass(slots=True)
class Answer:
    """A status, and either a document or a stream of bytes."""

    status: int = 200
    document: Any = None
    stream: AsyncIterator[bytes] | None = None
    channel: Channel | None = None  # both ways, where the connection is taken over
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[["Api", Call], Answer]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """`{id}` in a path is anything, slashes too."""
    pattern = re.compile(re.escape(path).replace(r"\{id\}", r"(?P<id>.+)") + "$")

    def enter(handler: Handler) -> Handler:
        _ROUTES.append((method, pattern, handler))
        return handler

    return enter


class Api:
    """One engine's API."""

    def __init__(self, life: Lifecycle, sleep: Sleep) -> None:
        self.life = life
        self.state = life.state
        self.sleep = sleep
        self.execs = Execs(life)

    def handle(self, call: Call) -> Answer:
        """Raises ApiError, and Takes where the caller has not waited."""
        for method, pattern, handler in _ROUTES:
            if method == call.method and (found := pattern.match(call.path)):
                engine_id = found.groupdict().get("id") or ""
                named = Call(call.method, call.path, call.query, call.body, call.has_waited, engine_id)
                return handler(self, named)
        raise ApiError(404, "page not found")

    def takes(self, call: Call, seconds: float) -> None:
        """Raises Takes unless that time has passed."""
        if not call.has_waited:
            raise Takes(seconds)


# --- the engine ------------------------------------------------------------------------------


@route("GET", "/_ping")
def _ping(api: Api, call: Call) -> Answer:
    return Answer(document="OK", headers={"api-version": api.state.facts.api_version})


@route("GET", "/version")
def _version(api: Api, call: Call) -> Answer:
    return Answer(document=documents.version(api.state))


@route("GET", "/info")
def _info(api: Api, call: Call) -> Answer:
    return Answer(document=documents.info(api.state))


@route("GET", "/system/df")
def _df(api: Api, call: Call) -> Answer:
    return Answer(document=usage.disk_usage(api.state, api.life.clock()))


@route("GET", "/events")
def _events(api: Api, call: Call) -> Answer:
    stream = event_stream(api.state, call.filters, call.number("since"), call.number("until"), api.life.clock)
    return Answer(stream=stream)


# --- containers ------------------------------------------------------------------------------


@route("GET", "/containers/json")
def _containers(api: Api, call: Call) -> Answer:
    filters = call.filters
    now = api.life.clock()
    found = []
    for c in api.state.containers.values():
        if not call.flag("all") and not c.is_running and "status" not in filters:
            continue
        if matches(filters, c):
            found.append(documents.container_entry(api.state, c, now))
    return Answer(document=found)


@route("POST", "/containers/create")
def _create(api: Api, call: Call) -> Answer:
    api.takes(call, CREATE_S)
    c = api.life.create(call.query.get("name") or None, call.body)
    return Answer(201, {"Id": c.id, "Warnings": []})


@route("GET", "/containers/{id}/json")
def _inspect(api: Api, call: Call) -> Answer:
    return Answer(document=documents.container(api.state, api.state.container(call.id), api.life.clock()))


@route("GET", "/containers/{id}/stats")
def _stats(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    if call.query.get("stream", "1").lower() in ("0", "false"):
        return Answer(document=stats(api.state, c, api.life.clock()))
    return Answer(stream=_live_stats(api, c))


async def _live_stats(api: Api, c: Container) -> AsyncIterator[bytes]:
    before = None
    while c.id in api.state.containers:
        before = stats(api.state, c, api.life.clock(), before=before)
        yield json.dumps(before).encode() + b"\n"
        await api.sleep(1)


@route("GET", "/containers/{id}/top")
def _top(api: Api, call: Call) -> Answer:
    return Answer(document=processes.top(api.state.container(call.id), api.life.clock()))


@route("GET", "/containers/{id}/changes")
def _changes(api: Api, call: Call) -> Answer:
    return Answer(document=processes.changes(api.state.container(call.id)))


@route("GET", "/containers/{id}/logs")
def _logs(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    driver = str((c.host.get("LogConfig") or {}).get("Type") or "json-file")
    if driver == "none":
        raise ApiError(501, "configured logging driver does not support reading")
    if not call.flag("stdout") and not call.flag("stderr"):
        raise ApiError(400, "Bad parameters: you must choose at least one stream")
    return Answer(stream=_log_stream(api, c, call))


async def _log_stream(api: Api, c: Container, call: Call) -> AsyncIterator[bytes]:
    options: dict[str, Any] = {"tty": c.tty, "timestamps": call.flag("timestamps"),
                               "stdout": call.flag("stdout"), "stderr": call.flag("stderr")}  # fmt: skip
    tail = call.query.get("tail") or "all"
    now = api.life.clock()
    found = logs.past(c, now, int(tail) if tail.isdigit() else None, call.number("since"), call.number("until"))
    for at in range(0, len(found), 500):
        yield logs.encoded(found[at : at + 500], **options)
        await api.sleep(0)
    if call.flag("follow") and c.status != "created":
        async for lines in logs.follow(c, found[-1].at if found else now, api.life.clock, api.sleep):
            if data := logs.encoded(lines, **options):
                yield data


@route("POST", "/containers/{id}/start")
def _start(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    if c.status not in ("running", "restarting", "paused"):
        api.takes(call, START_S)
    return Answer(204 if api.life.start(c) else 304)


def _patience(call: Call, c: Container) -> float:
    given = call.query.get("t")
    return float(given) if given else float(c.body.get("StopTimeout") or DEFAULT_STOP_S)


def _needs(c: Container) -> float:
    """How long the main process takes to end; a shell that sleeps does not listen to SIGTERM at all."""
    return 3600.0 if "sleep" in str(c.body.get("Cmd")) else c.program.stops_in_s


@route("POST", "/containers/{id}/stop")
def _stop(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    is_killed = _needs(c) > _patience(call, c)
    if c.is_running:
        api.takes(call, min(_needs(c), _patience(call, c)))
    return Answer(204 if api.life.stop(c, killed=is_killed) else 304)


@route("POST", "/containers/{id}/restart")
def _restart(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    api.takes(call, RESTART_S + (min(_needs(c), _patience(call, c)) if c.is_running else 0))
    api.life.restart(c)
    return Answer(204)


@route("POST", "/containers/{id}/kill")
def _kill(api: Api, call: Call) -> Answer:
    api.life.kill(api.state.container(call.id), str(call.query.get("signal") or "SIGKILL"))
    return Answer(204)


@route("POST", "/containers/{id}/pause")
def _pause(api: Api, call: Call) -> Answer:
    api.life.pause(api.state.container(call.id))
    return Answer(204)


@route("POST", "/containers/{id}/unpause")
def _unpause(api: Api, call: Call) -> Answer:
    api.life.unpause(api.state.container(call.id))
    return Answer(204)


@route("POST", "/containers/{id}/rename")
def _rename(api: Api, call: Call) -> Answer:
    api.life.rename(api.state.container(call.id), str(call.query.get("name") or "").lstrip("/"))
    return Answer(204)


@route("POST", "/containers/{id}/update")
def _update(api: Api, call: Call) -> Answer:
    api.life.update(api.state.container(call.id), call.body)
    return Answer(document={"Warnings": []})


@route("POST", "/containers/{id}/wait")
def _wait(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    if c.is_running:
        raise Takes(1)
    return Answer(document={"StatusCode": c.run.exit_code if c.run else 0})


@route("DELETE", "/containers/{id}")
def _remove(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    if not c.is_running or call.flag("force"):
        api.takes(call, REMOVE_S)
    api.life.remove(c, force=call.flag("force"), volumes=call.flag("v"))
    return Answer(204)


@route("POST", "/containers/prune")
def _prune_containers(api: Api, call: Call) -> Answer:
    api.takes(call, 0.4)
    gone = [c for c in list(api.state.containers.values()) if c.status in ("exited", "created", "dead")]
    for c in gone:
        api.life.remove(c, force=False, volumes=False)
    return Answer(document={"ContainersDeleted": [c.id for c in gone], "SpaceReclaimed": len(gone) * 41_000})


@route("POST", "/containers/{id}/exec")
def _exec_create(api: Api, call: Call) -> Answer:
    return Answer(201, {"Id": api.execs.create(api.state.container(call.id), call.body).id})


@route("GET", "/exec/{id}/json")
def _exec_inspect(api: Api, call: Call) -> Answer:
    return Answer(document=api.execs.document(api.execs.get(call.id)))


@route("POST", "/exec/{id}/resize")
def _exec_resize(api: Api, call: Call) -> Answer:
    if not api.execs.get(call.id).is_running:
        raise ApiError(400, f"exec process {call.id} is not running")
    return Answer(200)


@route("POST", "/containers/{id}/resize")
def _resize(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    if not c.is_running:
        raise ApiError(409, f"container {c.id} is not running")
    return Answer(200)


@route("POST", "/exec/{id}/start")
def _exec_start(api: Api, call: Call) -> Answer:
    return Answer(101, channel=api.execs.start(api.execs.get(call.id)))


@route("POST", "/containers/{id}/attach")
def _attach(api: Api, call: Call) -> Answer:
    c = api.state.container(call.id)
    if not c.is_running:
        raise ApiError(409, f"container {c.id} is not running")
    channel = Channel(c.tty)
    task = asyncio.ensure_future(attached(api.life, c, channel, with_logs=call.flag("logs")))
    task.add_done_callback(lambda _: channel.finish())
    channel.task = task
    return Answer(101, channel=channel)


# --- images ----------------------------------------------------------------------------------


@route("GET", "/images/json")
def _images(api: Api, call: Call) -> Answer:
    users: dict[str, int] = {}
    for c in api.state.containers.values():
        users[c.image] = users.get(c.image, 0) + 1
    found = [documents.image_entry(api.state, image, users.get(i, 0)) for i, image in api.state.images.items()]
    return Answer(document=found)


@route("POST", "/images/create")
def _pull(api: Api, call: Call) -> Answer:
    repository, tag = str(call.query.get("fromImage") or ""), str(call.query.get("tag") or "latest")
    images.check_registry(repository, tag)
    return Answer(stream=images.pull(api.life, repository, tag, api.sleep))


@route("POST", "/images/prune")
def _prune_images(api: Api, call: Call) -> Answer:
    api.takes(call, 0.8)
    dangling_only = (call.filters.get("dangling") or ["true"])[0].lower() in ("1", "true")
    gone: list[Document] = []
    freed = 0
    for image in list(api.state.images.values()):
        if api.state.users_of_image(image) or (dangling_only and image.tags):
            continue
        gone += images.remove_image(api.life, image.id, force=True)
        freed += image.size
    return Answer(document={"ImagesDeleted": gone, "SpaceReclaimed": freed})


@route("GET", "/images/{id}/history")
def _history(api: Api, call: Call) -> Answer:
    return Answer(document=usage.history(api.state.image(call.id)))


@route("GET", "/images/{id}/json")
def _image(api: Api, call: Call) -> Answer:
    return Answer(document=documents.image(api.state, api.state.image(call.id)))


@route("POST", "/images/{id}/tag")
def _tag(api: Api, call: Call) -> Answer:
    reference = f"{call.query.get('repo')}:{call.query.get('tag') or 'latest'}"
    images.tag_image(api.life, api.state.image(call.id), reference)
    return Answer(201)


@route("DELETE", "/images/{id}")
def _remove_image(api: Api, call: Call) -> Answer:
    api.state.image(call.id)
    api.takes(call, REMOVE_S)
    return Answer(document=images.remove_image(api.life, call.id, force=call.flag("force")))


# --- networks --------------------------------------------------------------------------------


@route("GET", "/networks")
def _networks(api: Api, call: Call) -> Answer:
    found = [documents.network(api.state, n, with_members=False) for n in api.state.networks.values()]
    return Answer(document=found)


@route("POST", "/networks/create")
def _create_network(api: Api, call: Call) -> Answer:
    api.takes(call, CREATE_S)
    return Answer(201, {"Id": networks.make_network(api.life, call.body).id, "Warning": ""})


@route("POST", "/networks/prune")
def _prune_networks(api: Api, call: Call) -> Answer:
    used = {e.network for c in api.state.containers.values() for e in c.endpoints.values()}
    gone = [n for n in list(api.state.networks.values()) if n.id not in used and n.name not in networks.OWN]
    for network in gone:
        networks.remove_network(api.life, network)
    return Answer(document={"NetworksDeleted": [network.name for network in gone]})


@route("POST", "/networks/{id}/connect")
def _connect(api: Api, call: Call) -> Answer:
    c = api.state.container(str(call.body.get("Container")))
    network = api.state.network(call.id)
    api.life.attach(c, network.name, call.body.get("EndpointConfig") or {})
    api.life.emit("network", "connect", network.id, {"container": c.id, "name": network.name})
    return Answer(200)


@route("POST", "/networks/{id}/disconnect")
def _disconnect(api: Api, call: Call) -> Answer:
    c = api.state.container(str(call.body.get("Container")))
    network = api.state.network(call.id)
    if c.endpoints.pop(network.name, None) is None:
        raise ApiError(403, f"container {c.id} is not connected to network {network.name}")
    api.life.emit("network", "disconnect", network.id, {"container": c.id, "name": network.name})
    return Answer(200)


@route("GET", "/networks/{id}")
def _network(api: Api, call: Call) -> Answer:
    return Answer(document=documents.network(api.state, api.state.network(call.id), with_members=True))


@route("DELETE", "/networks/{id}")
def _remove_network(api: Api, call: Call) -> Answer:
    network = api.state.network(call.id)
    api.takes(call, REMOVE_S)
    networks.remove_network(api.life, network)
    return Answer(204)


# --- volumes ---------------------------------------------------------------------------------


@route("GET", "/volumes")
def _volumes(api: Api, call: Call) -> Answer:
    return Answer(document={"Volumes": [documents.volume(v) for v in api.state.volumes.values()], "Warnings": None})


@route("POST", "/volumes/create")
def _create_volume(api: Api, call: Call) -> Answer:
    api.takes(call, CREATE_S)
    body = call.body
    name = str(body.get("Name") or "") or api.state.new_id("volume")
    driver, labels = str(body.get("Driver") or "local"), body.get("Labels") or {}
    made = volumes.make_volume(api.life, name, driver=driver, labels=labels, options=body.get("DriverOpts") or {})
    return Answer(201, documents.volume(made))


@route("POST", "/volumes/prune")
def _prune_volumes(api: Api, call: Call) -> Answer:
    takes_all = (call.filters.get("all") or ["false"])[0].lower() in ("1", "true")
    gone = [
        v
        for v in list(api.state.volumes.values())
        if (takes_all or len(v.name) == 64) and not api.state.users_of_volume(v.name)
    ]
    for volume in gone:
        volumes.remove_volume(api.life, volume)
    freed = sum(volume.size for volume in gone)
    return Answer(document={"VolumesDeleted": [volume.name for volume in gone], "SpaceReclaimed": freed})


@route("GET", "/volumes/{id}")
def _volume(api: Api, call: Call) -> Answer:
    return Answer(document=documents.volume(api.state.volume(call.id)))


@route("DELETE", "/volumes/{id}")
def _remove_volume(api: Api, call: Call) -> Answer:
    volume = api.state.volume(call.id)
    api.takes(call, REMOVE_S)
    volumes.remove_volume(api.life, volume)
    return Answer(204)
