from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from console.access import policy
from console.access.requests import actor_of
from console.dashboard import actions
from console.dashboard.forms import AskForm
from console.operations.services import HostNotEnrolled, UnknownObject
from console.operations.services import request as ask_of_host

# What a button or a confirming dialog may set beside the object itself.
_FLAGS = ("force", "volumes")
_TEXTS = ("tag", "signal")


@login_required
@require_POST
def act(request: HttpRequest, kind: str) -> HttpResponse:
    """Ask `kind` of each object in `ids`. Answers htmx with toasts, a plain form with the page it was on."""
    actor = actor_of(request)
    entry, objects = _chosen(request, kind, request.POST.getlist("ids"))
    options: dict[str, Any] = {name: True for name in _FLAGS if request.POST.get(name)}
    options |= {name: value for name in _TEXTS if (value := request.POST.get(name))}
    asked = actions.ask(actor, entry, objects, options)
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Trigger": asked.trigger()})
    return _back(request)


@login_required
@require_GET
def confirm(request: HttpRequest, kind: str) -> HttpResponse:
    """The dialog that says what will go before it goes."""
    actor = actor_of(request)
    entry, objects = _chosen(request, kind, request.GET.getlist("ids"))
    if not objects:
        raise Http404("None of these objects is there any more.")
    running = sum(getattr(found, "state", "") in ("running", "paused", "restarting") for found in objects)
    context = {
        "kind": entry,
        "objects": objects,
        "going": actions.going(actor, entry, objects),
        "running_count": running,
        "freed_bytes": sum(found.size_bytes for found in objects) if entry.target == "image" else None,
        "hosts": sorted({found.host.name for found in objects}),
    }
    return render(request, "components/_confirm.html", context)


def asked_by_form(request: HttpRequest, form_class: type[AskForm], template: str) -> HttpResponse:
    """A form that ends in one operation: shown, shown again with what is wrong, or asked and its page opened."""
    actor = actor_of(request)
    initial = {name: request.GET[name] for name in ("host", "image", "reference") if name in request.GET}
    form = form_class(actor, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            operation = ask_of_host(actor, form.cleaned_data["host"], form.ask)
        except (UnknownObject, HostNotEnrolled, policy.NotPermitted) as error:
            form.add_error(None, str(error))
        else:
            return went_to(request, reverse("dashboard:operation", args=[operation.pk]))
    return render(request, template, {"form": form}, status=422 if form.is_bound else 200)


def went_to(request: HttpRequest, address: str) -> HttpResponse:
    """A form is done: the browser goes on to `address`, from a page or from a dialog."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect(address)


def _chosen(request: HttpRequest, kind: str, ids: list[str]) -> Any:
    actor = actor_of(request)
    try:
        entry = actions.kind_on_objects(kind)
    except policy.NotFound as error:
        raise Http404(str(error)) from error
    return entry, actions.chosen(actor, entry, ids)


def _back(request: HttpRequest) -> HttpResponseRedirect:
    target = request.POST.get("next") or request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return HttpResponseRedirect(target)
    return HttpResponseRedirect("/")
