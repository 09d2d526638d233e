"""What there is to label, and what is known of it: a run in the store beside the folder of its suite.

A run is named by its id, by as much of it as names no other, by `last`, or by its suite's folder: then it is the last
one of that suite. Which metric is judged, and after which rubric, is the suite's.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from fairlead.errors import NotFound, RequestInvalid
from fairlead.evals.correcting import Evidence, evidence
from fairlead.evals.labelling.book import LabelBook, StoredLabels
from fairlead.evals.labelling.drawing import Drawn, beside, draw, draw_pairs
from fairlead.evals.pairing import Origin, Paired, pair_up, pairing_id, told
from fairlead.evals.preferred import Preferred, preferred, unjudged
from fairlead.evals.preferred import evidence as preference_evidence
from fairlead.evals.results import PREFERENCE, WHOLE
from fairlead.evals.rubrics import Rubric, read_rubric
from fairlead.evals.suite import Suite, read_suite
from fairlead.store.evals.answers import AnswerRow, ScoreRow, answers_of, scores_of
from fairlead.store.evals.preferences import PreferenceRow, preferences_of
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
    def each_once(self) -> Evidence:
        """What is known of each answer."""
        return self.evidence

    @property
    def base(self) -> str:
        """Whom others are compared with."""
        return self.evidence.candidates[0]

    @property
    def last_run(self) -> str:
        return self.runs[-1].id

    @property
    def ref(self) -> str:
        """As it is named on a command line."""
        return self.runs[0].id[:16]

    @property
    def sealed_runs(self) -> tuple[RunRow, ...]:
        """Those that asked sealed cases."""
        sealed = {item.id for item in self.items if item.holdout}
        asked = {answer.run for answer in self.answers if answer.item in sealed}
        return tuple(run for run in self.runs if run.id in asked)

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


def named(store: Store, refs: Sequence[str], *, metric: str = "", folder: Path | None = None) -> "Named":
    """Runs, whose answers are looked at one by one; or where candidates are named (`RUN:CANDIDATE`), or `preference`
    is, two of them, side by side. Raises as `read_material` and `read_pair_material` do."""
    if metric == PREFERENCE or any(":" in ref and not Path(ref).is_dir() for ref in refs):
        if metric not in ("", PREFERENCE):
            raise RequestInvalid(f"of two candidates it is said which is better, not {metric!r}", hint="name runs only")
        return read_pair_material(store, refs, folder=folder)
    return read_material(store, refs, metric=metric, folder=folder)


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


class PairMaterial(Struct, frozen=True, kw_only=True):
    """Candidates whose answers are laid side by side, the base first, and what they are called here. `verdicts` are a
    judge's on the base and the first of the others."""

    metric: str = PREFERENCE
    pairs: bool = True
    suite: Suite
    rubric: Rubric
    origins: tuple[Origin, ...]
    names: tuple[str, ...]
    runs: Mapping[str, RunRow]
    answers: Mapping[Origin, tuple[AnswerRow, ...]]
    items: Mapping[Origin, Mapping[str, ItemRow]]
    verdicts: tuple[PreferenceRow, ...]
    book: LabelBook

    @property
    def base(self) -> str:
        return self.names[0]

    @property
    def last_run(self) -> str:
        """None: no anchors are judged with pairs."""
        return ""

    @property
    def each_once(self) -> Evidence:
        """What is known of each pair, as it speaks for the candidate."""
        known = self.evidence
        mine = tuple(answer for answer in known.answers if answer.candidate == self.names[1])
        return structs.replace(known, answers=mine)

    @property
    def beside(self) -> dict[str, str]:
        """By case: the base's answer."""
        return {row.item: told(row) for row in reversed(self.answers[self.origins[0]]) if row.turn == WHOLE}

    @property
    def ref(self) -> str:
        return " ".join(shlex.quote(f"{one.run[:16]}:{one.name}") for one in self.origins)

    @property
    def preferred(self) -> Preferred:
        """Of the base and the one beside it; without verdicts, of their pairs alone. Raises RequestInvalid for more
        than two candidates."""
        if len(self.origins) != 2:
            raise RequestInvalid(
                f"{len(self.origins)} candidates can't be laid side by side: {', '.join(self.names)}",
                hint="name two: RUN:CANDIDATE RUN:CANDIDATE",
            )
        return preferred(self.verdicts, *self.origins) or unjudged(
            self.paired(self.origins[1]).pairs, *self.origins, self.rubric.hash
        )

    @property
    def evidence(self) -> Evidence:
        found = self.preferred
        base, candidate = self.origins
        pairs = self.paired(candidate).pairs
        names = (self.names[0], self.names[1])
        return preference_evidence(found, self.items[base], self.book.read(), pairs, names)

    def drawn(self, seed: int) -> Drawn:
        """Raises RequestInvalid for more than two candidates."""
        _ = self.preferred
        paired = self.paired(self.origins[1])
        cases = {case.id: case for case in self.suite.cases}
        return structs.replace(draw_pairs(paired.pairs, cases, seed=seed), changed=paired.changed)

    @property
    def sealed_runs(self) -> tuple[RunRow, ...]:
        sides = [(one.run, self.items[one], self.answers[one]) for one in self.origins]
        asked = {run for run, items, answers in sides if any(items[row.item].holdout for row in answers)}
        return tuple(run for id, run in self.runs.items() if id in asked)

    def paired(self, candidate: Origin) -> Paired:
        """Beside the base. What the suite has otherwise by now than when it was asked counts as changed."""
        found = pair_up(self.origins[0], candidate, self.answers, self.items)
        now, base = {case.id: case.content_hash for case in self.suite.cases}, self.items[self.origins[0]]
        gone = {pair.item for pair in found.pairs if now.get(pair.item) != base[pair.item].content_hash}
        pairs = tuple(pair for pair in found.pairs if pair.item not in gone)
        return structs.replace(found, pairs=pairs, changed=tuple(sorted({*found.changed, *gone})))


