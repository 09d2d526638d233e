"""How often the shipped models' answers have not the form that was asked for, by how they are asked, before and after
a repair.

`make structured` runs it. A real `fairlead serve` with both embedded engines is asked the held-out documents of both
tasks with the task's JSON schema: by the engine's guided decoding (native), by a forced tool, and by telling the model
(prompt); without chance and with it (temperature 1). The shares are the ledger's own (`fairlead call summary`). It
prints a table and writes build/structured.json.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from openai import APIStatusError, AsyncOpenAI

from fairlead.demo.asking import open_client
from fairlead.demo.serving import Served, free_address, serving
from fairlead.samples.draw import SCHEMAS, samples
from fairlead.samples.sample import SEEN, UNSEEN, Sample
from fairlead.server.office import KeyWanted
from fairlead.store.calls import Summary

ROOT = Path(__file__).resolve().parent.parent
MODELS, WAYS, TEMPERATURES = ("nano", "mini"), ("native", "tool", "prompt"), (0, 1)
SEED = 7000  # neither the demonstration's nor the model cards'
AT_ONCE = 4

HEAD = """
data_dir = "data"
[server]
listen = "{listen}"
admin = "off"
[engines.nano]
model = "shipped:fairlead-nano"
[engines.mini]
model = "shipped:fairlead-mini"
"""
ONE = """
[targets.{name}]
engine = "{model}"
structured = "{way}"
params = {{ temperature = {temperature} }}
price = {{ input = 0, output = 0 }}
[routes.{name}]
targets = ["{name}"]
max_output_tokens = 200
"""


@dataclass
class Row:
    """One way of asking one model. `failed` counts by the error's code what was no answer at all."""

    model: str
    way: str
    temperature: int
    asked: int
    judged: int
    invalid: int
    invalid_after_repair: int
    failed: dict[str, int]


def name_of(model: str, way: str, temperature: int) -> str:
    return f"{model}-{way}-t{temperature}"


def configuration(listen: str) -> str:
    ways = (
        ONE.format(name=name_of(*one), model=one[0], way=one[1], temperature=one[2])
        for one in product(MODELS, WAYS, TEMPERATURES)
    )
    return HEAD.format(listen=listen) + "".join(ways)


def documents(count: int) -> list[Sample]:
    return [one for task in SCHEMAS for split in (SEEN, UNSEEN) for one in samples(task, split, count, SEED)]


async def ask(client: AsyncOpenAI, route: str, sample: Sample) -> str:
    """ "" for an answer, else the error's code and, where an answer broke one, the schema's rule."""
    shape = {"name": sample.task, "schema": SCHEMAS[sample.task], "strict": True}
    asked: dict[str, object] = {"response_format": {"type": "json_schema", "json_schema": shape}}
    try:
        await client.chat.completions.create(model=route, messages=sample.messages, extra_body=asked)  # type: ignore[arg-type]
    except APIStatusError as error:
        told = error.body if isinstance(error.body, dict) else {}
        return " ".join(filter(None, (error.code, told.get("rule"))))
    return ""


async def measure(served: Served, client: AsyncOpenAI, one: tuple[str, str, int], asked: list[Sample]) -> Row:
    route, room = name_of(*one), asyncio.Semaphore(AT_ONCE)

    async def within(sample: Sample) -> str:
        async with room:
            return await ask(client, route, sample)

    ends = Counter(await asyncio.gather(*(within(sample) for sample in asked)))
    await asyncio.sleep(1)  # the books arrive within a second
    sums = await served.remote.summary(("route",), 0)
    books = next((found for found in sums if found.group["route"] == route), Summary({}))
    failed = {code: count for code, count in ends.items() if code}
    return Row(*one, len(asked), books.shaped, books.invalid, books.invalid - books.repaired, failed)


async def run(count: int) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fairlead.toml"
        file.write_text(configuration(free_address()))
        async with serving(file) as served:
            key = await served.remote.new_key(KeyWanted(name="structured", routes=("*",)))
            async with open_client(served.url, key.secret) as client:
                for one in product(MODELS, WAYS, TEMPERATURES):
                    rows.append(await measure(served, client, one, documents(count)))
                    tell(rows[-1])
    return rows


def tell(row: Row) -> None:
    def share(count: int) -> str:
        return f"{count} ({count / row.judged:.1%})" if row.judged else "-"

    failed = ", ".join(f"{code} {count}" for code, count in sorted(row.failed.items())) or "-"
    cells = (row.model, row.way, row.temperature, row.asked, row.judged, share(row.invalid))
    sys.stdout.write("| " + " | ".join(map(str, (*cells, share(row.invalid_after_repair), failed))) + " |\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=25, help="of each task and split [25]")
    count = parser.parse_args().documents
    sys.stdout.write("| model | asked by | temperature | asked | judged | invalid | after repair | no answer |\n")
    sys.stdout.write("|---|---|--:|--:|--:|--:|--:|---|\n")
    rows = asyncio.run(run(count))
    out = ROOT / "build" / "structured.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
