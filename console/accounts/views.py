from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from console.accounts import services
from console.accounts.forms import ChoosePassword


class Login(LoginView):
    template_name = "accounts/login.html"
    redirect_authenticated_user = True


class Logout(LogoutView):
    pass


@sensitive_post_parameters()
@never_cache
def setup(request: HttpRequest, secret: str) -> HttpResponse:
    """The one-time link: choose a password, and be signed in."""
    try:
        link = services.find_setup_link(secret)
        form = ChoosePassword(link.user, request.POST or None)
        if request.method == "POST" and form.is_valid():
            user = services.use_setup_link(secret, form.cleaned_data["password"])
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("dashboard:overview")
    except services.SetupLinkNotUsable:
        return render(request, "accounts/setup_unusable.html", status=410)
    return render(request, "accounts/setup.html", {"form": form, "account": link.user})
