"""`make bench-evals`: how busy `fairlead eval run` keeps a target, in pairs with a bare load generator, and beside
Inspect AI in the same run; and how long a run of many recorded answers takes to be scored again and compared.

All ask one embedded engine with fairlead-mini the same invoices at the same concurrency, in turns. Inspect AI is asked
for in an environment of its own (`.peers/inspect`); without it that line is left out. Prints a table, and writes
build/bench-evals.json and docs/bench-evals.md.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fairlead import config
from fairlead.cli.eval_sitting import Order, _sit
from fairlead.engines.supervisor import Engine
from fairlead.evals.running import Pace, Progress
from harness import recorded
from harness.bare import generate
from harness.target import KEY, bodies, engine, write_suite

ROOT = Path(__file__).resolve().parent.parent.parent
PEER = ROOT / ".peers" / "inspect" / "bin" / "python"
GOAL = 0.95


class Watch:
    """From the first question to the last answer in the store."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self.cpu_s = 0.0  # of this process

    def begins(self, what: str, planned: int) -> None:
        self.began, self.cpu_s = time.monotonic(), time.process_time()

    def shows(self, progress: Progress) -> None:
        if progress.done == progress.planned:
            self.ended, self.cpu_s = time.monotonic(), time.process_time() - self.cpu_s

    def ends(self) -> None: ...


async def harness(folder: Path, suite: Path, concurrency: int) -> tuple[float, float]:
    """Seconds of one `fairlead eval run` in process, without what an earlier one answered; and of its CPU."""
    watch = Watch()
    order = Order(suite=suite, routes=("mini",), split="all", uses_cache=False, pace=Pace(concurrency=concurrency))
    outcome = await _sit(config.load(folder / "fairlead.toml"), order, watch)
    if outcome.stopped is not None or outcome.progress.failed:
        raise RuntimeError(f"not all was answered: {outcome}")
    return watch.ended - watch.began, watch.cpu_s


def peer(folder: Path, suite: Path, url: str, concurrency: int) -> float | None:
    """Seconds of the same under Inspect AI; None where it is not installed."""
    if not PEER.exists():
        return None
    script = Path(__file__).with_name("peer.py")
    command = [str(PEER), str(script), str(suite / "cases.jsonl"), f"{url}/v1", str(concurrency), str(folder / "logs")]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, env=kept | {"LOCAL_API_KEY": os.environ[KEY]}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"Inspect AI did not run: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


