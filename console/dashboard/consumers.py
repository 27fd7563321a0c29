"""Browsers' websockets: hints that something changed, and a container's log."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from agents.catalogue import ContainerLogs, Permission
from agents.protocol import ProtocolError
from agents.shapes import Misfit
from console.access import policy
from console.access.requests import actor_of_scope
from console.inventory.models import Container
from console.link import hints, registry
from console.link.streams import HostOffline, StreamFailed
from console.operations.logs import LineReader, parse_query

CLOSE_SIGN_IN = 4401
BATCH_LINES = 2000


class Live(AsyncWebsocketConsumer):
    """Sends `{"topics": ["containers", …], "host": id | null, "n": count}` when something changed."""

    groups = [hints.LIVE_GROUP]

    async def connect(self) -> None:
        self.number = 0
        await self.accept()
        if actor_of_scope(self.scope) is None:
            await self.close(CLOSE_SIGN_IN)

    async def live_changed(self, event: Mapping[str, Any]) -> None:
        self.number += 1
        hint = {"topics": event["topics"], "host": event["host"] or None, "n": self.number}
        await self.send(text_data=json.dumps(hint))


class Logs(AsyncWebsocketConsumer):
    """A container's log as `{"lines": [[time, stream, text], …]}`, then `{"end": …}` or `{"error": sentence}`.

    The next bytes are asked of the host when the browser's socket has taken the last ones.
    """

    async def connect(self) -> None:
        await self.accept()
        actor = actor_of_scope(self.scope)
        if actor is None:
            await self.close(CLOSE_SIGN_IN)
            return
        pk: uuid.UUID = self.scope["url_route"]["kwargs"]["pk"]
        try:
            container = await database_sync_to_async(policy.get)(
                actor, Container.objects.select_related("host"), pk, Permission.LOGS
            )
            ask = parse_query(container.engine_id, dict(parse_qsl(self.scope["query_string"].decode("latin-1"))))
        except (policy.NotFound, policy.NotPermitted, Misfit) as error:
            await self._fail(str(error))
            return
        self._pump = asyncio.create_task(self._run(container, ask))

    async def disconnect(self, code: int) -> None:
        pump = getattr(self, "_pump", None)
        if pump is not None:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)

    async def _run(self, container: Container, ask: ContainerLogs) -> None:
        try:
            async with await registry.open_stream(
                container.host_id, container.host.name, "container.logs", ask
            ) as stream:
                reader = LineReader(tty=bool(stream.meta.get("tty")), timestamps=ask.timestamps)
                async for chunk in stream:
                    await self._send_lines(reader.feed(chunk))
                await self._send_lines(reader.finish())
            await self.send(text_data=json.dumps({"end": {"reason": "the container stopped" if ask.follow else ""}}))
        except (HostOffline, StreamFailed) as error:
            await self._fail(str(error))
            return
        except ProtocolError as error:  # what came is no log: nothing of it can be shown
            await self._fail(f"The host sent something else than a log: {error}.")
            return
        await self.close()

    async def _send_lines(self, lines: list[tuple[str | None, str, str]]) -> None:
        for at in range(0, len(lines), BATCH_LINES):
            await self.send(text_data=json.dumps({"lines": lines[at : at + BATCH_LINES]}))

    async def _fail(self, sentence: str) -> None:
        await self.send(text_data=json.dumps({"error": sentence}))
        await self.close()
