"""Inspect: `.eval` logs (a zip file of JSON, one entry per sample and epoch) and the older logs of one JSON document.

An epoch is a repeat. A sample that ended in an error has no score, and the log does not say whose fault it was:
missing.
"""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from fairlead.evals.importing.files import Archive, Limits, document, start
from fairlead.evals.importing.imported import Imported, as_text, decoded, digest, unreadable
from fairlead.evals.results import UNKNOWN, ScoreTable
from fairlead.money import NUSD

# What Inspect's own metrics make of a scorer's word.
LONGEST = 120  # of what is quoted
WORDS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
YES, NO = ("yes", "true"), ("no", "false")
HEADER, SAMPLES = "header.json", "samples/"
RESCORE = "Score it first: inspect score LOG"
NONE = "this is no log of Inspect"
WORKBOOK = ("xl/", "content.xml")  # what is in zip files that are tables


class Message(Struct):
    role: str = ""
    content: Any = None


class Choice(Struct):
    message: Message | None = None


class Answer(Struct):
    completion: str = ""
    choices: list[Choice] = []  # older logs have no `completion`

    @property
    def text(self) -> str:
        message = self.choices[0].message if self.choices and not self.completion else None
        return as_text(message.content) if message else self.completion


class Score(Struct):
    value: Any = None


class Usage(Struct):
    total_cost: float | None = None


class Sample(Struct):
    """What is read of a sample; its events, the most of it, are passed over."""

    id: int | str
    epoch: int = 1
    input: str | list[Message] = ""
    choices: list[str] | None = None
    target: str | list[str] = ""
    output: Answer | None = None
    scores: dict[str, Score] | None = None
    score: Score | None = None  # of logs before there were several
    metadata: dict[str, Any] | None = None
    model_usage: dict[str, Usage] | None = None
    total_time: float | None = None
    working_time: float | None = None
    error: Any = None


class Data(Struct):
    name: str | None = None


class Spec(Struct):
    model: str
    task: str = ""
    created: str = ""
    run_id: str = ""
    dataset: Data | None = None
    packages: dict[str, str] = {}


class Log(Struct):
    eval: Spec
    status: str = ""
    samples: list[Sample] | None = None


def is_document(names: frozenset[str]) -> bool:
    """The keys of a log of one JSON document?"""
    return "eval" in names and not names.isdisjoint({"status", "plan", "samples"})


def read(path: Path, limits: Limits) -> Imported:
    """Raises ResultsUnreadable; ExtraMissing for a log that is packed with Zstandard, where that is not installed."""
    header, samples = _of_archive(path, limits) if start(path, 2) == b"PK" else _of_document(path, limits)
    if not samples:
        raise unreadable(str(path), "the log has no samples", "Was it written with --no-log-samples?")
    values = [_values(sample) for sample in samples]
    scores = [{name: _number(value) for name, value in found.items()} for found in values]
    names = dict.fromkeys(name for found in scores for name, value in found.items() if not np.isnan(value))
    if not names:
        erred = [sample for sample in samples if sample.error]
        hint = f"All samples ended in an error: {_told(erred[0].error)}" if len(erred) == len(samples) else RESCORE
        raise unreadable(str(path), "no sample of the log has a score", hint)
    table = ScoreTable.of(
        [str(sample.id) for sample in samples],
        [header.eval.model] * len(samples),
        {name: np.array([found.get(name, np.nan) for found in scores]) for name in names},
        repeat=[sample.epoch - 1 for sample in samples],
        cluster=[as_text((sample.metadata or {}).get("cluster")) for sample in samples],
        content_hash=[digest([_asked(sample), sample.choices]) for sample in samples],
        gold_version=[digest(sample.target) for sample in samples],
        status=["missing" if sample.error else "ok" for sample in samples],
        cost_nusd=[_cost_nusd(sample) for sample in samples],
        latency_us=[_took_us(sample) for sample in samples],
        asked=[_asked(sample) for sample in samples],
        wanted=[as_text(sample.target) for sample in samples],
        said=[sample.output.text if sample.output else "" for sample in samples],
    )
    return Imported(table, "inspect", next(iter(names)), _facts(header), _notes(header, samples, _strange(values)))


