"""The models that ship: both forms give the same tokens and answers, are small, and are as right as their cards say."""

from __future__ import annotations

import importlib.resources
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.samples.draw import INVOICES, SCHEMAS, TASKS, samples
from fairlead.samples.sample import SEEN, UNSEEN, Sample
from fairlead.scoring.json_fields import score
from shipped_models.reference_llama import ReferenceLlama

xllamacpp = pytest.importorskip("xllamacpp")

SHIPPED = Path(str(importlib.resources.files("fairlead"))) / "engines" / "shipped"
NAMES = ("fairlead-nano", "fairlead-mini")
ODD_TEXTS = (
    "Größe: 1.234,50 €\n\n  élève çà et là\t№ 7",
    "don't I'LL we'Ve 0123456789 12,345.67",
    "日本語 🎉 ½ Ⅷ ﬁ e\u0301 \u00a0x\r\n \r\n z   ",
    '{"vendor":"Åß","total":0.50}',
    "<|user|>\nHallo 12<|end|>\n<|assistant|>\n",
)
TIE = 0.02
"""Logits closer than this are a draw: llama.cpp rounds activations, keys and values to f16, the reference doesn't."""


class Shipped:
    """One shipped model in both its forms."""

    def __init__(self, name: str):
        self.folder = SHIPPED / name
        self.gguf = self.folder / f"{name}.gguf"
        self.reference = ReferenceLlama(self.folder)
        params = xllamacpp.CommonParams()
        params.model.path = str(self.gguf)
        params.n_ctx, params.n_parallel, params.port, params.verbosity = 1024, 1, 0, 0
        params.cpuparams.n_threads = 1
        params.cpuparams_batch.n_threads = 1
        self.server = xllamacpp.Server(params)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        asked = urllib.request.Request(
            self.server.listening_address + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=30) as answered:
            return json.load(answered)

    def choose(self, sample: Sample, **more: Any) -> Any:
        body = {"messages": sample.messages, "temperature": 0, "max_tokens": 160, "cache_prompt": False, **more}
        return self.post("/v1/chat/completions", body)["choices"][0]

    def answer(self, sample: Sample) -> str:
        return self.choose(sample)["message"]["content"]


@pytest.fixture(scope="module", params=NAMES)
def shipped(request: pytest.FixtureRequest) -> Iterator[Shipped]:
    yield Shipped(request.param)


def write_prompt(sample: Sample) -> str:
    turns = "".join(f"<|{m['role']}|>\n{m['content']}<|end|>\n" for m in sample.messages)
    return turns + "<|assistant|>\n"


@pytest.mark.engine
def test_gguf_and_safetensors_give_the_same_greedy_answers(shipped: Shipped) -> None:
    drawn = [sample for task in TASKS for split in (SEEN, UNSEEN) for sample in samples(task, split, 8, seed=77)]
    compared = 0
    for sample in drawn:
        expected, closest_call = shipped.reference.answer(write_prompt(sample))
        if closest_call > TIE:
            compared += 1
            assert shipped.answer(sample) == expected, sample.id
    assert compared >= 20


@pytest.mark.engine
def test_both_forms_cut_text_into_the_same_tokens(shipped: Shipped) -> None:
    texts = [*ODD_TEXTS, *(s.text for task in TASKS for s in samples(task, UNSEEN, 10, seed=78))]
    for text in texts:
        found = shipped.post("/tokenize", {"content": text, "parse_special": True, "add_special": False})["tokens"]
        assert found == shipped.reference.tokenizer.encode(text, add_special_tokens=False).ids, text


@pytest.mark.engine
def test_the_engine_writes_the_chat_form_that_was_trained(shipped: Shipped) -> None:
    for sample in samples(INVOICES, SEEN, 3, seed=79):
        assert shipped.post("/apply-template", {"messages": sample.messages})["prompt"] == write_prompt(sample)


@pytest.mark.engine
def test_answers_are_as_right_as_the_model_is_meant_to_be(shipped: Shipped) -> None:
    drawn = samples(INVOICES, SEEN, 30, seed=80)
    share = sum(score(shipped.answer(sample), sample.gold).value for sample in drawn) / len(drawn)
    lowest, highest = {"fairlead-nano": (0.35, 0.80), "fairlead-mini": (0.85, 1.0)}[shipped.folder.name]
    assert lowest <= share <= highest


@pytest.mark.engine
@pytest.mark.parametrize("task", TASKS)
def test_an_answer_that_ends_under_the_schema_is_complete(shipped: Shipped, task: str) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMAS[task], "strict": True}}
    for sample in samples(task, UNSEEN, 4, seed=81):
        chosen = shipped.choose(sample, response_format=schema)
        assert score(chosen["message"]["content"], sample.gold).is_complete or chosen["finish_reason"] == "length"


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_small_and_complete(name: str) -> None:
    folder = SHIPPED / name
    assert (folder / f"{name}.gguf").stat().st_size <= 4_000_000
    assert (folder / "model.safetensors").stat().st_size <= 4_000_000
    for part in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "README.md"):
        assert (folder / part).stat().st_size > 0
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["chat_template"] == (folder / "chat_template.jinja").read_text()
