"""The program of a process that scores answers, one after the other, until nobody sends any more.

Started by `examining.py`, never by hand. It may hang or fall over in a scorer that somebody wrote: then it is ended,
and that one score is missing. What is printed here goes to standard error.
"""

import contextlib
import pickle
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.errors import ExtraMissing
from fairlead.evals.recipes import LONGEST_WHY, Recipe, Scored, scored
from fairlead.orphans import end_with
from fairlead.scoring.score import Output, Score

SIZE = struct.Struct("!I")
LONGEST_REPLY = 1 << 20  # bytes of reasons
HELLO = b"ready"
Known = tuple[str, Callable[..., Any]]


class Reply(Struct, frozen=True):
    """`lacks`: nothing can be scored by this one here, and why; `hint` what to do."""

    scored: Scored
    lacks: str = ""
    hint: str = ""


def main() -> None:
    end_with(int(sys.argv[1]))
    with contextlib.suppress(OSError):  # where memory runs out, this process goes before who started it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with socket.socket(fileno=int(sys.argv[2])) as line:
        line.set_inheritable(False)
        _send(line, HELLO)
        with line.makefile("rb") as incoming:
            known: dict[str, Known] = {}
            while size := incoming.read(SIZE.size):
                _send(line, _answer(pickle.loads(incoming.read(*SIZE.unpack(size))), known))


def _answer(asked: tuple[str, Recipe | None, Output, Any], known: dict[str, Known]) -> bytes:
    key, recipe, output, case = asked
    try:
        if recipe is not None:
            known[key] = recipe.name, recipe.scorer()
        return _written(Reply(scored(*known[key], output, case)))
    except ExtraMissing as error:
        return _written(Reply(Scored(None), error.message, error.hint))
    except ImportError as error:
        return _written(Reply(Scored(None), str(error)))


def _written(reply: Reply) -> bytes:
    """Reasons that can't be kept are left out; the score stands."""
    try:
        said, why = msgspec.json.encode(reply, enc_hook=str), ""
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        said, why = b"", f"they can't be written as JSON: {error}"[:LONGEST_WHY]
    if not why and len(said) > LONGEST_REPLY:
        why = f"they are {len(said):,} bytes"
    if not why:
        return said
    found = reply.scored
    score = None if found.score is None else Score(found.score.value, {"left_out": why})
    return msgspec.json.encode(Reply(Scored(score, found.why)))


def _send(line: socket.socket, said: bytes) -> None:
    line.sendall(SIZE.pack(len(said)) + said)


if __name__ == "__main__":
    main()
