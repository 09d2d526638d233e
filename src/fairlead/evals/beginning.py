"""How a run begins, and begins again: its plan is written down before anything is asked, and read when it is resumed.

What has changed meanwhile is found out first: a suite, a prompt, a scorer or a target that is not what it was would
make one run out of two things.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.errors import PolicyDenied, RequestInvalid
from fairlead.evals import plans
from fairlead.evals.cases import Case, digest
from fairlead.evals.plans import Candidate, Plan, Wanted
from fairlead.evals.prompts import Prompt
from fairlead.evals.scorers import Ready
from fairlead.evals.suite import Suite
from fairlead.evals.sweeps import Variant, prompt_named
from fairlead.gateway.call import ZONES
from fairlead.gateway.routes import OF_TARGET
from fairlead.ids import now_us
from fairlead.store.evals import answers, runs
from fairlead.store.evals.answers import AnswerRow
from fairlead.store.evals.runs import ItemRow, RunRow, SuiteRow
from fairlead.store.evals.spending import spent_by
from fairlead.store.opening import Store

LONGEST_SHOWN = 2000  # of a case's text, for people


class Wish(Struct, frozen=True, kw_only=True):
    """What somebody wants to have run."""

    routes: tuple[str, ...]
    variants: tuple[Variant, ...]
    split: str = "dev"
    repeats: int = 1
    limit: int | None = None
    max_cost_nusd: int | None = None
    uses_cache: bool = True
    streams: bool = False


def asked_routes(suite: Suite, routes: Sequence[str]) -> tuple[str, ...]:
    """Those of candidates, of the judge, of a user who is played, of scorers that ask."""
    beside = [suite.judge.route if suite.judge else "", suite.conversation.user_route]
    beside += [str(settings.options.get("route", "")) for settings in suite.scorers.values()]
    return tuple(dict.fromkeys((*routes, *filter(None, beside))))


def check_zone(suite: Suite, store_zone: str) -> None:
    """Raises PolicyDenied where what the suite says may not lie in the store."""
    if ZONES.index(store_zone) > ZONES.index(suite.zone):  # type: ignore[arg-type]
        raise PolicyDenied(
            f"the cases of {suite.name} may not leave the zone {suite.zone!r}, and the store lies in {store_zone!r}",
            hint="keep the store where they may lie, or widen `zone` in suite.toml on purpose",
            code="zone_denied",
            rule="zone",
        )


def plan_of(suite: Suite, wish: Wish, scorers: Mapping[str, Ready], configuration: Mapping[str, Any]) -> Plan:
    """Raises RequestInvalid where two candidates would have one name."""
    candidates = [
        Candidate(
            name=f"{route.removeprefix(OF_TARGET)} {variant.label}".strip(),
            route=route,
            prompt=variant.prompt.name,
            prompt_hash=variant.prompt.hash,
            params=variant.params,
            identity=plans.identity(configuration, route),
        )
        for route in wish.routes
        for variant in wish.variants
    ]
    names = [one.name for one in candidates]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestInvalid(f"{twice!r} is there twice", hint="a case is asked again with --repeats")
    return Plan(
        suite=suite.name,
        hash=suite.hash,
        folder=str(suite.folder.resolve()),
        split=wish.split,
        candidates=tuple(candidates),
        repeats=wish.repeats,
        limit=wish.limit,
        seed=suite.seed,
        zone=suite.zone,
        max_cost_nusd=wish.max_cost_nusd,
        uses_cache=wish.uses_cache,
        streams=wish.streams,
        scorers={name: ready.version for name, ready in scorers.items()},
        judge=suite.judge.route if suite.judge else "",
        rubric=digest(suite.rubric) if suite.rubric else "",
        config=str(configuration.get("hash", "")),
    )


def cases_of(suite: Suite, plan: Plan, sealed: Collection[str]) -> list[Case]:
    """Raises RequestInvalid where there are none."""
    found = plans.chosen(suite.cases, plan, sealed)
    if not found:
        raise RequestInvalid(f"{suite.name} has no cases in the split {plan.split!r}", hint="--split all")
    return found


def begin(store: Store, id: str, suite: Suite, plan: Plan, planned: int, sealed: Collection[str]) -> None:
    """Before anything is asked."""
    row = RunRow(
        id=id,
        suite=suite.hash,
        name=suite.name,
        split=plan.split,
        at_us=now_us(),
        planned=planned,
        plan=msgspec.json.encode(plan).decode(),
    )
    with store.begin() as connection:
        runs.note_suite(connection, version_of(suite), items_of(suite, sealed))
        runs.new_run(connection, row)


def read_plan(row: RunRow) -> Plan:
    return msgspec.json.decode(row.plan, type=Plan)


def check_same(suite: Suite, plan: Plan, configuration: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> None:
    """Raises RequestInvalid where what is to be asked is not what it was when the run began."""
    hint = "begin another run; what is still the same is taken from this one"
    if suite.hash != plan.hash:
        raise RequestInvalid(f"the suite {suite.name} has changed since the run began", hint=hint)
    for candidate in plan.candidates:
        if prompts[candidate.prompt].hash != candidate.prompt_hash:
            raise RequestInvalid(f"the prompt {candidate.prompt!r} has changed since the run began", hint=hint)
        if plans.identity(configuration, candidate.route) != candidate.identity:
            raise RequestInvalid(f"what stands behind {candidate.route} has changed since the run began", hint=hint)


def outstanding(store: Store, run: str, wanted: Sequence[Wanted], metrics: Collection[str]) -> list[Wanted]:
    """What the run has no answer to yet, or an answer that was not scored by all of these."""
    with store.read() as connection:
        there = answers.answered(connection, run) - answers.unscored(connection, run, metrics)
    return [one for one in wanted if one.key not in there]


def unscored(store: Store, run: str, metrics: Collection[str]) -> dict[tuple[str, str, int], list[AnswerRow]]:
    """The answers of the run that were not scored by all of these: the row of a whole case first, then its turns."""
    with store.read() as connection:
        if not (keys := answers.unscored(connection, run, metrics)):
            return {}
        rows = answers.answers_of(connection, run)
    found: dict[tuple[str, str, int], list[AnswerRow]] = {}
    for row in rows:
        if (key := (row.candidate, row.item, row.repeat)) in keys:
            found.setdefault(key, []).append(row)
    return found


def taken(store: Store, suite: Suite, wanted: Sequence[Wanted], prompts: Mapping[str, Prompt]) -> dict[str, AnswerRow]:
    """Answers that other runs had to the same questions, by their keys."""
    keys = (
        plans.cache_key(
            one.candidate,
            plans.body(one.candidate, prompts[one.candidate.prompt], one.case, suite.params),
            one.repeat,
        )
        for one in wanted
    )
    with store.read() as connection:
        return {row.cache_key: row for row in answers.cached(connection, keys)}


def prompts_of(suite: Suite, plan: Plan) -> dict[str, Prompt]:
    """Those of its candidates, by the names that these give them. Raises RequestInvalid where one is gone."""
    return {name: prompt_named(suite, name) for name in {one.prompt for one in plan.candidates}}


def spent(store: Store, run: str) -> int:
    """What a run has cost until now, as far as anybody knows: its answers, and whoever was asked beside them."""
    with store.read() as connection:
        return sum(one.cost_nusd for one in spent_by(connection, run))


def version_of(suite: Suite) -> SuiteRow:
    return SuiteRow(hash=suite.hash, name=suite.name, at_us=now_us(), zone=suite.zone, declared=_declared(suite))


def items_of(suite: Suite, sealed: Collection[str]) -> list[ItemRow]:
    inside = frozenset(sealed)
    return [_item(suite, case, case.id in inside) for case in suite.cases]


def _declared(suite: Suite) -> str:
    """What decides: comparisons of a run go by it."""
    said = {
        "task": suite.task,
        "primary": suite.primary,
        "guardrails": suite.guardrails,
        "metrics": suite.metrics,
        "licence": suite.licence,
        "show_text": suite.show_text,
        "judge": suite.judge,
        "rubric": suite.rubric,
        "holdout": suite.holdout,
        "repeats": suite.repeats,
        "about": suite.about,
    }
    return msgspec.json.encode(said).decode()


def _item(suite: Suite, case: Case, holdout: bool) -> ItemRow:
    shown = suite.show_text
    gold = case.gold if isinstance(case.gold, str) else msgspec.json.encode(case.gold).decode()
    return ItemRow(
        suite=suite.hash,
        id=case.id,
        content_hash=case.content_hash,
        gold_version=case.gold_version,
        cluster=case.cluster,
        tags=case.tags,
        weight=case.weight,
        holdout=holdout,
        asked=case.text[:LONGEST_SHOWN] if shown else "",
        wanted=gold[:LONGEST_SHOWN] if shown else "",
    )
