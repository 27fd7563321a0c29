"""volume.*: create, remove."""

from __future__ import annotations

from typing import Any

from agents.catalogue import LABEL_OPERATION, CreateVolume, RemoveVolume
from agents.engine import EngineError
from agents.operations.errors import failed
from agents.operations.job import Failed, Interrupted, Job, Result, performs, recovers

Document = dict[str, Any]


@performs("volume.create")
async def create(job: Job, params: CreateVolume) -> Result:
    if await _find(job, params.name) is not None:
        # The engine would say yes and give the one that is there.
        raise Failed(f"There is already a volume named {params.name} on this host: choose another name.")
    job.touch("volume", params.name)
    await job.step("create")
    job.report("Creating the volume")
    labels = {**params.labels, LABEL_OPERATION: job.uuid}
    try:
        await job.engine.act(lambda client: client.create_volume(params.name, params.driver, params.options, labels))
    except EngineError as error:
        raise failed(error) from error
    return {"volume": params.name}


@recovers("volume.create")
async def recover_create(job: Job, params: CreateVolume) -> Result:
    found = await _find(job, params.name)
    if job.last("create") and found and (found.get("Labels") or {}).get(LABEL_OPERATION) == job.uuid:
        job.touch("volume", params.name)
        return {"volume": params.name}
    return await create(job, params)  # a name has one volume: this can't make a second


@performs("volume.remove")
async def remove(job: Job, params: RemoveVolume) -> Result:
    job.touch("volume", params.volume)
    found = await _find(job, params.volume)
    if found is None:
        raise Failed("The volume is gone already: it was removed.")
    await job.step("remove", created_at=found.get("CreatedAt"))
    job.report("Removing")
    try:
        await job.engine.act(lambda client: client.remove_volume(params.volume, force=params.force))
    except EngineError as error:
        raise failed(error) from error
    return {"volume": params.volume}


@recovers("volume.remove")
async def recover_remove(job: Job, params: RemoveVolume) -> Result:
    step = job.last("remove")
    if step is None:
        return await remove(job, params)
    job.touch("volume", params.volume)
    found = await _find(job, params.volume)
    if found is None:
        return {"volume": params.volume}
    if found.get("CreatedAt") != step["created_at"]:
        raise Interrupted(
            "The agent or the engine stopped while the volume was being removed; a new one of the same name is there "
            "now. Look whether that is to go too, and ask again if so."
        )
    return await remove(job, params)


async def _find(job: Job, name: str) -> Document | None:
    try:
        found: Document = await job.engine.look(lambda client: client.inspect_volume(name))
    except EngineError as error:
        if error.status == 404:
            return None
        raise
    return found
