from __future__ import annotations

from django.http import HttpRequest
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from console.accounts.models import ApiToken, User
from console.accounts.services import authenticate_api_token


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer gtt_…`. `request.auth` is the token."""

    keyword = "bearer"

    def authenticate(self, request: HttpRequest) -> tuple[User, ApiToken] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != self.keyword:
            return None
        token = authenticate_api_token(secret.strip())
        if token is None:
            raise exceptions.AuthenticationFailed("This token is not valid: it is unknown, expired or revoked.")
        return token.user, token

    def authenticate_header(self, request: HttpRequest) -> str:
        return 'Bearer realm="gantry"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with CSRF checked."""

    def enforce_csrf(self, request: Request) -> None:
        # Of Django's request: the check looks for a form's field first, and DRF's would parse the body for it.
        super().enforce_csrf(request._request)  # type: ignore[arg-type]
