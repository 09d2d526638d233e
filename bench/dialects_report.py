"""From the runs of `make bench-dialects` to the table in docs/dialects-speed.md and to build/bench-dialects.json."""

import json
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "build" / "bench-dialects-runs.json"
WHATS = {"us_per_event": "a streamed event", "us": "a request of 4 kB"}

HEAD = """# What translation costs

Made by `make bench-dialects`. An event is read in the target's language and written in the caller's; a request is read
in the caller's and written in the target's. In µs, medians and the least of all rounds: on a machine that others use as
well, the least is nearer to what translation costs, and the median to what it cost there.

{machine}

| from, to | an event: median | least | a request of 4 kB: median | least |
|---|--:|--:|--:|--:|
"""


def main() -> int:
    said = json.loads(RUNS.read_text(encoding="utf-8"))
    found: dict[str, dict[str, float]] = {}
    goals: list[dict[str, Any]] = []
    for run in said["benchmarks"]:
        pair, info = run["param"], run["extra_info"]
        name = "us_per_event" if "us_per_event" in info else "us"
        least = run["stats"]["min"] * 1e6 / info.get("events", 1)
        found.setdefault(pair, {}).update({name: info[name], f"least {name}": least})
        label = f"{WHATS[name]}, {pair} (us)"
        met = info[name] <= info["goal_us"]
        goals.append(
            {"name": label, "goal": info["goal_us"], "value": info[name], "least": round(least, 2), "met": met}
        )
    text = HEAD.format(machine=_machine(said)) + "".join(_row(pair, row) for pair, row in sorted(found.items()))
    print(text)
    (ROOT / "build" / "bench-dialects.json").write_text(json.dumps({"goals": goals}, indent=1) + "\n", encoding="utf-8")
    (ROOT / "docs" / "dialects-speed.md").write_text(text, encoding="utf-8")
    return 0 if all(goal["met"] for goal in goals) else 1


def _row(pair: str, row: dict[str, float]) -> str:
    event = f"{row['us_per_event']:.1f} | {row['least us_per_event']:.1f}"
    return f"| {pair} | {event} | {row['us']:.0f} | {row['least us']:.0f} |\n"


def _machine(said: dict[str, Any]) -> str:
    info = said["machine_info"]
    cpu = info.get("cpu", {})
    model = cpu.get("brand_raw") or info.get("processor") or platform.machine()
    return f"{model}, {cpu.get('count', '?')} threads, Python {info['python_version']}, {said['datetime'][:10]}."


if __name__ == "__main__":
    sys.exit(main())
