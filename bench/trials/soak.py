"""A million requests: does a worker grow, does a descriptor leak, is anything missing in the books?

`make soak` runs it (ARGS="--requests 20000" for less). Unary requests and streams, callers who hang up, a provider who
fails, requests that are denied, through one `fairlead serve` with two workers. Every answer is checked against what was
asked. It prints a table, writes build/soak.json, and after a whole run docs/soak.md.
"""

import argparse
import asyncio
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvloop

from trials import report
from trials.caller import Connection, Heard, lies, request
from trials.report import Goal
from trials.serving import Provider, Server, descriptors, free_port, resident_mb, wait_for

WHOLE = 1_000_000
CONNECTIONS = 64
PLACES = 2 * CONNECTIONS
WARM = 0.2  # of all requests, after which nothing may grow
SAMPLE_S = 2.0
GROWTH_MB, WORKER_MB, MORE_FDS = 5.0, 80.0, 16
STAYS_S = 10.0  # what a `long` answer takes
CONFIG = """
data_dir = "data"
[server]
listen = "127.0.0.1:{port}"
admin = "off"
workers = 2
[backends.mock]
kind = "openai"
base_url = "http://127.0.0.1:{provider}/v1"
zone = "private"
[targets.well]
backend = "mock"
model = "mock-1"
price = {{ input = 1, output = 2 }}
[targets.ill]
backend = "mock"
model = "mock-2"
price = {{ input = 1, output = 2 }}
[routes.well]
targets = ["well"]
max_output_tokens = 100
budget = "1000000usd/day"
limits = {{ concurrent = {places} }}
[routes.ill]
targets = ["ill"]
max_output_tokens = 100
"""
# What is asked, how often of a thousand: route, word, streamed, how it is hung up.
Hang = Callable[[bytearray], bool] | float | None
SCENES: tuple[tuple[int, str, str, bool, Hang], ...] = (
    (580, "well", "quick", False, None),
    (230, "well", "quick", True, None),
    (50, "well", "slow", True, lambda body: b'"content":' in body),
    (20, "well", "slow", False, 0.1),
    (20, "well", "uncounted", True, None),
    (20, "ill", "once", False, None),
    (20, "ill", "cut", True, None),
    (10, "ill", "garbled", False, None),
    (10, "ill", "reset", True, None),
    (40, "nowhere", "quick", False, None),
)


class Callers:
    """Sends so many requests over so many connections, and counts what came of them."""

    def __init__(self, port: int, key: str, requests: int, seed: int) -> None:
        self.left = self.requests = requests
        self.outcomes: Counter[str] = Counter()
        self.lies: list[str] = []
        self._port, self._key = port, key
        self._chance = random.Random(seed)
        self._weights = [scene[0] for scene in SCENES]

    async def run(self) -> None:
        await asyncio.gather(*(self._one(Connection(self._port)) for _ in range(CONNECTIONS)))

    async def _one(self, connection: Connection) -> None:
        while self.left > 0:
            self.left -= 1
            number = self.requests - self.left
            [(_, route, word, stream, hang)] = self._chance.choices(SCENES, self._weights)
            text = f"{word} request {number} of all"
            asked = request(self._key, route, text, stream=stream)
            with suppress(OSError):
                heard = await connection.ask(asked, hang)
                self._count(route, word, text, stream, heard)
        connection.close()

    def _count(self, route: str, word: str, text: str, stream: bool, heard: Heard) -> None:
        if lie := lies(heard, text, stream=stream):
            self.lies.append(f"{text}: {lie}")
        if heard.hung_up:
            self.outcomes["hung up"] += 1
        elif heard.status == 200 and (heard.ended and heard.finish):
            self.outcomes["answered"] += 1
        elif heard.error is not None:
            self.outcomes[f"error in {route}"] += 1
        else:
            self.outcomes["cut off"] += 1
        if route == "well" and word == "quick" and not (heard.status == 200 and heard.finish):
            self.lies.append(f"{text}: not answered: {heard}"[:300])


class Samples:
    """What each process takes: megabytes and descriptors, over time."""

    def __init__(self, pids: dict[str, int], callers: Callers) -> None:
        self.pids = pids
        self._callers = callers
        self.taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in pids}

    async def run(self) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(SAMPLE_S)
            self.take()
            done = self._callers.requests - self._callers.left
            speed = done / (time.monotonic() - began)
            sizes = ", ".join(f"{name} {taken[-1][1]:.1f} MB {taken[-1][2]} fd" for name, taken in self.taken.items())
            print(f"{done:>9,} requests, {speed:,.0f} a second; {sizes}", file=sys.stderr, flush=True)

    def take(self) -> None:
        share = 1 - self._callers.left / self._callers.requests
        for name, pid in self.pids.items():
            self.taken[name].append((share, resident_mb(pid), descriptors(pid)))

    def growth(self, name: str, what: int) -> float:
        """From the mean of a tenth after it was warm to that of the last tenth, of megabytes (1) or descriptors (2)."""
        early = [one[what] for one in self.taken[name] if WARM <= one[0] < WARM + 0.1]
        late = [one[what] for one in self.taken[name] if one[0] >= 0.9]
        return sum(late) / len(late) - sum(early) / len(early) if early and late else 0.0

    def most_mb(self, name: str) -> float:
        return max(mb for _, mb, _ in self.taken[name])


