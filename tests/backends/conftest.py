"""One event loop and one pool for each test."""

from collections.abc import AsyncIterator

import pytest

from fairlead.wire.pool import Pool


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def pool(anyio_backend: object) -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    await pool.close()
