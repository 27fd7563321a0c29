"""`pytest_plugins = ("tests.console_fixture",)` brings a running console to a module; it takes some 4 s to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console import Console, running_console


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    with running_console() as running:
        yield running
