"""From a button to an operation: every kind of the catalogue that acts on objects, for one or many of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.catalogue import LABEL_SYSTEM, OPERATIONS, OperationKind, parse_operation
from agents.shapes import Misfit
from console.access import policy
from console.access.actors import Actor
from console.inventory.filtersets import is_uuid
from console.inventory.models import MODELS, EngineObject
from console.operations.models import Operation
from console.operations.services import HostNotEnrolled, UnknownObject, request

OBJECTS_AT_ONCE = 500


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
