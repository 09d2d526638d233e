"""A report as Markdown: for a pull request, a wiki, a mail. Texts of strangers are fenced or escaped."""

import re

from fairlead.evals.comparing import Comparison
from fairlead.evals.reporting import tables
from fairlead.evals.reporting.content import Report, Worst
from fairlead.evals.wording import flip_sentence

# What could begin a link, an image, emphasis, code, HTML or a cell.
MARKS = re.compile(r"([\\`*_{}\[\]()<>#|!~@&])")


def markdown(report: Report) -> str:
    """All of it."""
    parts = [f"# {plain(report.title)}"]
    parts += [f"**{one.outcome.upper()}**: {plain(one.decision)}\n\n{plain(one.found)}" for one in report.headlines]
    whose = [plain(report.as_judged)] if report.is_judged else []
    parts += ["## Candidates", *whose, _table(tables.candidates(report))]
    for one in report.comparisons:
        parts += _comparison(one)
    if report.judged is not None:
        shown = tables.judged(report.judged)
        parts += [f"## {plain(shown.of)}", plain(report.judged.by), _table(shown)]
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


def _comparison(one: Comparison) -> list[str]:
    shown = tables.metrics(one)
    parts = [f"## {plain(shown.of)}", _table(shown)]
    if one.flips is not None:
        parts.append(plain(flip_sentence(one.flips, as_judged="flips" in one.as_judged)))
    return [*parts, _table(tables.tags(one))] if one.tags else parts


def _turns(report: Report) -> list[str]:
    if not report.turns:
        return []
    whose = [plain(report.as_judged)] if report.is_judged else []
    return ["## Turns", *whose, _table(tables.turns(report)), *map(plain, report.slopes)]


def _worst(report: Report) -> list[str]:
    if not report.worst:
        return []
    parts = ["## Worst cases", *([plain(report.as_judged)] if report.is_judged else [])]
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
    shown, made = tables.sources(report), f"Reported {plain(report.made)}."
    return f"{_table(shown)}\n\n{made}" if shown.rows else made


def _table(shown: tables.Table) -> str:
    names = [plain(name.removeprefix("-")) for name in shown.columns]
    sides = ["--:" if name.startswith("-") else "---" for name in shown.columns]
    lines = [f"| {' | '.join(plain(cell) for cell in row)} |" for row in shown.rows]
    return "\n".join([f"| {' | '.join(names)} |", f"|{'|'.join(sides)}|", *lines])
