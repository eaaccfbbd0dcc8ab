"""Everything the lobby serves but the admin."""

from django.urls import path

from lobby import api_urls
from lobby.documents import DocsView, SchemaView

urlpatterns = [
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", DocsView.as_view(url_name="schema")),
    *api_urls.urlpatterns,
]
