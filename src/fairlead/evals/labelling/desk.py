"""A desk: one person, one answer after the other. Resumable, since whatever was said is in the book at once.

It does not show whose answer it is, nor what a judge said. An answer that two candidates gave alike is shown once, and
one that failed is worth 0 without anybody's looking at it. Whoever shows it (terminal, web page) knows keys and
colours; the desk knows none.
"""

import threading
from collections.abc import Callable, Mapping

from msgspec import Struct

from fairlead.errors import NotFound, RequestInvalid
from fairlead.evals.labelling.book import HOUSE, Details, LabelBook, encoded, is_standing, label_id, taken_back
from fairlead.evals.labelling.drawing import Drawn, Shown
from fairlead.evals.rubrics import Dimension, Rubric
from fairlead.ids import now_us
from fairlead.store.evals.labels import LabelRow

LONGEST_NOTE = 2000
SIDES = {"first": 1.0, "neither": 0.5, "second": 0.0}
PREFERENCE = Dimension("better", "Which of the two is better?", 0, 1)


class Setting(Struct, frozen=True, kw_only=True):
    """`again`: what others have labelled is shown as well, so that their agreement is known. `goal`: cases."""

    suite: str
    metric: str
    rubric: Rubric
    by: str
    seed: int
    goal: int
    pairs: bool = False
    again: bool = False


class Progress(Struct, frozen=True):
    """Of cases, not of answers. `skipped` counts answers that this person would not judge."""

    done: int
    goal: int
    cases: int
    skipped: int
    mine: int


class Desk:
    """Safe for several threads, and beside other desks with the same book. `clock` gives UTC microseconds."""

    def __init__(self, setting: Setting, drawn: Drawn, book: LabelBook, clock: Callable[[], int] = now_us) -> None:
        self.setting = setting
        self._drawn = drawn
        self._book = book
        self._clock = clock
        self._lock = threading.Lock()
        self._given: list[tuple[Shown, LabelRow]] = []  # by this person, at this desk
        self._standing: dict[str, LabelRow] = {}  # by answer hash, whoever gave it
        self._mine: dict[str, LabelRow] = {}
        self._look_up()

    def next(self) -> Shown | None:
        """What is to be looked at, and nobody at another desk has said meanwhile; None: the goal is reached, or all is
        labelled."""
        with self._lock:
            self._look_up()
            return self._next()

    def give(self, answer_hash: str, scores: Mapping[str, int] | str, *, note: str = "", took_us: int = 0) -> None:
        """Scores by dimension; of a pair, the side that is better as it was shown. Raises RequestInvalid, NotFound."""
        with self._lock:
            shown = self._shown(answer_hash)
            value, said = self._value(shown, scores)
            self._write(shown, value, Details(scores=said, note=note[:LONGEST_NOTE], rank=shown.rank), took_us)

    def skip(self, answer_hash: str, *, took_us: int = 0) -> None:
        with self._lock:
            shown = self._shown(answer_hash)
            self._write(shown, None, Details(rank=shown.rank, skipped=True), took_us)

    def undo(self) -> Shown | None:
        """Takes back what was said last at this desk, and gives what it was about; None: nothing was."""
        with self._lock:
            if not self._given:
                return None
            shown, label = self._given[-1]
            self._book.write([taken_back(label, self._clock())])
            self._given.pop()
            self._mine.pop(shown.answer_hash, None)
            if self._standing.get(shown.answer_hash) is label:
                del self._standing[shown.answer_hash]
            return shown

    def progress(self) -> Progress:
        with self._lock:
            open_ranks = {shown.rank for shown in self._drawn.shown if not self._is_done(shown)}
            done = min(open_ranks, default=self._drawn.cases)
            skipped = sum(label.value is None for label in self._mine.values())
            goal = min(self.setting.goal, self._drawn.cases)
            return Progress(done, goal, self._drawn.cases, skipped, len(self._mine) - skipped)

    def _look_up(self) -> None:
        for label in self._book.read():
            if label.rubric == self.setting.rubric.hash and is_standing(label):
                self._note(label)

    def _next(self) -> Shown | None:
        for shown in self._drawn.shown:
            if shown.rank >= self.setting.goal:
                return None
            if self._is_done(shown):
                continue
            if shown.failed:
                self._settle(shown)
                continue
            return shown
        return None

    def _is_done(self, shown: Shown) -> bool:
        if shown.answer_hash in self._mine:
            return True
        return shown.answer_hash in self._standing and (shown.failed != "" or not self.setting.again)

    def _shown(self, answer_hash: str) -> Shown:
        for shown in self._drawn.shown:
            if shown.answer_hash == answer_hash and not shown.failed:
                return shown
        raise NotFound("there is no such answer at this desk", hint="it is of another run: show the next one")

    def _value(self, shown: Shown, scores: Mapping[str, int] | str) -> tuple[float, Mapping[str, float]]:
        if self.setting.pairs:
            if not isinstance(scores, str) or scores not in SIDES:
                raise RequestInvalid(f"one of {', '.join(SIDES)} is wanted")
            value = SIDES[scores]
            value = 1 - value if shown.flipped else value
            return value, {PREFERENCE.name: value}
        if problem := self.setting.rubric.problem(scores):
            raise RequestInvalid(problem)
        assert isinstance(scores, Mapping)
        return self.setting.rubric.value(scores), dict(scores)

    def _settle(self, shown: Shown) -> None:
        label = self._label(shown, shown.worth, Details(rank=shown.rank, status=shown.failed), HOUSE, 0)
        self._book.write([label])
        self._standing[shown.answer_hash] = label

    def _write(self, shown: Shown, value: float | None, said: Details, took_us: int) -> None:
        label = self._label(shown, value, said, self.setting.by, max(0, took_us))
        self._book.write([label])
        self._note(label)
        self._given.append((shown, label))

    def _note(self, label: LabelRow) -> None:
        if label.value is not None:
            self._standing[label.answer_hash] = label
        if label.by == self.setting.by:
            self._mine[label.answer_hash] = label

    def _label(self, shown: Shown, value: float | None, said: Details, by: str, took_us: int) -> LabelRow:
        of = self.setting
        return LabelRow(
            id=label_id(of.suite, of.metric, of.rubric.hash, shown.answer_hash, by),
            name=of.suite,
            metric=of.metric,
            rubric=of.rubric.hash,
            run=shown.run,
            candidate=shown.candidate,
            item=shown.item,
            repeat=shown.repeat,
            answer_hash=shown.answer_hash,
            value=value,
            at_us=self._clock(),
            took_us=took_us,
            by=by,
            sample=f"seed {of.seed}",
            details=encoded(said),
        )
