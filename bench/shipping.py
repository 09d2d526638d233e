"""What it costs the steward to ship a row of the books into SQLite and into PostgreSQL, stage by stage.

`make bench-shipping` runs it. A spool of calls as they are (20 keys, 5 routes, one attempt each) is shipped by the real
`Shipper`, all included: reading, decoding, joining, inserting, sums, position. CPU time of this process alone, per row;
a call is two rows. Median and least of interleaved rounds; it prints a table and writes build/bench-shipping.json.
"""

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from fairlead.ids import new_id, now_us  # noqa: E402
from fairlead.records import CallClosed, Intent, Outcome, Record  # noqa: E402
from fairlead.store.joining import Joiner  # noqa: E402
from fairlead.store.landing import land  # noqa: E402
from fairlead.store.opening import open_store  # noqa: E402
from fairlead.store.partitions import Partitions  # noqa: E402
from fairlead.store.reading import Position, read  # noqa: E402
from fairlead.store.shipping import Shipper  # noqa: E402
from fairlead.store.spool import Spool  # noqa: E402
from postgres import PostgresServer  # noqa: E402

GOAL_US = 5.0
STAGES = ("read and decode", "join", "insert", "all")
KEYS, ROUTES = 20, ("invoices", "support", "summaries", "chat", "codegen")


def calls(count: int) -> Iterator[Record]:
    dice, start_us = random.Random(1), now_us() - count * 1000
    keys = [new_id() for _ in range(KEYS)]
    for number in range(count):
        at_us = start_us + number * 1000
        key, route, trace = dice.choice(keys), dice.choice(ROUTES), f"{dice.getrandbits(128):032x}"
        who: dict[str, Any] = {"call": new_id(at_us), "at_us": at_us, "key": key, "team": f"team-{key[-1]}"}
        who |= {"route": route, "config": "0123456789abcdef", "trace": trace}
        begun = Intent(
            attempt=new_id(at_us), target="gpt-mini", backend="openai", model="gpt-5-mini", zone="contract",
            price="openai/gpt-5-mini@2026-08-01", hold_nusd=1_234_567, hold_tokens=4300, **who,
        )  # fmt: skip
        yield begun
        yield Outcome(
            attempt=begun.attempt, call=begun.call, outcome="ok", status=200, finish="stop",
            served_model="gpt-5-mini-2026-08-01", request_id=f"req_{trace[:24]}", input_tokens=812, output_tokens=133,
            cache_read_tokens=512, cost_nusd=523_100, queued_us=40, first_token_us=300_000, last_token_us=900_000,
            duration_us=910_000,
        )  # fmt: skip
        yield CallClosed(
            status="ok", attempts=1, target="gpt-mini", cost_nusd=523_100, duration_us=911_000, first_word_us=310_000,
            request_hash=trace * 2, **who,
        )  # fmt: skip


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def batches(directory: Path) -> list[tuple[Record, ...]]:
    found, position = [], Position()
    while True:
        batch = read(directory, position, is_dead=True)
        found.append(batch.records)
        position = batch.position
        if not batch.more:
            return found


def one_round(place: Path | str, spools: Path, count: int) -> dict[str, float]:
    """Seconds of CPU by stage; the spool of `count` calls is shipped twice, in parts and as it is."""
    with Spool(spools / "stages") as spool:
        for record in calls(count):
            spool.append(record)
    seconds: dict[str, float] = {}
    with open_store(place) as store:
        seconds["read and decode"], found = timed(lambda: batches(spools / "stages"))
        joiner = Joiner("stages")
        seconds["join"], rows = timed(lambda: [joiner.join(records, Position()) for records in found])

        Partitions(store).make_room([])

        def insert() -> None:
            for part in rows:
                with store.begin() as connection:
                    land(connection, part, "stages")

        seconds["insert"], _ = timed(insert)
        shutil.rmtree(spools / "stages")
        with Spool(spools / "whole") as spool:
            for record in calls(count):
                spool.append(record)
            shipper = Shipper(store, spools)
            seconds["all"], _ = timed(lambda: [None for _ in iter(lambda: shipper.ship().more, False)])
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    said = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    with PostgresServer() as server, tempfile.TemporaryDirectory() as folder:
        for number in range(said.rounds):
            for database in ("SQLite", "PostgreSQL"):
                place = server.url(server.new_database()) if database == "PostgreSQL" else Path(folder) / str(number)
                seconds = one_round(place, Path(folder) / f"{database}-{number}", said.calls)
                for stage, spent in seconds.items():
                    per_row = spent / (2 * said.calls) * 1e6
                    found.setdefault(database, {}).setdefault(stage, []).append(per_row)
    print("| us of CPU per row | median | least |\n|---|--:|--:|")
    goals = []
    for database, stages in found.items():
        for stage in STAGES:
            median, least = statistics.median(stages[stage]), min(stages[stage])
            print(f"| {database}: {stage} | {median:.1f} | {least:.1f} |")
        name = f"shipping a row into {database}, all included (us of CPU)"
        told = {"value": round(median, 2), "least": round(least, 2), "met": median <= GOAL_US}
        goals.append({"name": name, "goal": GOAL_US} | told)
    out = ROOT / "build" / "bench-shipping.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"goals": goals}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(goal["met"] for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
