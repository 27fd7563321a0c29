"""The one thread of a web process in which everything that agents report is written.

SQLite has one writer at a time anyway, and a busy writer starves the others; one thread with
short transactions keeps order and never fights with itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("gantry.link")
_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gantry-writer")


async def write(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that uses the ORM in the writer thread."""

    def run() -> T:
        close_old_connections()
        return function(*args, **kwargs)

    return await asyncio.get_running_loop().run_in_executor(_pool, run)
