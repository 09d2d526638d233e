"""Four replicas on one Postgres, two hundred callers under shared limits, and violence: what do the books say then?

`make chaos` runs it (ARGS="--seconds 60 --seed 7"). Workers and stewards are killed, the database is stopped, killed
and frozen, engines are killed, a disk is filled, providers fail; then it is quiet, and the books are held against what
the provider saw and what callers heard. It prints a table and writes build/chaos.json; docs/chaos.md after a whole run.
"""

import argparse
import asyncio
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from postgres import PostgresServer
from trials import report
from trials.caller import Connection, Heard, lies, request
from trials.report import Goal
from trials.serving import Provider, Server, answers, free_port, wait_for
from trials.violence import Violence

WHOLE_S = 180.0
CALLERS, REPLICAS = 200, 4
SMALL_MB = 40  # of the disk that is filled
QUIET_S = 120.0
RPM, PLACES = 1200, 40  # of each of two keys
STORE = "FAIRLEAD_CHAOS_STORE"
TIGHT, WIDE = "0.002usd/total", "5usd/total"

CONFIG = """
data_dir = "data"
[server]
listen = "127.0.0.1:{port}"
admin = "off"
workers = {workers}
drain_s = 5
[store]
url = "{store}"
[backends.one]
kind = "openai"
base_url = "http://127.0.0.1:{provider}/v1"
zone = "private"
[backends.two]
kind = "openai"
base_url = "http://127.0.0.1:{provider}/v1"
zone = "private"
[targets.first]
backend = "one"
model = "mock-1"
price = {{ input = 1, output = 2 }}
timeouts = {{ first_token_s = 3, between_tokens_s = 3, total_s = 6 }}
[targets.second]
backend = "two"
model = "mock-2"
price = {{ input = 1, output = 2 }}
timeouts = {{ first_token_s = 3, between_tokens_s = 3, total_s = 6 }}
[routes.chat]
targets = ["first", "second"]
max_output_tokens = 60
[routes.alone]
targets = ["first"]
max_output_tokens = 60
on_break = "buffer"
"""
LOCAL = """
[engines.nano]
model = "shipped:fairlead-nano"
[targets.nano]
engine = "nano"
price = { input = 1, output = 2 }
[routes.local]
targets = ["nano", "second"]
max_output_tokens = 20
"""
# How often of a hundred: what is asked, whether it is streamed, and after how many seconds it is hung up.
SCENES: tuple[tuple[int, str, bool, float | None], ...] = (
    (38, "quick", False, None),
    (22, "quick", True, None),
    (14, "slow", True, None),
    (6, "slow", True, 0.4),
    (2, "slow", False, 0.1),
    (5, "uncounted", True, None),
    (4, "once", False, None),
    (3, "cut", True, None),
    (3, "garbled", False, None),
    (2, "reset", True, None),
    (1, "silent", True, None),
)


class Callers:
    """Two hundred, each asking any replica, until told to stop; they count what they heard and remember lies."""

    def __init__(self, ports: list[int], keys: list[str], seed: int) -> None:
        self.asked = 0
        self.heard: Counter[str] = Counter()
        self.lies: list[str] = []
        self.enough = asyncio.Event()
        self._ports, self._keys = ports, keys
        self._chance = random.Random(seed)
        self._weights = [scene[0] for scene in SCENES]

    async def run(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(CALLERS)))

    async def _one(self) -> None:
        lines = [Connection(port) for port in self._ports]
        while not self.enough.is_set():
            await asyncio.sleep(self._chance.uniform(0.1, 0.8))
            self.asked += 1
            await self._ask(lines, self.asked)
        for line in lines:
            line.close()

    async def _ask(self, lines: list[Connection], number: int) -> None:
        [(_, word, stream, hang_up)] = self._chance.choices(SCENES, self._weights)
        text = f"{word} request {number} of many"
        route = self._chance.choice(("chat", "chat", "alone"))
        line = self._chance.choice(lines)
        if self._chance.random() < 0.02:
            line, route = lines[0], "local"
        key = self._chance.choices(self._keys, (9, 1))[0]
        asked = request(key, route, text, stream=stream, trace=f"{number:032x}", tokens=40)
        try:
            async with asyncio.timeout(60):
                heard = await line.ask(asked, hang_up)
        except TimeoutError:
            self.heard["no end within a minute"] += 1
            line.close()
        except OSError:
            self.heard["no connection"] += 1
        else:
            self._count(route, text, stream, heard)

    def _count(self, route: str, text: str, stream: bool, heard: Heard) -> None:
        if route != "local" and (lie := lies(heard, text, stream=stream)):
            self.lies.append(f"{text}: {lie}")
        if heard.hung_up:
            self.heard["hung up"] += 1
        elif heard.status == 200 and heard.finish:
            self.heard["answered"] += 1
        elif heard.status == 200:
            self.heard["broken, and told so" if heard.error else "broken off"] += 1
        else:
            code = (heard.error or {}).get("code", "no answer")
            self.heard[f"{heard.status} {code}" if heard.status else "connection lost"] += 1


