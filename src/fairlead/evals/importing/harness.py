"""lm-evaluation-harness: `samples_TASK_DATE.jsonl`, one line per document and filter, as `--log_samples` writes them.

The file does not name its model: its folder does, where the harness put it, and `results_DATE.json` beside it, which
also tells of which metric less is better. A prompt belongs to the candidate (models have templates of their own), so a
case is known by its document.
"""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from fairlead.errors import ResultsUnreadable
from fairlead.evals.importing.files import Limits, document, lines
from fairlead.evals.importing.imported import Imported, as_text, decoded, digest, is_score, unreadable
from fairlead.evals.results import ScoreTable

FILE = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d{2}-\d{2}T[\d.-]+))?\.jsonl(?:\.gz)?\Z")
# Older harnesses do not list the names of the metrics: these are no metrics.
PLAIN = frozenset({"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"})
HASHES = frozenset({"doc_hash", "prompt_hash", "target_hash"})
LIKELIHOODS = "perplexity"  # of a sample it is a log-likelihood: of that, more is better
WITHOUT = "Of its metrics none has a number for each sample: such as bleu and word_perplexity are of a whole task only."
NONE = "this is no sample"
AGGREGATED = "Name the samples beside it, which --log_samples writes: samples_TASK_DATE.jsonl."


class Sample(Struct):
    """What is read of a line; the values of the metrics stand beside it under their own names."""

    doc_id: int | str
    doc: Any = None
    target: Any = None
    arguments: Any = None
    filtered_resps: Any = None
    filter: str = "none"
    metrics: list[str] | None = None
    doc_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""


class About(Struct):
    """What is read of `results_DATE.json`."""

    model_name: str | None = None
    lm_eval_version: str | None = None
    higher_is_better: dict[str, dict[str, bool | None]] = {}


def is_sample(names: frozenset[str]) -> bool:
    return "doc_id" in names and not names.isdisjoint({"filtered_resps", "resps"})


def is_aggregated(names: frozenset[str]) -> bool:
    """The keys of `results_DATE.json`, which has no samples?"""
    return {"results", "configs", "versions"} <= names


def read(path: Path, limits: Limits) -> Imported:
    """Raises ResultsUnreadable. A metric under several filters is one metric for each: `exact_match,strict-match`."""
    samples: dict[str, Sample] = {}
    scores: dict[str, dict[str, float]] = {}  # metric -> item -> score
    filters: dict[str, None] = {}
    for where, values in _rows(path, limits):
        sample, found = _sample(values, where)
        item = str(sample.doc_id)
        filters[sample.filter] = None
        samples.setdefault(item, sample)
        for name, value in found.items():
            of = scores.setdefault(f"{name},{sample.filter}", {})
            if item in of:
                hint = "Were two runs written into one file? Import each by itself."
                raise unreadable(where, f"document {item} is there twice under the filter {sample.filter}", hint)
            of[item] = value
    if not samples:
        raise unreadable(str(path), "there are no samples")
    if not scores:
        raise unreadable(str(path), "no sample has the value of a metric", WITHOUT)
    return _imported(path, limits, samples, scores, filters)


def _imported(
    path: Path,
    limits: Limits,
    samples: dict[str, Sample],
    scores: dict[str, dict[str, float]],
    filters: dict[str, None],
) -> Imported:
    parts = FILE.match(path.name)
    task, date = (parts["task"], parts["date"] or "") if parts else ("", "")
    about = _about(path.with_name(f"results_{date}.json"), limits) if date else About()
    turned = {name for name, more in about.higher_is_better.get(task, {}).items() if more is False} - {LIKELIHOODS}
    named = {name.rpartition(",")[0] if len(filters) == 1 else name: of for name, of in scores.items()}
    metrics = {name: np.array([of.get(item, np.nan) for item in samples]) for name, of in named.items()}
    less = [name for name in metrics if name.partition(",")[0] in turned]
    metrics |= {name: 0.0 - metrics[name] for name in less}
    items, rows = list(samples), list(samples.values())
    shown = [_chosen(sample) for sample in rows]
    model = about.model_name or (path.resolve().parent.name.replace("__", "/") if parts else path.stem)
    table = ScoreTable.of(
        items,
        [model or path.stem] * len(items),
        metrics,
        content_hash=[digest(sample.doc) or sample.doc_hash or sample.prompt_hash for sample in rows],
        gold_version=[
            digest(as_text(sample.target)) if sample.target is not None else sample.target_hash for sample in rows
        ],
        asked=[_prompt(sample.arguments) for sample in rows],
        wanted=[wanted for wanted, _ in shown],
        said=[said for _, said in shown],
    )
    notes = [f"of {name} less is better: its sign is turned" for name in less]
    if parts is None:
        notes.append("the file is not named as the harness names it, so its model is not known")
    facts = {"task": task, "date": date, "version": about.lm_eval_version or ""}
    return Imported(table, "lm-eval", next(iter(named)), {name: of for name, of in facts.items() if of}, tuple(notes))


