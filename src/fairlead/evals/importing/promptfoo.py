"""promptfoo: what `promptfoo eval -o results.json` writes, of all its versions, and the lines of `-o results.jsonl`.

A test has no id there, so a case is known by its variables and assertions. Repeats of a test are further results of it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from fairlead.evals.importing.files import Limits, document, lines
from fairlead.evals.importing.imported import Imported, as_text, decoded, digest, unreadable
from fairlead.evals.results import UNKNOWN, ScoreTable
from fairlead.money import NUSD

ERRED = 2  # of `failureReason`: neither passed nor failed an assertion
SCORE, PASSED = "score", "passed"
NONE = "these are no results of promptfoo"
HINT = "Results of `promptfoo eval -o results.json` are read, of the JSON and the JSONL form."
# What promptfoo says of an assertion that broke, where it does not mark it (`graderError`).
BROKE = ("Custom function threw error", "Python code execution failed", "Ruby code execution failed")
CASE = 12  # characters of a case's name
LONGEST = 40  # of a prompt, in a candidate's name
LIKELY = 1e6  # dollars, seconds: no answer costs or takes more


class Provider(Struct):
    id: str = ""
    label: str | None = None


class Prompt(Struct):
    raw: Any = None  # with the variables in it
    label: str = ""
    display: str = ""  # of older versions: `[provider] template`


class Graded(Struct, rename={"passed": "pass", "components": "componentResults"}):
    """What an assertion said, or all of a test together."""

    passed: bool = False
    reason: Any = None
    assertion: Any = None
    metadata: Any = None
    components: list["Graded | None"] | None = None

    @property
    def broke(self) -> bool:
        is_marked = isinstance(self.metadata, dict) and self.metadata.get("graderError") is True
        return is_marked or (isinstance(self.reason, str) and self.reason.startswith(BROKE))


class Test(Struct, rename={"asserts": "assert"}):
    description: str | None = None
    asserts: Any = None
    vars: Any = None
    metadata: Any = None


class Response(Struct):
    output: Any = None
    error: Any = None


class Result(Struct, rename="camel"):
    """One cell: a test under one prompt and provider."""

    success: bool = False
    score: float | None = None
    provider: Provider | str = ""
    prompt: Prompt | str = ""
    prompt_idx: int = 0
    test_idx: int = 0
    vars: Any = None
    test_case: Test | None = None
    description: str | None = None
    response: Response | str | None = None
    error: Any = None
    failure_reason: int | None = None
    grading_result: Graded | None = None
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
        """The prompt's name or template, in one line."""
        if isinstance(self.prompt, str):
            return self.prompt
        text = self.prompt.label or self.prompt.display.removeprefix(f"[{self.by}] ") or as_text(self.prompt.raw)
        return " ".join(text.split())

    @property
    def described(self) -> str:
        return self.description or (self.test_case.description if self.test_case else None) or ""

    @property
    def asserted(self) -> Any:
        """What was asserted; older versions tell it with the grades only."""
        if self.test_case is not None:
            return self.test_case.asserts
        graded = self.grading_result.components if self.grading_result else None
        return [one.assertion for one in graded or () if one is not None] or None

    @property
    def failed_by_us(self) -> bool:
        """Every assertion that failed broke: it says nothing of the answer."""
        graded = self.grading_result
        if self.success or graded is None:
            return False
        failed = [one for one in graded.components or () if one is not None and not one.passed] or [graded]
        return all(one.broke for one in failed)


class Counts(Struct):
    successes: int = 0
    failures: int = 0
    errors: int = 0


class Summary(Struct):
    results: list[Result]
    stats: Counts | None = None
    version: int = 0
    timestamp: str = ""


class Output(Struct, rename="camel"):
    results: Summary | list[Result]
    eval_id: str | None = None
    metadata: dict[str, Any] | None = None
    version: int = 0


def is_result(names: frozenset[str]) -> bool:
    """The keys of a line of JSON that is a result?"""
    return not names.isdisjoint({"promptIdx", "namedScores", "gradingResult"})


def is_document(names: frozenset[str]) -> bool:
    return "results" in names


