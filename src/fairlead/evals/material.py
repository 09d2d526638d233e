"""What there is to label, and what is known of it: a run in the store beside the folder of its suite.

A run is named by its id, by as much of it as names no other, by `last`, or by its suite's folder: then it is the last
one of that suite. Which metric is judged, and after which rubric, is the suite's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from fairlead.errors import NotFound, RequestInvalid
from fairlead.evals.correcting import Evidence, evidence
from fairlead.evals.labelling.book import LabelBook, StoredLabels
from fairlead.evals.labelling.drawing import Drawn, beside, draw
from fairlead.evals.rubrics import Rubric, read_rubric
from fairlead.evals.suite import Suite, read_suite
from fairlead.store.evals.answers import AnswerRow, ScoreRow, answers_of, scores_of
from fairlead.store.evals.runs import ItemRow, RunRow, find_run, items_of, list_runs, looks_at, note_look
from fairlead.store.opening import Store

JUDGES = ("rubric", "pairwise")
RIGHT = "## right, 0 to 1\nIs the answer right?\n- 0: no\n- 1: yes"
"""What is asked where a suite has no rubric: people then say what a plain scorer should have said."""


class Material(Struct, frozen=True, kw_only=True):
    suite: Suite
    metric: str
    rubric: Rubric
    pairs: bool
    runs: tuple[RunRow, ...]
    answers: tuple[AnswerRow, ...]
    scores: tuple[ScoreRow, ...]
    items: tuple[ItemRow, ...]
    book: LabelBook

    @property
    def beside(self) -> dict[str, str]:
        """By case: what stood beside the answers, where pairs are judged."""
        return {case.id: beside(case) for case in self.suite.cases} if self.pairs else {}

    @property
    def evidence(self) -> Evidence:
        return evidence(
            self.metric,
            self.rubric.hash,
            answers=self.answers,
            scores=self.scores,
            items=self.items,
            labels=self.book.read(),
            beside=self.beside,
        )

    def called(self, run: str, candidate: str) -> str:
        """What a candidate of one of the runs is called here."""
        told = _told_apart(run, candidate)
        return told if any(row.candidate == told for row in self.answers) else candidate

    def drawn(self, seed: int) -> Drawn:
        content = {item.id: item.content_hash for item in self.items}
        return draw(self.suite, self.answers, content, seed=seed, pairs=self.pairs)


def read_material(store: Store, refs: Sequence[str], *, metric: str = "", folder: Path | None = None) -> Material:
    """`folder`: where the suite lies now, if not where it lay as it was run. Raises NotFound, SuiteInvalid, and
    RequestInvalid for runs of several suites."""
    with store.read() as connection:
        runs = [_run(connection, ref) for ref in refs]
        if len({run.name for run in runs}) > 1:
            raise RequestInvalid(f"runs of several suites: {', '.join(sorted({run.name for run in runs}))}")
        parts = [
            (run, answers_of(connection, run.id), scores_of(connection, run.id), items_of(connection, run.suite))
            for run in runs
        ]
    suite = read_suite(folder or _folder(refs, runs[-1]))
    if suite.name != runs[0].name:
        raise RequestInvalid(f"{suite.folder} is the suite {suite.name}, and the run is one of {runs[0].name}")
    metric = metric or _judged(suite)
    settings = suite.scorers.get(metric)
    if settings is None:
        raise NotFound(f"the suite has no scorer {metric!r}", hint=f"it has {', '.join(suite.scorers)}")
    rubric = read_rubric(suite.rubric or RIGHT)
    if settings.kind == JUDGES[0]:
        rubric = rubric.only(tuple(settings.options.get("dimensions", ())))
    named = _named(parts)
    return Material(
        suite=suite,
        metric=metric,
        rubric=rubric,
        pairs=settings.kind == JUDGES[1],
        runs=tuple(runs),
        answers=tuple(row for _, answers, _, _ in named for row in answers),
        scores=tuple(row for _, _, scores, _ in named for row in scores),
        items=tuple({item.id: item for _, _, _, items in named for item in items}.values()),
        book=StoredLabels(store, suite.name, metric),
    )


def look(store: Store, material: Material, what: str) -> str:
    """Notes that sealed cases are looked at, before anything of them is shown; "" where there are none."""
    sealed = {item.id for item in material.items if item.holdout}
    asked = {answer.run for answer in material.answers if answer.item in sealed}
    if not asked:
        return ""
    with store.begin() as connection:
        for run in material.runs:
            if run.id in asked:
                note_look(connection, name=run.name, suite=run.suite, run=run.id, what=what)
        count = len(looks_at(connection, material.suite.name))
    return f"this is look number {count} at the sealed hold-out of {material.suite.name}"


def _run(connection: Any, ref: str) -> RunRow:
    if not Path(ref).is_dir():
        return find_run(connection, ref)
    suite = read_suite(Path(ref))
    found = list_runs(connection, name=suite.name, limit=1)
    if not found:
        raise NotFound(f"{suite.name} was not run yet", hint=f"fairlead eval run {ref}")
    return found[0]


def _folder(refs: Sequence[str], run: RunRow) -> Path:
    if Path(refs[-1]).is_dir():
        return Path(refs[-1])
    told = msgspec.json.decode(run.plan).get("folder", "")
    if not told or not Path(told).is_dir():
        raise NotFound(
            f"the suite of run {run.id} lies no more in {told or 'its folder'}", hint="say where: --suite FOLDER"
        )
    return Path(told)


def _judged(suite: Suite) -> str:
    """The metric that decides where a judge gives it, else the first that one gives."""
    judged = [name for name in suite.metrics if name in suite.scorers and suite.scorers[name].kind in JUDGES]
    return judged[0] if judged else suite.primary.name


_Part = tuple[RunRow, list[AnswerRow], list[ScoreRow], list[ItemRow]]


def _named(parts: list[_Part]) -> list[_Part]:
    """Candidates that several runs have are told apart by their run."""
    counts: dict[str, int] = {}
    for _, answers, _, _ in parts:
        for candidate in {row.candidate for row in answers}:
            counts[candidate] = counts.get(candidate, 0) + 1

    def name(run: RunRow, candidate: str) -> str:
        return _told_apart(run.id, candidate) if counts.get(candidate, 0) > 1 else candidate

    return [
        (
            run,
            [structs.replace(row, candidate=name(run, row.candidate)) for row in answers],
            [structs.replace(row, candidate=name(run, row.candidate)) for row in scores],
            items,
        )
        for run, answers, scores, items in parts
    ]


def _told_apart(run: str, candidate: str) -> str:
    return f"{candidate} of {run[:16]}"
