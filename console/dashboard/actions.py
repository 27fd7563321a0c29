"""From a button to an operation: every kind of the catalogue that acts on objects, for one or many of them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.catalogue import LABEL_SYSTEM, OPERATIONS, OperationKind, parse_operation
from agents.shapes import Misfit
from console.access import policy
from console.access.actors import Actor
from console.inventory import queries
from console.inventory.filtersets import is_uuid
from console.inventory.models import MODELS, Container, EngineObject, Image, Network, Volume
from console.operations.models import Operation
from console.operations.services import HostNotEnrolled, UnknownObject, request

OBJECTS_AT_ONCE = 500
_ANONYMOUS = re.compile("[0-9a-f]{64}")  # the name of a volume that nobody named


@dataclass(slots=True)
class Asked:
    """What came of a click: the operations that were asked for, and a sentence for each that was not."""

    operations: list[Operation] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def trigger(self) -> str:
        """The HX-Trigger header that shows both as toasts."""
        events: dict[str, Any] = {}
        if self.operations:
            events["gantry:operations"] = {
                "operations": [{"id": str(operation.pk), "title": operation.title} for operation in self.operations]
            }
        if self.refusals:
            events["gantry:refusals"] = {"sentences": self.refusals[:10]}
        return json.dumps(events)


def kind_on_objects(name: str) -> OperationKind:
    """The catalogue's entry that acts on an object. Raises policy.NotFound."""
    kind = OPERATIONS.get(name)
    if kind is None or kind.target is None:
        raise policy.NotFound(f"There is no operation {name[:60]}.")
    return kind


def chosen(actor: Actor, kind: OperationKind, ids: Iterable[str]) -> list[EngineObject]:
    """The objects with these ids that the actor may view, in the order of their names."""
    assert kind.target is not None
    wanted = [uuid.UUID(text) for text in list(ids)[:OBJECTS_AT_ONCE] if is_uuid(text)]
    model = MODELS[kind.target]
    return list(policy.permitted(actor, model.objects.filter(pk__in=wanted)).select_related("host").order_by("name"))


@dataclass(frozen=True, slots=True)
class Going:
    """One object of a confirming dialog: what uses it, what of it stays, and why the engine will refuse, or ''."""

    found: EngineObject
    users: list[Container]
    stays: list[str]
    refusal: str = ""


def going(actor: Actor, kind: OperationKind, objects: Sequence[EngineObject]) -> list[Going]:
    """What a confirming dialog says of each object before it goes."""
    users: Mapping[uuid.UUID, list[Container]] = {}
    if kind.name == "image.remove":
        users = queries.image_users(actor, [found for found in objects if isinstance(found, Image)])
    elif kind.name == "network.remove":
        users = queries.network_members(actor, [found for found in objects if isinstance(found, Network)])
    elif kind.name == "volume.remove":
        users = queries.volume_users(actor, [found for found in objects if isinstance(found, Volume)])
    return [
        Going(found, mine, _stays(kind, found), _refusal(kind, found, mine))
        for found in objects
        for mine in [users.get(found.pk, [])]
    ]


def _stays(kind: OperationKind, found: EngineObject) -> list[str]:
    """Names of the volumes that outlive a container: those that somebody named."""
    if kind.name != "container.remove" or not isinstance(found, Container):
        return []
    names = [str(mount.get("name", "")) for mount in found.mounts if mount.get("type") == "volume"]
    return [name for name in names if name and not _ANONYMOUS.fullmatch(name)]


def _refusal(kind: OperationKind, found: EngineObject, users: Sequence[Container]) -> str:
    """As engines do: a running user holds an image and a network, any user a volume."""
    running = [user for user in users if user.state in ("running", "paused", "restarting")]
    if kind.name == "image.remove":
        if running:
            return "The engine will refuse: running containers use it. Stop and remove those first."
        if users:
            return "The engine will refuse, unless you tick the box below: stopped containers use it."
        if isinstance(found, Image) and len(found.tags) > 1:
            return "The engine will refuse, unless you tick the box below: it has several tags."
    if kind.name == "network.remove" and running:
        return "The engine will refuse: running containers are in it. Stop or disconnect those first."
    if kind.name == "volume.remove" and users:
        return "The engine will refuse: containers mount it, stopped ones count too. Remove those first."
    return ""


def ask(actor: Actor, kind: OperationKind, objects: Iterable[EngineObject], options: Mapping[str, Any]) -> Asked:
    """Ask it of each object. With several, what belongs to Gantry itself is spared, and that is said."""
    asked = Asked()
    objects = list(objects)
    for found in objects:
        if len(objects) > 1 and LABEL_SYSTEM in found.labels:
            asked.refusals.append(f"{found.name} is part of Gantry and was left out. Act on it by itself.")
            continue
        try:
            params = parse_operation(kind.name, {**options, str(kind.target): found.engine_id})
            asked.operations.append(request(actor, found.host, params))
        except (Misfit, UnknownObject, HostNotEnrolled, policy.NotPermitted) as error:
            asked.refusals.append(f"{found.name}: {error}")
    return asked
