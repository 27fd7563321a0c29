"""What agents ask for over HTTP before they have a link."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from console.hosts.agent_file import agent_file as built_agent_file
from console.hosts.services import JoinRefused
from console.hosts.services import enrol as enrol_host

BODY_BYTES = 8 * 1024


@csrf_exempt  # no cookie is looked at: the join token is what counts
@require_POST
def enrol(request: HttpRequest) -> HttpResponse:
    """`{"token", "credential", "name"}` → `{"host"}`. The agent makes the credential, so asking again is safe."""
    if len(request.body) > BODY_BYTES:
        return _problem(413, "The request is too large.")
    try:
        body = json.loads(request.body)
        token, credential, name = (str(body[field]) for field in ("token", "credential", "name"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return _problem(422, "An agent sends a JSON object with token, credential and name.")
    try:
        host = enrol_host(token, credential, name, origin=request.META.get("REMOTE_ADDR", ""))
    except JoinRefused as error:
        return _problem(403, str(error))
    return JsonResponse({"host": str(host.pk)})


@require_GET
def agent_file(request: HttpRequest) -> HttpResponse:
    """`gantry-agent.pyz`, which a bare python3 runs. `X-SHA256` and the ETag are its checksum."""
    built = built_agent_file()
    etag = f'"{built.sha256}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag})
    headers = {
        "ETag": etag,
        "X-SHA256": built.sha256,
        "Content-Disposition": 'attachment; filename="gantry-agent.pyz"',
        "Cache-Control": "no-cache",
    }
    return HttpResponse(built.content, content_type="application/zip", headers=headers)


def _problem(status: int, detail: str) -> JsonResponse:
    body = {"type": "about:blank", "status": status, "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")
