"""Messages between the steward and its workers, over a socket pair: length-prefixed msgpack, with asks and replies.

It knows what is said (the structs below), not why. The end of the stream means that the other process is gone.
"""

import asyncio
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.app import EngineAddress
from fairlead.errors import FairleadError, Unavailable
from fairlead.gateway.breaking import CircuitState
from fairlead.gateway.call import Caller, Limit
from fairlead.gateway.purse import Lease, News

log = logging.getLogger("fairlead.channel")


class Prepare(Struct, frozen=True, tag=True):
    """A generation of the configuration: to be made ready, but not yet used. The reply is Done or Failed."""

    config: bytes
    engines: dict[str, EngineAddress]


class Begin(Struct, frozen=True, tag=True):
    """What a new worker must know, once. Its spool is the directory `name` in `spools`. The reply is Done."""

    spools: str
    sync: str
    hash_key: bytes
    metrics: bool
    places_s: float = 0.0  # places in flight are ours for so long after a Renewed; 0: for ever
    name: str = ""


class Commit(Struct, frozen=True, tag=True):
    """Use the generation that was prepared last."""


class Keys(Struct, frozen=True, tag=True):
    """All keys, by digest."""

    callers: dict[str, Caller]


class Recall(Struct, frozen=True, tag=True):
    """Give back what lies idle of a lease. It is given back by Told; GivenBack, which follows, says how much it was."""

    limit: str
    window_us: int


class Drain(Struct, frozen=True, tag=True):
    """Take no new calls, finish those in flight, then go."""


class LeaseAsked(Struct, frozen=True, tag=True):
    """From a worker. The reply is a Lease."""

    limit: Limit
    window_us: int
    needed: int
    spent: int
    held: int


class Told(Struct, frozen=True, tag=True):
    """From a worker: what became of what it had leased."""

    news: list[News]


class Renewed(Struct, frozen=True, tag=True):
    """The other replicas have heard of this one: its places in flight are its own, for a while."""


class GivenBack(Struct, frozen=True, tag=True):
    amount: int


class Leased(Struct, frozen=True, tag=True):
    lease: Lease


class CircuitChanged(Struct, frozen=True, tag=True):
    """From the worker where a circuit changed, and from there to all others: who is left alone, and who no more."""

    state: CircuitState


class MetricsAsked(Struct, frozen=True, tag=True):
    """From a worker whose data listener serves them too. The reply is Text."""


class Text(Struct, frozen=True, tag=True):
    text: bytes


class Counts(Struct, frozen=True, tag=True):
    """From a worker, each second: what stands in no record."""

    open_calls: int
    refused: int
    unrecorded: int = 0  # calls whose content was given up


class Keep(Struct, frozen=True, tag=True):
    """From a worker: a response that may be continued, until it expires. The reply is Done."""

    response: str
    owner: str
    call: str
    zone: str
    at_us: int
    expires_us: int
    body: bytes


class Find(Struct, frozen=True, tag=True):
    """From a worker: a response that was kept. The reply is Found."""

    response: str
    owner: str


class Forget(Struct, frozen=True, tag=True):
    """From a worker: a response that nobody shall continue. The reply is Found, its body empty where there was one."""

    response: str
    owner: str


class Found(Struct, frozen=True, tag=True):
    """`zone` is the widest that it may travel to."""

    body: bytes | None
    zone: str = ""


class Done(Struct, frozen=True, tag=True):
    pass


class Failed(Struct, frozen=True, tag=True):
    message: str
    hint: str


class Refused(Struct, frozen=True, tag=True):
    """Instead of the reply: what was asked could not be done. Whoever asked hears it as Unavailable."""

    message: str
    hint: str
    code: str


Message = (
    Prepare | Begin | Commit | Keys | Recall | Drain | LeaseAsked | Told | Renewed | GivenBack | Leased | MetricsAsked
    | Text | Counts | CircuitChanged | Keep | Find | Forget | Found | Done | Failed | Refused
)  # fmt: skip


class _Frame(Struct, frozen=True, array_like=True):
    number: int
    answers: int  # the frame that this one replies to, 0: none
    body: Message


Handler = Callable[[Any], Awaitable[Message | None]]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Frame).decode


class Channel:
    """One end. `handle` serves what the other end asks or tells; its answer, if any, is the reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()
        self._running = asyncio.create_task(self._run())

    @classmethod
    async def over(cls, end: socket.socket, handle: Handler) -> "Channel":
        end.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=end, limit=2**26)
        return cls(reader, writer, handle)

    def tell(self, body: Message) -> None:
        """Send without waiting; a closed channel swallows it."""
        self._send(_Frame(next(self._numbers), 0, body))

    async def ask(self, body: Message) -> Any:
        """Send and await the reply. Raises Unavailable when the other process is gone, or can't do it."""
        if self.closed.is_set():
            raise Unavailable("the other process is gone")
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(_Frame(number, 0, body))
            reply = await answer
        finally:
            self._waiting.pop(number, None)
        if isinstance(reply, Refused):
            raise Unavailable(reply.message, hint=reply.hint, code=reply.code)
        return reply

    def close(self) -> None:
        self._running.cancel()
        self._end()

    def _send(self, frame: _Frame) -> None:
        if not self.closed.is_set():
            data = _encode(frame)
            self._writer.write(len(data).to_bytes(4, "big") + data)

    async def _run(self) -> None:
        try:
            while True:
                size = int.from_bytes(await self._reader.readexactly(4), "big")
                self._take(_decode(await self._reader.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._end()

    def _take(self, frame: _Frame) -> None:
        if frame.answers:
            waiting = self._waiting.get(frame.answers)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame.body)
            return
        serving = asyncio.create_task(self._serve(frame))
        self._serving.add(serving)
        serving.add_done_callback(partial(self._served, frame))

    async def _serve(self, frame: _Frame) -> None:
        answer = await self._handle(frame.body)
        if answer is not None:
            self._send(_Frame(next(self._numbers), frame.number, answer))

    def _served(self, frame: _Frame, serving: asyncio.Task[None]) -> None:
        """Nobody waits for ever: what could not be done is told, too."""
        self._serving.discard(serving)
        error = None if serving.cancelled() else serving.exception()
        if error is None:
            return
        refused = Refused("the other process failed", "its log tells more", Unavailable.code)
        if isinstance(error, FairleadError):
            code = error.code if isinstance(error, Unavailable) else Unavailable.code
            refused = Refused(error.message, error.hint, code)
        else:
            log.error("%s could not be served", type(frame.body).__name__, exc_info=error)
        self._send(_Frame(next(self._numbers), frame.number, refused))

    def _end(self) -> None:
        self.closed.set()
        self._writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable("the other process is gone", hint="try again"))
