"""The target: one embedded engine with fairlead-mini, and a suite of invoices that all who are measured ask of it."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fairlead.engines.llamacpp import llamacpp_engine
from fairlead.engines.supervisor import Engine
from fairlead.evals.plans import Plan, chosen
from fairlead.evals.suite import read_suite
from fairlead.samples.draw import INVOICES, samples
from fairlead.samples.sample import SEEN

SEED = 9000  # neither the demonstration's nor the model cards'
KEY = "BENCH_HARNESS_KEY"
# Without the engine's cache of prompts: else whoever asks second has an easier target.
PARAMS = {"temperature": 0, "max_tokens": 200, "cache_prompt": False}

CONFIG = """
data_dir = "data"
[server]
listen = "127.0.0.1:0"
admin = "off"
[backends.engine]
kind = "openai"
zone = "private"
base_url = "{url}/v1"
key = "env:{key}"
[targets.mini]
backend = "engine"
model = "mini"
"""
SUITE = """
name = "invoices"
task = "extraction"
zone = "private"
[params]
temperature = 0
max_tokens = 200
cache_prompt = false
[cases]
file = "cases.jsonl"
[scorers.fields]
kind = "json_fields"
[primary]
metric = "fields"
margin = 0.02
[holdout]
share = 0.0
"""


@asynccontextmanager
async def engine(folder: Path, slots: int) -> AsyncIterator[Engine]:
    """Running until the end; `fairlead.toml` in the folder knows it as the target `mini`."""
    found = llamacpp_engine("mini", model="shipped:fairlead-mini", base_dir=folder, data_dir=folder, slots=slots)
    await found.start()
    try:
        os.environ[KEY] = found.key
        (folder / "fairlead.toml").write_text(CONFIG.format(url=found.url, key=KEY), encoding="utf-8")
        yield found
    finally:
        await found.stop()


def write_suite(folder: Path, count: int) -> Path:
    suite = folder / "suite"
    suite.mkdir()
    (suite / "suite.toml").write_text(SUITE, encoding="utf-8")
    rows = [{"id": one.id, "messages": one.messages, "gold": one.gold} for one in samples(INVOICES, SEEN, count, SEED)]
    (suite / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return suite


def bodies(folder: Path) -> list[bytes]:
    """What is asked, as the engine is sent it, in the order in which a run asks it."""
    suite = read_suite(folder)
    plan = Plan(suite=suite.name, hash=suite.hash, folder=str(folder), split="all", candidates=(), seed=suite.seed)
    asked = (case.messages for case in chosen(suite.cases, plan, ()))
    return [json.dumps({**PARAMS, "model": "mini", "messages": messages}).encode() for messages in asked]
