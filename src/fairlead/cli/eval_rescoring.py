"""The answers of a run are scored again: with scorers that were mended, with gold that was, with another judge.

What was asked must be what it was: an answer to another text is no answer to this one. Of a run that is not done,
because it or its scoring was stopped, what has its scores of this very version keeps them: a judge is not asked again.
"""

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fairlead.errors import RequestInvalid
from fairlead.evals import beginning
from fairlead.evals.cases import Case
from fairlead.evals.examining import Examiners
from fairlead.evals.holdout import sealed
from fairlead.evals.plans import Plan, Wanted
from fairlead.evals.running import score_answer, score_rows
from fairlead.evals.scorers import Ready, check_gold, load
from fairlead.evals.spending import LONGEST_TAG, Meter
from fairlead.evals.suite import Suite, read_suite
from fairlead.store.evals import runs
from fairlead.store.evals.answers import AnswerRow, ScoreRow, said_in
from fairlead.store.evals.answers import unscored as answers_without_scores
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.runs import Claim, RunRow
from fairlead.store.evals.writing import Writer
from fairlead.store.opening import Store

if TYPE_CHECKING:
    from fairlead.config import Config

AT_ONCE = 8  # answers, where a judge is asked
BATCH = 2000


class Rescored(Struct, frozen=True):
    """How many answers were scored, how many had their scores already, and how many of the new scores are missing."""

    run: str
    answers: int
    before: int
    missing: int


def rescore(settings: "Config", ref: str, folder: Path | None, *, unsandboxed: bool) -> Rescored:
    """Raises NotFound, RequestInvalid, InUse, …"""
    return asyncio.run(_rescore(settings, ref, folder, unsandboxed))


async def _rescore(settings: "Config", ref: str, folder: Path | None, unsandboxed: bool) -> Rescored:
    data_dir = Path(settings.data_dir)
    with open_evals(data_dir, settings.store.url.value, create=False) as store:
        with store.read() as connection:
            run = runs.find_run(connection, ref)
            answers = said_in(connection, run.id)
            contents = runs.contents_of(connection, run.suite)
        plan = beginning.read_plan(run)
        suite = read_suite(folder or Path(plan.folder))
        cases = {case.id: case for case in suite.cases}
        for id in set(map(attrgetter("item"), answers)):
            if id not in cases or cases[id].content_hash != contents[id]:
                raise RequestInvalid(
                    f"case {id!r} is not what it was when the run asked it", hint="run the suite again: eval run"
                )
        async with Examiners() as examiners:
            scorers_with = partial(load, suite, unsandboxed=unsandboxed, examiners=examiners)
            before = scorers_with()
            await check_gold(before.values(), suite.cases)
            claim = Claim(store, run.id, data_dir, f"score/{run.id}", opens=False)
            try:
                if not any(ready.asks for ready in before.values()):
                    found = await _all(store, Writer(store, claim), suite, run, before, answers, cases)
                else:
                    from fairlead.server.guest import Visit, visiting  # here, as it takes long to load

                    routes = beginning.asked_routes(suite, ())
                    visit = Visit(name=f"eval-{run.id}", doing="eval score", routes=routes, zone=suite.zone)
                    async with visiting(settings, visit) as guest:
                        meter = Meter(guest.asker, run.id, (f"suite={suite.name}"[:LONGEST_TAG],))
                        writer = Writer(store, claim, meter.rows)
                        found = await _all(store, writer, suite, run, scorers_with(meter), answers, cases)
                _end(store, run)
                return found
            finally:
                claim.close()


def _end(store: Store, run: RunRow) -> None:
    """It is what it was before; a run that has all its answers is done, whenever its scoring was stopped."""
    with store.begin() as connection:
        is_whole = runs.tally(connection, run.id).answers == run.planned
        status, why = ("done", "") if is_whole else (run.status, run.why)
        runs.end_run(connection, run.id, status=status, why=why)


async def _all(
    store: Store,
    writer: Writer,
    suite: Suite,
    run: RunRow,
    scorers: Mapping[str, Ready],
    answers: list[AnswerRow],
    cases: Mapping[str, Case],
) -> Rescored:
    plan = beginning.read_plan(run)
    every = list(_together(answers))
    together = _begin(store, suite, run, plan, scorers, every)
    candidates = {one.name: one for one in plan.candidates}
    room = asyncio.Semaphore(AT_ONCE)

    async def scored(rows: list[AnswerRow]) -> list[ScoreRow]:
        case = cases[rows[0].item]
        if not case.is_conversation:
            return await score_answer(scorers, case, rows[0])
        wanted = Wanted(candidates[rows[0].candidate], case, rows[0].repeat)
        return await score_rows(scorers, wanted, rows)

    async def waited_for(rows: list[AnswerRow]) -> int:
        async with room:
            scores = await scored(rows)
        await writer.write([], scores)  # at once: what a judge said is paid for
        return _missing(scores)

    missing = 0
    nobody_waits = all(ready.is_here for ready in scorers.values())
    try:
        for start in range(0, len(together), BATCH):
            some = together[start : start + BATCH]
            if nobody_waits:
                scores = [score for rows in some for score in await scored(rows)]
                await writer.write([], scores)
                missing += _missing(scores)
                continue
            for found in await asyncio.gather(*map(waited_for, some), return_exceptions=True):
                if isinstance(found, BaseException):
                    raise found
                missing += found
    finally:
        await writer.close()
    return Rescored(run.id, len(together), len(every) - len(together), missing)


def _begin(
    store: Store, suite: Suite, run: RunRow, plan: Plan, scorers: Mapping[str, Ready], every: list[list[AnswerRow]]
) -> list[list[AnswerRow]]:
    """What is to be scored. The run belongs to this version of the suite then, and what was scored before is gone,
    unless that is what is gone on with."""
    changed = replace(plan, hash=suite.hash, scorers={name: ready.version for name, ready in scorers.items()})
    with store.read() as connection:
        is_known = runs.has_suite(connection, suite.hash)
        goes_on = run.status != "done" and changed == plan
        unscored = answers_without_scores(connection, run.id, changed.scorers) if goes_on else set()
    if unscored:
        return [rows for rows in every if (rows[0].candidate, rows[0].item, rows[0].repeat) in unscored]
    items = [] if is_known else beginning.items_of(suite, sealed(suite))
    with store.begin() as connection:
        runs.note_suite(connection, beginning.version_of(suite), items)
        runs.take_over(connection, run.id, suite=suite.hash, plan=msgspec.json.encode(changed).decode())
    return every


def _missing(scores: list[ScoreRow]) -> int:
    return sum(score.value is None for score in scores)


def _together(answers: list[AnswerRow]) -> Iterator[list[AnswerRow]]:
    """The rows of one case in one repeat: the whole first, then its turns."""
    for _, rows in groupby(answers, attrgetter("candidate", "item", "repeat")):
        yield list(rows)
