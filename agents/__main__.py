"""`python -m agents run …`, see agents/cli.py."""

from __future__ import annotations

from agents.cli import main

main()
