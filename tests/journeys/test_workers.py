"""Several workers under one budget, one of them killed: nothing is overspent, nothing lost, another takes over."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from fairlead.server.office import CallFilter
from journeys.door import Door, ask, say, until

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
workers = 3
drain_s = 2

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[targets.a]
backend = "script"
model = "a"
price = { input = 1.0, output = 1.0 }

[routes.r]
targets = ["a"]
max_output_tokens = 10
"""
SCRIPT = '[[lines]]\ntext = "four words are here"\nlatency_s = 0.02\nusage = { input = 1000, output = 4 }\n'
COST = 1_004_000  # of one answer, in nano-dollars
PARALLEL = 12


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Door]:
    (tmp_path / "fairlead.toml").write_text(CONFIG)
    (tmp_path / "script.toml").write_text(SCRIPT)
    door = Door(tmp_path).open()
    yield door
    door.close()


async def load(door: Door, key: str, requests: int) -> list[int]:
    """The status of every request; 0 where the connection broke."""
    left = iter(range(requests))

    async def one() -> list[int]:
        said = []
        http = openai.DefaultAsyncHttpxClient(trust_env=False)
        async with openai.AsyncOpenAI(
            base_url=f"{door.url}/v1", api_key=key, max_retries=0, timeout=20, http_client=http
        ) as client:
            for _ in left:
                try:
                    await client.chat.completions.create(model="r", messages=say("hi"))
                    said.append(200)
                except openai.APIStatusError as error:
                    said.append(error.status_code)
                except openai.APIConnectionError:
                    said.append(0)
        return said

    return [status for many in await asyncio.gather(*(one() for _ in range(PARALLEL))) for status in many]


def test_workers_share_a_budget_to_its_last_call_and_never_exceed_it(house: Door) -> None:
    affordable = 60
    key = house.key("tight", budget=f"{affordable * COST / 1e9}usd/day")
    statuses = asyncio.run(load(house, key.secret, 150))
    calls = ask(house.remote.calls(CallFilter(limit=1000)))
    spent = sum(call.cost_nusd or 0 for call in calls)
    assert len(calls) == 150 and set(statuses) <= {200, 402, 429}
    assert spent == statuses.count(200) * COST <= affordable * COST
    # The last calls find less than their worst case (about 1.1 thousand tokens) left, so a few may go unspent.
    assert statuses.count(200) >= affordable - PARALLEL


def test_killed_workers_lose_nothing_that_ended_and_others_take_their_places(house: Door) -> None:
    key = house.key("app")
    before = set(house.status().workers)

    async def play() -> list[int]:
        running = asyncio.create_task(load(house, key.secret, 400))
        for worker in before:  # all of them in turn: whoever holds the connections, they break
            await asyncio.sleep(0.2)
            os.kill(worker, signal.SIGKILL)
        return await running

    statuses = asyncio.run(play())
    until(lambda: len(house.status().workers) == 3)
    assert not before & set(house.status().workers)
    calls = ask(house.remote.calls(CallFilter(limit=1000)))
    by_status = {status: sum(call.status == status for call in calls) for status in ("ok", "lost")}
    assert statuses.count(200) <= by_status["ok"] and by_status["ok"] + by_status["lost"] <= len(statuses)
    assert 0 in statuses and set(statuses) == {0, 200}
    lost = [call for call in calls if call.status == "lost"]
    assert all(call.estimated and call.cost_nusd for call in lost)


def test_what_the_end_of_a_drain_cuts_off_stands_in_the_books_at_what_it_used(house: Door) -> None:
    key = house.key("slow", budget="1usd/day")
    (house.folder / "script.toml").write_text('[[lines]]\npieces = ["a ", "b ", "c "]\ndelay_s = 30\n')
    ask(house.remote.reload())
    with house.client(key).chat.completions.create(model="r", messages=say("hi"), stream=True) as stream:
        next(iter(stream))
        house.close()
    house.open()
    [call] = house.calls(key)
    [attempt] = house.call(call.id).attempts
    assert (call.status, attempt.outcome, attempt.output_tokens) == ("cancelled", "cancelled", 1)


def test_a_worker_that_dies_while_the_store_is_away_is_replaced(house: Door) -> None:
    known, fresh = house.key("known", budget="1usd/hour"), house.key("fresh", budget="1usd/total")
    assert asyncio.run(load(house, known.secret, PARALLEL)) == [200] * PARALLEL
    before = set(house.status().workers)
    store = house.folder / "data" / "fairlead.db"
    store.rename(store.with_suffix(".away"))  # what is written over may still be read from SQLite's own memory
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(workers := set(house.status().workers)) == 3 and victim not in workers)
    assert set(asyncio.run(load(house, fresh.secret, 5))) == {503}  # what it spent before can't be known, and is told
