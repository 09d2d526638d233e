"""What a report says, whatever it is written in: the decision first, then what it rests on, the worst cases, how it
was run.

Texts are of strangers (questions, answers, names): whoever writes them out escapes them. Where the licence of the
cases keeps their text out of reports, there is none in here.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from fairlead.evals.comparing import Comparison, People, Rules, Standing, compare, standing
from fairlead.evals.correcting import Corrected
from fairlead.evals.gating import Decision, Outcome, decide
from fairlead.evals.results import Scores, ScoreTable
from fairlead.evals.turns import Turns, by_turn, slope_difference
from fairlead.evals.wording import AS_JUDGED, between, decision_sentence, judged_sentence, sentence, signed

MOST_WORST = 12  # cases for each candidate
LONGEST = 4000  # characters of a text


class Candidate(Struct, frozen=True):
    """One candidate alone. `standing` None: it has no score."""

    name: str
    cases: int
    standing: Standing | None


class Text(Struct, frozen=True):
    """An answer and its score; None where it is missing."""

    candidate: str
    score: float | None
    said: str


class Worst(Struct, frozen=True):
    """A case on which the candidate did worse than the base, or badly where there is no base: `answers` has the base's
    first."""

    item: str
    tags: tuple[str, ...]
    asked: str
    wanted: str
    answers: tuple[Text, ...]


class Headline(Struct, frozen=True):
    """What was decided of one candidate, and what was found."""

    outcome: Outcome
    decision: str
    found: str


class Judged(Struct, frozen=True):
    """What a judge says of a metric, and what people would, by their labels: of each candidate, and of each one's
    difference to the base. `by` tells who judged and who labelled."""

    metric: str
    by: str
    alone: tuple[Corrected, ...]
    differences: tuple[Corrected, ...]

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Name, cases, labels, the judge alone, corrected with its interval, worth in labels."""
        return (
            *(_estimate(one, one.candidate, "") for one in self.alone),
            *(
                _estimate(one, f"{one.candidate} \N{MINUS SIGN} {self.alone[0].candidate}", "+")
                for one in self.differences
            ),
        )


JUDGED_COLUMNS = ("candidate", "-cases", "-labels", "-judge alone", "-corrected by labels, 95 %", "-worth in labels")


def _estimate(one: Corrected, name: str, sign: str) -> tuple[str, ...]:
    if one.ppi is None:
        return (name, f"{one.cases:,}", f"{one.labelled:,}", "", one.why, "")
    found = one.ppi.interval
    told = f"{found.value:{sign}.3f} ({found.low:{sign}.3f} to {found.high:{sign}.3f})"
    alone, worth = f"{one.ppi.judge_alone:{sign}.3f}", f"{one.ppi.effective:.0f}"
    return (name, f"{one.cases:,}", f"{one.labelled:,}", alone, told, worth)


class Source(Struct, frozen=True):
    """Where scores come from: what is known of how they were made, in words, as pairs of a name and a value."""

    name: str
    facts: Mapping[str, str]


class Report(Struct, frozen=True):
    """`headlines` has one for each candidate that is compared. `slopes` tell how each candidate's slope over the turns
    differs from the base's. `is_judged`: a judge gave the metric's scores."""

    title: str
    made: str
    headlines: tuple[Headline, ...]
    metric: str
    margin: float | None
    is_share: bool
    candidates: tuple[Candidate, ...]
    comparisons: tuple[Comparison, ...]
    decisions: tuple[Decision, ...]
    turns: tuple[Turns, ...]
    slopes: tuple[str, ...]
    worst: tuple[Worst, ...]
    judged: Judged | None
    sources: tuple[Source, ...]
    notes: tuple[str, ...]
    shows_text: bool
    is_judged: bool = False

    @property
    def as_judged(self) -> str:
        """What is to be said of all that is told by the metric, but for differences: "" where no judge scored."""
        return f"Told {AS_JUDGED}." if self.is_judged else ""


