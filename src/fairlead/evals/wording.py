"""What a comparison or a gate found, in words: the one sentence, and how a number is told. Decides nothing."""

from typing import TypeGuard

from fairlead.evals.comparing import Comparison, Correction, Measured, Said
from fairlead.evals.gating import Check, Decision
from fairlead.stats.decisions import Verdict
from fairlead.stats.flips import Flips
from fairlead.stats.intervals import Interval
from fairlead.stats.paired import inner_confidence

MINUS = "\N{MINUS SIGN}"


def sentence(comparison: Comparison) -> str:
    """`b is equivalent to a (90 %) and better (90 %, not 95 %): +0.83 points …`."""
    measured = comparison.primary
    verdict = measured.verdict
    assert verdict is not None
    found = verdict.paired
    outer, inner = measured.outer, measured.inner
    assert outer is not None and inner is not None
    what = _verdict(comparison, measured, verdict)
    difference = f"{signed(outer.value, measured.is_share)} in {measured.metric}"
    spread = f"{percent(inner_of(verdict))} interval {between(inner, measured.is_share)}"
    text = f"{what}: {difference} ({spread}), "
    if _is_corrected(measured.people):
        text += f"{_corrected_by(measured.people)}, {found.n:,} cases."
    else:
        text += f"{found.n:,} cases, {found.wins:,} won, {found.losses:,} lost."
    if measured.p_adjusted is None:
        return text
    return f"{text[:-1]}; {_p(measured.p_adjusted)}, corrected for all that are compared (Holm)."


def judged_sentence(measured: Measured) -> str:
    """That scores are a judge's, what people make of them, and how they could; of a metric that one scored."""
    people = measured.people
    assert people is not None
    if not _is_corrected(people) or people.judge_alone is None:
        return f"{measured.metric}: {_uncorrected(people)}"
    judged = f"{people.judged:,} judged cases; the judge alone says {signed(people.judge_alone, measured.is_share)}"
    return f"{measured.metric}: a judge's scores, {_corrected_by(people)} of {judged}."


def decision_sentence(decision: Decision) -> str:
    """`pass: b is not worse than a by 2 points or more in correct: +0.8 points …`. The check that says most is told."""
    told = next((check for check in decision.checks if check.outcome == decision.outcome), decision.checks[0])
    others = [check for check in decision.checks if check is not told and check.outcome != "pass"]
    text = f"{decision.outcome}: {check_sentence(decision, told)}"
    if decision.outcome == "pass" and len(decision.checks) > 1:
        held = len(decision.checks) - 1
        text += f" {held} guardrail{'s' if held > 1 else ''} held."
    if others:
        text += f" Also {', '.join(f'{check.metric}: {check.outcome}' for check in others)}."
    bare = {check.metric: check.people for check in decision.checks if check.people and not _is_corrected(check.people)}
    for metric, people in bare.items():
        text += f" {metric}: {_uncorrected(people)}" if metric != told.metric else ""
    if decision.looks.planned is None:
        text += f" It may be looked at at any time: all looks together are right with {percent(decision.together)}."
    elif decision.looks.planned > 1:
        which = "The last" if decision.looks.is_last else "One"
        together = percent(decision.together)
        text += f" {which} of {decision.looks.planned} planned looks, which are right together with {together}."
    return text


def check_sentence(decision: Decision, check: Check) -> str:
    """What one condition found, without its outcome's name."""
    sure = percent(decision.confidence)
    missing = f", {check.missing:,} scores missing and counted at their worst" if check.missing else ""
    if check.kind == "floor":
        must = amount(check.limit, check.is_share)
        seen = f"{amount(check.measured.value, check.is_share)}, {_bounds(check, sure, is_difference=False)}"
        claim = {"pass": "is at least", "fail": "is below", "undecided": "may be below"}[check.outcome]
        counts = f"{check.cases:,} cases{_by_people(check)}"
        return f"{check.metric} of {decision.candidate} {claim} {must}: {seen}{missing}, {counts}"
    limit = size(check.limit, check.is_share)
    claim = {
        "pass": f"{decision.candidate} is not worse than {decision.base} by {limit} or more",
        "fail": f"{decision.candidate} is worse than {decision.base} by more than {limit}",
        "undecided": f"it is open whether {decision.candidate} is worse than {decision.base} by {limit} or more",
    }[check.outcome]
    seen = f"{signed(check.measured.value, check.is_share)}, {_bounds(check, sure, is_difference=True)}{missing}"
    if _is_corrected(check.people):
        return f"{claim} in {check.metric}: {seen}, {check.cases:,} cases{_by_people(check)}"
    more = f" About {about(check.more)} more cases would decide." if check.more else ""
    if check.missing and check.outcome == "undecided":
        more = " The scores that are missing may decide."
    counts = f"{check.cases:,} cases, {check.wins:,} won, {check.losses:,} lost"
    return f"{claim} in {check.metric}: {seen}, {counts}{_by_people(check)}{more}"


def words(said: tuple[Said, ...]) -> str:
    """`better (90 %), equivalent (90 %)`."""
    return ", ".join(one.word if one.word == "undecided" else f"{one.word} ({percent(one.confidence)})" for one in said)


AS_JUDGED = "by the judge's own scores, corrected by no labels"


