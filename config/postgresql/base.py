"""The ENGINE of DATABASES: Django's own, but for how it connects."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg import IsolationLevel

from contracts.postgresql import open_session


class DatabaseWrapper(base.DatabaseWrapper):
    """Connects with `open_session`; OPTIONS may hold its `session`. There is no pool."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        self.isolation_level = IsolationLevel.READ_COMMITTED
        return open_session(conn_params)
