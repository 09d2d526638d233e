"""`make bench` (`python -m road`): rounds of the same load through every gateway, in turn, and the ratios.

Machines differ, and noisy ones differ by the minute: so all gateways are measured in every round, in alternating
order, and what is told are medians over rounds of the ratio within a round.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from road import load
from road.gateways import GATEWAYS, Gateway, free_port, process
from road.report import Failures, Figures, write

HERE = Path(__file__).parent
MANY = 500  # streams at a time, on one core
MANY_S = 5  # that each of them lasts
PAIR = ("fairlead", "nginx")  # compared closely


def measure(gateway: Gateway, folder: Path, seconds: float, failures: Failures, rate: float = 0) -> Figures:
    """One round of one gateway. What it can't do is left out, and why is in `failures`. `rate`: requests per second at
    which those are compared that can answer so many; 0: they are not."""
    figures: Figures = {}

    def whole(case: str, *, translated: bool = False, prompt_bytes: int = 200, connections: int = 32) -> None:
        asked = {"translated": translated, "prompt_bytes": prompt_bytes, "connections": connections}
        found = load.unary(gateway, folder, seconds=seconds, **asked)  # type: ignore[arg-type]
        figures[f"{case}.p50_ms"], figures[f"{case}.p99_ms"] = found.p50_ms, found.p99_ms
        figures[f"{case}.cpu_us"], figures[f"{case}.per_s"] = found.cpu_us, found.per_second
        if gateway.aside and case == "unary":
            figures["aside.cpu_us"] = found.aside_us

    def paced(case: str, *, translated: bool = False) -> None:
        count = max(4, 100 // gateway.weight)
        found = load.streams(gateway, translated=translated, count=count, chunks=80, over_s=1.0)
        figures[f"{case}.cpu_us"] = found.cpu_us

    def equal(case: str) -> None:
        figures[f"{case}.cpu_us"] = load.kept(gateway, rate=rate, seconds=seconds)

    loads = {
        "unary": whole,
        "long": partial(whole, prompt_bytes=60_000),
        "alone": partial(whole, connections=1),
        "chunk": paced,
        "translated": partial(whole, translated=True),
        "translated_chunk": partial(paced, translated=True),
        **({"equal": equal} if rate and gateway.name in PAIR else {}),
    }
    for case, run in loads.items():
        if case.startswith("translated") and not gateway.translated:
            continue
        try:
            run(case)
        except load.Failed as why:
            if gateway.name in ("direct", "nginx", "fairlead"):
                raise SystemExit(f"{gateway.name}, {case}: {why}") from why
            failures[gateway.name, case] = str(why)
    return figures


def measure_many(gateway: Gateway, direct: Gateway, count: int) -> Figures:
    """Time to first token while `count` streams run at a time, beside the mock's own under the same load: as many are
    begun until they all run, then each that ends is followed by one that is timed."""
    many = {"count": 2 * count, "chunks": MANY_S * 40, "over_s": 2.0 * MANY_S, "timed": count}
    alone = load.streams(direct, **many)  # type: ignore[arg-type]
    through = load.streams(gateway, **many)  # type: ignore[arg-type]
    added = [_quantile(through.first_ms, q) - _quantile(alone.first_ms, q) for q in (0.5, 0.99)]
    return {"many.first_p50_ms": added[0], "many.first_p99_ms": added[1], "many.cpu_us": through.cpu_us}


def _quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each of the loads of whole answers")
    parser.add_argument("--streams", type=int, default=MANY, help="at once, for the time to first token; 0: not")
    parser.add_argument("--only", nargs="*", choices=GATEWAYS, default=list(GATEWAYS), help="these gateways")
    parser.add_argument("--without", nargs="*", choices=GATEWAYS, default=[], help="not these gateways")
    parser.add_argument("--dry", action="store_true", help="print the table, leave docs/ and build/ as they are")
    options = parser.parse_args()
    names = [name for name in options.only if name not in options.without]
    begun = load.Machine.now()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairlead-bench-")))
        upstream = free_port()
        stack.enter_context(process(sys.executable, str(HERE / "upstream.py"), str(upstream)))
        direct = Gateway("direct", upstream)
        gateways = []
        for name in names:
            (folder / name).mkdir()
            gateways.append(stack.enter_context(GATEWAYS[name](folder / name, upstream)))
            print(f"{name} {gateways[-1].version} is ready", file=sys.stderr)
        # What is compiled or cached at first use is so before the first round; what fails then is not told.
        warm = {gateway.name: measure(gateway, folder, options.seconds, {}) for gateway in gateways}
        failures: Failures = {}
        rate = round(warm.get("fairlead", {}).get("unary.per_s", 0) / 2, -2)
        rounds: dict[str, list[Figures]] = {one.name: [] for one in (direct, *gateways)}
        for number in range(options.rounds):
            for gateway in (direct, *gateways) if number % 2 == 0 else (*reversed(gateways), direct):
                seconds = options.seconds * (2 if gateway.weight > 1 else 1)
                figures = measure(gateway, folder, seconds, failures, rate)
                figures["resident_mb"] = load.resident_mb(gateway.counted)
                rounds[gateway.name].append(figures)
                print(number + 1, gateway.name, {k: round(v, 2) for k, v in figures.items()}, file=sys.stderr)
            if options.streams:
                for gateway in gateways:
                    if gateway.name in PAIR:
                        many = measure_many(gateway, direct, options.streams)
                        rounds[gateway.name][-1] |= many
                        print(number + 1, gateway.name, many, file=sys.stderr)
        ready_s = statistics.median([one.ready_s for one in gateways if one.ready_s] or [0.0])
    versions = {one.name: one.version for one in gateways}
    others = load.Machine.now().others_since(begun)
    write(rounds, versions, failures, rate=rate, ready_s=ready_s, others=others, dry=options.dry)


if __name__ == "__main__":
    main()
