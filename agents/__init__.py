"""The agent: the daemon on each Docker host. Needs no Django and imports nothing of console/."""

from __future__ import annotations

__version__ = "0.1.0"
