"""A run: every question of its plan is asked once, answered, scored and written down, as fast as its targets go.

Each route has so many askers, who take the next question as soon as they have an answer; scoring and writing go on
beside them. A question whose answer stands in the store is never asked again, whatever ended the run before. What a
target does wrong is its answer, and scores 0; what a scorer or a judge does wrong is missing. When the house denies
(budget, zone, key, store) a target, a judge or who plays a user, asking stops, and the run can be resumed: an answer
that could not be scored then is kept without scores, and scored when the run goes on.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from fairlead.errors import FairleadError, OperatorError, Unavailable
from fairlead.evals.asking import UNFIT, Asked, Question
from fairlead.evals.cases import Case
from fairlead.evals.conversing import PlayedUser, converse, score_turns
from fairlead.evals.patience import BesideDenied, PatientAsker
from fairlead.evals.plans import Plan, Wanted, body, cache_key
from fairlead.evals.prompts import Prompt
from fairlead.evals.scorers import FAILED, Ready
from fairlead.evals.spending import Meter
from fairlead.evals.suite import Suite
from fairlead.evals.written import answer_row, conversation_of, conversation_rows, output_of, score_row
from fairlead.ids import now_us
from fairlead.store.evals.answers import AnswerRow, ScoreRow

TRIES = 3  # of a target that may do better a moment later
BACKOFF_S = 0.5
LONGEST_WAIT_S = 60.0  # that a target may ask for
PATIENCE_S = 600.0  # with a limit of the house that will have room again
WRITE_AGAIN_S = 1.0
WRITE_TRIES = 30
BEHIND = 64  # answers per asker that may wait to be scored and written


class Write(Protocol):
    async def __call__(self, answers: Sequence[AnswerRow], scores: Sequence[ScoreRow] = (), /) -> None:
        """In the store when it returns. Raises Unavailable."""
        ...


class Progress(Struct):
    """How far a run has come. `cost_nusd` is what was paid for in this sitting, whatever became of it; `unpriced`
    counts questions whose cost nobody knows."""

    planned: int
    done: int = 0
    asked: int = 0
    cached: int = 0
    failed: int = 0
    missing: int = 0
    waiting: int = 0
    cost_nusd: int = 0
    unpriced: int = 0


class Pace(Struct, frozen=True):
    """`concurrency` is of each route; waiting times are in seconds, and short in tests."""

    concurrency: int = 8
    tries: int = TRIES
    backoff_s: float = BACKOFF_S
    patience_s: float = PATIENCE_S
    write_again_s: float = WRITE_AGAIN_S


class Stopped(Struct, frozen=True):
    why: str
    hint: str = ""


class Run:
    """`id` is its own in the store. `taken` are answers that were given before to the same question, by cache key;
    `unscored` are the run's own that have no scores yet, by what was wanted. `tell` is called whenever `progress` has
    changed."""

    def __init__(
        self,
        id: str,
        suite: Suite,
        plan: Plan,
        scorers: Mapping[str, Ready],
        meter: Meter,
        write: Write,
        *,
        prompts: Mapping[str, Prompt] | None = None,
        taken: Mapping[str, AnswerRow] | None = None,
        unscored: Mapping[tuple[str, str, int], Sequence[AnswerRow]] | None = None,
        pace: Pace | None = None,
        tell: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._id = id
        self._suite = suite
        self._plan = plan
        self._scorers = scorers
        self._waits = not all(ready.is_here for ready in scorers.values())
        self._meter = meter
        self._players = PatientAsker(meter, "who plays the user")
        self._write = write
        self._prompts = prompts or suite.prompts
        self._taken = taken or {}
        self._unscored = unscored or {}
        self._pace = pace or Pace()
        self._tell = tell
        self._stopped: Stopped | None = None
        self._stopping = asyncio.Event()
        self._can_write = asyncio.Event()  # nothing more is asked while what was answered can't be kept
        self._can_write.set()
        self._answered: set[str] = set()  # candidates that have answered at all
        self._finishing: set[asyncio.Task[None]] = set()
        self._bug: BaseException | None = None
        self.progress = Progress(0)

    def stop(self, why: str, hint: str = "") -> None:
        """Nothing more is asked; what was asked is waited for."""
        if self._stopped is None:
            self._stopped = Stopped(why, hint)
            self._stopping.set()
            self._can_write.set()

    @property
    def stopped(self) -> Stopped | None:
        return self._stopped

    async def go(self, wanted: Iterable[Wanted]) -> Stopped | None:
        """Ask all of these. None: all are answered; else why it was stopped. Raises what is a bug."""
        lines: dict[str, deque[Wanted]] = {}
        for one in wanted:
            lines.setdefault(one.candidate.route, deque()).append(one)
        self.progress.planned = sum(map(len, lines.values()))
        try:
            async with asyncio.TaskGroup() as askers:
                for line in lines.values():
                    room = asyncio.Semaphore(self._pace.concurrency * BEHIND)
                    for _ in range(min(self._pace.concurrency, len(line))):
                        askers.create_task(self._ask_all(line, room))
            while self._finishing:
                await asyncio.wait(self._finishing)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            for finishing in self._finishing:
                finishing.cancel()
            await asyncio.gather(*self._finishing, return_exceptions=True)
        if self._bug is not None:
            raise self._bug
        return self._stopped

    # --- asking ------------------------------------------------------------------------------------------------------

    async def _ask_all(self, line: deque[Wanted], room: asyncio.Semaphore) -> None:
        while line and self._stopped is None:
            if not self._can_write.is_set():
                await self._can_write.wait()
                continue
            wanted = line.popleft()
            asked = body(wanted.candidate, self._prompts[wanted.candidate.prompt], wanted.case, self._suite.params)
            key = cache_key(wanted.candidate, asked, wanted.repeat)
            rows = self._unscored.get(wanted.key) or self._known(wanted, key)
            if rows is None:
                converses = wanted.case.is_conversation
                rows = await (self._converse(wanted, asked) if converses else self._answer(wanted, asked, key))
            if rows is None:
                continue
            await room.acquire()
            finishing = asyncio.create_task(self._finish(wanted, rows))
            self._finishing.add(finishing)
            finishing.add_done_callback(self._finished)
            finishing.add_done_callback(lambda _: room.release())

    def _known(self, wanted: Wanted, key: str) -> list[AnswerRow] | None:
        found = self._taken.get(key)
        if found is None:
            return None
        self.progress.cached += 1
        name, case, repeat = wanted.key
        changes = {"run": self._id, "candidate": name, "item": case, "repeat": repeat, "cached": found.run}
        return [replace(found, **changes, cost_nusd=0)]

    async def _answer(self, wanted: Wanted, asked: Mapping[str, Any], key: str) -> list[AnswerRow] | None:
        """None: it was not let in, and the run stops."""
        at_us = now_us()
        found, tries = await self._persist(wanted, asked)
        if self._is_denied(wanted, found):
            return None
        return [answer_row(self._id, wanted, found, at_us=at_us, tries=tries, key=key)]

    async def _converse(self, wanted: Wanted, asked: Mapping[str, Any]) -> list[AnswerRow] | None:
        """The same, of all turns of a conversation."""
        at_us, settings = now_us(), self._suite.conversation

        async def ask(messages: Sequence[Mapping[str, Any]]) -> Asked:
            return (await self._persist(wanted, {**asked, "messages": messages}))[0]

        user = None
        if settings.user_route and not wanted.case.turns:
            user = PlayedUser(settings, self._suite.persona, self._players)
        try:
            had = await converse(wanted.case, asked["messages"], ask, user, settings.most_turns)
        except BesideDenied as error:
            self.stop(error.message, error.hint)
            return None
        if any(self._is_denied(wanted, turn.asked) for turn in had.turns):
            return None
        return conversation_rows(self._id, wanted, had, at_us)

    async def _persist(self, wanted: Wanted, asked: Mapping[str, Any]) -> tuple[Asked, int]:
        """What came in the end, and how often it was asked."""
        question = Question(route=wanted.candidate.route, body=asked, streams=self._plan.streams)
        cost, tries = 0, 0
        while True:
            found = await self._let_in(question)
            tries += 1
            cost = None if cost is None or found.cost_nusd is None else cost + found.cost_nusd
            if not found.passes or tries >= self._pace.tries or self._stopped is not None:
                break
            await self._pause(found.retry_after_s or self._pace.backoff_s * 2 ** (tries - 1))
        if found.status == "ok":
            self._answered.add(wanted.candidate.name)
        return found if tries == 1 else replace(found, cost_nusd=cost), tries

    async def _let_in(self, question: Question) -> Asked:
        """Asked, once a limit of the house that is full has room for it."""
        waited_s = 0.0
        while True:
            found = await self._meter.ask(question)
            if not found.waits or waited_s >= self._pace.patience_s or self._stopped is not None:
                return found
            wait_s = min(found.retry_after_s or self._pace.backoff_s, LONGEST_WAIT_S)
            waited_s += wait_s
            self.progress.waiting += 1
            await self._pause(wait_s)
            self.progress.waiting -= 1

    def _is_denied(self, wanted: Wanted, found: Asked) -> bool:
        """By the house; or by a provider who takes neither our key nor the model's name: that is no model's answer."""
        if found.status == "denied":
            if found.code in UNFIT:
                what = f"case {wanted.case.id!r} can't be asked of {wanted.candidate.name}: {found.message}"
                self.stop(what, found.hint or "mend the case, or `params` or `--sweep`, whichever it names")
            self.stop(found.message, found.hint)
            return True
        if found.code == "target_refused" and wanted.candidate.name not in self._answered:
            self.stop(f"{wanted.candidate.name} refused its first question: {found.message}", found.hint)
            return True
        return False

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), min(seconds, LONGEST_WAIT_S))
        except TimeoutError:
            return

    def _finished(self, finishing: asyncio.Task[None]) -> None:
        self._finishing.discard(finishing)
        if not finishing.cancelled() and (bug := finishing.exception()) is not None:
            self._bug = self._bug or bug
            self.stop(f"{type(bug).__name__}: {bug}")

    # --- what came ---------------------------------------------------------------------------------------------------

    async def _finish(self, wanted: Wanted, rows: Sequence[AnswerRow]) -> None:
        is_kept = wanted.key in self._unscored
        try:
            if self._waits and not is_kept:
                await self._keep(rows, ())  # a judge may take its time, and kill -9 meanwhile costs no answer
                is_kept = True
            scores = await self._scored(wanted, rows)
            await self._keep(() if is_kept else rows, scores)
        except Unavailable as error:
            self.stop(error.message, error.hint)
            return
        self._count(wanted, rows[0], scores)

    async def _scored(self, wanted: Wanted, rows: Sequence[AnswerRow]) -> list[ScoreRow]:
        """None of them, where a scorer will not get better with the next answer: then the run stops."""
        try:
            return await score_rows(self._scorers, wanted, rows)
        except (OperatorError, ImportError, BesideDenied) as error:
            is_told = isinstance(error, FairleadError)
            self.stop(error.message if is_told else str(error), error.hint if is_told else "")
            return []

    async def _keep(self, rows: Sequence[AnswerRow], scores: Sequence[ScoreRow]) -> None:
        """In the store. Where that is full or away, it is tried again for a while; then asking stops."""
        for tries in range(WRITE_TRIES):
            try:
                await self._write(rows, scores)
                self._can_write.set()
                return
            except Unavailable as error:
                if self._stopped is None:
                    self._can_write.clear()
                if tries + 1 == WRITE_TRIES:
                    raise Unavailable(f"answers can't be written: {error.message}", hint=error.hint) from error
                await asyncio.sleep(self._pace.write_again_s)

    def _count(self, wanted: Wanted, row: AnswerRow, scores: Sequence[ScoreRow]) -> None:
        progress, is_old = self.progress, wanted.key in self._unscored
        progress.done += bool(scores) or not self._scorers
        progress.asked += not (row.cached or is_old)
        progress.failed += row.status != "ok"
        progress.missing += sum(score.value is None for score in scores)
        self._tell(self.reckoned())

    def reckoned(self) -> Progress:
        """How far it has come, with all that was paid for until now."""
        spent = self._meter.total
        self.progress.cost_nusd, self.progress.unpriced = spent.cost_nusd, spent.unpriced
        return self.progress


async def score_rows(scorers: Mapping[str, Ready], wanted: Wanted, rows: Sequence[AnswerRow]) -> list[ScoreRow]:
    """One answer by all scorers; a conversation turn by turn, and as a whole. Its row, or the whole's, comes first."""
    if not wanted.case.is_conversation:
        return await score_answer(scorers, wanted.case, rows[0])
    turns = await score_turns(scorers, wanted.case, conversation_of(wanted.case, rows))
    return [score_row(rows[0], one.metric, scorers[one.metric].version, one.scored, one.turn) for one in turns]


async def score_answer(scorers: Mapping[str, Ready], case: Case, row: AnswerRow) -> list[ScoreRow]:
    """One that is no conversation. If it did not come, or not as it should, it is worth nothing."""
    scores = []
    for name, ready in scorers.items():
        if row.status in FAILED:
            found = ready.failed(row.status, case)
        else:
            output = output_of(row)
            found = ready.at_once(output, case) or await ready.score(output, case)
        scores.append(score_row(row, name, ready.version, found))
    return scores