def _of_archive(path: Path, limits: Limits) -> tuple[Log, list[Sample]]:
    archive = Archive(path, limits)
    try:
        if HEADER not in archive.names:
            if any(name.startswith(WORKBOOK) for name in archive.names):
                raise unreadable(str(path), "this is a workbook", "Save its sheet as CSV (in Excel: CSV UTF-8).")
            hint = "A log that is being written has none yet: wait for its end. After a crash: inspect log recover."
            raise unreadable(str(path), f"there is no {HEADER}: it is no finished log of Inspect", hint)
        header = decoded(archive.read(HEADER), Log, f"{path} ({HEADER})", NONE)
        names = [name for name in archive.names if name.startswith(SAMPLES) and name.endswith(".json")]
        return header, [decoded(archive.read(name), Sample, f"{path} ({name})", NONE) for name in names]
    finally:
        archive.close()


def _of_document(path: Path, limits: Limits) -> tuple[Log, list[Sample]]:
    log = decoded(document(path, limits), Log, str(path), NONE)
    return log, log.samples or []


def _values(sample: Sample) -> dict[str, Any]:
    """What the scorers gave, by metric. A scorer with several values gives one metric for each."""
    found: dict[str, Any] = {}
    given = sample.scores or ({"score": sample.score} if sample.score else {})
    for name, score in given.items():
        if isinstance(score.value, dict):
            found |= {f"{name}.{key}": value for key, value in score.value.items()}
        elif isinstance(score.value, list):
            found |= {f"{name}.{at}": value for at, value in enumerate(score.value)}
        else:
            found[name] = score.value
    return found


def _number(value: Any) -> float:
    """As Inspect reads a score. NaN for what is none, where Inspect says 0 and warns."""
    if isinstance(value, str):
        if value in WORDS:
            return WORDS[value]
        word = value.strip().lower()
        if word in YES + NO:
            return float(word in YES)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return number if np.isfinite(number) else np.nan


def _strange(values: list[dict[str, Any]]) -> dict[str, str]:
    """By metric the first value that is no number, though it is not missing either."""
    found: dict[str, str] = {}
    for given in values:
        for name, value in given.items():
            if value is not None and value == value and np.isnan(_number(value)):  # NaN is unlike itself
                found.setdefault(name, as_text(value)[:LONGEST])
    return found


def _asked(sample: Sample) -> str:
    if isinstance(sample.input, str):
        return sample.input
    return "\n\n".join(f"{message.role}: {as_text(message.content)}" for message in sample.input)


def _cost_nusd(sample: Sample) -> int:
    costs = [usage.total_cost for usage in (sample.model_usage or {}).values()]
    known = [cost for cost in costs if cost is not None and 0 <= cost < 1e6]
    return round(sum(known) * NUSD) if known and len(known) == len(costs) else UNKNOWN


def _took_us(sample: Sample) -> int:
    took = sample.working_time if sample.working_time is not None else sample.total_time
    return UNKNOWN if took is None or not 0 <= took < 1e9 else round(took * 1_000_000)


def _facts(header: Log) -> dict[str, str]:
    spec = header.eval
    found = {
        "task": spec.task,
        "model": spec.model,
        "date": spec.created,
        "run": spec.run_id,
        "dataset": (spec.dataset.name if spec.dataset else None) or "",
        "version": spec.packages.get("inspect_ai", ""),
    }
    return {name: value for name, value in found.items() if value}


def _notes(header: Log, samples: list[Sample], strange: dict[str, str]) -> tuple[str, ...]:
    notes = [] if header.status in ("success", "") else [f"the log ended with the status {header.status}"]
    erred = [sample for sample in samples if sample.error]
    if erred:
        told = f"{len(erred)} of {len(samples)} samples ended in an error"
        notes.append(f"{told} and have no score from there on, the first: {_told(erred[0].error)}")
    notes += [f"{name}: scores such as {value} are no numbers, and missing" for name, value in strange.items()]
    return tuple(notes)


def _told(error: Any) -> str:
    """The first line of an error."""
    text = as_text(error.get("message") if isinstance(error, dict) else error).strip()
    return text.partition("\n")[0][:LONGEST]
