"""The house style on one page, for who works on it: every part as pages use it, with examples for data."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from agents.catalogue import OPERATIONS
from console.dashboard.actions import Going
from console.hosts.models import Host
from console.inventory.models import Container, Volume
from console.operations.models import Operation


class ExampleForm(forms.Form):
    name = forms.CharField(help_text="Letters, digits, dot, dash, underscore.")
    port = forms.CharField(label="Published port")
    memory = forms.IntegerField(label="Memory limit")
    host = forms.ChoiceField(choices=[("prod-01", "prod-01"), ("prod-02", "prod-02")])
    restart_policy = forms.ChoiceField(
        widget=forms.RadioSelect, choices=[(word, word) for word in ("no", "always", "unless-stopped", "on-failure")]
    )
    start = forms.BooleanField(label="Start it", required=False)

    def clean_port(self) -> str:
        raise forms.ValidationError("Taken on prod-01 by shop-web-1. Free: 8444.")


@login_required
def components(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    online = Host(name="prod-01", is_connected=True, heard_at=now)
    offline = Host(name="edge-03", heard_at=now - dt.timedelta(minutes=14))
    volume = Volume(id=uuid.uuid4(), name="shop_import_data", engine_id="shop_import_data", host=online)
    user = _container(online, "exited", exit_code=1)
    form = ExampleForm(
        {"name": "shop-web-3", "port": "8443", "memory": "512", "host": "prod-01", "restart_policy": "always"}
    )
    form.is_valid()
    refusal = "The engine will refuse: containers mount it, stopped ones count too. Remove those first."
    context: dict[str, Any] = {
        "states": [
            (_container(online, "running", health="healthy"), "running, its health check passes"),
            (_container(online, "running"), "running, no health check"),
            (_container(online, "running", health="starting"), "running, no check has passed yet"),
            (_container(online, "running", health="unhealthy"), "running, its health check fails"),
            (_container(online, "restarting"), "exited, the engine starts it again"),
            (_container(online, "paused"), "its processes are frozen"),
            (_container(online, "exited", exit_code=0), "ended without an error"),
            (_container(online, "exited", exit_code=137), "ended with an error, code shown"),
            (_container(online, "created"), "made, never started"),
            (_container(online, "dead"), "the engine could not remove it"),
            (online, "host heard of"),
            (offline, "host not heard of"),
            (_container(offline, "running", health="healthy"), "on an offline host: as last known"),
        ],
        "stopping": _container(online, "running"),
        "stop": Operation(kind="container.stop", state="running", requested_at=now - dt.timedelta(seconds=4)),
        "outcomes": [Operation(state=state, deadline_at=now) for state in ("queued", "succeeded", "failed")],
        "counts_by_state": [("healthy", 78), ("running", 31), ("unhealthy", 1), ("paused", 2), ("exited (0)", 16)],
        "series": [41.0, 44.0, 43.0, 52.0, 48.0, 61.0, None, None, 58.0, 66.0, 84.0, 71.0, 69.0],
        "form": form,
        # the confirming dialog's
        "kind": OPERATIONS["volume.remove"],
        "objects": [volume],
        "going": [Going(volume, [user], [], refusal)],
        "hosts": ["stage-02"],
        "now": now,
    }
    return render(request, "dashboard/components.html", context)


def _container(host: Host, state: str, **fields: Any) -> Container:
    return Container(id=uuid.uuid4(), host=host, name="shop-import-1", state=state, **fields)
