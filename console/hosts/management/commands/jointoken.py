from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.hosts.services import JOIN_TOKEN_VALID_AT_MOST, issue_join_token


class Command(BaseCommand):
    help = "Print a join token, with which one agent can join. It is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--expires-minutes", type=int, default=60)

    def handle(self, *args: Any, expires_minutes: int, **options: Any) -> None:
        valid_for = dt.timedelta(minutes=expires_minutes)
        if not dt.timedelta() < valid_for <= JOIN_TOKEN_VALID_AT_MOST:
            raise CommandError("--expires-minutes must be between 1 and 43200 (30 days).")
        _, secret = issue_join_token(None, valid_for=valid_for)
        self.stdout.write(secret)