def read_pair_material(store: Store, refs: Sequence[str], *, folder: Path | None = None) -> PairMaterial:
    """`RUN:CANDIDATE`, or a run (or suite) alone for all that it has. Raises as `read_material` does, and
    RequestInvalid for fewer than two candidates."""
    with store.read() as connection:
        named = [_candidates(connection, ref) for ref in refs]
        runs = {run.id: run for run, _ in named}
        if len({run.name for run in runs.values()}) > 1:
            raise RequestInvalid(f"runs of several suites: {', '.join(sorted({run.name for run in runs.values()}))}")
        origins = [Origin(run.id, name) for run, names in named for name in names]
        if len(origins) < 2 or len(set(origins)) < len(origins):
            told = ", ".join(f"{one.run}:{one.name}" for one in origins)
            raise RequestInvalid(f"two candidates are wanted, and there is {told}", hint="RUN:CANDIDATE names one")
        answers = {run: answers_of(connection, run) for run in runs}
        verdicts = preferences_of(connection, pairing_id(origins[0], origins[1]))
        items = {run.id: {item.id: item for item in items_of(connection, run.suite)} for run in runs.values()}
    last = next(reversed(runs.values()))
    suite = read_suite(folder or _folder([ref.partition(":")[0] for ref in refs], last))
    if suite.name != last.name:
        raise RequestInvalid(f"{suite.folder} is the suite {suite.name}, and the run is one of {last.name}")
    names = [one.name for one in origins]
    return PairMaterial(
        suite=suite,
        rubric=read_rubric(suite.rubric or RIGHT),
        origins=tuple(origins),
        names=tuple(_told_apart(one.run, one.name) if names.count(one.name) > 1 else one.name for one in origins),
        runs=runs,
        answers={one: tuple(row for row in answers[one.run] if row.candidate == one.name) for one in origins},
        items={one: items[one.run] for one in origins},
        verdicts=tuple(verdicts),
        book=StoredLabels(store, suite.name, PREFERENCE),
    )


def _candidates(connection: Any, ref: str) -> tuple[RunRow, list[str]]:
    name, _, candidate = ref.partition(":")
    run = _run(connection, name)
    there = [one["name"] for one in msgspec.json.decode(run.plan).get("candidates", ())]
    if candidate and candidate not in there:
        raise NotFound(f"run {run.id} has no candidate {candidate!r}", hint=f"it has {', '.join(there[:20])}")
    return run, [candidate] if candidate else there


def look(store: Store, material: Material | PairMaterial, what: str) -> str:
    """Notes that sealed cases are looked at, before anything of them is shown; "" where there are none."""
    if not material.sealed_runs:
        return ""
    with store.begin() as connection:
        for run in material.sealed_runs:
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


Named = Material | PairMaterial
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
