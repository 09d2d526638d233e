"""lm-evaluation-harness: `samples_TASK_DATE.jsonl`, one line per document and filter, as `--log_samples` writes them.

The file does not name its model: the folder does, in which the harness puts it.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from fairlead.evals.importing.files import Limits, lines
from fairlead.evals.importing.imported import Imported, as_text, digest, unreadable
from fairlead.evals.results import ScoreTable

FILE = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d{2}-\d{2}T[\d.-]+))?\.jsonl(?:\.gz)?\Z")
# Older harnesses do not list the names of the metrics: these are no metrics.
PLAIN = frozenset({"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"})
HASHES = frozenset({"doc_hash", "prompt_hash", "target_hash"})


class Sample(Struct):
    """What is read of a line; the values of the metrics stand beside it under their own names."""

    doc_id: int | str
    target: Any = None
    arguments: Any = None
    filtered_resps: Any = None
    filter: str = "none"
    metrics: list[str] | None = None
    doc_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""


def is_sample(line: str) -> bool:
    return '"doc_id"' in line and ('"filtered_resps"' in line or '"resps"' in line)


def read(path: Path, limits: Limits) -> Imported:
    """Raises ResultsUnreadable. A metric under several filters is one metric for each: `exact_match,strict-match`."""
    samples: dict[str, Sample] = {}
    scores: dict[str, dict[str, float]] = {}  # metric -> item -> score
    filters: dict[str, None] = {}
    for number, line in lines(path, limits):
        where = f"{path}:{number}"
        sample, found = _sample(line, where)
        item = str(sample.doc_id)
        filters[sample.filter] = None
        samples.setdefault(item, sample)
        for name, value in found.items():
            of = scores.setdefault(f"{name},{sample.filter}", {})
            if item in of:
                raise unreadable(where, f"document {item} is there twice under the filter {sample.filter}")
            of[item] = value
    if not samples:
        raise unreadable(str(path), "there are no samples")
    if not scores:
        raise unreadable(str(path), "no sample has the value of a metric")
    return _imported(path, samples, scores, filters)


def _imported(
    path: Path, samples: dict[str, Sample], scores: dict[str, dict[str, float]], filters: dict[str, None]
) -> Imported:
    named = {name.rpartition(",")[0] if len(filters) == 1 else name: of for name, of in scores.items()}
    items = list(samples)
    parts = FILE.match(path.name)
    model = path.parent.name.replace("__", "/") if parts and path.parent.name else path.stem
    rows = list(samples.values())
    table = ScoreTable.of(
        items,
        [model] * len(items),
        {name: np.array([of.get(item, np.nan) for item in items]) for name, of in named.items()},
        content_hash=[sample.prompt_hash or sample.doc_hash for sample in rows],
        gold_version=[sample.target_hash or digest(sample.target) for sample in rows],
        asked=[_prompt(sample.arguments) for sample in rows],
        wanted=[as_text(sample.target) for sample in rows],
        said=[_answer(sample.filtered_resps) for sample in rows],
    )
    facts = {"task": parts["task"], "date": parts["date"] or ""} if parts else {}
    notes = () if parts else ("the file is not named as the harness names it, so its model is not known",)
    return Imported(table, "lm-eval", next(iter(named)), {name: of for name, of in facts.items() if of}, notes)


def _sample(line: str, where: str) -> tuple[Sample, dict[str, float]]:
    try:
        values = msgspec.json.decode(line, type=dict[str, Any])
        sample = msgspec.convert(values, Sample)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise unreadable(where, f"this is no sample: {error}") from error
    names = sample.metrics if sample.metrics is not None else [name for name in values if name not in PLAIN | HASHES]
    found = {name: float(values[name]) for name in names if isinstance(values.get(name), bool | int | float)}
    return sample, found


def _prompt(arguments: Any) -> str:
    """The first thing that was asked: `arguments` are lists, or tables of `arg_0`, by the harness's version."""
    for first in (arguments or {}).values() if isinstance(arguments, dict) else arguments or ():
        if isinstance(first, dict):
            return as_text(first.get("arg_0"))
        if isinstance(first, list) and first:
            return as_text(first[0])
    return ""


def _answer(responses: Any) -> str:
    return as_text(responses[0]) if isinstance(responses, list) and len(responses) == 1 else as_text(responses)
