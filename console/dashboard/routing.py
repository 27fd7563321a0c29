from __future__ import annotations

from django.urls import path

from console.dashboard import consumers

websocket_urlpatterns = [
    path("ws/live", consumers.Live.as_asgi()),
    path("ws/containers/<uuid:pk>/logs", consumers.Logs.as_asgi()),
]
