"""What a line of a script can do wrong on the wire: a word for each, what it means, and how an asking fares then.

`script.py` plays a fault as the error that it leads to, `standin/` as the very bytes that lead there; the same script
serves for both, and a test holds the two together. Whoever asks is not known here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from fairlead.errors import StreamBroken, TargetError, TargetFailed, TargetTimeout, TargetUnclear, TargetUnreachable

Wrong = Literal[
    "reset", "hang_up", "silence", "mute", "trickle", "drip", "torn", "garbled", "error_event", "no_end", "truncated",
    "empty", "page", "short", "long", "two_lengths", "bad_chunk", "huge_head", "gzip", "bomb", "hints",
    "endless_hints", "deaf", "stale",
]  # fmt: skip
Place = Literal["start", "middle", "end"]


class Fault(Struct, frozen=True):
    """`answer` is what an asking ends with whose answer is awaited whole, `stream` how a streamed one ends, after the
    words that came until `at`; None: it does no harm. Where the error is a TargetTimeout, nothing more comes until a
    deadline passes."""

    says: str
    answer: type[TargetError] | None
    stream: type[TargetError] | None
    at: Place = "start"


FAULTS: Mapping[Wrong, Fault] = MappingProxyType(
    {
        "reset": Fault("the connection is reset before anything is said", TargetUnreachable, TargetUnreachable),
        "hang_up": Fault("the connection is closed before anything is said", TargetUnreachable, TargetUnreachable),
        "deaf": Fault("it is reset while the request still comes", TargetUnreachable, TargetUnreachable),
        "silence": Fault("nothing is said, not even headers", TargetTimeout, TargetTimeout),
        "mute": Fault("headers come, and then nothing", TargetTimeout, TargetTimeout),
        "trickle": Fault("signs of life come without end, and never a word", TargetTimeout, TargetTimeout),
        "drip": Fault("all comes, in the smallest pieces", None, None),
        "hints": Fault("a few provisional responses (103) come first", None, None),
        "endless_hints": Fault("provisional responses (103) come without end", TargetUnclear, TargetUnclear),
        "huge_head": Fault("the headers are a megabyte", TargetUnclear, TargetUnclear),
        "two_lengths": Fault("two lengths are announced, and they differ", TargetUnclear, TargetUnclear),
        "empty": Fault("a 200 without a body", TargetUnclear, StreamBroken),
        "page": Fault("a 200 that is a web page", TargetUnclear, TargetUnclear),
        "gzip": Fault("the body is compressed, which nobody asked for", TargetUnclear, TargetUnclear),
        "bomb": Fault("the same, and a megabyte of it would become a gigabyte", TargetUnclear, TargetUnclear),
        "torn": Fault("the connection is reset in the middle", StreamBroken, StreamBroken, "middle"),
        "bad_chunk": Fault("the framing breaks in the middle", TargetUnclear, TargetUnclear, "middle"),
        "garbled": Fault("what can't be read stands in the middle", TargetUnclear, StreamBroken, "middle"),
        "error_event": Fault("a 200 in whose middle stands an error", TargetFailed, TargetFailed, "middle"),
        "truncated": Fault("it ends in the middle as if it were whole", TargetUnclear, StreamBroken, "middle"),
        "long": Fault("the half of it is announced as its length", TargetUnclear, StreamBroken, "middle"),
        "short": Fault("a longer body is announced than comes", TargetUnclear, None),
        "no_end": Fault("all words come, and no end is told", None, StreamBroken, "end"),
        "stale": Fault("the connection is closed when the next request comes on it", None, None),
    }
)
