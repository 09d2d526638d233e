"""Gemini's language: the arguments of a call that a stream tells in pieces, each with its place in them.

`{"jsonPath": "$.stops[0].city", "stringValue": "Par", "willContinue": true}` is the beginning of a string; the next
piece for the same place continues it. Put together they are the arguments' JSON. It knows nothing of events.
"""

import re
from itertools import pairwise
from typing import Any

import msgspec

from fairlead.dialects.gemini.names import NULL
from fairlead.dialects.gemini.said import CallSaid, PartialArg

MOST_ITEMS = 100_000  # more than a model writes: an index beyond it would only fill memory
_STEP = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<quote>['\"])(?P<key>.*?)(?P=quote)\]")
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_ENCODER = msgspec.json.Encoder()


class Pieces:
    """The arguments of one call, so far. Raises ValueError for a place that can't be."""

    def __init__(self, said: CallSaid) -> None:
        self._arguments: dict[str, Any] = {} if said.args == NULL else _OBJECT.decode(said.args)
        self._growing = ""  # the place of a string that is not whole
        self.add(said)

    def add(self, said: CallSaid) -> None:
        if said.args != NULL:
            self._arguments.update(_OBJECT.decode(said.args))
        for piece in said.partial_args or ():
            self._put(piece)

    def whole(self) -> str:
        """The arguments' JSON text."""
        return _ENCODER.encode(self._arguments).decode()

    def _put(self, piece: PartialArg) -> None:
        steps = _steps(piece.json_path)
        container: Any = self._arguments
        for step, following in pairwise(steps):
            container = _descend(container, step, following)
        last = steps[-1]
        grows = piece.string_value is not None and self._growing == piece.json_path
        before = _value(container, last) if grows else None
        value = _piece_value(piece)
        _set(container, last, before + value if isinstance(before, str) else value)
        self._growing = piece.json_path if piece.will_continue else ""


def _steps(path: str) -> list[str | int]:
    """`$.stops[0].city` as `["stops", 0, "city"]`."""
    steps: list[str | int] = []
    at = 1 if path[:1] == "$" else 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise ValueError(f"no place: {path[:100]}")
        index = found["index"]
        steps.append(int(index) if index is not None else found["name"] or found["key"] or "")
        at = found.end()
    if not steps or isinstance(steps[0], int):
        raise ValueError("a value without a place")
    return steps


def _descend(container: Any, step: str | int, following: str | int) -> Any:
    """What is at a step, made if it is not there: an array where an index follows, else an object."""
    inner = _value(container, step)
    if not isinstance(inner, list if isinstance(following, int) else dict):
        inner = [] if isinstance(following, int) else {}
        _set(container, step, inner)
    return inner


def _value(container: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return container[step] if step < len(container) else None
    return container.get(step)


def _set(container: Any, step: str | int, value: Any) -> None:
    if not isinstance(step, int):
        container[step] = value
        return
    if step > MOST_ITEMS:
        raise ValueError(f"item {step} of an array")
    container += [None] * (step + 1 - len(container))
    container[step] = value


def _piece_value(piece: PartialArg) -> Any:
    """A null value is a field of its own there, which says nothing more than its absence here."""
    if piece.string_value is not None:
        return piece.string_value
    return piece.number_value if piece.number_value is not None else piece.bool_value
