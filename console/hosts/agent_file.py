"""The console's own agent as one file, made once per process and kept in memory."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

BUILD_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class AgentFile:
    content: bytes
    sha256: str


@functools.cache
def agent_file() -> AgentFile:
    """Build it with the agent's own builder, in a process of its own: the console imports no agent."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "gantry-agent.pyz"
        subprocess.run(
            [sys.executable, "-m", "agents.bundle", str(target)],
            cwd=settings.BASE_DIR, check=True, capture_output=True, timeout=BUILD_TIMEOUT_S,
        )  # fmt: skip
        content = target.read_bytes()
    return AgentFile(content, hashlib.sha256(content).hexdigest())
