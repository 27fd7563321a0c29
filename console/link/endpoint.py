"""Where agents dial in: `/agent/link`, a raw ASGI websocket (a Channels consumer costs a third of the throughput)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings

from agents.protocol import (
    CLOSE_BAD_MESSAGE,
    CLOSE_DUPLICATE,
    CLOSE_REFUSED,
    PROTOCOL_VERSION,
    SUBPROTOCOL,
    TO_CONSOLE,
    Hello,
    ProtocolError,
    Welcome,
    load,
)
from console import __version__
from console.hosts.models import Host
from console.hosts.services import authenticate
from console.link import registry
from console.link.session import Session

logger = logging.getLogger("gantry.link")

HELLO_TIMEOUT_S = 20
REASON_BYTES = 120  # RFC 6455 allows 123 for a close frame's reason

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def link(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect
    host = await _authenticate(scope)
    offered = SUBPROTOCOL in scope.get("subprotocols", [])
    # Accepted in any case: only a close frame carries a sentence to the agent's log.
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if offered else None})
    if host is None:
        await _close(send, CLOSE_REFUSED, "this console does not know the agent's credential; join the host anew")
        return
    if not offered:
        await _close(
            send, CLOSE_BAD_MESSAGE, f"the link speaks {SUBPROTOCOL}; run the agent that this console serves"
        )
        return
    try:
        hello = await _hello(receive)
    except ProtocolError as error:
        logger.warning("%s: %s", host.name, error)
        await _close(send, CLOSE_BAD_MESSAGE, str(error))
        return
    if hello is not None:
        await _serve(Session(host, hello, send), receive, send)


async def _serve(session: Session, receive: Receive, send: Send) -> None:
    host = session.host
    try:
        registry.admit(session)
    except registry.Duplicate as error:
        logger.warning("%s: a second agent was refused, from %s", host.name, host.address)
        await _close(send, CLOSE_DUPLICATE, str(error))
        return
    logger.info("%s: linked, agent %s", host.name, session.hello.agent_version)
    try:
        await session.send(
            Welcome(str(host.pk), __version__, settings.HEARTBEAT_S, settings.LOST_AFTER_S),
        )
        await session.run(receive)
    finally:
        await registry.dismiss(session)
        code, reason = session.closing or (1000, "")
        logger.info("%s: link closed%s", host.name, f": {reason}" if reason else "")
        await _close(send, code, reason)


async def _authenticate(scope: dict[str, Any]) -> Host | None:
    headers = dict(scope["headers"])
    scheme, _, credential = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    host_id, _, secret = credential.partition(".")
    if scheme.lower() != "bearer" or not secret:
        return None
    host = await sync_to_async(authenticate)(host_id, secret)
    if host is not None:
        host.address = (scope.get("client") or ("",))[0][:64]
    return host


async def _hello(receive: Receive) -> Hello | None:
    """The agent's first message; None if it went away. Raises ProtocolError."""
    try:
        event = await asyncio.wait_for(receive(), HELLO_TIMEOUT_S)
    except TimeoutError as error:
        raise ProtocolError("no Hello came") from error
    if event["type"] == "websocket.disconnect":
        return None
    message = load(event.get("text") or "", TO_CONSOLE)
    if not isinstance(message, Hello):
        raise ProtocolError("the first message must be Hello")
    if message.protocol != PROTOCOL_VERSION:
        raise ProtocolError(f"the agent speaks protocol {message.protocol}, this console {PROTOCOL_VERSION}")
    return message


async def _close(send: Send, code: int, reason: str) -> None:
    cut = reason.encode()[:REASON_BYTES].decode(errors="ignore")
    try:
        await send({"type": "websocket.close", "code": code, "reason": cut})
    except (OSError, RuntimeError):
        pass  # the agent went first
