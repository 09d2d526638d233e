"""The crew: nobody misses a change while it joins, and nobody is left behind. The processes are played."""

import asyncio
import socket
from typing import Any

import pytest

from fairlead.errors import OperatorError, Unavailable
from fairlead.gateway.call import Caller, Limit
from fairlead.gateway.purse import News
from fairlead.server import channel as say
from fairlead.server.channel import Channel
from fairlead.server.crew import Crew, Hand, Orders


class Process:
    """Ends when it is killed, or told to drain."""

    pid = 0

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.ended = asyncio.Event()

    def kill(self) -> None:
        self.ended.set()

    async def wait(self) -> int:
        await self.ended.wait()
        self.returncode = 0
        return 0


class Played(Crew):
    """A crew whose workers are channels to `serve`, in this process."""

    def __init__(self) -> None:
        super().__init__(socket.socket(), self._ignore, lambda hand: None)
        self.heard: list[object] = []
        self.keys_wait = asyncio.Event()
        self.spool_is_full = False

    async def _ignore(self, hand: Hand, message: object) -> None:
        return None

    async def _spawn(self) -> Hand:
        process: Any = Process()
        hand = Hand(f"worker-{len(self.heard)}", process)
        ours, theirs = socket.socketpair()

        async def serve(message: object) -> say.Message | None:
            self.heard.append(message)
            if isinstance(message, say.Begin) and self.spool_is_full:
                raise Unavailable("no room for a spool")
            if isinstance(message, say.Keys):
                await self.keys_wait.wait()
            if isinstance(message, say.Drain) and any(isinstance(before, say.Commit) for before in self.heard):
                process.kill()  # who takes no calls yet has nothing to drain
            return say.Done()

        self.other_end = await Channel.over(theirs, serve)
        hand.channel = await Channel.over(ours, lambda message: self._handle(hand, message))
        return hand

    def orders(self) -> Orders:
        return Orders(say.Begin("", "none", b"", False), say.Prepare(b"", {}), {"old": Caller("k", "k")})

    def last_keys(self) -> set[str]:
        return [set(message.callers) for message in self.heard if isinstance(message, say.Keys)][-1]


async def heard(crew: Played, kind: type) -> None:
    while not any(isinstance(message, kind) for message in crew.heard):
        await asyncio.sleep(0.001)


async def mustered(crew: Played) -> None:
    """One worker, up to its first call."""
    await crew.recruit(1)
    await crew.muster(crew.orders())


def test_a_key_that_is_revoked_while_a_worker_joins_is_revoked_there_too() -> None:
    async def play() -> None:
        crew = Played()
        joining = asyncio.create_task(mustered(crew))
        await asyncio.wait_for(heard(crew, say.Keys), 1)
        telling = asyncio.create_task(crew.tell_keys({"new": Caller("k", "k", revoked=True)}))
        await asyncio.sleep(0)
        crew.keys_wait.set()
        await asyncio.wait_for(asyncio.gather(joining, telling), 1)
        assert crew.last_keys() == {"new"}
        await crew.drain(1)

    asyncio.run(play())


def test_a_worker_that_joins_during_a_drain_is_sent_home() -> None:
    async def play() -> None:
        crew = Played()
        crew.keys_wait.set()
        await mustered(crew)
        crew.keys_wait.clear()
        crew.heard.clear()
        for hand in crew.hands.values():
            hand.process.kill()
        await asyncio.wait_for(heard(crew, say.Keys), 1)  # another one is on its way
        draining = asyncio.create_task(crew.drain(1))
        await asyncio.sleep(0.01)
        crew.keys_wait.set()
        await asyncio.wait_for(draining, 1)
        assert not crew.hands
        assert isinstance(crew.heard[-1], say.Drain)

    asyncio.run(play())


def test_a_worker_that_can_not_begin_says_why() -> None:
    async def play() -> None:
        crew = Played()
        crew.spool_is_full = True
        with pytest.raises(OperatorError, match="no room for a spool"):
            await asyncio.wait_for(mustered(crew), 1)
        assert not crew.hands

    asyncio.run(play())


def test_keys_that_a_worker_could_not_be_told_are_not_said_to_be_known() -> None:
    async def play() -> None:
        crew = Played()
        crew.keys_wait.set()
        await mustered(crew)
        too_large = Limit("key:k:requests:minute", "key k", "requests", 2**64, "minute")
        with pytest.raises(Unavailable):
            await asyncio.wait_for(crew.tell_keys({"new": Caller("k", "k", limits=(too_large,))}), 1)
        await crew.tell_keys({"newer": Caller("k", "k")})
        assert crew.last_keys() == {"newer"}
        await crew.drain(1)

    asyncio.run(play())


def test_recruits_that_never_got_orders_are_dismissed() -> None:
    async def play() -> None:
        crew = Played()
        await crew.recruit(2)
        recruits = list(crew._recruits)
        await asyncio.wait_for(crew.drain(0), 1)
        assert [hand.process.returncode for hand in recruits] == [0, 0] and not crew.hands
        assert all(hand.channel.closed.is_set() for hand in recruits)

    asyncio.run(play())


def test_a_busy_worker_keeps_nobody_waiting_and_what_it_gives_back_later_counts() -> None:
    async def play() -> None:
        told: list[object] = []
        asked, may_answer = 0, asyncio.Event()
        ours, theirs = socket.socketpair()

        async def serve(message: object) -> say.Message:
            nonlocal asked
            asked += 1
            await may_answer.wait()
            other_end.tell(say.Told([News("m", 0, 1, 2, back=5)]))
            return say.GivenBack(5)

        async def hear(hand: Hand, message: object) -> None:
            told.append(message)

        crew = Crew(socket.socket(), hear, lambda hand: None)
        process: Any = Process()
        hand = crew.hands["w"] = Hand("w", process)
        other_end = await Channel.over(theirs, serve)
        hand.channel = await Channel.over(ours, lambda message: hear(hand, message))
        assert [await crew.recall("w", "m", 0) for _ in range(20)] == [0] * 20 and asked == 1
        may_answer.set()
        async with asyncio.timeout(30):
            while not told or hand.owing:
                await asyncio.sleep(0.01)
        assert await crew.recall("w", "m", 0) == 5 and len(told) == 2
        hand.channel.close()
        other_end.close()
        assert await crew.recall("w", "m", 0) == 0

    asyncio.run(play())
