"""What leases cost: a hold and its settling in a worker, and an exchange of a steward with its store.

    python bench/leases.py [DATABASE_URL]

CPU time of this process, the best of several rounds; without a URL the store is SQLite in a temporary directory.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from fairlead.gateway.call import Limit
from fairlead.gateway.purse import Lease, LeasedPurse
from fairlead.ids import now_us
from fairlead.store import leases
from fairlead.store.opening import open_store

HOLDS, ROUNDS = 50_000, 7
ROOM = 10**15


class Rich:
    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        return Lease(ROOM)


async def holds(limits: int) -> float:
    """Microseconds of a hold under so many limits, with its settling."""
    purse, at_us = LeasedPurse(Rich()), now_us()
    amounts = tuple((Limit(f"key:k{number}:nusd:day", "", "nusd", ROOM, "day"), 100) for number in range(limits))
    truth = tuple(50 for _ in amounts)
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(HOLDS):
            purse.settle(await purse.reserve(amounts, at_us), truth)
        best = min(best, time.process_time() - began)
    return best / HOLDS * 1e6


def exchange(place: Path | str, accounts: int) -> float:
    """Microseconds of an account in an exchange of so many."""
    ends_us = now_us() + 10**12
    asks = [
        leases.Ask(leases.Limited(f"key:{accounts}-{number}:nusd:day", 0, ends_us, "nusd", ROOM), 0, 100)
        for number in range(accounts)
    ]
    best = float("inf")
    with open_store(place) as store:
        for _ in range(ROUNDS):
            began = time.process_time()
            with store.begin() as connection:
                leases.exchange(connection, "bench.1", asks, living=frozenset({"bench.1"}), at_us=now_us())
            best = min(best, time.process_time() - began)
    return best / accounts * 1e6


def main() -> None:
    for limits in (1, 4):
        print(f"hold and settle, {limits} limits: {asyncio.run(holds(limits)):.2f} us")
    with tempfile.TemporaryDirectory() as folder:
        place = sys.argv[1] if len(sys.argv) > 1 else Path(folder)
        for accounts in (1, 100, 1000):
            print(f"exchange of {accounts} accounts: {exchange(place, accounts):.0f} us each")


if __name__ == "__main__":
    main()
