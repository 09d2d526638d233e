"""Replicas on one PostgreSQL under one budget: it is never exceeded and can be used up, whoever is killed, and while
the store is away."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from fairlead.server.office import CallFilter, KeyMade, KeyWanted
from journeys.door import Door, ask, until
from postgres import PostgresServer

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
workers = 2
drain_s = 20

[store]
url = "file:url"

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

[routes.free]
targets = ["a"]
"""
SCRIPT = '[[lines]]\ntext = "four words are here"\nlatency_s = 0.02\nusage = { input = 1000, output = 4 }\n'
ANSWER = (
    b'{"choices": [{"message": {"role": "assistant", "content": "hi"}}],'
    b' "usage": {"prompt_tokens": 1000, "completion_tokens": 4}}'
)
COST = 1_004_000  # of one answer, in nano-dollars
PARALLEL = 6
Opens = Callable[..., Door]


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One that may be stopped."""
    with PostgresServer() as made:
        yield made


@pytest.fixture
def opens(tmp_path: Path, postgres_url: str) -> Iterator[Opens]:
    with opening(tmp_path, postgres_url) as opened:
        yield opened


@contextmanager
def opening(folder: Path, url: str) -> Iterator[Opens]:
    """Opens replicas on one store, and closes them all."""
    doors: list[Door] = []

    def opened(name: str, config: str = CONFIG) -> Door:
        place = folder / name
        place.mkdir(exist_ok=True)
        for file, text in (("fairlead.toml", config), ("script.toml", SCRIPT), ("url", url)):
            (place / file).write_text(text)
        doors.append(Door(place).open())
        return doors[-1]

    try:
        yield opened
    finally:
        for door in doors:
            door.close()


class Provider:
    """Answers when it may."""

    def __init__(self) -> None:
        self.answers, self.is_asked = asyncio.Event(), asyncio.Event()
        self._server: asyncio.Server

    @classmethod
    async def start(cls) -> "Provider":
        made = cls()
        made._server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
        made.url = f"http://127.0.0.1:{made._server.sockets[0].getsockname()[1]}/v1"
        return made

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"content-length" in (head := (await reader.readuntil(b"\r\n\r\n")).lower()):
            length = head.split(b"content-length:")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            self.is_asked.set()
            await self.answers.wait()
            self.is_asked.clear()
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
            writer.write(head + ANSWER)


async def load(doors: list[Door], key: KeyMade, requests: int, route: str = "r") -> list[int]:
    """The status of every request; 0 where the connection broke."""
    left = iter(range(requests))
    body = {"model": route, "messages": [{"role": "user", "content": "hi"}]}

    async def one(door: Door) -> list[int]:
        said = []
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for _ in left:
                try:
                    headers = {"authorization": f"Bearer {key.secret}"}
                    answer = await client.post(f"{door.url}/v1/chat/completions", json=body, headers=headers)
                    said.append(answer.status_code)
                except httpx.TransportError:
                    said.append(0)
                    await asyncio.sleep(0.05)
        return said

    callers = [one(door) for door in doors for _ in range(PARALLEL)]
    return [status for many in await asyncio.gather(*callers) for status in many]


def spent_up(door: Door, key: KeyMade) -> int:
    """How many are answered until none is any more."""
    answered = 0
    while more := asyncio.run(load([door], key, 2 * PARALLEL)).count(200):
        answered += more
    return answered


def spent(door: Door) -> int:
    return sum(call.cost_nusd or 0 for call in ask(door.remote.calls(CallFilter(limit=1000))))


def known(door: Door, key: KeyMade) -> bool:
    """Does it know the key?"""
    headers = {"authorization": f"Bearer {key.secret}"}
    return httpx.get(f"{door.url}/v1/models", headers=headers, trust_env=False).status_code == 200


def test_a_budget_holds_over_replicas_of_which_one_is_killed_and_its_rest_is_spent_when_it_is_back(
    opens: Opens,
) -> None:
    first, second = opens("a"), opens("b")
    affordable = 120
    key = first.key("tight", budget=f"{affordable * COST / 1e9}usd/day")
    until(lambda: known(second, key))

    async def play() -> list[int]:
        running = asyncio.create_task(load([first, second], key, 150))
        while not [
            budget for budget in await first.remote.budgets() if sum(one.spent > 0 for one in budget.leases) == 2
        ]:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(second.kill_all)
        return await running

    asyncio.run(play())
    assert 0 < spent(first) <= affordable * COST
    [budget] = ask(first.remote.budgets())
    assert len(budget.leases) == 2 and budget.base + budget.leased <= budget.amount
    again = opens("b")
    until(lambda: ask(first.remote.budgets())[0].base > 0)  # what the killed one had spent; the rest is free again
    statuses = asyncio.run(load([first, again], key, 150))
    left = affordable * COST - spent(first)
    assert 200 in statuses and 0 <= left < 2 * COST, "all was spent, down to less than a call may cost"


def test_workers_of_a_killed_steward_finish_under_the_lease_that_they_had(opens: Opens) -> None:
    async def play() -> None:
        provider = await Provider.start()
        config = CONFIG.replace('kind = "script"', f'kind = "openai"\nbase_url = "{provider.url}"')
        config = config.replace('script = "script.toml"', "")
        door = await asyncio.to_thread(opens, "a", config)
        provider.answers.set()
        assert await load([door], await door.remote.new_key(KeyWanted(name="first")), 1) == [200]
        [call] = await door.remote.calls(CallFilter())
        hold = (await door.remote.call(call.id)).attempts[0].hold_nusd
        assert hold is not None and hold > COST
        budget = f"{(hold + COST) / 1e9:.9f}usd/day"  # for one whose price is known and one that is held, not for two
        key = await door.remote.new_key(KeyWanted(name="tight", budget=budget))
        provider.answers.clear()
        slow = asyncio.create_task(load([door], key, 1))
        await provider.is_asked.wait()
        os.kill(door.process.pid, signal.SIGKILL)
        await asyncio.to_thread(door.process.wait)
        again = await asyncio.to_thread(opens, "a", config)
        assert await load([again], key, 1) == [429]  # what the old worker holds is not forgotten
        provider.answers.set()
        assert await slow == [200]
        while (said := await load([again], key, 1)) == [429]:
            await asyncio.sleep(0.1)
        assert said == [200]
        await provider.stop()

    asyncio.run(play())


def test_a_copy_of_a_data_directory_is_refused_while_the_first_one_lives(opens: Opens, tmp_path: Path) -> None:
    first = opens("a")
    shutil.copytree(first.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
    copy = Door(tmp_path / "copy")
    with pytest.raises(AssertionError, match="a second steward on one store"):
        copy.open()
    assert first.process.poll() is None


def test_calls_without_limits_do_not_notice_that_the_store_is_away_and_others_spend_what_is_leased(
    server: PostgresServer, tmp_path: Path
) -> None:
    name = server.new_database()
    with opening(tmp_path, server.url(name)) as opens:
        door = opens("a")
        rich, free = door.key("rich", budget="1usd/day"), door.key("free")
        assert set(asyncio.run(load([door], rich, 20))) == {200}
        server.kill()
        assert set(asyncio.run(load([door], free, 20, "free"))) == {200}
        statuses = asyncio.run(load([door], rich, 400))
        assert set(statuses) == {200, 503} and statuses.count(200) > 100  # a quarter of the budget was leased
        server.start()
        until(lambda: asyncio.run(load([door], rich, 1)) == [200])
        assert spent(door) == (20 + 20 + statuses.count(200) + 1) * COST


def test_replicas_that_go_on_without_the_store_each_spend_the_limit_and_reckon_when_it_is_back(
    server: PostgresServer, tmp_path: Path
) -> None:
    name, affordable = server.new_database(), 20
    with opening(tmp_path, server.url(name)) as opens:
        config = CONFIG.replace("[store]", '[store]\nwhen_away = "go-on"')
        doors = [opens("a", config), opens("b", config)]
        tight = doors[0].key("tight", budget=f"{affordable * COST / 1e9}usd/day")
        rich = doors[0].key("rich", budget="9usd/day")
        until(lambda: known(doors[1], tight) and known(doors[1], rich))
        server.kill()
        each = [spent_up(door, tight) for door in doors]
        assert all(affordable - 1 <= answered <= affordable for answered in each), "the whole limit, each"
        server.start()
        until(lambda: spent(doors[0]) == sum(each) * COST)

        def reckoned() -> bool:
            [account] = [one for one in ask(doors[0].remote.budgets()) if one.amount == affordable * COST] or [None]
            if account is None:
                return False
            beyond = sum(lease.beyond for lease in account.leases)
            return account.spent == sum(each) * COST <= account.amount + beyond

        until(reckoned)
        noted = server.run("SELECT count(*) FROM audit WHERE action = 'lease.beyond'", name)
        assert noted[0][0] >= 1
        assert set(asyncio.run(load(doors, tight, 4))) == {402}, "what was spent beyond it is owed"
        assert set(asyncio.run(load(doors, rich, 4))) == {200}


def test_a_replica_that_starts_without_the_store_serves_by_the_keys_it_had_and_ships_when_it_is_back(
    server: PostgresServer, tmp_path: Path
) -> None:
    name = server.new_database()
    with opening(tmp_path, server.url(name)) as opens:
        door = opens("a")
        free, rich = door.key("free"), door.key("rich", budget="1usd/day")
        assert asyncio.run(load([door], free, 1, "free")) == [200]
        door.close()
        server.stop()
        door = opens("a")
        assert set(asyncio.run(load([door], free, 5, "free"))) == {200}
        assert set(asyncio.run(load([door], rich, 5))) == {503}, "nothing is leased yet"
        server.start()
        until(lambda: asyncio.run(load([door], rich, 1)) == [200])
        until(lambda: server.run("SELECT count(*) FROM attempt", name) == [(1 + 5 + 1,)])


def test_a_replica_that_never_saw_its_store_does_not_start_without_it(server: PostgresServer, tmp_path: Path) -> None:
    url = server.url(server.new_database())
    server.stop()
    with opening(tmp_path, url) as opens:
        with pytest.raises(AssertionError) as caught:
            opens("a")
        assert "nobody's key is known" in str(caught.value)
        assert "hunter2" not in str(caught.value)
