"""Charts of a report, as Vega-Lite specifications: one for the page and the picture alike. Draws nothing itself."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt

from fairlead.evals.reporting.content import Report
from fairlead.money import NUSD
from fairlead.stats.intervals import Interval

Spec = dict[str, Any]
Chart: TypeAlias = Any  # of Altair's many classes
Row = dict[str, Any]

ROW_HEIGHT = 34
WIDEST_NAME = 320  # pixels of a label
ROOM = 1.25  # for the name of what stands farthest to the right
# One colour for one candidate everywhere; told apart without colour by their labels as well (Okabe and Ito 2008).
COLOURS = ("#6b7280", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
OUTCOMES = {"pass": "#1a7f4b", "fail": "#c0392b", "undecided": "#b7791f"}


def charts(report: Report) -> dict[str, Spec]:
    """By name, those for which there is something to draw. Widths are those of what holds them."""
    found: dict[str, Chart | None] = {
        "difference": _difference(report),
        "means": _means(report),
        "tags": _tags(report),
        "turns": _turns(report),
        "cost": _against(report, "cost_nusd", "cost per 1,000 answers, US dollars", 1000 / NUSD),
        "latency": _against(report, "latency_us", "median time of an answer, seconds", 1e-6),
    }
    return {name: chart.to_dict(format="vega-lite") for name, chart in found.items() if chart is not None}


def _difference(report: Report) -> Chart | None:
    """Each candidate minus the base: the wide interval thin, the inner one thick, the margin as a band."""
    if not report.comparisons:
        return None
    scale = _scale(report)
    rows = []
    for one, decision in zip(report.comparisons, report.decisions, strict=True):
        wide, inner = one.primary.outer, one.primary.inner
        if wide is not None and inner is not None:
            rows.append(
                {
                    "name": one.candidate,
                    "outcome": decision.outcome,
                    **_ends(wide, scale),
                    **_ends(inner, scale, "inner"),
                }
            )
    title = f"{report.metric}: difference to {report.comparisons[0].base}{', points' if report.is_share else ''}"
    layers: list[Chart] = []
    if report.margin:
        band = alt.Chart(alt.Data(values=[{"from": -scale * report.margin, "to": scale * report.margin}]))
        layers.append(band.mark_rect(opacity=0.13, color="#6b7280").encode(x=alt.X("from:Q"), x2="to:Q"))
    layers.append(
        alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(strokeDash=[4, 3], color="#8b93a1").encode(x="zero:Q")
    )
    layers += _forest(rows, title, alt.Color("outcome:N", scale=_colours(OUTCOMES), legend=None), ("outcome",))
    return _sized(alt.layer(*layers), len(rows))


def _means(report: Report) -> Chart | None:
    scale = _scale(report)
    rows = [
        {"name": one.name, "cases": one.cases, **_ends(one.standing.mean, scale)}
        for one in report.candidates
        if one.standing is not None
    ]
    if not rows:
        return None
    title = f"{report.metric}{', %' if report.is_share else ''}"
    return _sized(alt.layer(*_forest(rows, title, _by_name(report), ("cases",))), len(rows))


def _tags(report: Report) -> Chart | None:
    """The difference within each tag, one row for a tag and candidate."""
    scale, several = _scale(report), len(report.comparisons) > 1
    rows = [
        {
            "name": f"{tagged.tag} ({tagged.cases:,})" + (f", {one.candidate}" if several else ""),
            "candidate": one.candidate,
            **_ends(tagged.difference, scale),
        }
        for one in report.comparisons
        for tagged in one.tags
    ]
    if not rows:
        return None
    title = f"difference by tag{', points' if report.is_share else ''}"
    colour = alt.Color("candidate:N", scale=_scale_of(report), legend=None)
    return _sized(alt.layer(_zero(), *_forest(rows, title, colour, ("candidate",))), len(rows))


def _turns(report: Report) -> Chart | None:
    scale = _scale(report)
    rows = [
        {"name": one.candidate, "turn": at.turn, "cases": at.cases, **_ends(at.mean, scale)}
        for one in report.turns
        for at in one.turns
    ]
    if not rows:
        return None
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("turn:O", title="turn", axis=alt.Axis(labelAngle=0)),
        color=alt.Color("name:N", scale=_scale_of(report), title=None, legend=alt.Legend(orient="top", columns=2)),
    )
    y = alt.Y("value:Q", title=f"{report.metric}{', %' if report.is_share else ''}", scale=alt.Scale(zero=False))
    tooltip = [alt.Tooltip(f"{name}:{kind}") for name, kind in _told(("turn", "cases")).items()]
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y=alt.Y("low:Q"), y2="high:Q")
    chart = alt.layer(
        bars,
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(filled=True, size=70).encode(y=y, tooltip=tooltip),
    )
    return chart.properties(width="container", height=260)


def _against(report: Report, what: str, title: str, unit: float) -> Chart | None:
    """Quality beside what it takes: one point for a candidate."""
    scale = _scale(report)
    rows = [
        {"name": one.name, "takes": unit * amount, **_ends(one.standing.mean, scale)}
        for one in report.candidates
        if one.standing is not None and (amount := getattr(one.standing, what)) is not None
    ]
    if len(rows) < 2 or not any(row["takes"] for row in rows):
        return None
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("takes:Q", title=title, scale=alt.Scale(domain=[0, ROOM * max(row["takes"] for row in rows)]))
    )
    coloured = base.encode(color=_by_name(report))  # but for the names, which have to be read
    quality = f"{report.metric}{', %' if report.is_share else ''}"
    y = alt.Y("value:Q", title=quality, scale=alt.Scale(zero=False, padding=12))
    tooltip = [alt.Tooltip("name:N"), alt.Tooltip("takes:Q", title=title, format=",.4~f"), *_tooltip()]
    layers = (
        coloured.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        coloured.mark_point(filled=True, size=90).encode(y=y, tooltip=tooltip),
        base.mark_text(align="left", dx=9, limit=WIDEST_NAME).encode(y=y, text="name:N"),
    )
    return alt.layer(*layers).properties(width="container", height=260)


def _forest(rows: list[Row], title: str, colour: alt.Color, told: Sequence[str]) -> list[Chart]:
    """Intervals one below the other, in the order of the rows."""
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=WIDEST_NAME, ticks=False, domain=False)),
        color=colour,
    )
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=False, padding=14))
    tooltip = [alt.Tooltip(f"{name}:{kind}") for name, kind in _told(("name", *told)).items()] + _tooltip()
    layers = [base.mark_rule(strokeWidth=1.6).encode(x=x, x2="high:Q")]
    if "inner_low" in rows[0]:
        layers.append(base.mark_rule(strokeWidth=5, opacity=0.55).encode(x="inner_low:Q", x2="inner_high:Q"))
    layers.append(base.mark_point(filled=True, size=75, opacity=1).encode(x="value:Q", tooltip=tooltip))
    return layers


def _zero() -> Chart:
    return alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(strokeDash=[4, 3], color="#8b93a1").encode(x="zero:Q")


def _tooltip() -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:Q", format=".4~f") for name in ("value", "low", "high")]


def _told(names: Sequence[str]) -> Mapping[str, str]:
    return {name: "Q" if name in ("cases", "turn") else "N" for name in names}


def _sized(chart: Chart, rows: int) -> Chart:
    return chart.properties(width="container", height=ROW_HEIGHT * max(rows, 1) + 10)


def _by_name(report: Report) -> alt.Color:
    return alt.Color("name:N", scale=_scale_of(report), legend=None)


def _scale_of(report: Report) -> alt.Scale:
    names = [one.name for one in report.candidates]
    return _colours({name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)})


def _colours(named: Mapping[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(named), range=list(named.values()))


def _scale(report: Report) -> float:
    return 100.0 if report.is_share else 1.0


def _ends(found: Interval, scale: float, prefix: str = "") -> Row:
    """Rounded, as a page is no place for fifteen digits; what has no end is left out of the chart."""
    before = f"{prefix}_" if prefix else ""
    ends = {"value": found.value, "low": found.low, "high": found.high}
    return {f"{before}{name}": round(scale * end, 6) if math.isfinite(end) else None for name, end in ends.items()}
