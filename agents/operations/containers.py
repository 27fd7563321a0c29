"""container.*: create, start, stop, restart, kill, remove."""

from __future__ import annotations

import re
from typing import Any

from agents.catalogue import (
    LABEL_OPERATION,
    CreateContainer,
    KillContainer,
    NetworkAttachment,
    RemoveContainer,
    RestartContainer,
    StartContainer,
    StopContainer,
)
from agents.engine import EngineError
from agents.operations.errors import failed
from agents.operations.images import find_image, pull_image
from agents.operations.job import Failed, Interrupted, Job, Result, look_until, performs, recovers

Document = dict[str, Any]

MULTIPLE_NETWORKS_API = (1, 44)  # from here on create takes several networks at once
FINISHING_S = 5.0  # for the engine to finish what a dead agent asked it
DEFAULT_STOP_S = 10
GONE = "The container is gone already: it was removed."


# --- create ----------------------------------------------------------------------------------


@performs("container.create")
async def create(job: Job, params: CreateContainer) -> Result:
    await _have_image(job, params)
    networks = await _find_networks(job, params.networks)
    config = create_config(params, job.uuid, networks, all_networks=job.engine.api >= MULTIPLE_NETWORKS_API)
    await job.step("create")
    job.report("Creating the container")
    try:
        made = await job.engine.act(
            lambda client: client.create_container_from_config(config, params.name)  # type: ignore[no-untyped-call]
        )
    except EngineError as error:
        raise failed(error) from error
    engine_id = str(made["Id"])
    return await _finish_create(job, params, engine_id)


async def _finish_create(job: Job, params: CreateContainer, engine_id: str) -> Result:
    """From a container that exists to what was asked: its networks, and started. Can be run again.

    A start that the engine gave up because its caller died (newer ones do) leaves an error and a container that
    has never run, so that it is started again.
    """
    job.touch("container", engine_id)
    result = {"container": engine_id}
    await job.step("created", container=engine_id)
    document = await _inspect(job, engine_id)
    connected = _network_names(document)
    try:
        for name, attachment in await _find_networks(job, params.networks):
            if name not in connected:
                await _connect(job, engine_id, name, attachment)
    except (EngineError, Failed) as error:
        text = str(failed(error)) if isinstance(error, EngineError) else str(error)
        raise Failed(f"The container was created, and not connected to all its networks. {text}", result) from error
    if params.start and not _has_run(document):
        await job.step("start", started_at=_started_at(document))
        job.report("Starting the container")
        try:
            await job.engine.act(lambda client: client.start(engine_id))
        except EngineError as error:
            raise _not_started(error, result) from error
    return result


@recovers("container.create")
async def recover_create(job: Job, params: CreateContainer) -> Result:
    if job.last("create") is None:
        return await create(job, params)  # nothing was made yet
    made = job.last("created")
    engine_id = str(made["container"]) if made else await _find_made(job)
    if engine_id is None and params.name is not None:
        # The engine gives a name only once, so this can't make a second one.
        return await _create_again(job, params)
    if engine_id is None:
        raise Interrupted(
            "The agent or the engine stopped while the container was being created, and there is none now: "
            "look at the host's containers, and ask again."
        )
    job.touch("container", engine_id)
    try:
        await _inspect(job, engine_id)
    except Failed as gone:
        raise Interrupted(
            "The container was created, then the agent or the engine stopped, and the container is gone now: "
            "it ended and was removed, or somebody removed it. Look, and ask again if it is needed."
        ) from gone
    return await _finish_create(job, params, engine_id)


async def _create_again(job: Job, params: CreateContainer) -> Result:
    try:
        return await create(job, params)
    except Failed:
        engine_id = await _find_made(job, timeout_s=1)
        if engine_id is None:
            raise
    return await _finish_create(job, params, engine_id)  # the dead agent's request was the faster one


