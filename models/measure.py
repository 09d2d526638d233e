"""Measures a GGUF file on documents it has never seen, through llama.cpp: fields right, valid JSON, speed.

How an answer is scored is `fairlead.scoring.json_fields`, how far a share can be trusted `fairlead.stats.intervals`.
Knows nothing of how the model was made.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from fairlead.samples.draw import INVOICES, SCHEMAS, TASKS, samples
from fairlead.samples.sample import SEEN, UNSEEN
from fairlead.scoring.json_fields import score
from fairlead.stats.intervals import mean_share, wilson
from models.engine import Engine

MEASURED_SEED = 2026
DOCUMENTS = 300


def measure(gguf: Path, documents: int = DOCUMENTS) -> dict[str, Any]:
    """All measurements of one model: per task and split, and the speed of one request at a time on one thread."""
    engine = Engine(gguf)
    engine.answer([{"role": "user", "content": "warm up"}], max_tokens=4)
    measured: dict[str, Any] = {"load_ms": round(engine.load_ms)}
    for task in TASKS:
        for split in (SEEN, UNSEEN):
            measured[f"{task}/{split}"] = _measure_split(engine, task, split, documents)
    measured["constrained"] = _constrained_share(engine)
    return measured


def _measure_split(engine: Engine, task: str, split: str, documents: int) -> dict[str, Any]:
    scores, times, tokens = [], [], []
    for sample in samples(task, split, documents, MEASURED_SEED):
        begun = time.monotonic()
        answered = engine.chat(sample.messages)
        times.append(1000 * (time.monotonic() - begun))
        tokens.append((answered["usage"]["prompt_tokens"], answered["usage"]["completion_tokens"]))
        scores.append(score(answered["choices"][0]["message"]["content"], sample.gold))
    fields = {
        name: wilson(sum(one.reasons[name] == "right" for one in scores), documents) for name in scores[0].reasons
    }
    cuts = statistics.quantiles(times, n=20)
    return {
        "documents": documents,
        "fields": {name: asdict(share) for name, share in fields.items()},
        "all_fields": asdict(mean_share([one.value for one in scores])),
        "exact": asdict(wilson(sum(one.is_exact for one in scores), documents)),
        "valid_json": asdict(wilson(sum(one.is_json for one in scores), documents)),
        "p50_ms": round(statistics.median(times), 1),
        "p95_ms": round(cuts[18], 1),
        "prompt_tokens": round(statistics.fmean(a for a, _ in tokens), 1),
        "answer_tokens": round(statistics.fmean(b for _, b in tokens), 1),
    }


def _constrained_share(engine: Engine, documents: int = 40) -> float:
    """Share of invoices that come out as complete JSON when the schema is enforced while decoding."""
    schema = {"type": "json_schema", "json_schema": {"name": "invoice", "schema": SCHEMAS[INVOICES], "strict": True}}
    drawn = samples(INVOICES, UNSEEN, documents, MEASURED_SEED + 1)
    answers = [(engine.answer(sample.messages, response_format=schema), sample.gold) for sample in drawn]
    return sum(score(answer, gold).is_complete for answer, gold in answers) / len(answers)
