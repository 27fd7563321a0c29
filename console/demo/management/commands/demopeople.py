from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand

from console.demo.services import tokens


class Command(BaseCommand):
    help = "Print REST tokens of the demo's people as JSON, by their names."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps(tokens()))
