"""Everything the lobby serves but the admin."""

from django.urls import path

from lobby import api_urls
from lobby.health import ReadyView

urlpatterns = [*api_urls.urlpatterns, path("readyz", ReadyView.as_view())]