async def _find_made(job: Job, timeout_s: float = FINISHING_S) -> str | None:
    """The id of the container that bears the operation's label."""
    found: list[str] = []

    async def is_there() -> bool:
        label = f"{LABEL_OPERATION}={job.uuid}"
        entries = await job.engine.look(lambda client: client.containers(all=True, filters={"label": label}))
        found[:] = [
            str(entry["Id"]) for entry in entries if (entry.get("Labels") or {}).get(LABEL_OPERATION) == job.uuid
        ]
        return found != []

    await look_until(is_there, timeout_s)
    return found[0] if found else None


async def _have_image(job: Job, params: CreateContainer) -> None:
    """Pull the image if that is wanted. Raises Failed where there is none to create from."""
    if params.pull != "always" and await find_image(job.engine, reference_for(params.image)) is not None:
        return
    if params.image.startswith("sha256:"):
        if params.pull == "always" and await find_image(job.engine, params.image) is not None:
            return  # an id names exactly one image: there is nothing newer to pull
        raise Failed(
            f"There is no image {params.image[:19]} on this host: choose one that is there, or pull by name."
        )
    if params.pull == "never":
        raise Failed(f"There is no image {params.image} on this host, and pulling was ruled out: pull it first.")
    await pull_image(job, params.image)


def reference_for(image: str) -> str:
    """The reference as asked for; of hexadecimal digits alone it could be taken for the beginning of an id."""
    return f"{image}:latest" if re.fullmatch(r"[0-9a-f]{1,64}", image) else image


