"""What is said in a call is recorded, on routes that say so: the request as it came, the answer as it goes out.

It stands in a file when the call ends, and in the store soon after (`archiving.py`). Nothing here
denies or delays a call: what can't be kept is counted. What a language looks like is not known here.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fairlead.chat import Answer, Item, Request
from fairlead.gateway.call import ZONES, RecordRules, Zone
from fairlead.gateway.flow import Gateway
from fairlead.gateway.ledger import Book
from fairlead.store.recordings import Recorded, Recordings

if TYPE_CHECKING:
    from fairlead.server.answering import Tongue, Writer

log = logging.getLogger("fairlead.recording")
LARGEST_BYTES = 16 << 20  # of a request or an answer; of a longer one that much is kept
AT_ONCE_BYTES = 64 << 10  # up to here a file is written faster than a thread is found
TELL_EVERY_S = 60.0
SECOND_US = 1_000_000


class Recording:
    """One call's. The `tongue` that it gives says the same as the one that it was given, and is overheard."""

    def __init__(self, recorder: "Recorder", rules: RecordRules, store_zone: Zone, book: Book, body: bytes) -> None:
        self._recorder = recorder
        self._book = book
        self._rules = rules
        self._store_zone = store_zone
        self._body = body
        self._said: list[bytes] = []
        self._size = 0

    def overhears(self, tongue: "Tongue") -> "Tongue":
        if "answer" not in self._rules.what:
            return tongue
        return replace(tongue, body=partial(self._whole, tongue.body), writer=partial(self._pieces, tongue.writer))

    def hear(self, piece: bytes) -> bytes:
        """The same piece."""
        if self._size < LARGEST_BYTES:
            self._said.append(piece)
            self._size += len(piece)
        return piece

    def close(self) -> None:
        """The call is over but for its last bytes, or was broken off."""
        book, call = self._book, self._book.call
        zone: Zone = call.zone if call is not None else book.caller.zone
        if ZONES.index(zone) < ZONES.index(self._store_zone):
            return  # the store lies further away than these words may travel
        said = {"request": self._body[:LARGEST_BYTES], "answer": b"".join(self._said)[:LARGEST_BYTES]}
        at_us = book.context.at_us
        self._recorder.keep(
            Recorded(
                call=book.id,
                key=book.caller.key,
                at_us=at_us,
                zone=zone,
                expires_us=at_us + self._rules.keep_s * SECOND_US,
                parts=tuple((kind, said[kind]) for kind in self._rules.what if said[kind]),
            )
        )

    def _whole(
        self, write: Callable[[ModuleType, Answer, Request], bytes], language: ModuleType, answer: Answer, of: Request
    ) -> bytes:
        return self.hear(write(language, answer, of))

    def _pieces(
        self, make: "Callable[[ModuleType, Request], Writer]", language: ModuleType, request: Request
    ) -> "Overheard":
        return Overheard(make(language, request), self)


class Overheard:
    """A writer of a stream, and a recording that hears what it writes."""

    def __init__(self, writer: "Writer", recording: Recording) -> None:
        self.writer = writer
        self._hear = recording.hear

    def write(self, item: Item) -> bytes:
        return self._hear(self.writer.write(item))

    def end(self) -> bytes:
        return self._hear(self.writer.end())

    def fail(self, body: bytes) -> bytes:
        return self._hear(self.writer.fail(body))


class Recorder:
    """All recordings of one worker. It is there only while a route records."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._told = 0.0

    @property
    def lost(self) -> int:
        """Calls whose content was given up."""
        return self._recordings.lost

    def begin(self, gateway: Gateway, book: Book, body: bytes) -> Recording | None:
        """None where the route does not record, or not this one of its calls."""
        route = gateway.generation.routes.get(book.request.route)
        rules = None if route is None else route.record
        if route is None or rules is None or int(book.id[-8:], 16) >= rules.share * 2**32:
            return None
        return Recording(self, rules, route.store_zone, book, body)

    def keep(self, said: Recorded) -> None:
        """Nobody waits for what is long: a thread writes it."""
        if sum(len(part) for _, part in said.parts) <= AT_ONCE_BYTES:
            self._write(said)
        else:
            asyncio.get_running_loop().run_in_executor(None, self._write, said)

    def _write(self, said: Recorded) -> None:
        if not self._recordings.write(said) and time.monotonic() - self._told > TELL_EVERY_S:
            self._told = time.monotonic()
            log.warning("%d calls' content was given up so far: %s", self.lost, self._recordings.why)
