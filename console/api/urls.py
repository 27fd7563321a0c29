"""Addresses under /api/. Those of objects and of what can be done to them come from the catalogue."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any, cast

from django.http import Http404
from django.urls import URLPattern, path, re_path
from rest_framework.request import Request

from agents.catalogue import OBJECT_KINDS
from console.api import hosts, inspecting, logs, me, objects, operations, schema
from console.api.actions import actions
from console.api.endpoints import View

app_name = "api"
V1 = "v1/"


class Nothing(View):
    """A problem document for what is not there, for whoever asks."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


def _of_objects() -> list[URLPattern]:
    """One view for each path, with all methods that listings and the catalogue have for it."""
    methods: dict[str, dict[str, Callable[..., Any]]] = collections.defaultdict(dict)
    for kind in OBJECT_KINDS:
        methods[f"{kind}s"]["get"] = objects.list_handler(kind)
        methods[f"{kind}s/<uuid:pk>"]["get"] = objects.detail_handler(kind)
    for document in inspecting.INSPECTINGS:
        methods[f"{document.kind}s/<uuid:pk>/{document.path}"]["get"] = inspecting.inspecting_handler(document)
    for action in actions():
        methods[action.path][action.method] = action.handler
    views = {route: cast(type[View], type("ObjectView", (View,), found)) for route, found in methods.items()}
    names = {f"{d.kind}s/<uuid:pk>/{d.path}": d.stream.name for d in inspecting.INSPECTINGS}
    return [path(f"{V1}{route}", view.as_view(), name=names.get(route)) for route, view in views.items()]


documented = [
    path(f"{V1}hosts", hosts.Hosts.as_view()),
    path(f"{V1}hosts/<uuid:pk>", hosts.OneHost.as_view()),
    path(f"{V1}join-tokens", hosts.JoinTokens.as_view()),
    path(f"{V1}join-tokens/<uuid:pk>", hosts.OneJoinToken.as_view()),
    *_of_objects(),
    path(f"{V1}containers/<uuid:pk>/logs", logs.ContainerLogs.as_view(), name="container_logs"),
    path(f"{V1}hosts/<uuid:pk>/disk-usage", inspecting.HostUsage.as_view()),
    path(f"{V1}operations", operations.Operations.as_view()),
    path(f"{V1}operations/<uuid:pk>", operations.OneOperation.as_view(), name="operation"),
    path(f"{V1}operations/<uuid:pk>/cancel", operations.CancelOperation.as_view()),
    path(f"{V1}me", me.Me.as_view()),
    path(f"{V1}tokens", me.Tokens.as_view()),
    path(f"{V1}tokens/<int:pk>", me.OneToken.as_view()),
]
_all = [
    *documented,
    path(f"{V1}schema", schema.OpenApi.as_view(), name="schema"),
    path(f"{V1}docs", schema.docs, name="docs"),
]
urlpatterns = [
    *_all,
    *(path(f"{pattern.pattern}/", pattern.callback) for pattern in _all),  # a slash at the end does no harm
    re_path("", Nothing.as_view()),
]
