"""Users."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from realtime.models import User

PERMISSIONS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class PeopleAdmin(UserAdmin):
    """Those who sign in here, and identities that other services vouch for."""

    list_display = ("username", "display_name", "external_id", "is_staff", "is_active")
    search_fields = ("username", "display_name", "external_id", "email")
    readonly_fields = ("user_id", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Identity", {"fields": ("user_id", "external_id", "display_name", "email")}),
        ("Permissions", {"fields": PERMISSIONS}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
