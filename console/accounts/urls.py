from __future__ import annotations

from django.urls import path

from console.accounts import views

app_name = "accounts"
urlpatterns = [
    path("login", views.Login.as_view(), name="login"),
    path("logout", views.Logout.as_view(), name="logout"),
    path("setup/<str:secret>", views.setup, name="setup"),
]
