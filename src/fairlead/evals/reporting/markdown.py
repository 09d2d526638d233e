"""A report as Markdown: for a pull request, a wiki, a mail. Texts of strangers are fenced or escaped."""

import re
from collections.abc import Iterable, Sequence

from fairlead.evals.comparing import Comparison, Measured
from fairlead.evals.reporting.content import JUDGED_COLUMNS, Report, Worst
from fairlead.evals.wording import amount, between, flip_sentence, interval, p_value, signed, words
from fairlead.money import NUSD

# What could begin a link, an image, emphasis, code, HTML or a cell.
MARKS = re.compile(r"([\\`*_{}\[\]()<>#|!~@&])")


def markdown(report: Report) -> str:
    """All of it."""
    parts = [f"# {plain(report.title)}"]
    parts += [f"**{one.outcome.upper()}**: {plain(one.decision)}\n\n{plain(one.found)}" for one in report.headlines]
    parts += _candidates(report)
    for one in report.comparisons:
        parts += _comparison(one)
    if report.judged is not None:
        told = plain(report.judged.by)
        table = _table(JUDGED_COLUMNS, report.judged.rows)
        parts += [f"## What people would say: {plain(report.judged.metric)}", told, table]
    parts += _turns(report)
    parts += _worst(report)
    parts += ["## How it was run", _made(report)]
    if report.notes:
        parts += ["## Notes", "\n".join(f"- {plain(note)}" for note in report.notes)]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """As it is, in one line, whatever marks it holds."""
    return MARKS.sub(r"\\\1", " ".join(text.split()))


def fenced(text: str) -> str:
    """As it is, with its lines: within more backticks than it has in a row."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def duration(us: int | None) -> str:
    return "" if us is None else f"{us / 1_000_000:,.2f} s"


def cost(nusd: int | None) -> str:
    """Of 1,000 answers: one costs too little to be read."""
    return "" if nusd is None else f"{1000 * nusd / NUSD:,.4g} USD"


def _candidates(report: Report) -> list[str]:
    rows = []
    for one in report.candidates:
        of = one.standing
        known = (
            (interval(of.mean, report.is_share), of.missing, cost(of.cost_nusd), duration(of.latency_us)) if of else ()
        )
        rows.append((one.name, f"{one.cases:,}", *(known or ("no score", "", "", ""))))
    columns = ("candidate", "-cases", f"-{report.metric}, 95 %", "-missing", "-cost of 1,000 answers", "-median time")
    return ["## Candidates", _table(columns, rows)]


def _comparison(one: Comparison) -> list[str]:
    rows = [_measured(measured) for measured in (one.primary, *one.others)]
    columns = ("metric", "role", "-base", "-candidate", "-difference", "-95 %", "-won", "-lost", "-p", "said")
    parts = [f"## {plain(one.candidate)} against {plain(one.base)}", _table(columns, rows)]
    if one.flips is not None:
        parts.append(plain(flip_sentence(one.flips)))
    if one.tags:
        share = one.primary.is_share
        tags = [
            (
                tagged.tag,
                f"{tagged.cases:,}",
                amount(tagged.base, share),
                amount(tagged.candidate, share),
                signed(tagged.paired.difference.value, share),
                between(tagged.paired.difference, share),
                p_value(tagged.p_adjusted),
            )
            for tagged in one.tags
        ]
        parts.append(_table(("tag", "-cases", "-base", "-candidate", "-difference", "-95 %", "-p, all tags"), tags))
    return parts


def _measured(measured: Measured) -> tuple[str, ...]:
    sides = [amount(of.mean.value, measured.is_share) if of else "" for of in (measured.base, measured.candidate)]
    if measured.verdict is None or measured.outer is None:
        return (measured.metric, measured.role, *sides, "", "", "", "", "", "")
    found = measured.verdict.paired
    return (
        measured.metric,
        measured.role,
        *sides,
        signed(measured.outer.value, measured.is_share),
        between(measured.outer, measured.is_share),
        f"{found.wins:,}",
        f"{found.losses:,}",
        p_value(measured.p_value),
        words(measured.said),
    )


def _turns(report: Report) -> list[str]:
    if not report.turns:
        return []
    rows = [
        (
            one.candidate,
            " → ".join(amount(at.mean.value, report.is_share) for at in one.turns),
            signed(one.slope.value, report.is_share) if one.slope else "",
            between(one.slope, report.is_share) if one.slope else "",
        )
        for one in report.turns
    ]
    table = _table(("candidate", "mean by turn", "-slope per turn", "-95 %"), rows)
    return ["## Turns", table, *map(plain, report.slopes)]


def _worst(report: Report) -> list[str]:
    if not report.worst:
        return []
    parts = ["## Worst cases"]
    if not report.shows_text:
        parts.append("The licence of the cases keeps their text out of reports.")
    return parts + [part for one in report.worst for part in _case(one)]


def _case(one: Worst) -> list[str]:
    tags = f" ({plain(', '.join(one.tags))})" if one.tags else ""
    parts = [f"### {plain(one.item)}{tags}"]
    parts += [f"{label}:\n\n{fenced(text)}" for label, text in (("Asked", one.asked), ("Wanted", one.wanted)) if text]
    for answer in one.answers:
        score = "missing" if answer.score is None else f"{answer.score:.4g}"
        parts.append(f"**{plain(answer.candidate)}**: {score}" + (f"\n\n{fenced(answer.said)}" if answer.said else ""))
    return parts


def _made(report: Report) -> str:
    rows = [(source.name, name, value) for source in report.sources for name, value in source.facts.items()]
    made = f"Reported {plain(report.made)}."
    return f"{_table(('source', 'what', 'value'), rows)}\n\n{made}" if rows else made


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    names = [plain(name.removeprefix("-")) for name in columns]
    sides = ["--:" if name.startswith("-") else "---" for name in columns]
    lines = [f"| {' | '.join(plain(str(cell)) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(names)} |", f"|{'|'.join(sides)}|", *lines])
