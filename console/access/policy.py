"""The one place that decides who may do what, for pages, REST, websockets and schedules alike.

A question about one object and a list of objects are answered by the same filter, so they
cannot disagree. What an actor may not view does not exist for them: `get` raises NotFound.
For now whoever signed in is an administrator; grants narrow the filter later, and nothing else.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from agents.catalogue import Permission
from console.access.actors import Actor

M = TypeVar("M", bound=Model)


class NotPermitted(Exception):
    """The actor may view the object, but not do this to it; the text says which permission is missing."""


class NotFound(Exception):
    """There is no such object for this actor."""


def filter_for(actor: Actor, permission: Permission, model: type[Model]) -> Q:
    """The query that finds exactly the objects of `model` on which `actor` holds `permission`."""
    return Q() if actor.user.is_active else Q(pk__in=[])


def permitted(actor: Actor, objects: QuerySet[M], permission: Permission = Permission.VIEW) -> QuerySet[M]:
    """The part of `objects` on which `actor` holds `permission`."""
    return objects.filter(filter_for(actor, permission, objects.model))


def get(actor: Actor, objects: QuerySet[M], pk: object, permission: Permission = Permission.VIEW) -> M:
    """The one object. Raises NotFound if it may not be viewed, NotPermitted if `permission` lacks."""
    found = permitted(actor, objects).filter(pk=pk).first()
    if found is None:
        raise NotFound(f"There is no such {objects.model._meta.verbose_name}.")
    require(actor, found, permission)
    return found


def require(actor: Actor, found: Model, permission: Permission) -> None:
    """Raises NotPermitted unless the filter for `permission` finds the object."""
    if not may(actor, found, permission):
        kind = found._meta.verbose_name
        raise NotPermitted(f"You need the permission '{permission.value}' on this {kind}. Ask an administrator.")


def may(actor: Actor, found: Model, permission: Permission) -> bool:
    return permitted(actor, type(found)._default_manager.all(), permission).filter(pk=found.pk).exists()


def may_administer(actor: Actor) -> bool:
    """May change what belongs to no host: join tokens, settings, people."""
    return actor.user.is_active


def require_administrator(actor: Actor) -> None:
    if not may_administer(actor):
        raise NotPermitted("Only an administrator may do this.")
