"""Places for stores to keep rooms in. A test has the place to itself."""

import pytest

from tests.support.databases import PostgresDatabase, SqliteFile, manage
from tests.support.services import need_postgresql
from tests.support.stores import DatabasePlace, PostgresPlace


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory):
    file = SqliteFile(tmp_path_factory.mktemp("sqlite_tables"))
    manage(file, "migrate", "--noinput", "--verbosity=0")
    return file


@pytest.fixture(scope="session")
def postgresql_tables():
    with PostgresDatabase.scratch(need_postgresql()) as database:
        manage(database, "migrate", "--noinput", "--verbosity=0")
        yield database


@pytest.fixture
def sqlite(sqlite_tables, tmp_path):
    with sqlite_tables.copy(tmp_path) as copied:
        yield DatabasePlace(copied)


@pytest.fixture
def postgresql(postgresql_tables, tmp_path):
    with postgresql_tables.copy(tmp_path) as copied:
        yield PostgresPlace(copied)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    return request.getfixturevalue(request.param)
