"""Asks a GGUF file questions through xllamacpp, the engine that Fairlead embeds.

Knows HTTP and JSON, nothing of tasks.
"""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import xllamacpp


class Engine:
    """One model in a llama.cpp server within this process, answering on a free local port."""

    def __init__(self, gguf: Path, threads: int = 1, slots: int = 1, context: int = 1024, embedding: bool = False):
        params = xllamacpp.CommonParams()
        params.model.path = str(gguf)
        params.n_ctx = context * slots
        params.n_parallel = slots
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.port = 0
        params.endpoint_props = True
        params.endpoint_slots = True
        params.endpoint_metrics = True
        params.use_jinja = True
        params.verbosity = 0
        params.ui = False
        if embedding:
            params.embedding = True
            params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        started = time.monotonic()
        self._server = xllamacpp.Server(params)
        self.load_ms = 1000 * (time.monotonic() - started)
        self.address = self._server.listening_address

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON answer to a JSON question; raises urllib.error.HTTPError where the engine refuses."""
        asked = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return json.load(answer)

    def chat(self, messages: list[dict[str, str]], **more: Any) -> dict[str, Any]:
        """A greedy chat completion, as the server returns it."""
        body = {"messages": messages, "temperature": 0, "top_k": 1, "max_tokens": 160, "cache_prompt": False, **more}
        return self.post("/v1/chat/completions", body)

    def answer(self, messages: list[dict[str, str]], **more: Any) -> str:
        """Only the text of a greedy answer."""
        return self.chat(messages, **more)["choices"][0]["message"]["content"]

    def tokenize(self, text: str) -> list[int]:
        """Token ids, special tokens read as such, none added."""
        return self.post("/tokenize", {"content": text, "parse_special": True, "add_special": False})["tokens"]
