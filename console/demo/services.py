"""The people of the demo, and the tokens with which the fleet acts for them."""

from __future__ import annotations

from django.db import transaction

from console.accounts.models import User
from console.accounts.services import issue_api_token

ADMINISTRATOR = "admin"
PEOPLE = {"ada": ("Ada", "Byrne"), "joon": ("Joon", "Park"), "mina": ("Mina", "Okafor"), "tobias": ("Tobias", "Lind")}
TOKEN = "the demo's fleet"


@transaction.atomic
def tokens() -> dict[str, str]:
    """A fresh REST token of the administrator, then of each person, who is made if need be; earlier ones end."""
    found = {}
    for username in (ADMINISTRATOR, *PEOPLE):
        user, _ = User.objects.get_or_create(username=username)
        if username in PEOPLE:
            user.first_name, user.last_name = PEOPLE[username]
            user.set_unusable_password()
            user.save()
        user.api_tokens.filter(name=TOKEN).delete()
        found[username] = issue_api_token(user, TOKEN)[1]
    return found