async def measure(
    folder: Path, running: Engine, options: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds by who asked, and milliseconds of CPU of whoever asked (not of the engine) by answer; each round asks in
    another order."""
    suite = write_suite(folder, options.cases)
    asked = bodies(suite)
    await generate(running, asked[: 4 * options.concurrency], options.concurrency)  # the engine is warm then
    found: dict[str, list[float]] = {"bare": [], "fairlead": [], "inspect": []}
    cpu: dict[str, list[float]] = {"bare": [], "fairlead": []}
    for number in range(options.rounds):
        for who in ("bare", "fairlead") if number % 2 else ("fairlead", "bare"):
            if who == "bare":
                before = time.process_time()
                took = await generate(running, asked, options.concurrency)
                cpu_s = time.process_time() - before
            else:
                took, cpu_s = await harness(folder, suite, options.concurrency)
            found[who].append(took)
            cpu[who].append(1000 * cpu_s / len(asked))
        if number < options.peer_rounds:
            beside = await asyncio.to_thread(peer, folder, suite, running.url, options.concurrency)
            found["inspect"] += [] if beside is None else [beside]
        print(json.dumps({who: [round(took, 2) for took in times] for who, times in found.items()}), file=sys.stderr)
    return found, cpu


async def main(options: argparse.Namespace) -> int:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        folder = Path(name)
        async with engine(folder, options.concurrency) as running:
            times, cpu = await measure(folder, running, options)
        again = recorded.measure(folder / "recorded", options.recorded)
    shares = [bare / ours for bare, ours in zip(times["bare"], times["fairlead"], strict=True)]
    rate = {who: options.cases / statistics.median(found) for who, found in times.items() if found}
    result = {
        "cases": options.cases,
        "concurrency": options.concurrency,
        "rounds": options.rounds,
        "seconds": times,
        "per_second": rate,
        "cpu_ms_per_answer": {who: statistics.median(each) for who, each in cpu.items()},
        "share_of_bare": {"median": statistics.median(shares), "of_rounds": shares, "goal": GOAL},
        "times_inspect": rate["fairlead"] / rate["inspect"] if "inspect" in rate else None,
        "recorded": again,
        "load_before": load,
    }
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    written = json.dumps({"goals": goals(result), "measured": result}, indent=1)
    (build / "bench-evals.json").write_text(written + "\n", encoding="utf-8")
    print(table(result))
    if not options.dry:
        (ROOT / "docs" / "bench-evals.md").write_text(PAGE + table(result), encoding="utf-8")
    return 0 if all(goal["met"] in (True, None) for goal in goals(result)) else 1


PAGE = """# How busy an evaluation keeps a target

`make bench-evals`: one embedded engine with fairlead-mini is asked the same invoices at the same concurrency by a bare
load generator, which does nothing with the answers, by `fairlead eval run`, which books, scores and stores them, and by
Inspect AI, in turns; the first two in the same order. Machines differ: read the ratios.

The time of each is from its first question to its last answer: of `fairlead eval run` to the last that stands in the
store with its score, of Inspect AI to the last score. What comes before and after (reading the suite, opening the
store) is left out of all three. Engine and asker share the machine's cores: what asking takes, the engine lacks, and
twice that where its threads wait for each other.

"""


def goals(result: dict) -> list[dict]:
    share, seconds = result["share_of_bare"]["median"], result["recorded"]["seconds"]
    count = result["recorded"]["cases"]
    return [
        {"name": "share of a bare load generator's throughput", "goal": GOAL, "value": share, "met": share >= GOAL},
        {"name": "answers per second / Inspect AI's", "goal": None, "value": result["times_inspect"], "met": None},
        {
            "name": f"{count:,} recorded cases scored again and compared, out of the store, s",
            "goal": recorded.GOAL_S,
            "value": seconds,
            "met": seconds < recorded.GOAL_S,
        },
    ]


def table(result: dict) -> str:
    names = {"bare": "bare load generator", "fairlead": "`fairlead eval run`", "inspect": "Inspect AI"}
    share, spent, again = result["share_of_bare"], result["cpu_ms_per_answer"], result["recorded"]
    lines = [f"| {result['cases']} invoices, {result['concurrency']} at once | answers per second |", "|---|--:|"]
    lines += [f"| {names[who]} | {rate:.1f} |" for who, rate in result["per_second"].items()]
    lines += [
        "",
        f"* `fairlead eval run` beside the bare load generator, median of {result['rounds']} pairs: "
        f"{share['median']:.1%} (goal {GOAL:.0%}; {min(share['of_rounds']):.0%} to {max(share['of_rounds']):.0%}).",
        f"* CPU of whoever asks, an answer: {spent['fairlead']:.1f} ms, the bare generator's {spent['bare']:.1f} ms.",
    ]
    if result["times_inspect"]:
        lines.append(f"* Beside Inspect AI: {result['times_inspect']:.2f} times its answers per second.")
    lines += [
        f"* {again['cases']:,} recorded cases of two candidates, scored again and compared: "
        f"{again['seconds']:.1f} s of one core (goal {recorded.GOAL_S:g} s); `fairlead eval score` after a scorer has "
        f"changed, {again['steps']['scored']:.1f} s, and `fairlead eval compare`, {again['steps']['compared']:.1f} s, "
        "both from the start of Python on.",
        f"* The machine's load before it began was {result['load_before']:.1f}: where that is not near 0, others had a "
        "part of its cores.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench-evals", description="How busy the harness keeps a target.")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer-rounds", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="leave docs/ as they are")
    parser.add_argument("--recorded", type=int, default=100_000, help="cases of the run that is scored again")
    sys.exit(asyncio.run(main(parser.parse_args())))
