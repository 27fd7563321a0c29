from __future__ import annotations

from django.urls import path

from console.dashboard.views import (
    actions,
    components,
    containers,
    documents,
    hosts,
    images,
    networks,
    operations,
    overview,
    tokens,
    volumes,
)

app_name = "dashboard"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("nav", overview.nav, name="nav"),
    path("hosts", hosts.hosts, name="hosts"),
    path("hosts/add", hosts.add_host, name="add_host"),
    path("hosts/added/<uuid:token>", hosts.added, name="host_added"),
    path("hosts/<uuid:pk>", hosts.host, name="host"),
    path("hosts/<uuid:pk>/rename", hosts.rename, name="host_rename"),
    path("hosts/<uuid:pk>/remove", hosts.remove, name="host_remove"),
    path("containers", containers.containers, name="containers"),
    path("containers/create", containers.create, name="container_create"),
    path("containers/<uuid:pk>", containers.container, name="container"),
    path("containers/<uuid:pk>/logs", containers.logs, name="container_logs"),
    path("containers/<uuid:pk>/<str:tab>", containers.part, name="container_part"),
    path("images", images.images, name="images"),
    path("images/pull", images.pull, name="image_pull"),
    path("images/<uuid:pk>", images.image, name="image"),
    path("networks", networks.networks, name="networks"),
    path("networks/create", networks.create, name="network_create"),
    path("networks/<uuid:pk>", networks.network, name="network"),
    path("volumes", volumes.volumes, name="volumes"),
    path("volumes/create", volumes.create, name="volume_create"),
    path("volumes/<uuid:pk>", volumes.volume, name="volume"),
    path("operations", operations.operations, name="operations"),
    path("operations/<uuid:pk>", operations.operation, name="operation"),
    path("operations/<uuid:pk>/cancel", operations.cancel, name="operation_cancel"),
    path("tokens", tokens.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke", tokens.revoke, name="token_revoke"),
    path("parts/<str:stream>/<uuid:pk>", documents.part, name="part"),
    path("components", components.components, name="components"),
    path("act/<str:kind>", actions.act, name="act"),
    path("confirm/<str:kind>", actions.confirm, name="confirm"),
]