class House:
    """Everything that runs: a database, a provider, replicas."""

    def __init__(self, folder: Path, *, postgres: bool, replicas: int) -> None:
        self.folder = folder
        self.rig = PostgresServer() if postgres else None
        self.database = ""
        self.provider = Provider(folder, traces=True)
        self.replicas = [Server(folder / f"replica-{n}", free_port()) for n in range(1, replicas + 1)]
        self.small: Path | None = None

    def furnish(self) -> None:
        if self.rig is not None:
            self.rig.start()
            self.database = self.rig.new_database()
            os.environ[STORE] = self.rig.url(self.database)
        for number, server in enumerate(self.replicas):
            (server.folder / "data").mkdir(parents=True)
            config = CONFIG.format(
                port=server.port,
                workers=1 + number % 2,
                provider=self.provider.port,
                store=f"env:{STORE}" if self.rig else "",
            )
            (server.folder / "fairlead.toml").write_text(config + (LOCAL if number == 0 else ""))
        self.small = _small_disk(self.replicas[-1].folder / "data")
        if self.rig is not None:
            subprocess.run(
                [sys.executable, "-m", "fairlead", "store", "migrate"], cwd=self.replicas[0].folder, check=True
            )

    def open(self) -> None:
        for server in self.replicas:
            server.start()
        for server in self.replicas:
            wait_for(f"replica on {server.port}\n{server.log()[-500:]}", lambda s=server: answers(s.port, b"/readyz"))

    def close(self) -> None:
        for server in self.replicas:
            if server.is_running:
                server.stop()

    def tear_down(self) -> None:
        for server in self.replicas:
            for pid in (*server.workers(), server.pid) if server.is_running else ():
                server.kill(pid)
        if self.small is not None:
            subprocess.run(["umount", "-l", str(self.small)], check=False)
        if self.rig is not None:
            self.rig.__exit__()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.rig is not None:
            return self.rig.run(query, self.database)
        import sqlite3

        with sqlite3.connect(self.replicas[0].folder / "data" / "fairlead.db") as store:
            return store.execute(query).fetchall()

    def held(self) -> int:
        """What anybody says to hold of any limit."""
        found = self.replicas[0].command("budget", "list")
        return sum(lease["held"] for account in found for lease in account["leases"])


def _small_disk(folder: Path) -> Path | None:
    """A disk that can be filled, where we may mount one."""
    options = ["-t", "tmpfs", "-o", f"size={SMALL_MB}m,mode=0700", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, check=False)
    return folder if done.returncode == 0 else None


@contextlib.contextmanager
def house(*, postgres: bool, replicas: int) -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="fairlead-chaos-", ignore_cleanup_errors=True) as name:
        made = House(Path(name), postgres=postgres, replicas=replicas)
        try:
            made.furnish()
            made.open()
            yield made
        finally:
            made.tear_down()


async def rage(made: House, keys: list[str], seconds: float, seed: int) -> tuple[Callers, Violence]:
    callers = Callers([server.port for server in made.replicas], keys, seed)
    violence = Violence(made.replicas, made.rig, made.small, seed)
    calling = asyncio.create_task(callers.run())
    await violence.run(seconds)
    await asyncio.sleep(5)  # of calm, in which all is well again
    callers.enough.set()
    await calling
    return callers, violence


def settle(made: House) -> bool:
    """Waits until nothing changes any more: every record is in the store, nothing is held. Whether that came to be."""
    by, before, same = time.monotonic() + QUIET_S, (0, 0, -1), 0
    while same < 3 and time.monotonic() < by:
        time.sleep(2)
        for server in made.replicas:
            if not server.is_running:  # killed as it was starting: a supervisor tries again
                server.start()
        now = (
            made.rows("SELECT count(*) FROM attempt")[0][0],
            made.rows("SELECT count(*) FROM call")[0][0],
            made.held(),
        )
        same = same + 1 if now == before and now[2] == 0 else 0
        before = now
    return same >= 3


