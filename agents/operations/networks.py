"""network.*: create, remove."""

from __future__ import annotations

from typing import Any

from agents.catalogue import LABEL_OPERATION, CreateNetwork, RemoveNetwork
from agents.engine import EngineError
from agents.operations.errors import failed
from agents.operations.job import Failed, Job, Result, look_until, performs, recovers

Document = dict[str, Any]

FINISHING_S = 3.0


@performs("network.create")
async def create(job: Job, params: CreateNetwork) -> Result:
    if any(entry.get("Name") == params.name for entry in await _list(job)):
        # Older engines would make a second one of the same name.
        raise Failed(f"There is already a network named {params.name} on this host: choose another name.")
    await job.step("create")
    job.report("Creating the network")
    try:
        made = await job.engine.act(lambda client: client.create_network(**_options(params, job.uuid)))
    except EngineError as error:
        raise failed(error) from error
    return _made(job, str(made["Id"]))


@recovers("network.create")
async def recover_create(job: Job, params: CreateNetwork) -> Result:
    if job.last("create") is None:
        return await create(job, params)
    found: list[str] = []

    async def is_there() -> bool:
        found[:] = [
            str(entry["Id"])
            for entry in await _list(job)
            if (entry.get("Labels") or {}).get(LABEL_OPERATION) == job.uuid
        ]
        return bool(found)

    if await look_until(is_there, FINISHING_S):
        return _made(job, found[0])
    return await create(job, params)


@performs("network.remove")
async def remove(job: Job, params: RemoveNetwork) -> Result:
    job.touch("network", params.network)
    await _require(job, params.network)
    await job.step("remove")
    job.report("Removing")
    try:
        await job.engine.act(lambda client: client.remove_network(params.network))
    except EngineError as error:
        raise failed(error) from error
    return {"network": params.network}


@recovers("network.remove")
async def recover_remove(job: Job, params: RemoveNetwork) -> Result:
    if job.last("remove") is None:
        return await remove(job, params)
    job.touch("network", params.network)

    async def is_gone() -> bool:
        return all(entry.get("Id") != params.network for entry in await _list(job))

    if await look_until(is_gone, FINISHING_S):
        return {"network": params.network}
    return await remove(job, params)


def _made(job: Job, engine_id: str) -> Result:
    job.touch("network", engine_id)
    return {"network": engine_id}


def _options(params: CreateNetwork, uuid: str) -> Document:
    options: Document = {
        "name": params.name,
        "driver": params.driver,
        "options": params.options or None,
        "check_duplicate": True,
        "internal": params.internal,
        "labels": {**params.labels, LABEL_OPERATION: uuid},
        "enable_ipv6": params.ipv6,
        "attachable": params.attachable,
    }
    if params.subnet:
        pool = {"Subnet": params.subnet, **({"Gateway": params.gateway} if params.gateway else {})}
        options["ipam"] = {"Driver": "default", "Config": [pool]}
    return options


async def _list(job: Job) -> list[Document]:
    entries: list[Document] = await job.engine.look(lambda client: client.networks())
    return entries


async def _require(job: Job, engine_id: str) -> None:
    if all(entry.get("Id") != engine_id for entry in await _list(job)):
        raise Failed("The network is gone already: it was removed.")
