"""PostgreSQL goes away while it is shipped to: whenever that is, every record stands once, and sums are exact."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cutting import CuttingProxy
from fairlead.store import schema
from fairlead.store.budgets import spent
from fairlead.store.opening import Store, open_store
from fairlead.store.shipping import Shipped, Shipper
from fairlead.store.spool import LINE_BYTES, Spool
from postgres import PostgresServer
from store.made import whole_call

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that may be killed."""
    with PostgresServer() as one:
        yield one


def write(spool: Spool, calls: int, **fields: object) -> None:
    for _ in range(calls):
        for record in whole_call(**fields):
            spool.append(record)


def standing(store: Store) -> tuple[int, int, int, int]:
    """Attempts, calls, and what the sums say of requests and money."""
    with store.read() as connection:
        tables = (schema.attempt, schema.call)
        attempts, calls = (connection.execute(select(func.count()).select_from(one)).scalar_one() for one in tables)
        return attempts, calls, *(spent(connection, unit, "all", "", 0) for unit in ("requests", "nusd"))  # type: ignore[return-value]


def ship_all(shipper: Shipper) -> Shipped:
    """Until all is there, however often it is away meanwhile."""
    until = time.monotonic() + PATIENCE_S
    while True:
        done = shipper.ship()
        if not done.failed and not done.more:
            return done
        assert time.monotonic() < until, done.failed
        if done.failed:
            time.sleep(0.02)


def test_a_server_that_is_killed_again_and_again_loses_and_doubles_nothing(
    server: PostgresServer, tmp_path: Path
) -> None:
    with open_store(server.url(server.new_database())) as store:
        ending = threading.Event()

        def kill() -> None:
            while not ending.wait(0.15):
                server.kill()
                server.start()

        killer = threading.Thread(target=kill)
        with Spool(tmp_path / "spool" / "w") as spool:
            killer.start()
            try:
                shipper = Shipper(store, tmp_path / "spool", batch_bytes=20_000)
                for _ in range(10):
                    write(spool, 60)
                    shipper.ship()
            finally:
                ending.set()
                killer.join()
            ship_all(shipper)
        assert standing(store) == (600, 600, 600, 60_000)


@pytest.mark.parametrize("word", [b"COMMIT", b"COPY attempt", b"COPY call", b"INSERT INTO spending"])
def test_where_nobody_knows_whether_it_was_done_it_stands_once(
    postgres: PostgresServer, postgres_url: str, tmp_path: Path, word: bytes
) -> None:
    name = postgres_url.rpartition("/")[2]
    with (
        CuttingProxy(postgres.port) as proxy,
        open_store(postgres.url(name, port=proxy.port)) as store,
        Spool(tmp_path / "spool" / "w") as spool,
    ):
        shipper = Shipper(store, tmp_path / "spool")
        write(spool, 20)
        ship_all(shipper)
        write(spool, 20)
        proxy.after = word
        assert shipper.ship().failed
        assert proxy.cuts
        proxy.after = b""
        ship_all(shipper)
        assert standing(store) == (40, 40, 40, 4000)
        proxy.cut()
        write(spool, 20)
        ship_all(shipper)
        assert standing(store) == (60, 60, 60, 6000)


def test_many_replicas_ship_into_one_store_at_once(postgres_url: str, tmp_path: Path) -> None:
    failed: list[str] = []

    def replica(number: int) -> None:
        root = tmp_path / f"replica{number}"
        with open_store(postgres_url) as store, Spool(root / f"r{number}-1-w", segment_bytes=64 * LINE_BYTES) as spool:
            shipper = Shipper(store, root, batch_bytes=10_000)
            for _ in range(10):
                write(spool, 20)
                failed.append(shipper.ship().failed)
            ship_all(shipper)

    threads = [threading.Thread(target=replica, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(failed) == {""}
    with open_store(postgres_url) as store:
        assert standing(store) == (800, 800, 800, 80_000)


def test_what_any_database_can_not_hold_is_made_so_that_it_can(place: Path | str, tmp_path: Path) -> None:
    wild = "a\\N\t\n\r\\.\x00\ud800\x7f\U0001f600'\";--"
    with open_store(place) as store, Spool(tmp_path / "spool" / "w") as spool:
        write(spool, 1, why=wild, trace=wild, session=wild, narrowed=(wild,), tags=(wild, "\x00"), target="t" * 300)
        write(spool, 1, cost_nusd=2**70, duration_us=-(2**70), first_word_us=2**63)
        ship_all(Shipper(store, tmp_path / "spool"))
        assert standing(store)[:3] == (2, 2, 2)
        with store.read() as connection:
            rows = connection.execute(select(schema.call.c.why, schema.call.c.cost_nusd)).all()
        cleaned = wild.replace("\x00", "").replace("\ud800", "?")
        assert {row.why for row in rows} == {"", cleaned}
        assert {row.cost_nusd for row in rows} == {100, 2**53}


def test_rows_that_are_there_already_are_left_out_and_counted_once(place: Path | str, tmp_path: Path) -> None:
    with open_store(place) as store:
        records = [whole_call() for _ in range(10)]
        for part in (records[:6], records):  # a spool that was copied and is read again under another name
            with Spool(tmp_path / "spool" / f"w{len(part)}") as spool:
                for call in part:
                    for record in call:
                        spool.append(record)
            ship_all(Shipper(store, tmp_path / "spool"))
        assert standing(store) == (10, 10, 10, 1000)
