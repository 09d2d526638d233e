"""The steward's workers: started, told, watched, replaced.

A generation of the configuration is taken by all of them or by none. What a worker does is in `server/worker.py`.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from fairlead import config
from fairlead.app import EngineAddress, all_accounts
from fairlead.errors import ConfigInvalid, FairleadError, OperatorError, Unavailable
from fairlead.gateway.breaking import CircuitState
from fairlead.gateway.call import Caller
from fairlead.ids import new_id, now_us
from fairlead.server import channel as say
from fairlead.server.channel import Channel

log = logging.getLogger("fairlead.steward")
RECALL_S = 1.0  # for a worker to give back what it does not use
PATIENCE_S = 30.0  # for a worker to take what it was told
LONGEST_WAIT_S = 10.0

Handle = Callable[["Hand", object], Awaitable[say.Message | None]]


class Hand:
    """One worker process, seen from the steward. `name` is also that of its spool directory."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.channel: Channel
        self.counts = say.Counts(0, 0)
        self.owing: set[asyncio.Future[Any]] = set()  # what it was asked to give back, and has not answered in time

    def has_answered(self, asking: asyncio.Future[Any]) -> None:
        self.owing.discard(asking)
        if not asking.cancelled():
            asking.exception()  # looked at: nobody else may do so


class Orders:
    """What every worker must know: the generation in force and the keys."""

    def __init__(self, begin: say.Begin, generation: say.Prepare, callers: dict[str, Caller]) -> None:
        self.begin = begin
        self.generation = generation
        self.callers = callers


