"""Measures a GGUF file on documents it has never seen, through llama.cpp: fields right, valid JSON, speed.

Shares come with 95 % intervals after Wilson; the overall share of fields allows for the fields of one document being
right or wrong together. Knows nothing of how the model was made.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairlead.samples.draw import INVOICES, SCHEMAS, TASKS, samples
from fairlead.samples.marking import Mark, mark
from fairlead.samples.sample import SEEN, UNSEEN
from models.engine import Engine

MEASURED_SEED = 2026
DOCUMENTS = 300
Z_95 = 1.959964


@dataclass(frozen=True)
class Share:
    """A measured share with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"


def wilson(share: float, count: float) -> Share:
    """Wilson's score interval (Wilson 1927) for a share of `count` independent trials; count may be fractional."""
    square = Z_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = Z_95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return Share(share, max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach)))


def share_of(hits: list[bool]) -> Share:
    return wilson(sum(hits) / len(hits), len(hits))


def share_of_fields(marks: list[Mark]) -> Share:
    """Share of all fields, with documents as the independent units.

    Wilson's interval at the effective count p (1 - p) / v, where v is the variance of the mean of the documents' shares
    (Korn and Graubard 1998). Where nothing varies, each document counts once.
    """
    per_document = [sum(m.fields.values()) / len(m.fields) for m in marks]
    share = statistics.fmean(per_document)
    variance = statistics.variance(per_document) / len(marks)
    return wilson(share, share * (1 - share) / variance if variance > 0 else len(marks))


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
    marks, times, tokens = [], [], []
    for sample in samples(task, split, documents, MEASURED_SEED):
        begun = time.monotonic()
        answered = engine.chat(sample.messages)
        times.append(1000 * (time.monotonic() - begun))
        tokens.append((answered["usage"]["prompt_tokens"], answered["usage"]["completion_tokens"]))
        marks.append(mark(sample, answered["choices"][0]["message"]["content"]))
    fields = {name: share_of([m.fields[name] for m in marks]) for name in marks[0].fields}
    cuts = statistics.quantiles(times, n=20)
    return {
        "documents": documents,
        "fields": {name: asdict(share) for name, share in fields.items()},
        "all_fields": asdict(share_of_fields(marks)),
        "exact": asdict(share_of([m.exact for m in marks])),
        "valid_json": asdict(share_of([m.valid for m in marks])),
        "p50_ms": round(statistics.median(times), 1),
        "p95_ms": round(cuts[18], 1),
        "prompt_tokens": round(statistics.fmean(a for a, _ in tokens), 1),
        "answer_tokens": round(statistics.fmean(b for _, b in tokens), 1),
    }


def _constrained_share(engine: Engine, documents: int = 40) -> float:
    """Share of invoices that come out as complete JSON when the schema is enforced while decoding."""
    schema = {"type": "json_schema", "json_schema": {"name": "invoice", "schema": SCHEMAS[INVOICES], "strict": True}}
    drawn = samples(INVOICES, UNSEEN, documents, MEASURED_SEED + 1)
    marks = [mark(sample, engine.answer(sample.messages, response_format=schema)) for sample in drawn]
    return sum(m.complete for m in marks) / len(marks)
