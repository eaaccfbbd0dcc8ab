"""No Django URL in the realtime tier: its HTTP is plain ASGI routes, in realtime/http.py."""

urlpatterns: list[object] = []
