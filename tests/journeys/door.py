"""A real `fairlead serve` in a process beside the tests, asked through its door alone: HTTP, and the admin socket."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import openai

from engines.tiny import write_tiny_model
from fairlead.server.office import CallFilter, KeyMade, KeyWanted
from fairlead.server.remote import Remote
from fairlead.store.calls import CallRow, CallShown

T = TypeVar("T")
PATIENCE_S = 30.0
CONTEXT = 1024

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
max_body_mb = 0.2
drain_s = 2

[engines.tiny]
model = "tiny.gguf"
embeddings = true

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[backends.abroad]
kind = "script"
zone = "public"
script = "script.toml"

[targets.tiny]
engine = "tiny"
params = { temperature = 0 }
price = { input = 1.0, output = 2.0 }

[targets.slow]
backend = "script"
model = "slow-1"
price = { input = 1.0, output = 2.0 }

[targets.unpriced]
backend = "script"
model = "slow-2"

[targets.abroad]
backend = "abroad"
model = "far-1"
price = { input = 1.0, output = 2.0 }

[routes.chat]
targets = ["tiny"]
zone = "private"
max_output_tokens = 64

[routes.slow]
targets = ["slow"]
max_output_tokens = 100

[routes.unpriced]
targets = ["unpriced"]

[routes.abroad]
targets = ["abroad"]
"""

SCRIPT = """\
[[lines]]
when = "twenty words"
text = "one two three four five six seven eight nine ten one two three four five six seven eight nine ten"
delay_s = 0.1

[[lines]]
when = "take a while"
text = "done"
latency_s = 1.0

[[lines]]
text = "at once"
"""


class Door:
    """A server on `folder`, with whatever `fairlead.toml` lies there; `options` are those of `serve`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.file = folder / "fairlead.toml"
        self.remote = Remote(folder / "data")
        self.url = ""
        self.process: subprocess.Popen[bytes]

    def open(self) -> "Door":
        with (self.folder / "serve.log").open("ab") as log:
            command = [sys.executable, "-m", "fairlead", "serve", "-c", str(self.file), *self.options]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until(lambda: self.remote.answers() or self.process.poll() is not None)
        assert self.process.poll() is None, (self.folder / "serve.log").read_text()
        self.url = f"http://{self.status().listen}"
        return self

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)

    def kill_all(self) -> None:
        """kill -9 for the steward, its workers and its engines at once."""
        status = self.status()
        engines = [engine.pid for engine in ask(self.remote.engines()) if engine.pid]
        for pid in (status.pid, *status.workers, *engines):
            with suppress(ProcessLookupError):  # an engine may be gone already: it dies with its steward
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def status(self) -> Any:
        return ask(self.remote.status())

    def key(self, name: str, **wanted: Any) -> KeyMade:
        return ask(self.remote.new_key(KeyWanted(name=name, **wanted)))

    def client(self, key: KeyMade, **settings: Any) -> openai.OpenAI:
        http = openai.DefaultHttpxClient(trust_env=False)
        return openai.OpenAI(
            **{"base_url": f"{self.url}/v1", "api_key": key.secret, "max_retries": 0, "http_client": http, **settings}
        )

    def calls(self, key: KeyMade) -> list[CallRow]:
        """The key's calls, the first one first."""
        return ask(self.remote.calls(CallFilter(key=key.key.id, limit=1000)))[::-1]

    def call(self, ref: str) -> CallShown:
        return ask(self.remote.call(ref))

    def rewrite(self, *changes: tuple[str, str]) -> None:
        """Edit the configuration file: each first text is there, and becomes the second."""
        text = self.file.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        self.file.write_text(text)


def furnish(folder: Path, config: str = CONFIG) -> Door:
    """A folder with a configuration, a script and a tiny random model, and a door that is not open yet."""
    (folder / "fairlead.toml").write_text(config)
    (folder / "script.toml").write_text(SCRIPT)
    write_tiny_model(folder / "tiny.gguf", context=CONTEXT)
    return Door(folder)


def ask(question: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(question)


def until(is_so: Callable[[], Any]) -> Any:
    """What `is_so` gives once it is true."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := is_so()):
        assert time.monotonic() < ends, "it never came to pass"
        time.sleep(0.02)
    return found


def say(text: str) -> Any:
    return [{"role": "user", "content": text}]
