"""`python -m agents run …`, see agents/cli.py."""

from __future__ import annotations

import sys

from agents.cli import main

sys.exit(main())
