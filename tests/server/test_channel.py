"""Messages between steward and worker: asks are answered, ends are noticed, nothing is mixed up."""

import asyncio
import socket

import pytest

from fairlead.errors import Unavailable
from fairlead.server import channel as say
from fairlead.server.channel import Channel


async def pair(one, two) -> tuple[Channel, Channel]:
    left, right = socket.socketpair()
    return await Channel.over(left, one), await Channel.over(right, two)


async def nothing(message: object) -> None:
    return None


def test_an_ask_gets_its_own_reply_whatever_the_order() -> None:
    async def slow_first(message: object) -> say.Message | None:
        assert isinstance(message, say.Recall)
        await asyncio.sleep(0.05 if message.limit == "slow" else 0)
        return say.GivenBack(len(message.limit))

    async def play() -> None:
        asking, answering = await pair(nothing, slow_first)
        slow, fast = await asyncio.gather(asking.ask(say.Recall("slow", 0)), asking.ask(say.Recall("faster", 0)))
        assert (slow.amount, fast.amount) == (4, 6)
        asking.close()
        answering.close()

    asyncio.run(play())


def test_whoever_waits_hears_that_the_other_is_gone() -> None:
    async def play() -> None:
        asking, answering = await pair(nothing, nothing)
        waiting = asyncio.create_task(asking.ask(say.Commit()))
        await asyncio.sleep(0.01)
        answering.close()
        with pytest.raises(Unavailable):
            await waiting
        await asyncio.wait_for(asking.closed.wait(), 1)
        with pytest.raises(Unavailable):
            await asking.ask(say.Commit())
        asking.tell(say.Drain())  # swallowed

    asyncio.run(play())


def test_a_large_configuration_passes_whole() -> None:
    seen: list[object] = []

    async def keep(message: object) -> say.Message:
        seen.append(message)
        return say.Done()

    async def play() -> None:
        asking, answering = await pair(nothing, keep)
        body = bytes(range(256)) * 8000
        assert isinstance(await asking.ask(say.Prepare(body, {})), say.Done)
        assert isinstance(seen[0], say.Prepare) and seen[0].config == body
        asking.close()
        answering.close()

    asyncio.run(play())


def test_whoever_waits_hears_that_it_could_not_be_done(caplog: pytest.LogCaptureFixture) -> None:
    async def unable(message: object) -> say.Message:
        if isinstance(message, say.Commit):
            raise Unavailable("the store is away", code="store_unavailable")
        raise ZeroDivisionError

    async def play() -> None:
        asking, answering = await pair(nothing, unable)
        with pytest.raises(Unavailable, match="the store is away") as caught:
            await asyncio.wait_for(asking.ask(say.Commit()), 1)
        assert caught.value.code == "store_unavailable"
        with pytest.raises(Unavailable):
            await asyncio.wait_for(asking.ask(say.Drain()), 1)
        assert "Drain could not be served" in caplog.text
        asking.close()
        answering.close()

    asyncio.run(play())