class Crew:
    """`handle` serves what workers ask; `died` is told of each one that is gone; `names` is how
    their names begin, from when they have their orders on."""

    def __init__(self, listener: socket.socket, handle: Handle, died: Callable[[Hand], None]) -> None:
        self.names = ""
        self.hands: dict[str, Hand] = {}
        self.refused_before = 0  # unauthenticated requests that workers counted who are gone
        self._listener = listener
        self._handle = handle
        self._died = died
        self._orders: Orders
        self._watching: set[asyncio.Task[None]] = set()
        self._draining = False
        self._changing = asyncio.Lock()
        self._recruits: list[Hand] = []
        self._circuits: dict[str, say.CircuitChanged] = {}  # all that are not closed

    async def recruit(self, count: int) -> None:
        """Start that many processes, which wait for orders: they load their program while the steward loads its own."""
        self._recruits = [await self._spawn() for _ in range(count)]

    async def muster(self, orders: Orders) -> None:
        """Give the recruits their orders; returns when each takes calls. Raises what is wrong with the settings."""
        self._orders = orders
        recruits, self._recruits = self._recruits, []
        await asyncio.gather(*(self._engage(hand) for hand in recruits))

    async def change(self, settings: config.Config, engines: dict[str, EngineAddress]) -> None:
        """A new generation: taken by all or by none. Raises ConfigInvalid, and then the old one stands."""
        async with self._changing:
            generation = say.Prepare(config.encode(settings), engines)
            hands = list(self.hands.values())
            answers = await asyncio.gather(*(self._ask(hand, generation) for hand in hands), return_exceptions=True)
            for hand, answer in zip(hands, answers, strict=True):
                if isinstance(answer, say.Failed):
                    raise ConfigInvalid(answer.message, hint=answer.hint)
                if isinstance(answer, BaseException) and hand.name in self.hands:
                    raise Unavailable("a worker did not take the new configuration", hint="try again") from answer
            self._orders.generation = generation
            accounts = all_accounts(settings)
            self._circuits = {name: changed for name, changed in self._circuits.items() if name in accounts}
            await asyncio.gather(*(self._ask(hand, say.Commit()) for hand in hands), return_exceptions=True)

    def tell(self, message: say.Message) -> None:
        """To every worker; nothing is awaited."""
        for hand in self.hands.values():
            hand.channel.tell(message)

    async def tell_keys(self, callers: dict[str, Caller]) -> None:
        """Returns when every worker knows them, so that a revoked key is dead when this returns. Raises Unavailable
        where one that lives did not say so."""
        self._orders.callers = callers
        hands = list(self.hands.values())
        answers = await asyncio.gather(*(self._ask(hand, say.Keys(callers)) for hand in hands), return_exceptions=True)
        for hand, answer in zip(hands, answers, strict=True):
            if isinstance(answer, BaseException) and not hand.channel.closed.is_set():
                raise Unavailable("a worker does not know the keys yet", hint="try again") from answer

    def tell_circuit(self, changed: say.CircuitChanged, by: Hand) -> None:
        """One worker found it out; all others know it when they have read it, and so does whoever comes later."""
        account = changed.state.account
        if changed.state.state == "closed":
            self._circuits.pop(account, None)
        else:
            self._circuits[account] = changed
        for hand in self.hands.values():
            if hand is not by:
                hand.channel.tell(changed)

    def circuits(self) -> list[CircuitState]:
        """Who is left alone now."""
        states = [changed.state for changed in self._circuits.values()]
        return [state for state in states if state.state != "resting" or state.until_us > now_us()]

    async def recall(self, name: str, limit: str, window_us: int) -> int:
        """How much it gave back. One that is busy for longer than RECALL_S tells it when it can, and until then it is
        not asked again: it keeps nobody waiting."""
        hand = self.hands.get(name)
        if hand is None or hand.owing:
            return 0
        asking = asyncio.ensure_future(hand.channel.ask(say.Recall(limit, window_us)))
        asking.add_done_callback(hand.has_answered)
        await asyncio.wait({asking}, timeout=RECALL_S)
        if not asking.done():
            hand.owing.add(asking)
            return 0
        return 0 if asking.exception() is not None else asking.result().amount

    async def drain(self, patience_s: float) -> None:
        """No new calls; those in flight get `patience_s` to finish."""
        self._draining = True
        for hand in self._recruits:
            await _dismiss(hand)
        for hand in self.hands.values():
            hand.channel.tell(say.Drain())
        clock = asyncio.get_running_loop().time
        ends = clock() + patience_s + 2
        while self._watching and clock() < ends:  # one that was just being replaced is watched anew
            await asyncio.wait(self._watching, timeout=ends - clock())
        for hand in self.hands.values():
            with contextlib.suppress(ProcessLookupError):
                hand.process.kill()
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    def open_calls(self) -> dict[str, int]:
        return {hand.name: hand.counts.open_calls for hand in self.hands.values()}

    def unrecorded(self) -> int:
        """Calls whose content was given up, by the workers that live."""
        return sum(hand.counts.unrecorded for hand in self.hands.values())

    def refused(self) -> int:
        return self.refused_before + sum(hand.counts.refused for hand in self.hands.values())

    async def _ask(self, hand: Hand, message: say.Message) -> Any:
        return await asyncio.wait_for(hand.channel.ask(message), PATIENCE_S)

    async def _start(self) -> None:
        """One more worker, up to its first call."""
        await self._engage(await self._spawn())

    async def _engage(self, hand: Hand) -> None:
        """It joins the crew under the same lock that changes generations."""
        try:
            async with self._changing:
                await self._instruct(hand)
        except BaseException as error:
            self.hands.pop(hand.name, None)
            await _dismiss(hand)
            if isinstance(error, FairleadError | TimeoutError) and not isinstance(error, ConfigInvalid):
                why = str(error) or "it did not answer"
                raise OperatorError(f"a worker process did not start: {why}", hint="its words are above") from error
            raise
        watching = asyncio.create_task(self._watch(hand))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        if self._draining:
            hand.channel.tell(say.Drain())

    async def _spawn(self) -> Hand:
        """A process that knows nothing yet. Raises OperatorError where the machine has no room for one."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "fairlead.server.worker", str(self._listener.fileno()), str(theirs.fileno())]
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    pass_fds=(self._listener.fileno(), theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the steward, who then drains
                )
            except OSError as error:
                ours.close()
                raise OperatorError(f"no process for a worker: {error}", hint="is the machine full?") from error
        hand = Hand(new_id(), process)
        hand.channel = await Channel.over(ours, lambda message: self._handle(hand, message))
        return hand

    async def _instruct(self, hand: Hand) -> None:
        """All that it must know; with the commit it takes calls."""
        hand.name = self.names + hand.name
        await self._ask(hand, replace(self._orders.begin, name=hand.name))
        answer = await self._ask(hand, self._orders.generation)
        if isinstance(answer, say.Failed):
            raise ConfigInvalid(answer.message, hint=answer.hint)
        self.hands[hand.name] = hand  # before it is told the keys: a change of them meanwhile is told it, too
        for changed in self._circuits.values():
            hand.channel.tell(changed)
        await self._ask(hand, say.Keys(self._orders.callers))
        await self._ask(hand, say.Commit())

    async def _watch(self, hand: Hand) -> None:
        """Until it is gone; then another takes its place."""
        code = await hand.process.wait()
        hand.channel.close()
        self.hands.pop(hand.name, None)
        self.refused_before += hand.counts.refused
        self._died(hand)
        wait_s = 0.1
        while not self._draining:
            log.error("worker %s ended with code %s; starting another", hand.process.pid, code)
            try:
                return await self._start()
            except OperatorError as error:
                log.error("no worker could be started: %s (%s)", error.message, error.hint)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)


async def _dismiss(hand: Hand) -> None:
    """End a worker that never took a call."""
    hand.channel.close()
    with contextlib.suppress(ProcessLookupError):
        hand.process.kill()
    await hand.process.wait()