def _about(path: Path, limits: Limits) -> About:
    """Nothing where there is no such file, or it says something else."""
    try:
        return decoded(document(path, limits), About, str(path), "these are no results")
    except ResultsUnreadable:
        return About()


def _rows(path: Path, limits: Limits) -> Iterator[tuple[str, dict[str, Any]]]:
    """Lines of JSON; older harnesses wrote one list, under the same ending."""
    found = lines(path, limits)
    first = next(found, None)
    if first is not None and first[1].lstrip().startswith("["):
        for number, values in enumerate(decoded(document(path, limits), list[dict[str, Any]], str(path), NONE), 1):
            yield f"{path} ({number})", values
        return
    for number, line in chain([first] if first else [], found):
        where = f"{path}:{number}"
        yield where, decoded(line, dict[str, Any], where, NONE)


def _sample(values: dict[str, Any], where: str) -> tuple[Sample, dict[str, float]]:
    try:
        sample = msgspec.convert(values, Sample)
    except msgspec.ValidationError as error:
        raise unreadable(where, f"{NONE}: {error}") from error
    names = sample.metrics if sample.metrics is not None else [name for name in values if name not in PLAIN | HASHES]
    given = {name: values.get(name) for name in names}
    return sample, {name: float(value) for name, value in given.items() if is_score(value)}


def _requests(arguments: Any) -> list[tuple[str, str]]:
    """What was asked, and what it was asked with: `arguments` are lists, or tables of `arg_0`, by the harness's
    version."""
    found: list[tuple[str, str]] = []
    listed = list(arguments.values()) if isinstance(arguments, dict) else arguments
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            found.append((as_text(one.get("arg_0")), as_text(one.get("arg_1"))))
        elif isinstance(one, list) and one:
            found.append((as_text(one[0]), as_text(one[1]) if len(one) > 1 else ""))
    return found


def _prompt(arguments: Any) -> str:
    """The first thing that was asked."""
    return next((asked for asked, _ in _requests(arguments)), "")


def _chosen(sample: Sample) -> tuple[str, str]:
    """What was wanted and what was said, for people: of a multiple choice, of which the harness keeps a number and
    log-likelihoods, the right choice and the likeliest one."""
    wanted, responses = as_text(sample.target), sample.filtered_resps
    requests = _requests(sample.arguments)
    choices = [choice.strip() for _, choice in requests]
    likely = [_likelihood(one) for one in responses] if isinstance(responses, list) else []
    is_one_question = len(choices) > 1 and len({asked for asked, _ in requests}) == 1
    if is_one_question and len(likely) == len(choices) and not np.isnan(likely).any():
        is_number = wanted.isdecimal() and wanted not in choices and int(wanted) < len(choices)
        return choices[int(wanted)] if is_number else wanted, choices[int(np.argmax(likely))]
    return wanted, as_text(responses[0]) if isinstance(responses, list) and len(responses) == 1 else as_text(responses)


def _likelihood(response: Any) -> float:
    """Of a pair of it and whether the choice was the likeliest of all; NaN of anything else."""
    try:
        return float(response[0]) if isinstance(response, list) and len(response) == 2 else np.nan
    except (TypeError, ValueError):
        return np.nan
