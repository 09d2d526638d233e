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
from fairlead.evals.comparing import Comparison, Measured
from fairlead.evals.reporting.charts import Spec, charts
from fairlead.evals.reporting.content import JUDGED_COLUMNS, Report, Text, Worst
from fairlead.evals.reporting.differing import Piece, pieces
from fairlead.evals.reporting.markdown import cost, duration
from fairlead.evals.wording import amount, between, flip_sentence, interval, p_value, signed, size, words

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
    "means": "Mean and 95 % interval of each candidate, on its own.",
    "tags": "Candidate minus base within each tag, 95 % intervals. The p-values take all tags into account.",
    "turns": "Mean at each turn of a conversation, with 95 % intervals.",
    "cost": "Quality beside what an answer costs.",
    "latency": "Quality beside how long an answer takes.",
}


def html(report: Report) -> str:
    """All of it. Raises ExtraMissing without vl-convert."""
    drawn = charts(report)
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
            f'<section class="decision {one.outcome}"><p class="said"><span class="outcome">{one.outcome}</span>'
            f'{escape(one.decision)}</p><p class="found">{escape(one.found)}</p></section>'
        )
    if "difference" in drawn:
        band = f" The band is the margin of {size(report.margin, report.is_share)}." if report.margin else ""
        caption = f"Candidate minus base: thin the 95 % interval, thick the 90 % one.{band}"
        yield f"<h2>Difference</h2>{_chart('difference', caption)}"
    for one in report.comparisons:
        if len(report.comparisons) > 1:
            yield f"<h3>{escape(one.candidate)} against {escape(one.base)}</h3>"
        yield _metrics(one)
    yield f"<h2>Candidates</h2>{_chart('means', CAPTIONS['means']) if 'means' in drawn else ''}{_candidates(report)}"
    if report.judged is not None:
        told = f'<p class="caption">{escape(report.judged.by)}</p>'
        title = f"What people would say: {report.judged.metric}"
        yield f"<h2>{escape(title)}</h2>{told}{_table(JUDGED_COLUMNS, report.judged.rows)}"
    for name, title in (("cost", "Quality and cost"), ("latency", "Quality and time")):
        if name in drawn:
            yield f"<h2>{title}</h2>{_chart(name, CAPTIONS[name])}"
    if "turns" in drawn:
        yield f"<h2>Turns</h2>{_chart('turns', CAPTIONS['turns'])}{_turns(report)}"
    if "tags" in drawn:
        yield f"<h2>Tags</h2>{_chart('tags', CAPTIONS['tags'])}{''.join(map(_tags, report.comparisons))}"
    yield from _worst(report)
    yield from _run(report)


def _chart(name: str, caption: str) -> str:
    return f'<div class="chart" id="chart-{name}"></div><p class="caption">{escape(caption)}</p>'


def _metrics(one: Comparison) -> str:
    rows = [_measured(measured) for measured in (one.primary, *one.others)]
    columns = ("metric", "role", "-base", "-candidate", "-difference", "-95 %", "-won", "-lost", "-p", "said")
    flipped = f'<p class="caption">{escape(flip_sentence(one.flips))}</p>' if one.flips else ""
    return _table(columns, rows) + flipped


def _measured(measured: Measured) -> tuple[str, ...]:
    share = measured.is_share
    sides = [amount(of.mean.value, share) if of else "" for of in (measured.base, measured.candidate)]
    if measured.verdict is None or measured.outer is None:
        return (measured.metric, measured.role, *sides, "", "", "", "", "", "no score of both")
    found = measured.verdict.paired
    counts = (f"{found.wins:,}", f"{found.losses:,}", p_value(measured.p_value), words(measured.said))
    difference = (signed(measured.outer.value, share), between(measured.outer, share))
    return (measured.metric, measured.role, *sides, *difference, *counts)


def _candidates(report: Report) -> str:
    rows = []
    for one in report.candidates:
        of = one.standing
        mean = interval(of.mean, report.is_share) if of else "no score"
        rest = (str(of.missing), cost(of.cost_nusd), duration(of.latency_us)) if of else ("", "", "")
        rows.append((one.name, f"{one.cases:,}", mean, *rest))
    columns = ("candidate", "-cases", f"-{report.metric}, 95 %", "-missing", "-cost of 1,000 answers", "-median time")
    return _table(columns, rows)


def _turns(report: Report) -> str:
    rows = [
        (
            one.candidate,
            f"{one.cases:,}",
            " → ".join(amount(at.mean.value, report.is_share) for at in one.turns),
            f"{signed(one.slope.value, report.is_share)} ({between(one.slope, report.is_share)})" if one.slope else "",
        )
        for one in report.turns
    ]
    told = "".join(f"<p>{escape(line)}</p>" for line in report.slopes)
    return _table(("candidate", "-conversations", "mean by turn", "-slope per turn, 95 %"), rows) + told


def _tags(one: Comparison) -> str:
    share = one.primary.is_share
    rows = [
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
    columns = (f"tag ({one.candidate})", "-cases", "-base", "-candidate", "-difference", "-95 %", "-p, all tags")
    return _table(columns, rows) if rows else ""


def _worst(report: Report) -> Iterable[str]:
    if not report.worst:
        return
    yield "<h2>Worst cases</h2>"
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
    rows = [(source.name, name, value) for source in report.sources for name, value in source.facts.items()]
    if rows:
        yield f"<h2>How it was run</h2>{_table(('source', 'what', 'value'), rows)}"
    if report.notes:
        yield f"<h2>Notes</h2><ul>{''.join(f'<li>{escape(note)}</li>' for note in report.notes)}</ul>"
    yield f"<footer>{FOOT}</footer>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    kinds = [' class="number"' if name.startswith("-") else "" for name in columns]
    named = zip(columns, kinds, strict=True)
    head = "".join(f'<th{kind} scope="col">{escape(name.removeprefix("-"))}</th>' for name, kind in named)
    told = ("".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) for row in rows)
    body = "".join(f"<tr>{cells}</tr>" for cells in told)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


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
