"""Records and their JSON forms, as an agent sends them."""

from __future__ import annotations

from typing import Any

from agents.protocol import ContainerRecord, document_of

IMAGE_ID = "sha256:" + "a" * 64


def container_id(number: int) -> str:
    return f"{number:064x}"


def container(number: int, **fields: Any) -> dict[str, Any]:
    """The document of a running container; `fields` differ."""
    values: dict[str, Any] = {
        "id": container_id(number),
        "name": f"shop-web-{number}",
        "image": "acme/shop:1",
        "image_id": IMAGE_ID,
        "state": "running",
        "created_at": 1_764_000_000.0,
    }
    return document_of(ContainerRecord(**{**values, **fields}))
