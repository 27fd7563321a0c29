from __future__ import annotations

from django.urls import include, path

from console.hosts import views as hosts
from console.link import views as link

urlpatterns = [
    path("healthz", link.healthz, name="healthz"),
    path("readyz", link.readyz, name="readyz"),
    path("agent/enrol", hosts.enrol, name="enrol"),
    path("agent/gantry-agent.pyz", hosts.agent_file, name="agent_file"),
    path("api/", include("console.api.urls")),
    path("", include("console.accounts.urls")),
    path("", include("console.dashboard.urls")),
]
handler403 = "console.dashboard.errors.forbidden"
handler404 = "console.dashboard.errors.not_found"
handler500 = "console.dashboard.errors.server_error"
