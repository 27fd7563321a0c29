"""Volumes of the engine in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.memory.state import ApiError, Volume

if TYPE_CHECKING:  # which makes volumes itself, for containers that name new ones
    from demo.memory.lifecycle import Lifecycle


def make_volume(
    life: Lifecycle,
    name: str,
    *,
    driver: str = "local",
    labels: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    created: float | None = None,
) -> Volume:
    """The volume of that name, made if it is not there. Raises ApiError."""
    if found := life.state.volumes.get(name):
        return found
    if driver != "local":
        raise ApiError(404, f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')
    size = int(life.state.new_id(f"size {name}")[:7], 16) * 12
    volume = Volume(name, driver, life.clock() if created is None else created, labels or {}, options or {}, size)
    life.state.volumes[name] = volume
    life.emit("volume", "create", name, {"driver": driver})
    return volume


def remove_volume(life: Lifecycle, volume: Volume) -> None:
    """Raises ApiError."""
    if users := life.state.users_of_volume(volume.name):
        ids = ", ".join(c.id for c in users)
        raise ApiError(409, f"remove {volume.name}: volume is in use - [{ids}]")
    del life.state.volumes[volume.name]
    life.emit("volume", "destroy", volume.name, {"driver": volume.driver})
