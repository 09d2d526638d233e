"""The program of the embedded engine's process: reads its settings, serves until it is ended or its parent is gone.

Started by `llamacpp.py`, never by hand. Standard input gives one line of JSON; when it ends, the parent has ended, and
so do we. Whatever it says goes to standard error, which is the engine's log.
"""

import importlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from fairlead.orphans import end_with

ONLY_TROUBLE = 2  # of llama.cpp's verbosity: errors and warnings
PROMPT_CACHE_MIB = 256  # llama.cpp would take 8 GiB
GIB = 1 << 30


def main() -> None:
    """Never returns by itself."""
    settings = json.loads(sys.stdin.buffer.readline())
    _die_with(settings["parent"])
    server = _serve(settings)
    threading.Event().wait()
    del server  # it lives as long as it is named


def _serve(settings: dict[str, Any]) -> object:
    # Threads that spin while they wait for each other lose six times their speed as soon as anybody else (our own
    # workers) needs a core. OpenMP reads this when it is loaded, so it can't be a setting of llama.cpp's.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    xllamacpp: Any = importlib.import_module("xllamacpp")  # it has no types, and is loaded in this process only
    _need_memory(settings["needs_bytes"], xllamacpp.get_device_info())
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = {settings["name"]}
    params.port, params.reuse_port = settings["port"], True  # the supervisor keeps the port while we are restarted
    params.api_keys = [settings["key"]]
    params.n_parallel, params.n_ctx = settings["slots"], settings["context"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.endpoint_metrics = params.endpoint_slots = True
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.ui = False
    params.offline = True  # a file is a file
    params.verbosity = ONLY_TROUBLE
    if settings["embeddings"]:
        params.embedding = True  # chat goes on beside it, as long as there is one vector per text
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        # With a cache for each slot, vectors of requests that are served together come out wrong (llama.cpp b11549).
        params.kv_unified = True
        # A text is embedded in one batch; one that does not fit is an error of the server.
        params.n_batch = params.n_ubatch = settings["context"] // settings["slots"]
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:  # llama.cpp has already written why
        sys.exit(str(error))


def _need_memory(needed: int, devices: list[dict[str, Any]]) -> None:
    """Refuses what can't fit, where all is in main memory: llama.cpp would swap for an hour, or be killed."""
    if any("GPU" in str(device.get("type", "")) for device in devices):
        return
    there = _memory_bytes()
    if there is not None and needed > there:
        sys.exit(
            f"not enough memory: the model and its slots need {needed / GIB:.1f} GiB, there are {there / GIB:.1f}; "
            "lower `context` or `slots`, or take a smaller model"
        )


def _memory_bytes() -> int | None:
    """Of the machine, or of the container if that is less. None: nobody says."""
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (ValueError, OSError):
        found = []
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        limit = "max"
    return min([*found, *([int(limit)] if limit.isdigit() else [])], default=None)


def _die_with(parent: int) -> None:
    """Nobody is left behind: not even while the model loads, when no thread of ours runs."""
    end_with(parent)
    threading.Thread(target=_wait_for_end_of_input, daemon=True).start()


def _wait_for_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
