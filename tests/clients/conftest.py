"""Real clients of every provider, unchanged, against one gateway and targets of every language.

They run in an environment of their own (`make clients`): what they need can't be installed beside each other and the
product. The gateway and the provider behind it are processes of the product's environment (FAIRLEAD_PYTHON).
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYTHON = os.environ.get("FAIRLEAD_PYTHON", str(HERE.parent.parent / ".venv" / "bin" / "python"))
PROVIDER_KEY = "provider-key-0123456789"
PATIENCE_S = 60.0
KINDS = {"openai": "/v1", "responses": "/v1", "anthropic": "", "gemini": "/v1beta", "bedrock": ""}
ROUTES = tuple(f"over-{kind}" for kind in KINDS)


@dataclass(frozen=True)
class Gateway:
    """`url` has no path at its end."""

    url: str
    key: str


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _configuration(gateway: int, provider: int) -> str:
    text = f'data_dir = "data"\n[server]\nlisten = "127.0.0.1:{gateway}"\nadmin = "off"\n'
    for kind, path in KINDS.items():
        text += f"""
[backends.{kind}]
kind = "{kind}"
zone = "private"
base_url = "http://127.0.0.1:{provider}{path}"
key = "env:PROVIDER_KEY"

[targets.{kind}]
backend = "{kind}"
model = "stand-in-1"
price = {{ input = 1.0, output = 2.0 }}

[routes.over-{kind}]
targets = ["{kind}"]
lossy = true
keep_responses_s = 3600
"""
    return text


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    gateway, provider = _free_port(), _free_port()
    (home / "fairlead.toml").write_text(_configuration(gateway, provider), encoding="utf-8")
    environment = os.environ | {"PROVIDER_KEY": PROVIDER_KEY}
    commands = ([PYTHON, str(HERE / "provider.py"), str(provider)], [PYTHON, "-m", "fairlead", "serve"])
    running = [subprocess.Popen(command, cwd=home, env=environment, stderr=subprocess.PIPE) for command in commands]
    try:
        url = f"http://127.0.0.1:{gateway}"
        _wait(url + "/readyz", running[1])
        made = subprocess.run(
            [PYTHON, "-m", "fairlead", "key", "new", "clients", "--json"],
            cwd=home, env=environment, capture_output=True, check=True, text=True,
        )  # fmt: skip
        yield Gateway(url, _secret(made.stdout))
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(PATIENCE_S)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            sys.exit(f"the gateway ended: {process.stderr.read().decode() if process.stderr else ''}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing answers at {url}")


def _secret(told: str) -> str:
    import json

    return json.loads(told)["secret"]


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    """A route over one target, whose language is in its name."""
    return request.param
