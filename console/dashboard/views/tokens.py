"""A person's own REST tokens."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.access import policy, services
from console.access.queries import own_api_tokens
from console.access.requests import actor_of
from console.dashboard.forms import CreateTokenForm
from console.dashboard.views.actions import went_to


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The list and a form; POST makes a token, and its answer is the only place that shows the secret."""
    actor = actor_of(request)
    form = CreateTokenForm(request.POST or None)
    context: dict[str, object] = {"form": form}
    status = 200
    if request.method == "POST":
        if form.is_valid():
            days = form.cleaned_data["valid_days"]
            valid_for = dt.timedelta(days=days) if days else None
            token, secret = services.create_api_token(actor, form.cleaned_data["name"], valid_for)
            context |= {"form": CreateTokenForm(), "made": token, "secret": secret}
        else:
            status = 422
    return render(request, "dashboard/tokens.html", {**context, "tokens": own_api_tokens(actor)}, status=status)


@login_required
@require_http_methods(["GET", "POST"])
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    actor = actor_of(request)
    try:
        found = policy.get(actor, own_api_tokens(actor), pk)
    except policy.NotFound as error:
        raise Http404(str(error)) from error
    if request.method == "POST":
        services.delete_api_token(actor, found)
        return went_to(request, reverse("dashboard:tokens"))
    return render(request, "dashboard/tokens/revoke.html", {"token": found})
