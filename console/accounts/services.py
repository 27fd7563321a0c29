from __future__ import annotations

import datetime as dt

from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from console.accounts import secrets
from console.accounts.models import ApiToken, SetupLink, User

SETUP_LINK_VALID = dt.timedelta(hours=24)
LAST_USED_RESOLUTION = dt.timedelta(minutes=1)


class SetupLinkNotUsable(Exception):
    """The link is unknown, used or expired."""


@transaction.atomic
def ensure_admin(username: str, password: str | None) -> tuple[User, str | None]:
    """Make `username` an administrator who can sign in: with `password`, else by a one-time link.

    Returns the user, and the secret of the set-up link where no password was given.
    Raises ValidationError when the password is too weak.
    """
    user, _ = User.objects.get_or_create(username=username)
    user.is_active = user.is_staff = user.is_superuser = True
    if password is None:
        if not user.has_usable_password():
            user.set_unusable_password()
        user.save()
        return user, make_setup_link(user)
    validate_password(password, user)
    user.set_password(password)
    user.save()
    return user, None


def make_setup_link(user: User) -> str:
    """A new one-time link's secret; earlier ones of the user stop working."""
    secret = secrets.make("gts")
    user.setup_links.filter(used_at=None).delete()
    SetupLink.objects.create(
        user=user, secret_hash=secrets.hash_of(secret), expires_at=timezone.now() + SETUP_LINK_VALID
    )
    return secret


def find_setup_link(secret: str) -> SetupLink:
    """Raises SetupLinkNotUsable."""
    link = SetupLink.objects.select_related("user").filter(secret_hash=secrets.hash_of(secret)).first()
    if link is None or not link.is_usable():
        raise SetupLinkNotUsable
    return link


@transaction.atomic
def use_setup_link(secret: str, password: str) -> User:
    """Set the password and use the link up. Raises SetupLinkNotUsable, ValidationError."""
    link = find_setup_link(secret)
    validate_password(password, link.user)
    taken = SetupLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now())
    if not taken:
        raise SetupLinkNotUsable
    link.user.set_password(password)
    link.user.save(update_fields=["password"])
    return link.user


def issue_api_token(user: User, name: str, expires_at: dt.datetime | None = None) -> tuple[ApiToken, str]:
    """A new token and its secret, which is not kept."""
    secret = secrets.make("gtt")
    token = ApiToken.objects.create(user=user, name=name, secret_hash=secrets.hash_of(secret), expires_at=expires_at)
    return token, secret


def authenticate_api_token(secret: str) -> ApiToken | None:
    """The token that `secret` belongs to, if it is valid and its owner active. Notes the use, to the minute."""
    now = timezone.now()
    token = (
        ApiToken.objects.select_related("user")
        .filter(secret_hash=secrets.hash_of(secret), user__is_active=True)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )
    if token and (token.last_used_at is None or now - token.last_used_at > LAST_USED_RESOLUTION):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token
