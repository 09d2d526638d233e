"""One real server for all tests of this folder, before a provider that repeats whatever it is told, and worse."""

import os
from collections.abc import Iterator

import pytest

from journeys.door import Door
from security.echoing import echoing

SECRET = "sk-provider-quetzal-4711"
HOWS = {  # backend -> what the provider does
    "well": "200/well",
    "rejects": "400/error",
    "refuses": "401/error",
    "overloaded": "429/error",
    "fails": "500/error",
    "html": "200/html",
    "cut": "200/cut",
    "other": "200/other",
    "form": "200/form",
    "broken": "200/broken",
    "event": "200/error-event",
}
KINDS = ("openai", "anthropic", "gemini", "bedrock", "responses", "rerank")  # whose answers are nested too deeply


def configuration(url: str) -> str:
    lines = ['data_dir = "data"', "[server]", 'listen = "127.0.0.1:0"', 'admin = "127.0.0.1:0"', "drain_s = 2"]
    for name, how in HOWS.items():
        lines += _route(name, "openai", f"{url}/{how}/v1")
    for kind in KINDS:
        lines += _route(f"deep-{kind}", kind, f"{url}/200/deep/v1")
    lines += _route("crooked", "gemini", f"{url}/400/error/v1", model="a/../b?c=d\\r\\nx-evil: yes")
    lines += ['[routes.all]\nretry.attempts = 0\ntargets = ["rejects", "fails", "html"]']
    lines += ['[routes.falls]\nretry.attempts = 0\ntargets = ["fails", "well"]']
    return "\n".join(lines)


def _route(name: str, kind: str, url: str, model: str = "m") -> list[str]:
    return [
        f'[backends.{name}]\nkind = "{kind}"\nzone = "private"\nbase_url = "{url}"\nkey = "env:QUETZAL"',
        f'[targets.{name}]\nbackend = "{name}"\nmodel = "{model}"\nprice = {{ input = 1.0, output = 2.0 }}',
        f'[routes.{name}]\ntargets = ["{name}"]\nlossy = true\nretry.attempts = 0',
    ]


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("secure")
    os.environ["QUETZAL"] = SECRET
    before = os.umask(0)  # whatever is made for everybody is seen
    try:
        with echoing() as url:
            (folder / "fairlead.toml").write_text(configuration(url))
            opened = Door(folder, "-vv").open()
            os.umask(before)
            try:
                yield opened
            finally:
                opened.close()
    finally:
        os.umask(before)
        del os.environ["QUETZAL"]
