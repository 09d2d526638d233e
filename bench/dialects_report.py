"""From the runs of `make bench-dialects` to the table in docs/dialects-speed.md and to build/bench-dialects.json."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "build" / "bench-dialects-runs.json"
ROWS = {"us_per_event": "a streamed event", "us": "a request of 4 kB"}

HEAD = """# What translation costs

Medians, made by `make bench-dialects`. An event is read in the target's language and written in the caller's; a request
is read in the caller's and written in the target's.

"""


def main() -> int:
    runs = json.loads(RUNS.read_text(encoding="utf-8"))["benchmarks"]
    found: dict[str, dict[str, float]] = {}
    goals = []
    for run in runs:
        pair, info = run["param"], run["extra_info"]
        name = "us_per_event" if "us_per_event" in info else "us"
        found.setdefault(pair, {})[name] = info[name]
        goal = info["goal_us"]
        label = f"{ROWS[name]}, {pair} (us)"
        goals.append({"name": label, "goal": goal, "value": info[name], "met": info[name] <= goal})
    lines = ["| from, to | an event (µs) | a request of 4 kB (µs) |", "|---|--:|--:|"]
    lines += [f"| {pair} | {row['us_per_event']:.1f} | {row['us']:.0f} |" for pair, row in sorted(found.items())]
    text = "\n".join(lines)
    print(text)
    (ROOT / "build" / "bench-dialects.json").write_text(json.dumps({"goals": goals}, indent=1) + "\n", encoding="utf-8")
    (ROOT / "docs" / "dialects-speed.md").write_text(HEAD + text + "\n", encoding="utf-8")
    return 0 if all(goal["met"] for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
