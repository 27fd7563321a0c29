from __future__ import annotations

from django.apps import AppConfig


class LinkConfig(AppConfig):
    name = "console.link"
    label = "link"
