"""One server for the journeys that leave it as it was, and a key for each of them."""

from collections.abc import Iterator

import pytest

from fairlead.server.office import KeyMade
from journeys.door import Door, furnish


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    opened = furnish(tmp_path_factory.mktemp("door")).open()
    yield opened
    opened.close()


@pytest.fixture
def key(door: Door, request: pytest.FixtureRequest) -> KeyMade:
    """A key of the test's own, so that it finds its own calls."""
    return door.key(request.node.name[:60])
