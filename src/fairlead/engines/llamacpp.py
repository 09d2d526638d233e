"""The embedded engine: llama.cpp's own server, out of the xllamacpp wheel, in a child process.

This is the recipe: which file, how many slots and threads, which command. Watching and restarting is the supervisor's
business; asking the engine anything is a backend's (it speaks OpenAI's dialect on `Engine.url`, with `Engine.key`).

One engine serves chat, completions and, where `embeddings` is set, embeddings beside them (the mean over all tokens).
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from fairlead.engines.gguf import Header, read_header
from fairlead.engines.models import LOCAL_EXTRA, locate
from fairlead.engines.process import Launch
from fairlead.engines.supervisor import Engine, Pace
from fairlead.errors import EngineBroken, ExtraMissing

KIND = "llamacpp"
# Tokens per slot where the operator names none and the model was trained on more: every slot's cache costs memory.
MOST_CONTEXT = 8192
# Below so many parameters a second thread waits longer than it works: see docs/LOG.md.
ONE_THREAD_BELOW = 30_000_000


def llamacpp_engine(
    name: str,
    *,
    model: str,
    base_dir: Path,
    data_dir: Path,
    context: int = 0,
    slots: int = 4,
    threads: int = 0,
    embeddings: bool = False,
    port: int = 0,
    pace: Pace | None = None,
) -> Engine:
    """An engine that is not started yet. Its log is `data_dir/engines/NAME.log`.

    `model` as in `models.locate`, relative to `base_dir`; `context` in tokens per slot, 0: as the model was trained,
    but at most 8192; `threads` 0: all cores, for a very small model one; `port` 0: any free one.
    """
    recipe = Llamacpp(
        name=name, model=model, base_dir=base_dir, context=context, slots=slots, threads=threads, embeddings=embeddings
    )
    return Engine(name, KIND, model, recipe, data_dir / "engines" / f"{name}.log", port=port, pace=pace)


class Llamacpp(Struct, frozen=True, kw_only=True):
    """A `supervisor.Recipe`."""

    name: str
    model: str
    base_dir: Path
    context: int = 0
    slots: int = 4
    threads: int = 0
    embeddings: bool = False

    def prepare(self, port: int, key: str) -> Launch:
        """Looks at the file before anything is started. Raises ExtraMissing or EngineBroken."""
        if find_spec("xllamacpp") is None:
            raise ExtraMissing("the embedded engine is not installed", hint=LOCAL_EXTRA)
        path = locate(self.model, self.base_dir)
        header = read_header(path)
        if not header.layers or not header.architecture:
            raise EngineBroken(f"{path} holds no language model", hint="vocabularies, adapters and projectors won't do")
        tokens = self.tokens_per_slot(header) * self.slots
        settings = {
            "name": self.name,
            "model": str(path),
            "port": port,
            "key": key,
            "context": tokens,
            "slots": self.slots,
            "threads": self.threads_for(header),
            "embeddings": self.embeddings,
            "needs_bytes": header.size_bytes + header.cache_bytes(tokens),
            "parent": os.getpid(),
        }
        command = (
            sys.executable,
            "-P",
            "-m",
            "fairlead.engines.llamacpp_child",
            self.name,
        )  # -P: not from where we are
        return Launch(command, json.dumps(settings).encode())

    def tokens_per_slot(self, header: Header) -> int:
        """The engine serves no more than a model was trained on, whatever it is asked for."""
        trained = header.context or MOST_CONTEXT
        return min(self.context or MOST_CONTEXT, trained)

    def threads_for(self, header: Header) -> int:
        if self.threads:
            return self.threads
        return 1 if header.parameters < ONE_THREAD_BELOW else _cores()


def _cores() -> int:
    """That this process may use; a container may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
