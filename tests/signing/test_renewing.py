"""One fetch for all who wait, none to wait for while the old value holds, and no failure that goes to one alone."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from fairlead.errors import TargetFailed, TargetRefused, TargetTimeout
from fairlead.signing.renewing import Renewed

EARLY_S, LAST_S, PAUSE_S = 100.0, 10.0, 0.05


class Source:
    """Gives "1", "2", … or what it is told to raise; `left_s` is left of whatever it gave."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.fetched = 0
        self.left_s = 1000.0
        self.open = threading.Event()
        self.open.set()
        self.threads: set[bool] = set()

    def fetch(self) -> str:
        self.fetched += 1
        number = self.fetched
        self.threads.add(
            threading.current_thread().daemon and threading.current_thread() is not threading.main_thread()
        )
        self.open.wait(10)
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        return str(number)

    def renewed(self, deadline_s: float = 5.0) -> Renewed[str]:
        return Renewed(
            self.fetch,
            lambda _value, seconds: self.left_s < seconds,
            what="a thing",
            early_s=EARLY_S,
            last_s=LAST_S,
            deadline_s=deadline_s,
            pause_s=PAUSE_S,
        )

    async def begun(self, number: int) -> bool:
        """Until so many fetches have begun: a thread takes its time to start."""
        async with asyncio.timeout(5):
            while self.fetched < number:
                await asyncio.sleep(0.001)
        return self.fetched == number


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_it_is_fetched_once_in_a_thread_that_keeps_no_process_and_kept() -> None:
    source = Source()

    async def asking() -> list[str]:
        thing = source.renewed()
        first = await asyncio.gather(*(thing.get() for _ in range(20)))
        return [*first, await thing.get()]

    assert set(run(asking())) == {"1"} and source.fetched == 1 and source.threads == {True}


def test_towards_its_end_one_fetches_beside_and_nobody_waits() -> None:
    source = Source()

    async def asking() -> None:
        thing = source.renewed()
        await thing.get()
        await asyncio.sleep(2 * PAUSE_S)
        source.open.clear()
        source.left_s = EARLY_S - 1
        assert [await thing.get() for _ in range(20)] == ["1"] * 20 and await source.begun(2)
        source.left_s = 1000.0
        source.open.set()
        async with asyncio.timeout(5):
            while await thing.get() != "2":
                await asyncio.sleep(0.01)

    run(asking())


def test_at_its_end_all_wait_for_the_next() -> None:
    source = Source()

    async def asking() -> list[str]:
        thing = source.renewed()
        await thing.get()
        await asyncio.sleep(2 * PAUSE_S)
        source.left_s = LAST_S - 1
        return await asyncio.gather(*(thing.get() for _ in range(20)))

    assert set(run(asking())) == {"2"} and source.fetched == 2


def test_a_failure_beside_harms_nobody_and_is_not_tried_again_at_once() -> None:
    source = Source(None, TargetRefused("no"))

    async def asking() -> None:
        thing = source.renewed()
        await thing.get()
        await asyncio.sleep(2 * PAUSE_S)
        source.left_s = EARLY_S - 1
        assert [await thing.get() for _ in range(50)] == ["1"] * 50 and await source.begun(2)
        async with asyncio.timeout(5):
            while await thing.get() != "3":
                await asyncio.sleep(0.01)

    run(asking())


def test_a_failure_goes_to_all_who_wait_each_with_its_own_and_is_not_repeated_for_each() -> None:
    source = Source(TargetRefused("no", hint="try", status=403))

    async def asking() -> None:
        thing = source.renewed()
        told = await asyncio.gather(*(thing.get() for _ in range(10)), return_exceptions=True)
        assert len({id(error) for error in told}) == 10 and source.fetched == 1
        for number, error in enumerate(told):
            assert isinstance(error, TargetRefused) and (error.message, error.hint, error.status) == ("no", "try", 403)
            assert error.target == ""
            error.target = f"target {number}"
        with pytest.raises(TargetRefused):
            await thing.get()
        assert source.fetched == 1
        await asyncio.sleep(2 * PAUSE_S)
        assert await thing.get() == "2"

    run(asking())


def test_nobody_waits_longer_than_the_deadline_and_no_second_thread_joins_a_stuck_one() -> None:
    source = Source()
    source.open.clear()

    async def asking() -> None:
        thing = source.renewed(deadline_s=0.1)
        loop = asyncio.get_running_loop()
        with pytest.raises(TargetTimeout) as caught:
            await thing.get()
        assert caught.value.details["stage"] == "connect" and "a thing" in caught.value.message
        began = loop.time()
        for _ in range(5):
            with pytest.raises(TargetTimeout):
                await thing.get()
        assert loop.time() - began < 0.1 and source.fetched == 1
        source.open.set()
        await asyncio.sleep(0.1)
        assert await thing.get() == "1"

    run(asking())


def test_one_who_gives_up_takes_it_from_nobody() -> None:
    source = Source()

    async def asking() -> str:
        thing = source.renewed()
        source.open.clear()
        first, second = asyncio.create_task(thing.get()), asyncio.create_task(thing.get())
        await asyncio.sleep(0.05)
        first.cancel()
        source.open.set()
        return await second

    assert run(asking()) == "1" and source.fetched == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_a_fetch_leaves_nobody_waiting() -> None:
    source = Source(ZeroDivisionError("a fault"))

    async def asking() -> None:
        with pytest.raises(TargetFailed):
            await source.renewed().get()

    run(asking())
    for thread in threading.enumerate():
        if thread.name == "fetch a thing":
            thread.join()  # it tells of its fault when it ends


def test_it_outlives_the_loop_that_it_was_fetched_in() -> None:
    source = Source()
    thing = source.renewed()
    assert run(thing.get()) == "1"
    source.left_s = LAST_S - 1
    assert run(thing.get()) == "2"
