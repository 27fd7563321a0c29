"""The person who asks, and their own tokens."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from rest_framework.request import Request
from rest_framework.response import Response

from agents.shapes import Length, Pattern, Range
from console.access import policy, services
from console.access.queries import own_api_tokens
from console.accounts.models import ApiToken
from console.api import documents
from console.api.endpoints import Endpoint, View, endpoint
from console.api.lists import Listing

TOKENS = Listing[ApiToken](
    documents.TokenDocument, None, {"name": "name", "created_at": "created_at"}, ["-created_at"]
)


@dataclass(frozen=True, slots=True)
class CreateToken:
    name: Annotated[str, Length(1, 100), Pattern(r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*", "must be a line of text")]
    expires_in_s: Annotated[int, Range(60, 10 * 366 * 24 * 3600)] | None = None  # null: it does not expire


class Me(View):
    @endpoint(Endpoint("get_me", "Who you are to the console", {200: documents.MeDocument}))
    def get(self, request: Request) -> Response:
        user = self.actor.user
        me: documents.MeDocument = {
            "id": user.pk,
            "username": user.username,
            "full_name": user.get_full_name(),
            "email": user.email,
            "is_administrator": policy.may_administer(self.actor),
            "token": documents.token(request.auth) if isinstance(request.auth, ApiToken) else None,
        }
        return Response(me)


class Tokens(View):
    @endpoint(TOKENS.endpoint("list_tokens", "Your own REST tokens, without their secrets"))
    def get(self, request: Request) -> Response:
        return TOKENS.page(self, own_api_tokens(self.actor), lambda rows: [documents.token(row) for row in rows])

    @endpoint(
        Endpoint(
            "create_token", "Make a REST token", {201: documents.NewTokenDocument},
            body=CreateToken, problems=(413, 415, 422),
            description="It may do what you may. Its secret is in this answer only.",
        )
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        wanted = self.body(CreateToken)
        valid_for = dt.timedelta(seconds=wanted.expires_in_s) if wanted.expires_in_s else None
        token, secret = services.create_api_token(self.actor, wanted.name, valid_for)
        return Response({**documents.token(token), "secret": secret}, 201)


class OneToken(View):
    @endpoint(Endpoint("get_token", "One of your REST tokens", {200: documents.TokenDocument}))
    def get(self, request: Request, pk: int) -> Response:
        return Response(documents.token(policy.get(self.actor, own_api_tokens(self.actor), pk)))

    @endpoint(Endpoint("delete_token", "Delete one of your REST tokens", {204: None}))
    def delete(self, request: Request, pk: int) -> Response:
        services.delete_api_token(self.actor, policy.get(self.actor, own_api_tokens(self.actor), pk))
        return Response(status=204)
