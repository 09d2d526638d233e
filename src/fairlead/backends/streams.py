"""From a response's events to a stream of the house: the same for every language that streams over HTTP.

It knows when a stream is whole, and none of the languages: a reader of the dialect is handed in.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from fairlead.backends.account import Account, compressed
from fairlead.chat import Head, Item, Relay, Stream, Usage
from fairlead.errors import FairleadError, StreamBroken, TargetError, TargetTimeout, TargetUnclear
from fairlead.wire.response import Decoder, Response
from fairlead.wire.sse import Event

if TYPE_CHECKING:
    from fairlead.gateway.call import Asking


class Reader(Protocol):
    """A dialect's reader of one stream. `complete`: the answer is whole; `ended`: nothing more will come; `usage`: the
    latest that was told, also in the middle."""

    ended: bool
    usage: Usage | None

    @property
    def complete(self) -> bool: ...
    def read(self, event: str, data: bytes) -> tuple[Item, ...]: ...
    def close(self) -> tuple[Item, ...]: ...


async def read_stream(
    account: Account,
    task: str,
    begin: Callable[[], tuple[bytes, Reader]],
    decoder: Callable[[], Decoder],
    asking: "Asking",
    dropped: list[str],
) -> Stream:
    """Ask, and yield what comes. `begin` gives the request's body and a fresh reader, once the stream is iterated.

    `dropped` is what of the request was left out; the Head tells.

    Raises TargetError, StreamBroken where the provider did not tell the end, and what `begin` raises.

    A connection that breaks after the answer was whole does the answer no harm: then at most the usage is missing.
    """
    body, reader = begin()
    short = None if asking.relay is None else _Short(asking.relay, reader)
    try:
        response = await account.stream(task, body, asking)
        try:
            events = response.events(decoder())
            async for batch in events:
                for event, data in batch:
                    for item in reader.read(event, data):
                        yield item if type(item) is not Head else _introduced(account, item, asking, dropped, response)
                if short is not None:
                    short.check()
                    events.tap = short.tell if short.is_wanted else None
                if reader.ended:
                    break
        except (StreamBroken, TargetTimeout, TargetUnclear):
            if not reader.complete:
                _check_packing(response, asking)
                raise
        finally:
            if reader.ended:
                response.release()
            else:
                response.close()
            if reader.usage is not None and asking.counted is not None:
                asking.counted(reader.usage)
        for item in reader.close():
            yield item
        if not reader.complete:
            _check_packing(response, asking)
            raise StreamBroken(f"{asking.target.name} ended its stream before its answer was whole")
    except TargetError as error:
        raise account.named(error, asking) from None


class _Short:
    """The short way of one stream: batches of events that are told past all who would only hand them on."""

    __slots__ = ("_failure", "_reader", "_relay")

    def __init__(self, relay: Relay, reader: Reader) -> None:
        self._relay = relay
        self._reader = reader
        self._failure: FairleadError | None = None

    @property
    def is_wanted(self) -> bool:
        return self._relay.tell is not None

    def tell(self, batch: list[Event]) -> bool:
        """Whether the next batch may come this way as well."""
        relay, reader = self._relay, self._reader
        tell, saw = relay.tell, relay.saw
        assert tell is not None
        items: Sequence[Item] = ()
        try:
            for event, data in batch:
                items = (*items, *reader.read(event, data)) if items else reader.read(event, data)
        except FairleadError as failure:  # not for whoever brings the bytes: `check` raises it where they are read
            self._failure = failure
        if items:
            for item in items:
                saw(item)
            if not tell(items):
                relay.tell = None
                return False
        return not reader.ended and self._failure is None

    def check(self) -> None:
        """Raises what went wrong on the way."""
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            failure = None  # it holds this frame: a cycle


def _check_packing(response: Response, asking: "Asking") -> None:
    """Raises TargetUnclear where that is why nothing could be read."""
    if packed := compressed(response):
        raise TargetUnclear(f"{asking.target.name} answered {response.status} with {packed}")


def _introduced(account: Account, head: Head, asking: "Asking", dropped: list[str], response: Response) -> Head:
    """Who answers, also where a provider tells neither its model nor an id."""
    return replace(
        head,
        id=head.id or asking.attempt,
        model=head.model or asking.target.model,
        target=asking.target.name,
        dropped=tuple(dropped),
        request_id=account.request_id(response),
    )