def create_config(
    params: CreateContainer, uuid: str, networks: list[tuple[str, NetworkAttachment]], *, all_networks: bool
) -> Document:
    """The body of `POST /containers/create` (Engine API, ContainerCreate).

    Older engines take one network at creation; the others are connected afterwards.
    """
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in params.ports:
        binding = {"HostIp": port.host_ip, "HostPort": str(port.host_port or "")}
        bindings.setdefault(f"{port.container_port}/{port.protocol}", []).append(binding)
    host: Document = {
        "PortBindings": bindings,
        "Mounts": [
            {"Type": mount.type, "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
            for mount in params.mounts
        ],
        "RestartPolicy": {
            "Name": params.restart_policy.name,
            "MaximumRetryCount": params.restart_policy.maximum_retry_count,
        },
        "AutoRemove": params.auto_remove,
        "Memory": params.memory_bytes,
        "NanoCpus": round(params.cpus * 1e9),
    }
    config: Document = {
        "Image": reference_for(params.image),
        "Env": [f"{name}={value}" for name, value in params.env.items()],
        "Labels": {**params.labels, LABEL_OPERATION: uuid},
        "ExposedPorts": {name: {} for name in bindings},
        "Hostname": params.hostname,
        "User": params.user,
        "WorkingDir": params.working_dir,
        "Tty": params.tty,
        "OpenStdin": params.open_stdin,
        "HostConfig": host,
    }
    if params.command is not None:
        config["Cmd"] = params.command
    if params.entrypoint is not None:
        config["Entrypoint"] = params.entrypoint
    if networks:
        host["NetworkMode"] = networks[0][0]
        at_creation = networks if all_networks else networks[:1]
        config["NetworkingConfig"] = {"EndpointsConfig": {name: _endpoint(a) for name, a in at_creation}}
    return config


def _endpoint(attachment: NetworkAttachment) -> Document:
    endpoint: Document = {}
    if attachment.aliases:
        endpoint["Aliases"] = attachment.aliases
    if attachment.ipv4_address:
        endpoint["IPAMConfig"] = {"IPv4Address": attachment.ipv4_address}
    return endpoint


async def _find_networks(job: Job, wanted: list[NetworkAttachment]) -> list[tuple[str, NetworkAttachment]]:
    """The names of the networks to attach to, given by id or name. Raises Failed."""
    if not wanted:
        return []
    entries = await job.engine.look(lambda client: client.networks())
    return [(network_name(entries, attachment.network), attachment) for attachment in wanted]


def network_name(entries: list[Document], wanted: str) -> str:
    """The name of the network whose id or name is `wanted`; never a beginning of either. Raises Failed."""
    for entry in entries:
        if entry.get("Id") == wanted:
            return str(entry["Name"])
    named = [entry for entry in entries if entry.get("Name") == wanted]
    if not named:
        raise Failed(f"There is no network {wanted} on this host: create it first, or check its name.")
    if len(named) > 1:
        raise Failed(f"There are {len(named)} networks named {wanted} on this host: remove all but one.")
    return wanted


async def _connect(job: Job, engine_id: str, name: str, attachment: NetworkAttachment) -> None:
    await job.step("connect", network=name)
    job.report(f"Connecting to network {name}")
    await job.engine.act(
        lambda client: client.connect_container_to_network(
            engine_id, name, aliases=attachment.aliases or None, ipv4_address=attachment.ipv4_address or None
        )
    )


def _network_names(document: Document) -> set[str]:
    return set((document.get("NetworkSettings") or {}).get("Networks") or {})


def _not_started(error: EngineError, result: Result) -> Failed:
    return Failed(f"The container was created, but did not start, and stays as created. {failed(error)}", result)


# --- start, stop, restart, kill, remove --------------------------------------------------------


@performs("container.start")
async def start(job: Job, params: StartContainer) -> Result:
    document = await _inspect(job, params.container)
    job.touch("container", params.container)
    await job.step("start", started_at=_started_at(document))
    job.report("Starting")
    try:
        await job.engine.act(lambda client: client.start(params.container))
    except EngineError as error:
        raise failed(error) from error
    return {"container": params.container}


@recovers("container.start")
async def recover_start(job: Job, params: StartContainer) -> Result:
    step = job.last("start")
    if step is None:
        return await start(job, params)
    job.touch("container", params.container)

    async def has_started() -> bool:
        document = await _inspect(job, params.container)
        return _is_running(document) or _started_at(document) != str(step["started_at"])

    if await look_until(has_started, FINISHING_S):
        return {"container": params.container}
    return await start(job, params)  # it was not started; a start that is late changes nothing any more


@performs("container.stop")
async def stop(job: Job, params: StopContainer) -> Result:
    document = await _inspect(job, params.container)
    job.touch("container", params.container)
    timeout_s = _stop_timeout(document, params.timeout_s)
    await job.step("stop", started_at=_started_at(document))
    job.report("Stopping", timeout_s=timeout_s)
    try:
        await job.engine.act(lambda client: client.stop(params.container, timeout=timeout_s))
    except EngineError as error:
        raise failed(error) from error
    return {"container": params.container}


@recovers("container.stop")
async def recover_stop(job: Job, params: StopContainer) -> Result:
    step = job.last("stop")
    if step is None:
        return await stop(job, params)
    document = await _inspect(job, params.container)
    job.touch("container", params.container)
    if not _is_running(document):
        return {"container": params.container}
    if _started_at(document) != step["started_at"]:
        raise Interrupted(
            "The agent or the engine stopped while the container was being stopped; it runs, and was started anew "
            "since. Look whether that is wanted, and ask again if not."
        )
    return await stop(job, params)  # it still is the same run, which was to end


@performs("container.restart")
async def restart(job: Job, params: RestartContainer) -> Result:
    document = await _inspect(job, params.container)
    job.touch("container", params.container)
    timeout_s = _stop_timeout(document, params.timeout_s)
    await job.step("restart", started_at=_started_at(document), timeout_s=timeout_s)
    job.report("Restarting", timeout_s=timeout_s)
    try:
        await job.engine.act(lambda client: client.restart(params.container, timeout=timeout_s))
    except EngineError as error:
        raise failed(error) from error
    return {"container": params.container}


@recovers("container.restart")
async def recover_restart(job: Job, params: RestartContainer) -> Result:
    step = job.last("restart")
    if step is None:
        return await restart(job, params)
    job.touch("container", params.container)

    async def was_restarted() -> bool:
        return _started_at(await _inspect(job, params.container)) != str(step["started_at"])

    # The engine may still be in the middle of it: a second restart would come on top of the first.
    if await look_until(was_restarted, step["timeout_s"] + FINISHING_S):
        return {"container": params.container}
    return await restart(job, params)


@performs("container.kill")
async def kill(job: Job, params: KillContainer) -> Result:
    document = await _inspect(job, params.container)
    job.touch("container", params.container)
    await job.step("kill", started_at=_started_at(document))
    job.report(f"Sending {params.signal}")
    signal = int(params.signal) if params.signal.isdigit() else params.signal
    try:
        await job.engine.act(lambda client: client.kill(params.container, signal=signal))
    except EngineError as error:
        raise failed(error) from error
    return {"container": params.container}


@recovers("container.kill")
async def recover_kill(job: Job, params: KillContainer) -> Result:
    if job.last("kill") is None:
        return await kill(job, params)
    job.touch("container", params.container)
    is_running = _is_running(await _inspect(job, params.container))
    if params.signal in ("SIGKILL", "KILL", "9") and not is_running:
        return {"container": params.container}
    raise Interrupted(
        f"The agent or the engine stopped while {params.signal} was being sent; whether it arrived can't be known. "
        f"The container {'runs' if is_running else 'does not run'} now: send it again if it is still needed."
    )


@performs("container.remove")
async def remove(job: Job, params: RemoveContainer) -> Result:
    await _inspect(job, params.container)
    job.touch("container", params.container)
    await job.step("remove")
    job.report("Removing")
    try:
        await job.engine.act(
            lambda client: client.remove_container(params.container, force=params.force, v=params.volumes)
        )
    except EngineError as error:
        if not await _goes_by_itself(job, params.container, error):
            raise failed(error) from error
    if params.volumes:
        job.touch("volume", "")
    return {"container": params.container}


@recovers("container.remove")
async def recover_remove(job: Job, params: RemoveContainer) -> Result:
    if job.last("remove") is None:
        return await remove(job, params)
    job.touch("container", params.container)
    if await _is_gone(job, params.container, FINISHING_S):
        return {"container": params.container}
    return await remove(job, params)


async def _goes_by_itself(job: Job, engine_id: str, error: EngineError) -> bool:
    """Whether somebody else (auto-remove, another client) removes it just now, and has done so in a while."""
    is_racing = error.status == 404 or (error.status == 409 and "already in progress" in error.message)
    return is_racing and await _is_gone(job, engine_id, 30)


async def _is_gone(job: Job, engine_id: str, timeout_s: float) -> bool:
    async def is_gone() -> bool:
        try:
            await job.engine.look(lambda client: client.inspect_container(engine_id))
        except EngineError as error:
            return error.status == 404
        return False

    return await look_until(is_gone, timeout_s)


async def _inspect(job: Job, engine_id: str) -> Document:
    """Raises Failed where it is gone, or where the engine can't tell."""
    try:
        document: Document = await job.engine.look(lambda client: client.inspect_container(engine_id))
    except EngineError as error:
        if error.status == 404:
            job.touch("container", engine_id)
            raise Failed(GONE) from error
        raise failed(error) from error
    if document.get("Id") != engine_id:  # a container whose name looks like another one's id
        raise Failed(GONE)
    return document


def _state(document: Document) -> Document:
    return document.get("State") or {}


def _is_running(document: Document) -> bool:
    return bool(_state(document).get("Running"))


def _started_at(document: Document) -> str:
    """The engine's own text: it differs from start to start, whatever the clocks say."""
    return str(_state(document).get("StartedAt") or "")


def _has_run(document: Document) -> bool:
    started_at = _started_at(document)
    return _is_running(document) or (bool(started_at) and not started_at.startswith("0001"))


def _stop_timeout(document: Document, asked_s: int | None) -> int:
    if asked_s is not None:
        return asked_s
    own = (document.get("Config") or {}).get("StopTimeout")
    return own if isinstance(own, int) and 0 <= own <= 3600 else DEFAULT_STOP_S
