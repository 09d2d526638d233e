"""From rounds to what is told: a table, a chart and the goals. What is compared is compared within a round."""

import json
import statistics
import subprocess

from road.gateways import ROOT, python_with

Figures = dict[str, float]
Rounds = dict[str, list[Figures]]
Failures = dict[tuple[str, str], str]  # by gateway and case: why

ROWS = (
    ("CPU per unary request of 300 B, µs", "unary.cpu_us"),
    ("CPU per unary request of 300 B, at one rate for both, µs", "equal.cpu_us"),
    ("CPU per unary request of 300 B, at one connection, µs", "alone.cpu_us"),
    ("CPU per unary request of 60 kB, µs", "long.cpu_us"),
    ("CPU per unary request, OpenAI in and Anthropic out, µs", "translated.cpu_us"),
    ("CPU per paced streamed chunk, µs", "chunk.cpu_us"),
    ("CPU per paced streamed chunk, OpenAI in and Anthropic out, µs", "translated_chunk.cpu_us"),
    ("requests per second, one worker, 32 connections", "unary.per_s"),
    ("added at one connection, p50, ms", "alone.p50_ms"),
    ("added at one connection, p99, ms", "alone.p99_ms"),
    ("added at 32 connections, p50, ms", "unary.p50_ms"),
    ("added at 32 connections, p99, ms", "unary.p99_ms"),
    ("added to the first token of 500 streams at once, p50, ms", "many.first_p50_ms"),
    ("the same, p99, ms", "many.first_p99_ms"),
    ("CPU per chunk of theirs, µs", "many.cpu_us"),
    ("resident, MB", "resident_mb"),
)
DRAW = """
import pathlib, sys, vl_convert
specification, drawing = map(pathlib.Path, sys.argv[1:])
drawing.write_text(vl_convert.vegalite_to_svg(specification.read_text()))
"""
HEADER = {"labelAngle": 0, "labelAlign": "left", "labelOrient": "top", "labelAnchor": "start"}
RATIOS = tuple(figure for _, figure in ROWS if figure.endswith(".cpu_us") and not figure.startswith("many."))
PLAIN = {"translated.cpu_us": "unary.cpu_us", "translated_chunk.cpu_us": "chunk.cpu_us"}  # what nginx can do of it
TITLE = """# The road, measured

`make bench`, medians of {rounds} rounds in which every gateway was measured in turn. Machines differ, so read the
ratios: to nginx, within a round. The CPU time is what the kernel booked for the gateway's own processes. Fairlead has
keys, budgets, policies and the ledger on; its peers have no database, no keys of their own (LiteLLM: its master key)
and no logs. "Added" is over what the mock provider takes when it is asked directly. {versions}.
{equal}
"""
EQUAL = """
At full speed nginx finds the client and the provider at work when it writes to them, while who is slower wakes them
with every write and pays for it: so the cost is also shown at one rate for both, {rate:,.0f} requests a second, half of
what Fairlead answered in the warm-up. The goals are for full speed, where the ratio is the stricter one.
"""


def write(
    rounds: Rounds,
    versions: dict[str, str],
    failures: Failures,
    *,
    rate: float,
    ready_s: float,
    others: float,
    dry: bool,
) -> None:
    """Prints the table; leaves it with its chart in docs/, and the goals in build/bench.json. `rate`: of `equal`;
    `others`: what part of the machine other work had."""
    said = table(rounds, failures)
    if (aside := median(rounds, "fairlead", "aside.cpu_us")) is not None:
        said += f"\n\nFairlead's steward, beside the road, per request (three records shipped): {aside:.3g} µs."
    said += f"\n\nOther work took {others:.0%} of the machine's CPU time meanwhile; figures in ms suffer most by that."
    said += "".join(f"\n\n{name} could not do {case}: {why}." for (name, case), why in failures.items())
    print(said)
    if dry:
        return
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    equal = EQUAL.format(rate=rate) if rate else ""
    text = TITLE.format(rounds=max(map(len, rounds.values())), versions=told, equal=equal)
    docs, build = ROOT / "docs", ROOT / "build"
    shown = "![CPU time of each gateway and load](bench.svg)\n\n[The chart as Vega-Lite](bench.vl.json)"
    (docs / "bench.md").write_text(f"{text}{said}\n\n{shown}\n")
    specification = docs / "bench.vl.json"
    specification.write_text(json.dumps(chart(rounds), indent=1) + "\n")
    drawn = [str(python_with("charts")), "-c", DRAW, str(specification), str(docs / "bench.svg")]
    subprocess.run(drawn, check=True)
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps({"goals": goals(rounds, ready_s), "rounds": rounds}, indent=1))


