from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.accounts.models import User
from console.accounts.services import issue_api_token


class Command(BaseCommand):
    help = "Print a new REST token of a user. It is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True)
        parser.add_argument("--name", default="command line")

    def handle(self, *args: Any, user: str, name: str, **options: Any) -> None:
        owner = User.objects.filter(username=user, is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user {user!r}. Make one with ./gantry createadmin --username.")
        _, secret = issue_api_token(owner, name[:100])
        self.stdout.write(secret)
