"""A report as one page of HTML that needs nothing else: charts, tables, the worst cases side by side.

Whatever stands in it comes from strangers: every text is escaped, the charts' data too, and the page's own policy lets
it load nothing and run no script but its own. Works from a file, offline.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from fairlead.errors import ExtraMissing
from fairlead.evals.comparing import Comparison
from fairlead.evals.reporting import tables
from fairlead.evals.reporting.charts import Spec, charts
from fairlead.evals.reporting.content import Report, Text, Worst
from fairlead.evals.reporting.differing import Piece, pieces
from fairlead.evals.wording import flip_sentence, size

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
{data}
{scripts}
</body>
</html>
"""
FOOT = "Intervals, tests and the gate are told in Fairlead's docs/evaluation.md. This page loads nothing."
CAPTIONS = {
    "difference": "Candidate minus base: thin the 95 % interval, thick the 90 % one.",
    "means": "Mean and 95 % interval of each candidate, on its own.",
    "tags": "Candidate minus base within each tag, 95 % intervals. The p-values take all tags into account.",
    "turns": "Mean at each turn of a conversation, with 95 % intervals.",
    "cost": "Quality beside what an answer costs.",
    "latency": "Quality beside how long an answer takes.",
}


def html(report: Report) -> str:
    """All of it. Raises ExtraMissing without vl-convert."""
    drawn = {name: {**spec, "description": CAPTIONS[name]} for name, spec in charts(report).items()}
    scripts = [_bundle(), _read("drawing.js")] if drawn else []
    body = "\n".join(_parts(report, drawn))
    data = f'<script type="application/json" id="charts">{_data(drawn)}</script>' if drawn else ""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {_allowed(scripts)}"
    return PAGE.format(
        policy=escape(policy),
        title=escape(report.title),
        style=_read("style.css"),
        body=body,
        data=data,
        scripts="".join(f"<script>{script}</script>" for script in scripts),
    )


def _parts(report: Report, drawn: dict[str, Spec]) -> Iterable[str]:
    yield f"<header><h1>{escape(report.title)}</h1><p>{escape(report.made)}</p></header>"
    for one in report.headlines:
        yield (
            f'<section class="decision {one.outcome}"><p class="said"><span class="outcome">{one.outcome}</span> '
            f'{escape(one.decision)}</p><p class="found">{escape(one.found)}</p></section>'
        )
    if "difference" in drawn:
        band = f"The band is the margin of {size(report.margin, report.is_share)}." if report.margin else ""
        yield f"<h2>Difference</h2>{_chart('difference', band)}"
    for one in report.comparisons:
        if len(report.comparisons) > 1:
            yield f"<h3>{escape(one.candidate)} against {escape(one.base)}</h3>"
        yield _metrics(one)
    means = _chart("means", report.as_judged) if "means" in drawn else ""
    yield f"<h2>Candidates</h2>{means}{_table(tables.candidates(report))}"
    if report.judged is not None:
        told, shown = f'<p class="caption">{escape(report.judged.by)}</p>', tables.judged(report.judged)
        yield f"<h2>{escape(shown.of)}</h2>{told}{_table(shown)}"
    for name, title in (("cost", "Quality and cost"), ("latency", "Quality and time")):
        if name in drawn:
            yield f"<h2>{title}</h2>{_chart(name, report.as_judged)}"
    if "turns" in drawn:
        slopes = "".join(f"<p>{escape(line)}</p>" for line in report.slopes)
        yield f"<h2>Turns</h2>{_chart('turns', report.as_judged)}{_table(tables.turns(report))}{slopes}"
    if "tags" in drawn:
        shown = "".join(_table(tables.tags(one)) for one in report.comparisons)
        yield f"<h2>Tags</h2>{_chart('tags')}{shown}"
    yield from _worst(report)
    yield from _run(report)


def _chart(name: str, also: str = "") -> str:
    """Its numbers stand in tables, for whoever can't see it."""
    caption = escape(f"{CAPTIONS[name]} {also}".strip())
    return f'<div class="chart" id="chart-{name}"></div><p class="caption">{caption}</p>'