def median(rounds: Rounds, name: str, figure: str) -> float | None:
    """Over rounds; of what was added, each round's own direct figure is taken off."""
    many = rounds.get(name, ())
    direct = rounds.get("direct", ())
    found = []
    for number, one in enumerate(many):
        if figure not in one:
            continue
        added = figure.endswith("_ms") and not figure.startswith("many.") and name != "direct"
        base = direct[number].get(figure, 0.0) if added and number < len(direct) else 0.0
        found.append(one[figure] - base)
    return statistics.median(found) if found else None


def ratio(rounds: Rounds, figure: str, name: str, over: str, over_figure: str = "") -> float | None:
    """The median of the ratios within each round."""
    pairs = zip(rounds.get(name, ()), rounds.get(over, ()), strict=False)
    over_figure = over_figure or figure
    found = [a[figure] / b[over_figure] for a, b in pairs if figure in a and b.get(over_figure)]
    return statistics.median(found) if found else None


def table(rounds: Rounds, failures: Failures) -> str:
    names = [name for name in rounds if name != "direct"]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for label, figure in ROWS:
        if not any(figure in one for many in rounds.values() for one in many):
            continue
        cells = []
        for name in names:
            value = median(rounds, name, figure)
            of = ratio(rounds, figure, name, "nginx", PLAIN.get(figure, figure))
            missing = "fails" if (name, figure.partition(".")[0]) in failures else ""
            told = missing if value is None else _short(value)
            cells.append(f"{told} ({_short(of)}x)" if figure in RATIOS and of and name != "nginx" else told)
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def goals(rounds: Rounds, ready_s: float) -> list[dict[str, object]]:
    """Every figure that has a goal, then all others."""
    plain, chunk = "unary.cpu_us", "chunk.cpu_us"
    bounds = (
        ("CPU per unary request / nginx", 3.5, ratio(rounds, plain, "fairlead", "nginx")),
        ("CPU per unary request / TensorZero", 1 / 3, ratio(rounds, plain, "fairlead", "tensorzero")),
        ("CPU per unary request / LiteLLM", 1 / 100, ratio(rounds, plain, "fairlead", "litellm")),
        ("CPU per paced chunk / nginx", 1.8, ratio(rounds, chunk, "fairlead", "nginx")),
        ("CPU per translated chunk / nginx", 2.2, ratio(rounds, "translated_chunk.cpu_us", "fairlead", "nginx", chunk)),
        ("added at one connection, p99, ms", 0.5, median(rounds, "fairlead", "alone.p99_ms")),
        ("added to the first token of 500 streams, p99, ms", 5.0, median(rounds, "fairlead", "many.first_p99_ms")),
        ("worker resident, MB", 80, median(rounds, "fairlead", "resident_mb")),
        ("serve ready, s", 1.5, ready_s or None),
    )
    told: list[dict[str, object]] = [
        {"name": name, "goal": f"<= {most:.3g}", "value": value, "met": None if value is None else value <= most}
        for name, most, value in bounds
    ]
    for name in rounds:
        for label, figure in ROWS:
            if value := median(rounds, name, figure):
                told.append({"name": f"{name}: {label}", "goal": None, "value": value, "met": None})
    return told


def chart(rounds: Rounds) -> dict[str, object]:
    """CPU time by gateway and kind of load, each round a point, on a logarithmic axis."""
    labels = {figure: label.removesuffix(", µs") for label, figure in ROWS if figure in RATIOS}
    values = [
        {"gateway": name, "load": labels[figure], "µs": round(one[figure], 2)}
        for name, many in rounds.items()
        for one in many
        for figure in RATIOS
        if one.get(figure) and name != "direct"
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": "CPU time of the gateway itself",
        "data": {"values": values},
        "facet": {"row": {"field": "load", "type": "nominal", "title": None, "header": HEADER}},
        "spec": {
            "width": 520,
            "height": {"step": 16},
            "encoding": {
                "y": {"field": "gateway", "type": "nominal", "title": None, "sort": {"field": "µs", "op": "median"}},
                "x": {"field": "µs", "type": "quantitative", "scale": {"type": "log"}, "title": "µs"},
            },
            "layer": [
                {"mark": {"type": "tick", "thickness": 2, "opacity": 0.5}},
                {
                    "mark": {"type": "point", "filled": True, "size": 60},
                    "encoding": {"x": {"aggregate": "median", "field": "µs", "type": "quantitative"}},
                },
            ],
        },
    }
