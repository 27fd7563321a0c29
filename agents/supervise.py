"""A part of the agent that crashes is logged and started again; the rest goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("agent")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0  # who ran for so long starts anew with the shortest pause


async def forever(name: str, part: Callable[[], Awaitable[None]]) -> None:
    """Run `part` again whenever it ends or crashes, with growing pauses."""
    loop = asyncio.get_running_loop()
    pause_s = FIRST_PAUSE_S
    while True:
        begun = loop.time()
        try:
            await part()
            log.error("%s ended by itself; it is started again in %.0f s", name, pause_s)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s crashed; it is started again in %.0f s", name, pause_s)
        if loop.time() - begun > STEADY_S:
            pause_s = FIRST_PAUSE_S
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
