"""The project as a Django app: it brings the check that `manage.py check --deploy` runs."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Tags, register


def check_environment(**_: Any) -> list[Error]:
    """One error for each weakness that GREENROOM_ENV=production refuses to start with."""
    return [Error(f"{clause}.", id="greenroom.E001") for clause in settings.GREENROOM.weaknesses]


class GreenroomConfig(AppConfig):
    """Registers what only a deployment has to meet."""

    name = "config"
    verbose_name = "Greenroom"

    def ready(self) -> None:
        register(check_environment, Tags.security, deploy=True)
