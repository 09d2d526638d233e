"""Runs of the evaluation store as sources of scores, with the rules that their suite declares; and looks at what is
sealed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from fairlead.cli import terminal
from fairlead.cli.eval_runs import opened
from fairlead.cli.place import Place
from fairlead.errors import NotFound, RequestInvalid

if TYPE_CHECKING:
    from fairlead.evals.correcting import Evidence
    from fairlead.evals.corrections import Corrections
    from fairlead.evals.pairing import Origin
    from fairlead.evals.results import ScoreTable
    from fairlead.evals.suite import Metric
    from fairlead.store.evals.runs import RunRow


MOST_NAMED = 10  # candidates, in a hint


class Declared(Struct, frozen=True):
    """What of a suite's version decides how its runs are compared."""

    primary: "Metric"
    guardrails: "tuple[Metric, ...]" = ()
    metrics: tuple[str, ...] = ()
    show_text: bool = True


class Stored(Struct, frozen=True, eq=False):
    """One run, or one candidate of it; `names` in the order in which they were asked for, `judged` the metrics that a
    judge scored. `is_open`: not finished."""

    ref: str
    run: "RunRow"
    table: "ScoreTable"
    names: tuple[str, ...]
    declared: Declared
    facts: Mapping[str, str]
    judged: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.run.status != "done"


def stored(place: Place, ref: str, *, texts: bool = False) -> Stored:
    """`RUN` or `RUN:CANDIDATE`; `texts`: with what was said. Raises NotFound, StoreMismatch, OperatorError."""
    from fairlead.evals.beginning import read_plan
    from fairlead.evals.recorded import table_of
    from fairlead.store.evals import runs
    from fairlead.store.evals.answers import judged

    name, _, candidate = ref.partition(":")
    with opened(place) as store:
        with store.read() as connection:
            row = _found(connection, name, candidate)
            declared = _declared(runs.find_suite(connection, row.suite).declared)
            by_judge = tuple(sorted(judged(connection, row.id)))
        table = table_of(store, row.id, texts=texts)
    plan = read_plan(row)
    if candidate:
        table = table.of_candidate(candidate)
    facts = {
        "run": row.id,
        "suite": f"{row.name} ({row.suite[:16]}), {row.split}",
        "begun": terminal.moment(row.at_us),
        "ended": terminal.moment(row.ended_us),
        "status": " ".join((row.status, row.why)).strip(),
        "seed": str(plan.seed),
        "repeats": str(plan.repeats),
        "program": plan.code,
        "configuration": plan.config,
        "judge": plan.judge,
        "rubric": plan.rubric,
        "scorers": ", ".join(f"{scorer} {version}" for scorer, version in plan.scorers.items()),
    }
    facts |= {f"imported {what}": value for what, value in plan.imported.items()}
    for one in plan.candidates:
        if one.name in table.candidates:
            params = msgspec.json.encode(one.params).decode() if one.params else ""
            prompt = f"prompt {one.prompt} {one.prompt_hash[:12]}".strip() if one.prompt else ""
            said = (one.route, prompt, params, one.identity[:12])
            facts[f"candidate {one.name}"] = ", ".join(part for part in said if part)
    names = tuple(one.name for one in plan.candidates if one.name in table.candidates)
    return Stored(ref, row, table, names, declared, {what: value for what, value in facts.items() if value}, by_judge)


@contextmanager
def people(
    place: Place, names: Sequence[str], found: Sequence[Stored], preferences: "Evidence | None" = None
) -> "Iterator[Corrections | None]":
    """What people's labels say of what a judge scored, or preferred; None: nothing is a judge's. `names` are the
    candidates: all of one run, or one of each of several, as `found` has them."""
    judged = {metric for one in found for metric in one.judged}
    if preferences is not None:
        judged.add(preferences.metric)
    if not judged:
        yield None
        return
    from fairlead.evals.corrections import Corrections, Known, known_of
    from fairlead.evals.material import read_material

    with opened(place) as store:

        def read(origins: "Mapping[str, Origin]", metric: str) -> Known:
            if preferences is not None and metric == preferences.metric:
                return Known(evidence=preferences, names={name: name for name in origins})
            runs = list(dict.fromkeys(origin.run for origin in origins.values()))
            return known_of(read_material(store, runs, metric=metric), origins)

        yield Corrections(origins_of(names, found), judged, read)


def origins_of(names: Sequence[str], found: Sequence[Stored]) -> "dict[str, Origin]":
    """Where the candidates that are runs' come from: all of one run, or one of each of several."""
    from fairlead.evals.pairing import Origin

    if len(found) == len(names):
        return {name: Origin(one.run.id, one.names[0]) for name, one in zip(names, found, strict=True)}
    if len(found) == 1:
        return {name: Origin(found[0].run.id, name) for name in names if name in found[0].names}
    return {}


def look(place: Place, found: Sequence[Stored], what: str) -> tuple[str, ...]:
    """Notes that a sealed hold-out is looked at, before anything of it is shown; says how often it was by now."""
    from fairlead.store.evals import runs

    told = []
    sealed = {one.run.name: one.run for one in found if bool(one.table.holdout.any())}
    if not sealed:
        return ()
    with opened(place) as store, store.begin() as connection:
        for name, row in sealed.items():
            runs.note_look(connection, name=name, suite=row.suite, run=row.id, what=what)
            count = len(runs.looks_at(connection, name))
            told.append(f"this is look number {count} at the sealed hold-out of {name}")
    return tuple(told)


def _found(connection: Any, name: str, candidate: str) -> "RunRow":
    """Raises NotFound, with a hint for those who named a candidate and no run."""
    from fairlead.evals.beginning import read_plan
    from fairlead.store.evals import runs

    try:
        return runs.find_run(connection, name)
    except NotFound as error:
        last = next(iter(runs.list_runs(connection, limit=1)), None)
        if last is None:
            raise NotFound(error.message, hint="nothing was run yet: `fairlead eval run SUITE --on NAME`") from error
        names, wanted = [one.name for one in read_plan(last).candidates], candidate or name
        hint = (
            f"`last` compares the candidates of the last run ({', '.join(names[:MOST_NAMED])}), RUN:CANDIDATE names one"
        )
        if wanted in names:
            hint = f"`last:{wanted}` is that candidate of the last run; `last` alone compares all that it has"
        raise NotFound(error.message, hint=f"{hint}; `fairlead eval list` shows the runs") from error


def _declared(text: str) -> Declared:
    from fairlead.evals.suite import Metric

    found: dict[str, Any] = msgspec.json.decode(text)
    if not found.get("primary"):
        raise RequestInvalid("the suite of this run declares no primary metric", hint="name one: --metric NAME")
    return Declared(
        primary=msgspec.convert(found["primary"], Metric),
        guardrails=msgspec.convert(found.get("guardrails", ()), tuple[Metric, ...]),
        metrics=tuple(found.get("metrics", ())),
        show_text=bool(found.get("show_text", True)),
    )
