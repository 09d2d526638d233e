"""promptfoo: what `promptfoo eval -o results.json` writes, of all its versions, and the lines of `-o results.jsonl`.

A test has no id there, so a case is known by its variables and assertions. Repeats of a test are further results of it.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from fairlead.evals.importing.files import Limits, document, lines
from fairlead.evals.importing.imported import Imported, as_text, digest, unreadable
from fairlead.evals.results import UNKNOWN, ScoreTable
from fairlead.money import NUSD

ERRED = 2  # of `failureReason`: neither passed nor failed an assertion
SCORE, PASSED = "score", "passed"
LIKELY = 1e6  # dollars, seconds: no answer costs or takes more


class Provider(Struct):
    id: str = ""
    label: str | None = None


class Prompt(Struct):
    raw: Any = None
    label: str = ""


class Test(Struct, rename={"asserts": "assert"}):
    description: str | None = None
    asserts: Any = None
    vars: Any = None


class Response(Struct):
    output: Any = None
    error: Any = None


class Result(Struct, rename="camel"):
    """One cell: a test under one prompt and provider."""

    success: bool = False
    score: float | None = None
    provider: Provider | str = ""
    prompt: Prompt | str = ""
    vars: Any = None
    test_case: Test | None = None
    description: str | None = None
    response: Response | str | None = None
    error: Any = None
    failure_reason: int | None = None
    latency_ms: float | None = None
    cost: float | None = None
    named_scores: dict[str, float | None] | None = None

    @property
    def by(self) -> str:
        if isinstance(self.provider, str):
            return self.provider or "unknown"
        return self.provider.label or self.provider.id or "unknown"

    @property
    def prompted(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt.label or as_text(self.prompt.raw)


class Summary(Struct):
    results: list[Result]
    version: int = 0
    timestamp: str = ""


class Output(Struct, rename="camel"):
    results: Summary | list[Result]
    eval_id: str | None = None
    metadata: dict[str, Any] | None = None
    version: int = 0


def is_result(line: str) -> bool:
    return '"promptIdx"' in line or '"namedScores"' in line or '"gradingResult"' in line


def read(path: Path, limits: Limits) -> Imported:
    """Raises ResultsUnreadable."""
    facts: dict[str, str] = {}
    if path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        results = [_decoded(line, Result, f"{path}:{number}") for number, line in lines(path, limits)]
    else:
        output = _decoded(document(path, limits), Output, str(path))
        if isinstance(output.results, list):
            results = output.results
        else:
            results, facts["date"] = output.results.results, output.results.timestamp
        facts["evaluation"] = output.eval_id or ""
        facts["version"] = as_text((output.metadata or {}).get("promptfooVersion"))
    if not results:
        raise unreadable(str(path), "there are no results")
    return _imported(path, results, {name: of for name, of in facts.items() if of})


def _imported(path: Path, results: list[Result], facts: dict[str, str]) -> Imported:
    items, contents, golds = zip(*map(_case, results), strict=True)
    candidates = _candidates(results)
    repeats: dict[tuple[str, str], int] = {}
    repeat = []
    for key in zip(items, candidates, strict=True):
        repeat.append(repeats.get(key, 0))
        repeats[key] = repeat[-1] + 1
    status = [_status(result) for result in results]
    names = dict.fromkeys(name for result in results for name in result.named_scores or {})
    metrics = {name: [(result.named_scores or {}).get(name) for result in results] for name in names}
    metrics |= {SCORE: [result.score for result in results], PASSED: [float(result.success) for result in results]}
    ordered = {name: _scores(metrics[name], status) for name in (PASSED, SCORE, *names)}
    table = ScoreTable.of(
        list(items),
        candidates,
        ordered,
        repeat=repeat,
        content_hash=list(contents),
        gold_version=list(golds),
        status=status,
        cost_nusd=[_whole(result.cost, NUSD) for result in results],
        latency_us=[_whole(result.latency_ms, 1000) for result in results],
        asked=[as_text(_vars(result)) for result in results],
        wanted=[_wanted(result) for result in results],
        said=[_said(result) for result in results],
    )
    notes = (f"tests of {path.name} have no ids: cases are named by a hash of variables and assertions",)
    return Imported(table, "promptfoo", PASSED, facts, notes)


def _case(result: Result) -> tuple[str, str, str]:
    asserts = result.test_case.asserts if result.test_case else None
    content, gold = digest(_vars(result)), digest(asserts)
    name = result.description or (result.test_case.description if result.test_case else None) or ""
    return f"{name[:60]} {digest([content, gold])[:8]}".strip(), content, gold


def _vars(result: Result) -> Any:
    return result.vars if result.vars is not None else (result.test_case.vars if result.test_case else None)


def _candidates(results: list[Result]) -> list[str]:
    """A provider, and its prompt where there are several."""
    prompts = dict.fromkeys(result.prompted for result in results)
    if len(prompts) == 1:
        return [result.by for result in results]
    numbers = {prompt: number for number, prompt in enumerate(prompts, 1)}
    return [f"{result.by}, prompt {numbers[result.prompted]}" for result in results]


def _status(result: Result) -> str:
    """An error of the target scores 0; one of an assertion, after an answer came, is ours: missing."""
    if result.failure_reason != ERRED and not (result.error and result.failure_reason is None):
        return "ok"
    answered = isinstance(result.response, Response) and result.response.output is not None
    if answered or isinstance(result.response, str):
        return "ok" if result.failure_reason is None else "missing"
    return "timeout" if "timed out" in as_text(result.error).lower() else "failed"


def _scores(found: list[float | None], status: list[str]) -> np.ndarray:
    scores = np.array([np.nan if one is None else one for one in found], np.float64)
    scores[[one == "missing" for one in status]] = np.nan
    scores[[one in ("failed", "timeout") for one in status]] = 0.0
    return scores


def _said(result: Result) -> str:
    if isinstance(result.response, Response):
        return as_text(result.response.output)
    return result.response or ""


def _wanted(result: Result) -> str:
    asserts = result.test_case.asserts if result.test_case else None
    if isinstance(asserts, list) and len(asserts) == 1 and isinstance(asserts[0], dict):
        return as_text(asserts[0].get("value"))
    return as_text(asserts)


def _whole(value: float | None, unit: int) -> int:
    return UNKNOWN if value is None or not 0 <= value < LIKELY * 1000 else round(value * unit)


def _decoded(data: bytes | str, kind: type[Any], where: str) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError) as error:
        hint = "Results of `promptfoo eval -o results.json` are read, of the JSON and the JSONL form."
        raise unreadable(where, f"these are no results of promptfoo: {error}", hint) from error
