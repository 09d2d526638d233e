"""From a response's events to a stream of the house: the same for every language that streams over HTTP.

It knows when a stream is whole, and none of the languages: a reader of the dialect is handed in.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from fairlead.backends.account import Account, compressed
from fairlead.chat import Head, Item, Stream, Usage
from fairlead.errors import StreamBroken, TargetError, TargetTimeout, TargetUnclear
from fairlead.wire.response import Decoder, Response

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
    try:
        response = await account.stream(task, body, asking)
        try:
            async for batch in response.events(decoder()):
                for event, data in batch:
                    for item in reader.read(event, data):
                        yield item if type(item) is not Head else _introduced(account, item, asking, dropped, response)
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
