"""From what is told to the bytes on the wire, in order and with pauses, and everything that can go wrong with them.

Which words there are, and what an asking makes of them, is in `backends/faults.py`; one function here for each. It
opens no socket.
"""

import gzip
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Literal

from msgspec import Struct

from fairlead.backends.faults import Wrong
from fairlead.backends.lines import Line
from fairlead.backends.turns import breaks_at
from fairlead.standin.telling import Told

LAST = b"0\r\n\r\n"
PAGE = b"<!DOCTYPE html><title>Sorry</title><h1>We'll be right back.</h1>"
HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
ALIVE = {"text/event-stream": b": alive\n\n"}
TRICKLE_S, DRIP_BYTES = 0.02, 7
APART_S = 0.05  # so that what comes before is read by itself
BOMB_MB = 1024

Then = Literal["keep", "close", "reset", "stall", "stale"]  # what becomes of the connection
Step = bytes | float  # bytes to be written, or seconds to wait


class Play(Struct, frozen=True):
    """`before`: seconds until anything is said. `again`: steps that repeat without end after the others."""

    steps: tuple[Step, ...] = ()
    then: Then = "keep"
    before: float = 0.0
    again: tuple[Step, ...] = ()


def play(line: Line, told: Told) -> Play:
    """What is to be written for this line."""
    if line.refuse:
        return Play(then="reset")
    if line.timeout is not None:
        return _timeout(line, told)
    if line.malformed:
        return Play((b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",), "close")
    if line.status is not None:
        return Play(_whole(told))
    before = line.latency_s if told.stream else line.latency_s + line.delay_s * max(len(line.cuts) - 1, 0)
    if line.fault is not None:
        made = SPOILERS[line.fault](line, told)
    elif line.cut_after is not None:
        made = Play(_begun(line, told), "close")
    elif line.stall_after is not None:
        made = Play(_begun(line, told), "stall")
    else:
        made = Play(_healthy(line, told))
    return Play(made.steps, made.then, before, made.again)


def prepare(lines: Iterable[Line]) -> None:
    """What takes long to make is made before anybody asks."""
    if any(line.fault == "bomb" for line in lines):
        _bomb()


def healthy(told: Told) -> Play:
    return Play(_healthy(Line(), told))


def head(told: Told, **headers: str) -> bytes:
    said = {**told.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"HTTP/1.1 {told.status} {'OK' if told.status == 200 else 'Scripted'}\r\n{lines}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(told: Told, body: bytes | None = None) -> tuple[Step, ...]:
    body = _body(told) if body is None else body
    return (head(told, content_length=str(len(body))) + body,)


def _body(told: Told) -> bytes:
    return told.opening + b"".join(told.pieces) + told.closing if told.stream else told.body


def _healthy(line: Line, told: Told) -> tuple[Step, ...]:
    if not told.stream:
        return _whole(told)
    if not line.delay_s:
        return (head(told, transfer_encoding="chunked") + chunk(_body(told)) + LAST,)
    return (*_spoken(line, told, len(told.pieces)), *([chunk(told.closing)] if told.closing else []), LAST)


def _spoken(line: Line, told: Told, count: int) -> tuple[Step, ...]:
    """A stream up to so many of its pieces, one write each."""
    steps: list[Step] = [head(told, transfer_encoding="chunked")]
    first = told.opening
    for number, piece in enumerate(told.pieces[:count]):
        if number and line.delay_s:
            steps.append(line.delay_s)
        if first + piece:
            steps.append(chunk(first + piece))
        first = b""
    return tuple(steps)


def _begun(line: Line, told: Told) -> tuple[Step, ...]:
    """What is said until it breaks: some pieces of a stream, half of a whole answer, in chunks either way."""
    if told.stream:
        return _spoken(line, told, breaks_at(line, told.pieces) or 0)
    return (head(told, transfer_encoding="chunked"), chunk(told.body[: len(told.body) // 2]))


def _timeout(line: Line, told: Told) -> Play:
    match line.timeout:
        case "between_tokens" if told.stream:
            return Play(_spoken(line, told, 1), "stall")
        case "total" if told.stream:
            return Play(_spoken(line, told, 1), again=(TRICKLE_S, chunk(told.pieces[0])))
        case "total":
            return trickle(line, told)
    return Play(then="stall")


def _alive(told: Told) -> bytes:
    return ALIVE.get(told.headers["content-type"], b" " if not told.stream else b"")


# --- one function for each word of `backends/faults.py` --------------------------------------------------------------


def reset(line: Line, told: Told) -> Play:
    return Play(then="reset")


def hang_up(line: Line, told: Told) -> Play:
    return Play(then="close")


def silence(line: Line, told: Told) -> Play:
    return Play(then="stall")


def mute(line: Line, told: Told) -> Play:
    return Play((head(told, transfer_encoding="chunked"),), "stall")


def trickle(line: Line, told: Told) -> Play:
    alive = _alive(told)
    again: tuple[Step, ...] = (TRICKLE_S, chunk(alive)) if alive else (TRICKLE_S,)
    return Play((head(told, transfer_encoding="chunked"),), again=again)


def drip(line: Line, told: Told) -> Play:
    said = b"".join(step for step in _healthy(line, told) if isinstance(step, bytes))
    cuts = [said[start : start + DRIP_BYTES] for start in range(0, len(said), DRIP_BYTES)]
    return Play(tuple(step for cut in cuts for step in (cut, line.delay_s)))


def hints(line: Line, told: Told) -> Play:
    return Play((HINTS * 3, *_healthy(line, told)))


def endless_hints(line: Line, told: Told) -> Play:
    return Play(again=(HINTS * 100, 0.001))


def huge_head(line: Line, told: Told) -> Play:
    return Play((head(told, x_padding="x" * 1024 * 1024, content_length="0"),))


def two_lengths(line: Line, told: Told) -> Play:
    body = _body(told)
    lengths = b"content-length: %d\r\ncontent-length: %d\r\n\r\n" % (len(body), len(body) // 2)
    return Play((head(told)[:-2] + lengths + body,))


def empty(line: Line, told: Told) -> Play:
    return Play((b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",))


def page(line: Line, told: Told) -> Play:
    return Play((head(told, content_type="text/html", content_length=str(len(PAGE))) + PAGE,))


def compressed(line: Line, told: Told) -> Play:
    body = gzip.compress(_body(told), mtime=0)
    return Play((head(told, content_encoding="gzip", content_length=str(len(body))) + body,))


def bomb(line: Line, told: Told) -> Play:
    body = _bomb()
    return Play((head(told, content_encoding="gzip", content_length=str(len(body))) + body,))


def torn(line: Line, told: Told) -> Play:
    return Play((*_begun(line, told), APART_S), "reset")  # a reset overtakes what was sent before it


def bad_chunk(line: Line, told: Told) -> Play:
    return Play((*_begun(line, told), b"so long\r\n"), "close")


def garbled(line: Line, told: Told) -> Play:
    if not told.stream:
        middle = len(told.body) // 2
        return Play(_whole(told, told.body[:middle] + b"\x00\xff{" + told.body[middle:]))
    return Play((*_begun(line, told), APART_S, chunk(_unreadable(told)) + _rest(line, told)))


def error_event(line: Line, told: Told) -> Play:
    if not told.stream:
        return Play(_whole(told, told.error))
    return Play((*_begun(line, told), chunk(told.error) + LAST))


def no_end(line: Line, told: Told) -> Play:
    return Play((*_spoken(line, told, len(told.pieces) - 1), LAST) if told.stream else _whole(told))


def truncated(line: Line, told: Told) -> Play:
    if not told.stream:
        return Play(_whole(told, told.body[: len(told.body) // 2]))
    begun = _begun(line, told)
    piece = told.pieces[breaks_at(line, told.pieces) or 0]
    return Play((*begun, *([chunk(piece[: len(piece) // 2])] if len(piece) > 1 else []), LAST))


def short(line: Line, told: Told) -> Play:
    body = _body(told)
    return Play((head(told, content_length=str(len(body) + 100)) + body,), "close")


def long(line: Line, told: Told) -> Play:
    body = _body(told)
    half = len(told.opening) + sum(map(len, told.pieces[: breaks_at(line, told.pieces)])) if told.stream else 0
    return Play((head(told, content_length=str(half or len(body) // 2)) + body,))


def stale(line: Line, told: Told) -> Play:
    return Play(_healthy(line, told), "stale")


SPOILERS: Mapping[Wrong, Callable[[Line, Told], Play]] = {
    "reset": reset,
    "hang_up": hang_up,
    "deaf": reset,  # a body that came whole all the same
    "silence": silence,
    "mute": mute,
    "trickle": trickle,
    "drip": drip,
    "hints": hints,
    "endless_hints": endless_hints,
    "huge_head": huge_head,
    "two_lengths": two_lengths,
    "empty": empty,
    "page": page,
    "gzip": compressed,
    "bomb": bomb,
    "torn": torn,
    "bad_chunk": bad_chunk,
    "garbled": garbled,
    "error_event": error_event,
    "truncated": truncated,
    "long": long,
    "short": short,
    "no_end": no_end,
    "stale": stale,
}


def _unreadable(told: Told) -> bytes:
    """An event that is none: no JSON, or a frame whose checksum is wrong."""
    if told.headers["content-type"] in ALIVE:
        return b'data: {"choices": [{"de\n\n'
    piece = next(piece for piece in told.pieces if piece)
    return piece[:-1] + bytes([piece[-1] ^ 1])


def _rest(line: Line, told: Told) -> bytes:
    pieces = told.pieces[breaks_at(line, told.pieces) :]
    return chunk(b"".join(pieces) + told.closing) + LAST


@cache
def _bomb() -> bytes:
    """A gigabyte of zeros, compressed: one block of it, again and again."""
    megabyte = bytes(1024 * 1024)
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH)
    sum_of_all = 0
    for _ in range(BOMB_MB):
        sum_of_all = zlib.crc32(megabyte, sum_of_all)
    start = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))
    return start + block * BOMB_MB + packer.flush() + struct.pack("<II", sum_of_all, BOMB_MB * len(megabyte))