def report(
    table: ScoreTable,
    names: Sequence[str],
    rules: Rules,
    *,
    title: str,
    made: str,
    sources: Sequence[Source] = (),
    notes: Sequence[str] = (),
    shows_text: bool = True,
    judged: Judged | None = None,
    people: People | None = None,
) -> Report:
    """Of the candidates that are named, the first being the base of the others. Raises as `compare` does."""
    base, *others = names
    metric = rules.primary.name
    comparisons = compare(table, base, others, rules, people) if others else ()
    decisions = tuple(decide(table, base, other, rules, people) for other in others)
    headlines = [
        Headline(of.outcome, decision_sentence(of).partition(": ")[2], sentence(one))
        for of, one in zip(decisions, comparisons, strict=True)
    ]
    bounds = rules.bounds.get(metric) or table.bounds(metric)
    turns = [by_turn(table, name, metric, confidence=rules.confidence, bounds=bounds) for name in names]
    return Report(
        title=title,
        made=made,
        headlines=tuple(headlines),
        metric=metric,
        margin=rules.primary.margin,
        is_share=bounds == (0.0, 1.0),
        candidates=tuple(_candidate(table, name, rules, bounds) for name in names),
        comparisons=comparisons,
        decisions=decisions,
        turns=tuple(one for one in turns if one is not None),
        slopes=_slopes(table, base, others, rules) if all(turns) else (),
        worst=_worst(table, base, others, rules, bounds, shows_text=shows_text),
        judged=judged,
        sources=tuple(sources),
        notes=tuple(dict.fromkeys((*notes, *(note for one in comparisons for note in (*one.notes, *_by_judge(one)))))),
        shows_text=shows_text,
        is_judged=people is not None and people.judged(metric),
    )


def _by_judge(one: Comparison) -> list[str]:
    return [
        f"{one.candidate}, {judged_sentence(measured)}"
        for measured in (one.primary, *one.others)
        if measured.people is not None
    ]


def _candidate(table: ScoreTable, name: str, rules: Rules, bounds: tuple[float, float]) -> Candidate:
    scores = table.scores(name, rules.primary.name, bounds)
    return Candidate(name, len(scores), standing(table, scores, scores.clusters, scores.weights, bounds, rules))


def _slopes(table: ScoreTable, base: str, others: Sequence[str], rules: Rules) -> tuple[str, ...]:
    told = []
    for other in others:
        found = slope_difference(table, base, other, rules.primary.name, rules.confidence)
        if found is not None:
            change, spread = signed(found.difference.value, False), between(found.difference, False)
            told.append(f"Each further turn changes {other} by {change} ({spread}) more than {base}.")
    return tuple(told)


def _worst(
    table: ScoreTable,
    base: str,
    others: Sequence[str],
    rules: Rules,
    bounds: tuple[float, float],
    *,
    shows_text: bool,
) -> tuple[Worst, ...]:
    metric = rules.primary.name
    found = []
    if not others:
        scores = table.scores(base, metric, bounds)
        order = np.argsort(np.where(np.isnan(scores.value), np.inf, scores.value), kind="stable")
        below = [at for at in order if scores.value[at] < bounds[1]][:MOST_WORST]
        return tuple(_case(table, (scores,), at, shows_text=shows_text) for at in below)
    for other in others:
        pairs = table.paired(base, other, metric, bounds)
        change = pairs.candidate.value - pairs.base.value
        order = np.argsort(np.where(np.isnan(change), np.inf, change), kind="stable")
        lost = [at for at in order if change[at] < 0][:MOST_WORST]
        found += [_case(table, (pairs.base, pairs.candidate), at, shows_text=shows_text) for at in lost]
    return tuple(found)


def _case(table: ScoreTable, sides: tuple[Scores, ...], at: int, *, shows_text: bool) -> Worst:
    """The texts of the first repeat, at the last turn."""
    item = str(sides[0].item[at])
    rows = [np.flatnonzero((table.item == item) & (table.candidate == side.candidate)) for side in sides]
    chosen = [of[np.lexsort((-table.turn[of], table.repeat[of]))[0]] for of in rows]
    answers = tuple(
        Text(
            side.candidate,
            None if np.isnan(side.value[at]) else float(side.value[at]),
            _bounded(str(table.said[row])) if shows_text else "",
        )
        for side, row in zip(sides, chosen, strict=True)
    )
    asked, wanted = (next((text for text in column[chosen] if text), "") for column in (table.asked, table.wanted))
    return Worst(
        item=item,
        tags=tuple(sides[0].tags[at]),
        asked=_bounded(asked) if shows_text else "",
        wanted=_bounded(wanted) if shows_text else "",
        answers=answers,
    )


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST} characters more)"
