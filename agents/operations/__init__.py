"""The functions that carry out the operations of the catalogue, a module per kind of object."""

from __future__ import annotations

from agents.operations import containers, images, networks, volumes
from agents.operations.job import check_complete

__all__ = ["containers", "images", "networks", "volumes"]

check_complete()
