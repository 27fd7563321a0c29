from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.accounts.models import User
from console.accounts.services import ensure_admin


class Command(BaseCommand):
    help = "Make an administrator, or let one back in. Password from GANTRY_ADMIN_PASSWORD, else a one-time link."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")
        parser.add_argument("--if-none", action="store_true", help="only when nobody has signed in yet")

    def handle(self, *args: Any, username: str, if_none: bool, **options: Any) -> None:
        # Until somebody can sign in, each start prints a fresh link: the first may have been lost.
        with_password = User.objects.filter(is_active=True).exclude(password__startswith="!").exclude(password="")
        if if_none and with_password.exists():
            return
        try:
            user, secret = ensure_admin(username, os.environ.get("GANTRY_ADMIN_PASSWORD") or None)
        except ValidationError as error:
            raise CommandError(f"GANTRY_ADMIN_PASSWORD is not accepted: {' '.join(error.messages)}") from error
        if secret:
            self.stdout.write(f"{settings.PUBLIC_URL}/setup/{secret}")
        else:
            self.stdout.write(f"{user.username} can sign in at {settings.PUBLIC_URL}")
