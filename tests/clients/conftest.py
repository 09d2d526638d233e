"""Real clients of every provider, unchanged, against one gateway and targets of every language.

They run in an environment of their own (`make clients`): what they need can't be installed beside the product. The
gateway and the provider behind it are processes of the product's environment (FAIRLEAD_PYTHON).
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.tools import ROUTES

TESTS = Path(__file__).resolve().parents[1]
PYTHON = os.environ.get("FAIRLEAD_PYTHON", str(TESTS.parent / ".venv" / "bin" / "python"))
PATIENCE_S = 60.0
# Clients ask nobody else: no proxy between, no list of prices from afar, no traces.
os.environ |= {"NO_PROXY": "127.0.0.1", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false"}


def pytest_configure(config: pytest.Config) -> None:
    """What clients' own packages warn of is theirs to mend."""
    config.addinivalue_line("filterwarnings", "ignore::UserWarning:pydantic._internal")
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:google.genai")


@dataclass(frozen=True)
class Gateway:
    """`url` has no path at its end."""

    url: str
    key: str


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path}
    with (folder / "standin.log").open("wb") as log:
        running = subprocess.Popen(
            [PYTHON, "-m", "clients.standin", str(folder)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    assert running.stdin is not None and running.stdout is not None
    try:
        told = running.stdout.readline()
        assert told, (folder / "standin.log").read_text()
        yield Gateway(**json.loads(told))
    finally:
        running.stdin.close()  # that ends it, and all that it started
        ended = running.wait(PATIENCE_S)
    told = [path.read_text(encoding="utf-8") for path in (folder / "serve.log", folder / "standin.log")]
    assert ended == 0 and "Traceback" not in "".join(told), "\n".join(told)


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    """A route over one target, whose language is in its name."""
    return request.param


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """For as long as there are clients of wider scopes than a test, all tests run in their event loop."""
    return "asyncio"
