"""What a run came to, for people: answers by status, means with their intervals, money and times, by candidate.

Scores of the sealed hold-out are left out unless they are asked for; then it is noted that it was looked at, before
anything is shown.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from fairlead.evals.beginning import read_plan
from fairlead.evals.plans import Plan
from fairlead.evals.recorded import table_of
from fairlead.evals.results import WHOLE, ScoreTable
from fairlead.evals.spending import Spent
from fairlead.evals.wholes import Whole, wholes
from fairlead.stats.intervals import Interval
from fairlead.stats.means import mean
from fairlead.store.evals import runs
from fairlead.store.evals.answers import AnswerRow, ScoreRow, answers_of, scores_of
from fairlead.store.evals.runs import RunRow
from fairlead.store.evals.spending import spent_by
from fairlead.store.opening import Store


class MetricShown(Struct, frozen=True):
    """`mean` is over cases, with its 95 % interval; None where no case has a score. `missing` counts answers, `why` how
    many of them for which reason, the most frequent first."""

    mean: Interval | None
    cases: int
    missing: int
    why: Mapping[str, int] = {}


class CandidateShown(Struct, frozen=True, kw_only=True):
    """`models` and `fingerprints` are what providers called themselves; `wrong` is what was said oftenest of answers of
    each status that is not ok; `cost_nusd` None: of some answers nobody knows;
    `median_us` is of those that were asked in this run."""

    name: str
    route: str
    prompt: str
    params: Mapping[str, Any]
    models: tuple[str, ...]
    fingerprints: tuple[str, ...]
    statuses: Mapping[str, int]
    wrong: Mapping[str, str]
    cached: int
    cost_nusd: int | None
    median_us: int | None
    metrics: Mapping[str, MetricShown]
    wholes: Mapping[str, Whole]


class RunShown(Struct, frozen=True, kw_only=True):
    id: str
    suite: str
    suite_hash: str
    split: str
    at_us: int
    ended_us: int | None
    status: str
    why: str
    planned: int
    answers: int
    repeats: int
    seed: int
    code: str
    config: str
    scorers: Mapping[str, str]
    judge: str
    sealed: bool  # there are scores of the hold-out that are not shown
    looks: int
    spent: Mapping[str, Spent]  # by what for, in all sittings
    candidates: tuple[CandidateShown, ...]


def show(store: Store, ref: str, *, holdout: bool = False, what: str = "show") -> RunShown:
    """`holdout`: with the scores of the sealed cases; that is a look, and `what` says for what. Raises NotFound."""
    with store.read() as connection:
        row = runs.find_run(connection, ref)
        rows = [one for one in answers_of(connection, row.id) if one.turn == WHOLE]
        scores = scores_of(connection, row.id)
    if holdout and row.split != "dev":
        with store.begin() as connection:
            runs.note_look(connection, name=row.name, suite=row.suite, run=row.id, what=what)
    table = table_of(store, row.id) if rows else None
    is_sealed = table is not None and bool(table.holdout.any()) and not holdout
    shown = table.where(~table.holdout) if table is not None and is_sealed else table
    hidden = set(table.item[table.holdout]) if table is not None and is_sealed else set()
    plan = read_plan(row)
    candidates = []
    for candidate in plan.candidates:
        own = [one for one in rows if one.candidate == candidate.name]
        asked = [one.took_us for one in own if not one.cached and one.status == "ok"]
        costs = [one.cost_nusd for one in own]
        candidates.append(
            CandidateShown(
                name=candidate.name,
                route=candidate.route,
                prompt=candidate.prompt,
                params=candidate.params,
                models=tuple(sorted({one.model for one in own if one.model})),
                fingerprints=tuple(sorted({one.fingerprint for one in own if one.fingerprint})),
                statuses=dict(Counter(one.status for one in own)),
                wrong=_wrong(own),
                cached=sum(bool(one.cached) for one in own),
                cost_nusd=None if None in costs else sum(cost or 0 for cost in costs),
                median_us=int(np.median(asked)) if asked else None,
                metrics=_metrics(shown, candidate.name, _whys(scores, plan, hidden)) if shown is not None else {},
                wholes=wholes(scores, candidate.name, hidden),
            )
        )
    return _whole(store, row, len(rows), tuple(candidates), is_sealed)


def _whole(store: Store, row: RunRow, answers: int, candidates: tuple[CandidateShown, ...], sealed: bool) -> RunShown:
    plan = read_plan(row)
    with store.read() as connection:
        looks = len(runs.looks_at(connection, row.name))
        spent = spent_by(connection, row.id)
    return RunShown(
        id=row.id,
        suite=row.name,
        suite_hash=row.suite,
        split=row.split,
        at_us=row.at_us,
        ended_us=row.ended_us,
        status=row.status,
        why=row.why,
        planned=row.planned,
        answers=answers,
        repeats=plan.repeats,
        seed=plan.seed,
        code=plan.code,
        config=plan.config,
        scorers=plan.scorers,
        judge=plan.judge,
        sealed=sealed,
        looks=looks,
        spent={one.what: Spent(one.questions, one.cost_nusd, one.unpriced) for one in spent},
        candidates=candidates,
    )


def _wrong(answers: Sequence[AnswerRow]) -> dict[str, str]:
    said: dict[str, Counter[str]] = {}
    for one in answers:
        if one.status != "ok":
            said.setdefault(one.status, Counter())[one.message or one.text] += 1
    return {status: messages.most_common(1)[0][0] for status, messages in said.items()}


def _whys(scores: Sequence[ScoreRow], plan: Plan, hidden: Collection[str]) -> dict[tuple[str, str], Counter[str]]:
    """Why scores are missing, by candidate and metric."""
    found = {(candidate.name, metric): Counter[str]() for candidate in plan.candidates for metric in plan.scorers}
    for one in scores:
        if one.value is None and one.turn == WHOLE and one.item not in hidden and (one.candidate, one.metric) in found:
            found[one.candidate, one.metric][one.why] += 1
    return found


def _metrics(table: ScoreTable, candidate: str, whys: Mapping[tuple[str, str], Counter[str]]) -> dict[str, MetricShown]:
    if candidate not in table.candidates:
        return {}
    names = (name for one, name in whys if one == candidate and name in table.metrics)
    return {name: _metric(table, candidate, name, whys[candidate, name]) for name in names}


def _metric(table: ScoreTable, candidate: str, name: str, why: Counter[str]) -> MetricShown:
    scores = table.scores(candidate, name)
    known = scores.where(~np.isnan(scores.value))
    found = mean(known.value, clusters=known.clusters, weights=known.weights) if len(known) else None
    return MetricShown(found, len(known), scores.missing, dict(why.most_common()))
