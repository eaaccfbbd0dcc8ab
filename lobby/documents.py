"""The OpenAPI document and the page that shows it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.request import Request
from rest_framework.views import APIView


class Document(APIView):
    """Answers OPTIONS as the API's views do. REST framework would describe the view, by a renderer
    that may have no template for that."""

    def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """The methods that this path takes, which REST framework adds to every answer."""
        response = HttpResponse(status=204)
        del response["Content-Type"]
        return response


class SchemaView(Document, SpectacularAPIView):
    """/api/schema"""


class DocsView(Document, SpectacularSwaggerView):
    """/api/docs"""
