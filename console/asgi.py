"""The web process: pages and REST (Django), agents' links (raw ASGI), browsers' sockets (Channels).

Here, and only here, the apps above the link are wired to it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

from django.core.asgi import get_asgi_application

# What follows imports models, and models need Django set up: hence the order.
# ruff: noqa: E402
django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator

from console.body_limit import with_body_limit
from console.dashboard.routing import websocket_urlpatterns
from console.inventory.ingest import Mirroring
from console.link import receivers, registry
from console.link.endpoint import link
from console.operations.dispatch import Dispatching

LINK_PATH = "/agent/link"

receivers.register(Mirroring)
receivers.register(Dispatching)

pages_and_rest = with_body_limit(django_application)
browser_sockets = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))


Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket" and scope["path"] == LINK_PATH:
        await link(scope, receive, send)
    elif scope["type"] == "websocket":
        await browser_sockets(scope, receive, send)
    else:
        await pages_and_rest(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()  # lifespan.startup
    upkeep = asyncio.create_task(registry.serve())
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    await registry.end_all()
    upkeep.cancel()
    await asyncio.gather(upkeep, return_exceptions=True)
    await send({"type": "lifespan.shutdown.complete"})
