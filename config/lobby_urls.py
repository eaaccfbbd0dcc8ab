"""The lobby's URLs: the admin, and what the lobby app serves (API, docs, healthz, readyz)."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("lobby.urls")),
]

handler400 = "lobby.errors.bad_request"
handler404 = "lobby.errors.not_found"
handler500 = "lobby.errors.server_error"
