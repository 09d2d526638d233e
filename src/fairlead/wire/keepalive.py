"""How long a server keeps a connection that lies idle, and for how many requests: what its `keep-alive` says.

Pure. Whatever is no such promise, however long or odd, is none at all.
"""

import math
import re
from collections.abc import Iterable

from msgspec import Struct

MAX_BYTES = 256  # of the header that are read
MARGIN_S = 1.0  # for the way there, and for clocks that tick apart; of short times, half
_PROMISE = re.compile(rb"(?:^|[,;\s])(timeout|max)\s*=\s*\"?(\d{1,9})(?![\w.])", re.IGNORECASE)


class Promise(Struct, frozen=True):
    """`rest_s`: how long to let it lie at most. `more`: how many more requests it takes."""

    rest_s: float = math.inf
    more: float = math.inf


NONE = Promise()


def read_promise(headers: Iterable[tuple[bytes, bytes]]) -> Promise:
    """Of several promises the narrowest."""
    said = b",".join([value[:MAX_BYTES] for name, value in headers if name.lower() == b"keep-alive"][:2])
    if not said:
        return NONE
    rest_s = more = math.inf
    for name, digits in _PROMISE.findall(said):
        number = float(digits)
        if name.lower() == b"timeout":
            rest_s = min(rest_s, number - MARGIN_S if number > 2 * MARGIN_S else number / 2)
        else:
            more = min(more, number)
    return Promise(rest_s, more)
