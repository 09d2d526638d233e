"""A report's charts as one picture, with the decision above them: for a chat or a slide."""

from collections.abc import Sequence
from typing import Any

from fairlead.errors import ExtraMissing
from fairlead.evals.reporting.charts import charts
from fairlead.evals.reporting.content import Report
from fairlead.evals.wording import AS_JUDGED

WIDTH = 760
LINE = 105  # characters
SCALE = 2
TITLES = {
    "difference": "Difference to the base",
    "means": "Candidates",
    "tags": "By tag",
    "turns": "By turn",
    "cost": "Quality and cost",
    "latency": "Quality and time",
}
OF_SCORES = ("means", "turns", "cost", "latency")


def png(report: Report) -> bytes:
    """Raises ExtraMissing without vl-convert, ValueError where there is nothing to draw."""
    try:
        import vl_convert
    except ImportError as error:
        message = "pictures need the package vl-convert-python, which is missing"
        raise ExtraMissing(message, hint="pip install 'fairlead[evals]'") from error
    return vl_convert.vegalite_to_png(drawn(report), scale=SCALE)


def drawn(report: Report) -> dict[str, Any]:
    """All charts one below the other, as one specification."""
    found = charts(report)
    if not found:
        raise ValueError("there is no chart to draw")
    parts = [{**spec, "width": WIDTH, "title": _title(report, name)} for name, spec in found.items()]
    data = {name: rows for part in parts for name, rows in part.pop("datasets", {}).items()}
    for part in parts:
        for key in ("$schema", "config"):
            part.pop(key, None)
    subtitle = [line for one in report.headlines for line in _wrapped(f"{one.outcome.upper()}: {one.decision}")]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": report.title, "subtitle": subtitle, "anchor": "start", "fontSize": 18, "offset": 18},
        "datasets": data,
        "vconcat": parts,
        "resolve": {"scale": {"color": "independent"}},
        "background": "white",
        "padding": 20,
        "spacing": 28,
        "config": {
            "font": "DejaVu Sans, Helvetica, Arial, sans-serif",
            "view": {"stroke": None},
            "axis": {
                "gridColor": "#e5e7eb",
                "domainColor": "#9aa3b0",
                "labelFontSize": 11,
                "titleFontWeight": "normal",
            },
            "title": {"anchor": "start", "fontSize": 13, "subtitleFontSize": 12, "subtitleColor": "#374151"},
        },
    }


def _title(report: Report, name: str) -> str:
    """Differences tell themselves, in the decision above them, whether labels correct them."""
    return f"{TITLES[name]} ({AS_JUDGED})" if report.is_judged and name in OF_SCORES else TITLES[name]


def _wrapped(text: str) -> Sequence[str]:
    """In lines that fit, as a picture does not wrap its words."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
