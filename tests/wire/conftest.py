"""Both event loops: what is true on asyncio's own must be true on uvloop."""

from collections.abc import AsyncIterator

import pytest

from fairlead.wire.pool import Pool


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def pool(anyio_backend: object) -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    await pool.close()
    assert pool.open_count == 0
