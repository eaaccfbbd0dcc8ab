"""Migrations only add, so that the version before runs on the tables that they leave."""

import pytest
from django.db import migrations
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

ADDS = (
    migrations.CreateModel,
    migrations.AddIndex,
    migrations.RunSQL,  # what Django has no word for; its own line in a review
    migrations.SeparateDatabaseAndState,
    migrations.AlterModelOptions,
)


def found():
    graph = MigrationLoader(None).disk_migrations
    return [one for (app, name), one in sorted(graph.items()) if app == "realtime"][1:]


@pytest.mark.parametrize("migration", found(), ids=lambda one: one.name)
def test_it_only_adds(migration):
    assert [one for one in migration.operations if not only_adds(one)] == []


def only_adds(operation):
    if isinstance(operation, migrations.AddField):
        return operation.field.null or operation.field.db_default is not NOT_PROVIDED
    return isinstance(operation, ADDS)


@pytest.mark.parametrize("migration", found(), ids=lambda one: one.name)
def test_it_can_be_taken_back(migration):
    assert all(one.reversible for one in migration.operations)
