from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Annotated

from rest_framework.request import Request
from rest_framework.response import Response

from agents.shapes import Length, Pattern, Range
from console.access import policy
from console.api import documents
from console.api.endpoints import Endpoint, View, endpoint
from console.api.lists import Listing
from console.hosts import services
from console.hosts.models import Host, JoinToken
from console.hosts.queries import join_tokens
from console.inventory import queries
from console.inventory.filtersets import HostFilters
from console.operations.removal import remove_host

HOSTS = Listing[Host](
    documents.HostDocument,
    HostFilters,
    {"name": "name", "created_at": "created_at", "last_seen_at": "heard_at", "containers_count": "containers_count"},
    ["name"],
)
JOIN_TOKENS = Listing[JoinToken](
    documents.JoinTokenDocument, None, {"created_at": "created_at", "expires_at": "expires_at"}, ["-created_at"]
)


@dataclass(frozen=True, slots=True)
class RenameHost:
    name: Annotated[
        str,
        Length(1, 100),
        Pattern(
            r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?",
            "must be of letters, digits, underscores, and dots or dashes inside",
        ),
    ]


@dataclass(frozen=True, slots=True)
class CreateJoinToken:
    expires_in_s: Annotated[int, Range(60, 30 * 24 * 3600)] = 3600  # seconds that it can be used


class Hosts(View):
    @endpoint(HOSTS.endpoint("list_hosts", "Hosts"))
    def get(self, request: Request) -> Response:
        return HOSTS.page(self, queries.hosts(self.actor), lambda rows: [documents.host(row) for row in rows])


class OneHost(View):
    @endpoint(Endpoint("get_host", "A host", {200: documents.HostDocument}))
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        return Response(documents.host(policy.get(self.actor, queries.hosts(self.actor), pk)))

    @endpoint(
        Endpoint(
            "rename_host", "Rename a host", {200: documents.HostDocument}, body=RenameHost, problems=(413, 415, 422)
        )
    )
    def patch(self, request: Request, pk: uuid.UUID) -> Response:
        host = policy.get(self.actor, queries.hosts(self.actor), pk)
        services.rename(self.actor, host, self.body(RenameHost).name)
        return Response(documents.host(host))

    @endpoint(
        Endpoint(
            "remove_host", "Remove a host from the console", {204: None},
            description="Its agent's credential is revoked and its link closed. On the host itself nothing changes.",
        )
    )  # fmt: skip
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        remove_host(self.actor, policy.get(self.actor, queries.hosts(self.actor), pk))
        return Response(status=204)


class JoinTokens(View):
    @endpoint(JOIN_TOKENS.endpoint("list_join_tokens", "Join tokens, without their secrets"))
    def get(self, request: Request) -> Response:
        return JOIN_TOKENS.page(
            self, join_tokens(self.actor), lambda rows: [documents.join_token(row) for row in rows]
        )

    @endpoint(
        Endpoint(
            "create_join_token", "Make a join token", {201: documents.NewJoinTokenDocument},
            body=CreateJoinToken, problems=(413, 415, 422),
            description="It makes one agent a host of this console, once. Its secret is in this answer only.",
        )
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        wanted = self.body(CreateJoinToken)
        token, secret = services.create_join_token(self.actor, valid_for=dt.timedelta(seconds=wanted.expires_in_s))
        return Response({**documents.join_token(token), "secret": secret}, 201)


class OneJoinToken(View):
    @endpoint(Endpoint("get_join_token", "A join token", {200: documents.JoinTokenDocument}))
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        return Response(documents.join_token(policy.get(self.actor, join_tokens(self.actor), pk)))

    @endpoint(Endpoint("delete_join_token", "Make a join token worthless", {204: None}))
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        services.delete_join_token(self.actor, policy.get(self.actor, join_tokens(self.actor), pk))
        return Response(status=204)