def judge(made: House, callers: Callers, violence: Violence, tally: dict[str, Any], calm: bool) -> list[Goal]:
    traces = "SELECT substr(trace, 4, 32), count(*), sum(CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END) FROM attempt"
    booked = {
        trace: (count, ok) for trace, count, ok in made.rows(f"{traces} WHERE backend IN ('one', 'two') GROUP BY 1")
    }
    seen: dict[str, int] = tally["traces"]
    missing = [trace for trace, count in seen.items() if booked.get(trace, (0, 0))[0] < count]
    invented = [trace for trace, (_, ok) in booked.items() if ok > seen.get(trace, 0)]
    for trace in missing[:5] + invented[:5]:
        print(f"request {int(trace, 16)}: seen {seen.get(trace)}, booked {booked.get(trace)}", file=sys.stderr)
    for lie in callers.lies[:10]:
        print(lie, file=sys.stderr)
    outcomes = dict(made.rows("SELECT outcome, count(*) FROM attempt GROUP BY outcome"))
    return [
        report.told("requests", callers.asked),
        *(report.told(name, count) for name, count in sorted(violence.acts.items())),
        *(report.told(f"callers heard: {name}", count) for name, count in sorted(callers.heard.items())),
        report.told("attempts that the provider saw", sum(seen.values())),
        report.told("attempts in the books", sum(outcomes.values())),
        report.told("of these lost, priced at their hold", outcomes.get("lost", 0)),
        report.exactly("answers that are not the truth", len(callers.lies)),
        report.exactly("requests with an attempt that was seen and is not in the books", len(missing)),
        report.exactly("requests with an answer in the books that the provider never gave", len(invented)),
        report.exactly("callers told that their key is unknown", callers.heard["401 key_unknown"]),
        report.exactly("callers told of an error inside Fairlead", callers.heard["500 internal_error"]),
        report.exactly("requests without an end", callers.heard["no end within a minute"]),
        report.exactly("not settled in two minutes of quiet", int(not calm)),
        *spent(made),
    ]


def spent(made: House) -> list[Goal]:
    """Whether any limit was exceeded, in money and in requests."""
    money = (
        "SELECT sum(coalesce(cost_nusd, hold_nusd, 0)) FROM attempt a JOIN key k ON k.id = a.key WHERE k.name = '{}'"
    )
    goals = []
    for name, budget in (("wide", WIDE), ("tight", TIGHT)):
        amount = float(budget.partition("usd")[0])
        found = int(made.rows(money.format(name))[0][0] or 0) / 1e9
        goals.append(report.no_more_than(f"spent under the {name} budget, US dollars", round(found, 6), amount))
    minutes = "SELECT count(DISTINCT call) AS n FROM attempt GROUP BY key, at_us / 60000000"
    each = f"SELECT max(n) FROM ({minutes}) AS m"
    goals.append(report.no_more_than("requests in the fullest minute of a key", int(made.rows(each)[0][0] or 0), RPM))
    held = made.rows("SELECT coalesce(sum(held), 0) FROM lease")[0][0]
    goals.append(report.exactly("held by anybody afterwards", int(held)))
    return goals


def tracebacks(made: House) -> Goal:
    """In the logs; of each the first is shown."""
    found = 0
    for server in made.replicas:
        log = server.log()
        found += log.count("Traceback")
        if (at := log.find("Traceback")) >= 0:
            print(f"--- {server.folder.name}: {log[at : at + 3000]}", file=sys.stderr)
    return report.exactly("tracebacks in the logs", found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=WHOLE_S)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sqlite", action="store_true", help="one replica on SQLite instead")
    options = parser.parse_args()
    with house(postgres=not options.sqlite, replicas=1 if options.sqlite else REPLICAS) as made:
        first = made.replicas[0]
        limits = ["--rpm", str(RPM), "--concurrent", str(PLACES)]
        keys = [
            first.command("key", "new", "--name", name, "--budget", budget, *limits)["secret"]
            for name, budget in (("wide", WIDE), ("tight", TIGHT))
        ]
        time.sleep(2)  # until all replicas know them
        callers, violence = uvloop.run(rage(made, keys, options.seconds, options.seed))
        calm = settle(made)
        tally = made.provider.stop()
        made.close()
        goals = judge(made, callers, violence, tally, calm)
        goals.append(tracebacks(made))
    head = (
        "# Violence\n\n`make chaos`: four replicas on one Postgres, two hundred callers under shared budgets, rates\n"
        "and numbers of places, while processes are killed, the database goes away and comes back, a disk fills and\n"
        f"a provider fails; {options.seconds:g} seconds, seed {options.seed}. Then it is quiet, and the books are\n"
        "held against what the provider saw and what callers heard.\n"
    )
    whole = options.seconds >= WHOLE_S and not options.sqlite
    print(report.write("chaos", head, goals, page=whole))
    sys.exit(int(any(goal.met is False for goal in goals)))


if __name__ == "__main__":
    main()