def _metrics(one: Comparison) -> str:
    told = flip_sentence(one.flips, as_judged="flips" in one.as_judged) if one.flips else ""
    return _table(tables.metrics(one)) + (f'<p class="caption">{escape(told)}</p>' if told else "")


def _worst(report: Report) -> Iterable[str]:
    if not report.worst:
        return
    yield "<h2>Worst cases</h2>"
    if report.is_judged:
        yield f'<p class="caption">{escape(report.as_judged)}</p>'
    if not report.shows_text:
        yield '<p class="caption">The licence of the cases keeps their text out of reports.</p>'
    for number, one in enumerate(report.worst):
        yield _case(one, is_open=number == 0 and report.shows_text)


def _case(one: Worst, *, is_open: bool) -> str:
    tags = "".join(f'<span class="tag">{escape(tag)}</span>' for tag in one.tags)
    scores = " → ".join("missing" if answer.score is None else f"{answer.score:.4g}" for answer in one.answers)
    head = f'<summary><span class="scores">{scores}</span>{escape(one.item)}{tags}</summary>'
    asked = [
        f'<p class="label">{label}</p><pre>{escape(text)}</pre>'
        for label, text in (("Asked", one.asked), ("Wanted", one.wanted))
        if text
    ]
    sides = "".join(_sides(one.answers))
    inside = "".join(asked) + (f'<div class="sides">{sides}</div>' if sides else "")
    opened = " open" if is_open else ""
    return f'<details{opened}>{head}<div class="inside">{inside}</div></details>'


def _sides(answers: Sequence[Text]) -> Iterable[str]:
    """Two answers with what differs marked; one as it is. Nothing where there is no text."""
    if not any(answer.said for answer in answers):
        return
    marks = ("del", "ins")
    shown = (
        pieces(answers[0].said, answers[1].said) if len(answers) == 2 else [[Piece(of.said, False)] for of in answers]
    )
    for answer, parts, mark in zip(answers, shown, marks, strict=False):
        text = "".join(f"<{mark}>{escape(of.text)}</{mark}>" if of.is_other else escape(of.text) for of in parts)
        yield f'<div><p class="label">{escape(answer.candidate)}</p><pre>{text}</pre></div>'


def _run(report: Report) -> Iterable[str]:
    shown = tables.sources(report)
    if shown.rows:
        yield f"<h2>{shown.of}</h2>{_table(shown)}"
    if report.notes:
        yield f"<h2>Notes</h2><ul>{''.join(f'<li>{escape(note)}</li>' for note in report.notes)}</ul>"
    yield f"<footer>{FOOT}</footer>"


def _table(shown: tables.Table) -> str:
    """Wider than a narrow screen it is scrolled, with the keyboard too."""
    if not shown.rows:
        return ""
    kinds = [' class="number"' if name.startswith("-") else "" for name in shown.columns]
    named = zip(shown.columns, kinds, strict=True)
    head = "".join(f'<th{kind} scope="col">{escape(name.removeprefix("-"))}</th>' for name, kind in named)
    told = (
        "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) for row in shown.rows
    )
    body = "".join(f"<tr>{cells}</tr>" for cells in told)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(shown.of)}">{table}</div>'


def _data(drawn: dict[str, Spec]) -> str:
    """JSON that can't end the element that it stands in."""
    text = json.dumps(drawn, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _allowed(scripts: Sequence[str]) -> str:
    """The scripts of the page by their hashes; Vega makes functions of the expressions in its own specifications."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    return " ".join([*(f"'sha256-{one}'" for one in hashes), "'unsafe-eval'"]) if hashes else "'none'"


def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed."""
    try:
        import vl_convert
    except ImportError as error:
        message = "reports need the package vl-convert-python, which is missing"
        raise ExtraMissing(message, hint="pip install 'fairlead[evals]'") from error
    bundle = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # its own stub is wrong: None is all of it
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _read(name: str) -> str:
    return resources.files("fairlead.evals.reporting").joinpath(name).read_text(encoding="utf-8")