async def places_free(port: int, key: str) -> tuple[int, int]:
    """How many of a route's places can be taken at the same time, all of them if every one came back; and how many
    were denied at first. Who is denied asks again while the others stay."""
    denied = 0

    async def one() -> bool:
        nonlocal denied
        connection = Connection(port)
        asked = request(key, "well", "long together", stream=False)
        heard = await connection.ask(asked)
        by = time.monotonic() + STAYS_S / 2
        while heard.status == 429 and time.monotonic() < by:
            denied += 1
            await asyncio.sleep(0.2)
            heard = await connection.ask(asked)
        connection.close()
        if heard.status != 200:
            print("no place:", heard.status, heard.error, file=sys.stderr)
        return heard.status == 200

    return sum(await asyncio.gather(*(one() for _ in range(PLACES)))), denied


def books(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "data" / "fairlead.db") as store:

        def count(query: str) -> int:
            return store.execute(query).fetchone()[0] or 0

        return {
            "calls": count("SELECT count(*) FROM call"),
            "attempts": count("SELECT count(*) FROM attempt"),
            "lost": count("SELECT count(*) FROM attempt WHERE outcome = 'lost'"),
            "costless": count("SELECT count(*) FROM attempt WHERE outcome IN ('ok', 'cancelled') AND cost_nusd <= 0"),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=WHOLE)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fairlead-soak-", ignore_cleanup_errors=True) as name:
        goals = run(Path(name), options.requests, options.seed)
    head = (
        "# A million requests\n\n`make soak`: unary requests and streams mixed, callers who hang up, a provider who\n"
        "fails, requests that are denied, through one `fairlead serve` with two workers and SQLite. Growth is counted\n"
        "after the first fifth.\n"
    )
    print(report.write("soak", head, goals, page=options.requests >= WHOLE))
    sys.exit(int(any(goal.met is False for goal in goals)))


def run(folder: Path, requests: int, seed: int) -> list[Goal]:
    provider = Provider(folder)
    server = Server(folder, free_port())
    (folder / "fairlead.toml").write_text(CONFIG.format(port=server.port, provider=provider.port, places=PLACES))
    server.start()
    try:
        wait_for("the server", lambda: reachable_or_dead(server))
        key = server.command("key", "new", "--name", "soak")["secret"]
        callers = Callers(server.port, key, requests, seed)
        pids = {"steward": server.pid} | {f"worker {n}": pid for n, pid in enumerate(server.workers(), 1)}
        samples = Samples(pids, callers)
        began = time.monotonic()
        uvloop.run(_both(callers, samples))
        took_s = time.monotonic() - began
        samples.take()
        wait_for("no open call", lambda: server.command("status")["open_calls"] == 0)
        free, denied = uvloop.run(places_free(server.port, key))
        alive = server.workers() == sorted(pids[name] for name in pids if name != "steward")
    finally:
        server.stop()
    tally = provider.stop()
    return judge(callers, samples, tally["plays"], books(folder), (free, denied), took_s, alive, server)


def reachable_or_dead(server: Server) -> bool:
    from trials.serving import answers

    if not server.is_running:
        raise SystemExit(server.log())
    return answers(server.port, b"/readyz")


async def _both(callers: Callers, samples: Samples) -> None:
    watching = asyncio.create_task(samples.run())
    await callers.run()
    watching.cancel()


def judge(
    callers: Callers,
    samples: Samples,
    plays: list[int],
    books: dict[str, int],
    places: tuple[int, int],
    took_s: float,
    alive: bool,
    server: Server,
) -> list[Goal]:
    for lie in callers.lies[:10]:
        print(lie, file=sys.stderr)
    (free, denied), sent = places, callers.requests + PLACES + places[1]
    workers = [name for name in samples.pids if name != "steward"]
    goals = [
        report.told("requests", callers.requests),
        report.told("a second", round(callers.requests / took_s, 1)),
        *(report.told(f"ended: {name}", count) for name, count in sorted(callers.outcomes.items())),
        report.exactly("answers that are not the truth", len(callers.lies)),
        report.exactly("calls in the books, less requests", books["calls"] - sent),
        report.exactly("attempts that the provider saw and the books have not", max(0, sum(plays) - books["attempts"])),
        report.told("attempts that did not come as far as the provider", max(0, books["attempts"] - sum(plays))),
        report.exactly("attempts lost", books["lost"]),
        report.exactly("answers that cost nothing", books["costless"]),
        report.exactly("places of the route that are free afterwards", free, PLACES),
        report.exactly("denied a place that was free", denied),
        report.exactly("workers that died", int(not alive)),
    ]
    for name in samples.pids:
        goals.append(report.no_more_than(f"{name}, growth in MB", round(samples.growth(name, 1), 2), GROWTH_MB))
    for name in workers:
        goals.append(report.no_more_than(f"{name}, most in MB", round(samples.most_mb(name), 1), WORKER_MB))
    for name in samples.pids:
        goals.append(report.no_more_than(f"{name}, more descriptors", round(samples.growth(name, 2), 1), MORE_FDS))
    if "Traceback" in server.log():
        print(server.log()[-3000:], file=sys.stderr)
    goals.append(report.exactly("tracebacks in the log", server.log().count("Traceback")))
    return goals


if __name__ == "__main__":
    main()