def read(path: Path, limits: Limits) -> Imported:
    """Raises ResultsUnreadable."""
    facts: dict[str, str] = {}
    notes = [f"tests of {path.name} have no ids: cases are named by a hash of variables and assertions"]
    if path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        results = [decoded(line, Result, f"{path}:{number}", NONE, HINT) for number, line in lines(path, limits)]
    else:
        output = decoded(document(path, limits), Output, str(path), NONE, HINT)
        if isinstance(output.results, list):
            results = output.results
        else:
            results, facts["date"] = output.results.results, output.results.timestamp
            counted = output.results.stats or Counts()
            count = counted.successes + counted.failures + counted.errors
            if count > len(results):
                notes.append(f"promptfoo counted {count} results, and {len(results)} are in the file")
        facts["evaluation"] = output.eval_id or ""
        facts["version"] = as_text((output.metadata or {}).get("promptfooVersion"))
    if not results:
        raise unreadable(str(path), "there are no results", HINT)
    results.sort(key=lambda result: (result.test_idx, result.prompt_idx))  # else they are in the order of their ends
    return _imported(results, {name: of for name, of in facts.items() if of}, tuple(notes))


def _imported(results: list[Result], facts: dict[str, str], notes: tuple[str, ...]) -> Imported:
    items, contents, golds = zip(*_cases(results), strict=True)
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
    # A test that fails has no named scores: it has 0 of those that others have of it.
    has = {name: {item for item, one in zip(items, metrics[name], strict=True) if one is not None} for name in metrics}
    ordered = {
        name: _scores(metrics[name], status, [item in has[name] for item in items]) for name in (PASSED, SCORE, *names)
    }
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
        asked=["\n".join(filter(None, (result.described, as_text(_vars(result))))) for result in results],
        wanted=[_wanted(result) for result in results],
        said=[_said(result) for result in results],
        tags=[_tags(result) for result in results],
    )
    return Imported(table, "promptfoo", PASSED, facts, notes)


def _cases(results: list[Result]) -> Iterator[tuple[str, str, str]]:
    """Of each result the name of its case, and hashes of what was asked and of what is right."""
    contents = [digest(_vars(result)) for result in results]
    told = {content: of.asserted for content, of in zip(contents, results, strict=True) if of.asserted is not None}
    for content, result in zip(contents, results, strict=True):
        # An error has no grades: in older versions only other results of the test tell what was asserted.
        gold = digest(result.asserted if result.test_case else told.get(content))
        yield digest([content, gold])[:CASE], content, gold


def _tags(result: Result) -> tuple[str, ...]:
    """`topic:large`, of the test's own metadata."""
    known = result.test_case.metadata if result.test_case else None
    if not isinstance(known, dict):
        return ()
    return tuple(f"{name}:{as_text(of)}" for name, of in known.items() if isinstance(of, str | int | float))


def _vars(result: Result) -> Any:
    return result.vars if result.vars is not None else (result.test_case.vars if result.test_case else None)


def _candidates(results: list[Result]) -> list[str]:
    """A provider, and its prompt where there are several."""
    prompts = dict.fromkeys(result.prompted for result in results)
    if len(prompts) == 1:
        return [result.by for result in results]
    short = {prompt: prompt if len(prompt) <= LONGEST else f"{prompt[: LONGEST - 1]}…" for prompt in prompts}
    alike = [prompt for prompt in sorted(prompts) if list(short.values()).count(short[prompt]) > 1]
    named = short | {prompt: f"{short[prompt]} {digest(prompt)[:8]}" for prompt in alike}
    return [f"{result.by}, {named[result.prompted]}" for result in results]


def _status(result: Result) -> str:
    """An error of the target scores 0; one of an assertion, after an answer came, is ours: missing."""
    if result.failed_by_us:
        return "missing"
    if result.failure_reason != ERRED and not (result.error and result.failure_reason is None):
        return "ok"
    answered = isinstance(result.response, Response) and result.response.output is not None
    if answered or isinstance(result.response, str):
        return "ok" if result.failure_reason is None else "missing"
    return "timeout" if "timed out" in as_text(result.error).lower() else "failed"


def _scores(found: list[float | None], status: list[str], has: list[bool]) -> np.ndarray:
    scores = np.array([np.nan if one is None else one for one in found], np.float64)
    scores[[one == "missing" for one in status]] = np.nan
    scores[[one in ("failed", "timeout") and of for one, of in zip(status, has, strict=True)]] = 0.0
    return scores


def _said(result: Result) -> str:
    if isinstance(result.response, Response):
        return as_text(result.response.output)
    return result.response or ""


def _wanted(result: Result) -> str:
    asserts = result.asserted
    if isinstance(asserts, list) and len(asserts) == 1 and isinstance(asserts[0], dict):
        return as_text(asserts[0].get("value"))
    return as_text(asserts)


def _whole(value: float | None, unit: int) -> int:
    return UNKNOWN if value is None or not 0 <= value < LIKELY * 1000 else round(value * unit)
