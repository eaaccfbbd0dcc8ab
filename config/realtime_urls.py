"""No Django URL in the realtime tier: its HTTP is plain ASGI routes, in realtime/routing.py."""

urlpatterns: list[object] = []
