"""Anchors: answers that never change, judged again in every run, so that a judge that drifts is found out.

They stand in the suite's folder, `anchors.jsonl`: {"case": ID, "answer": TEXT} on each line. What the judge said of one
first is kept beside people's labels; what it says in a run is held against that, anchor by anchor. A judge whose model
was changed by its provider shows here before it shows in a decision.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from fairlead.errors import SuiteInvalid
from fairlead.evals.asking import Asker
from fairlead.evals.cases import digest
from fairlead.evals.judging import Bound, Judge, judge_bound
from fairlead.evals.labelling.book import JUDGE, Details, LabelBook, details, encoded
from fairlead.evals.patience import BesideDenied, PatientAsker
from fairlead.evals.suite import Suite
from fairlead.ids import new_id, now_us
from fairlead.scoring.score import NoScore
from fairlead.stats.intervals import Interval, paired_difference
from fairlead.store.evals.labels import LabelRow
from fairlead.store.evals.runs import ANCHORS

FILE = "anchors.jsonl"
FEWEST = 2
ENOUGH = 20  # below, a drift would have to be large to be seen

Book = Callable[[str], LabelBook]  # of a metric


class Anchor(Struct, frozen=True, forbid_unknown_fields=True):
    case: str
    answer: str


class Drift(Struct, frozen=True):
    """How far the judge's scores of the anchors lie from the first ones. `judges`: who judged them then and now."""

    anchors: int
    difference: Interval
    judges: tuple[Bound, Bound]

    @property
    def warning(self) -> str:
        """ "" where there is nothing to warn of."""
        if not self.difference.excludes(0):
            return ""
        way = "kinder" if self.difference.value > 0 else "harsher"
        return (
            f"The judge has become {way}: {self.difference.value:+.3f} on {self.anchors} anchors since they were first "
            f"judged ({self.judges[0].model}; now {self.judges[1].model}). Don't compare its scores with those of then."
        )


def read_anchors(suite: Suite) -> tuple[Anchor, ...]:
    """None, where there is no such file. Raises SuiteInvalid, with the line."""
    file: Path = suite.folder / FILE
    if not file.is_file():
        return ()
    cases, found = {case.id for case in suite.cases}, []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            anchor = msgspec.json.decode(line, type=Anchor)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SuiteInvalid(f"{file}, line {number}: {error}", hint='{"case": ID, "answer": TEXT}') from None
        if anchor.case not in cases:
            raise SuiteInvalid(f"{file}, line {number}: the suite has no case {anchor.case!r}", file=str(file))
        found.append(anchor)
    return tuple(found)


async def judge_anchors(suite: Suite, asker: Asker, book: Book, *, run: str) -> tuple[str, ...]:
    """Asks for a verdict on each anchor after each rubric of the suite, and keeps it. One that gets none is left out.
    Gives what is to be warned of. Raises SuiteInvalid."""
    anchors, warnings = read_anchors(suite), []
    for metric, settings in suite.scorers.items():
        if not anchors or settings.kind != "rubric":
            continue
        labels = book(metric)
        judge = Judge.of(suite, PatientAsker(asker), tuple(settings.options.get("dimensions", ())))
        found = await asyncio.gather(*(_judged(suite, judge, anchor, metric, run) for anchor in anchors))
        rows = [row for row in found if row is not None]
        await asyncio.to_thread(labels.write, rows)
        drifted = drift(await asyncio.to_thread(labels.read), judge.rubric.hash, run=run)
        if drifted and drifted.warning:
            warnings.append(f"{metric}: {drifted.warning}")
        if len(rows) < len(anchors):
            warnings.append(f"{metric}: {len(anchors) - len(rows)} of {len(anchors)} anchors got no verdict.")
        if few := advice(anchors):
            warnings.append(f"{metric}: {few}")
    return tuple(warnings)


async def _judged(suite: Suite, judge: Judge, anchor: Anchor, metric: str, run: str) -> LabelRow | None:
    case = next(case for case in suite.cases if case.id == anchor.case)
    try:
        score = await judge.score(case.text, anchor.answer)
    except (NoScore, BesideDenied):
        return None
    return LabelRow(
        id=new_id(),
        name=suite.name,
        metric=metric,
        rubric=judge.rubric.hash,
        run=run,
        candidate="",
        item=anchor.case,
        answer_hash=digest([case.content_hash, anchor.answer], 32),
        value=score.value,
        at_us=now_us(),
        by=JUDGE + judge.route,
        sample=ANCHORS,
        details=encoded(Details(scores=score.reasons["scores"], judge=score.reasons["judge"])),
    )


def drift(labels: Iterable[LabelRow], rubric: str, *, run: str = "") -> Drift | None:
    """Of the verdicts of a run (of the last, where none is named) against the first ones. None: there is nothing to
    hold them against."""
    verdicts = sorted(_verdicts(labels, rubric), key=lambda one: (one.at_us, one.id))
    now = [one for one in verdicts if one.run == (run or (verdicts[-1].run if verdicts else ""))]
    first: dict[str, LabelRow] = {}
    for one in verdicts:
        first.setdefault(one.answer_hash, one)
    pairs = [(first[one.answer_hash], one) for one in now if first[one.answer_hash].run != one.run]
    if len(pairs) < FEWEST:
        return None
    before, after = (np.array([float(one.value or 0) for one in side]).tolist() for side in zip(*pairs, strict=True))
    return Drift(len(pairs), paired_difference(before, after), (_bound(pairs[0][0]), _bound(pairs[-1][1])))


def _verdicts(labels: Iterable[LabelRow], rubric: str) -> list[LabelRow]:
    return [
        one
        for one in labels
        if one.sample == ANCHORS and one.by.startswith(JUDGE) and one.rubric == rubric and one.value is not None
    ]


def _bound(label: LabelRow) -> Bound:
    return judge_bound({"judge": details(label).judge}) or Bound("", "", "", label.rubric)


def advice(anchors: Sequence[Anchor]) -> str:
    """What is wrong with so many of them; "" for nothing."""
    if 0 < len(anchors) < ENOUGH:
        return f"{len(anchors)} anchors show a large drift only: {ENOUGH} or more are better."
    return ""
