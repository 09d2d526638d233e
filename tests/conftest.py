"""What all tests share: a real PostgreSQL, started when a test first asks for it.

Other fixtures live beside the tests that need them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.store.opening import open_store
from postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One for all tests of a process. Who stops or kills a server makes his own: `with PostgresServer() as …`."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def made_store(postgres: PostgresServer) -> str:
    """The name of a database with a fresh store in it, to be copied."""
    name = postgres.new_database()
    open_store(postgres.url(name)).close()
    return name


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """Where an empty database is, of this test alone."""
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def postgres_url(postgres: PostgresServer, made_store: str) -> Iterator[str]:
    """Where a database with a fresh store is, of this test alone."""
    name = postgres.new_database(made_store)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a fresh store is, as `open_store` takes it: a test that asks for it runs on both databases."""
    return tmp_path / "data" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
