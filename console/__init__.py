"""The console: the Django project. Each folder is one app."""

from __future__ import annotations

__version__ = "0.1.0"