def flip_sentence(found: Flips, *, as_judged: bool = False) -> str:
    whose = f", {AS_JUDGED}" if as_judged else ""
    text = f"{found.flipped:,.0f} of {found.cases:,} verdicts flipped ({interval(found.share, True)}){whose}"
    if found.noise is None or found.above is None:
        return f"{text}; what noise alone flips was not measured."
    text += f"; the base asked twice flips {amount(found.noise.value, True)}"
    if found.above.low > 0:
        return f"{text}: more than noise, by {between(found.above, True)} points (95 %)."
    return f"{text}: no more than noise, as far as can be seen ({between(found.above, True)} points)."


def amount(value: float, is_share: bool) -> str:
    """`83.4 %`, `7.25`."""
    return f"{_number(100 * value)} %" if is_share else _number(value, 3)


def signed(value: float, is_share: bool) -> str:
    """`+0.83 points`."""
    return f"{_signed(100 * value)} points" if is_share else _signed(value, 3)


def size(value: float, is_share: bool) -> str:
    """`2 points`."""
    number = f"{100 * value if is_share else value:.4g}"
    return f"{number} point{'' if number == '1' else 's'}" if is_share else number


def between(found: Interval, is_share: bool) -> str:
    """`+0.12 to +1.60`, in points where it is a share."""
    scale, digits = (100, 2) if is_share else (1, 3)
    return f"{_signed(scale * found.low, digits)} to {_signed(scale * found.high, digits)}"


def interval(found: Interval, is_share: bool) -> str:
    """`83.4 %, 81.2 to 85.3`, of a mean."""
    scale, digits = (100, 1) if is_share else (1, 3)
    low, high = (_number(scale * bound, digits) for bound in (found.low, found.high))
    return f"{amount(found.value, is_share)}, {low} to {high}"


def percent(confidence: float) -> str:
    return f"{100 * confidence:.4g} %"


def p_value(value: float) -> str:
    """`0.0021`, `< 0.0001`."""
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def _p(value: float) -> str:
    """`p = 0.0021`, `p < 0.0001`."""
    said = p_value(value)
    return f"p {said}" if said.startswith("<") else f"p = {said}"


def about(count: int) -> str:
    """`54,000`: as exactly as such a number can be known."""
    digits = max(len(str(count)) - 2, 0)
    return f"{round(count, -digits):,}"


def inner_of(verdict: Verdict) -> float:
    return inner_confidence(verdict.paired.confidence)


def _verdict(comparison: Comparison, measured: Measured, verdict: Verdict) -> str:
    """The words with the confidence at which each is said."""
    inner = inner_of(verdict)
    parts = []
    for one in measured.said:
        if one.word == "equivalent":
            parts.append(f"equivalent to {comparison.base} within {size(verdict.margin, measured.is_share)}")
        elif one.word != "undecided":
            but = "" if one.confidence > inner else f", not at {percent(verdict.paired.confidence)}"
            parts.append(f"{one.word} than {comparison.base} (at {percent(one.confidence)}{but})")
    if parts:
        return f"{comparison.candidate} is {' and '.join(parts)}"
    people = measured.people
    count, what = (people.more, "labels") if _is_corrected(people) else (verdict.more, "cases")
    more = f": about {about(count)} more {what} would decide" if count else ""
    if not _is_corrected(people) and measured.p_adjusted is None and verdict.paired.inner.excludes(0):
        more = f": the interval excludes 0, and the test does not (p = {p_value(measured.p_value)})"
    return f"{comparison.candidate} against {comparison.base} is undecided{more}"


def _by_people(check: Check) -> str:
    """The end of a sentence: whether people's labels stand behind a judge's scores."""
    people = check.people
    if people is None:
        return "."
    if not _is_corrected(people):
        return f". {_uncorrected(people)}"
    more = f" About {about(check.more)} more labels would decide." if check.more else ""
    return f"; a judge's scores, {_corrected_by(people)}.{more}"


def _is_corrected(people: Correction | None) -> TypeGuard[Correction]:
    return people is not None and people.inner is not None


def _corrected_by(people: Correction) -> str:
    if people.method == "labels":
        return f"corrected by {people.labels:,} labels alone"
    return f"corrected by {people.labels:,} labels"


def _uncorrected(people: Correction) -> str:
    """Why no labels correct it, and how they would."""
    hint = f": `{people.hint}`" if people.hint else ""
    why = f" ({people.why.rstrip('.')})" if people.why else ""
    return f"The scores are a judge's, corrected by no labels{why}{hint}."


def _bounds(check: Check, sure: str, *, is_difference: bool) -> str:
    """The bound that the outcome rests on; both where nothing is decided."""
    scale, digits = (100, 2) if check.is_share else (1, 3)
    tell = _signed if is_difference else _number
    low, high = (tell(scale * bound, digits) for bound in (check.measured.low, check.measured.high))
    if check.outcome == "undecided":
        return f"between {low} and {high} (each side {sure})"
    return f"above {low} ({sure})" if check.outcome == "pass" else f"below {high} ({sure})"


def _signed(value: float, digits: int = 2) -> str:
    text = f"{abs(value):,.{digits}f}"
    if not float(text.replace(",", "")):
        return text
    return f"{MINUS if value < 0 else '+'}{text}"


def _number(value: float, digits: int = 1) -> str:
    text = f"{abs(value):,.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text.replace(",", "")) else text
