"""What every scorer is given and what it gives: an answer, the case it answers, and a number with its reasons.

A scorer is a plain function, `scorer(output, case, *, option=...) -> Score`: its options are its keyword arguments. It
is asked about answers only: where a target refused, timed out or answered invalidly there is none, and that scores 0.
It does not know who answered.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct, field

from fairlead.chat import ToolCall


class Output(Struct, frozen=True):
    """One answer. Of a conversation: the last one, with all that was said until then."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    messages: tuple[Mapping[str, Any], ...] = ()


class Item(Protocol):
    """What a scorer may know of a case."""

    @property
    def id(self) -> str: ...
    @property
    def vars(self) -> Mapping[str, Any]: ...
    @property
    def gold(self) -> Any: ...


class FileText(Struct, frozen=True):
    """An option that names a file of the suite's folder: its text."""

    name: str
    text: str


class Score(Struct, frozen=True):
    """`value`: the more the better, 0 to 1 unless the scorer says otherwise; `reasons` are JSON values."""

    value: float
    reasons: Mapping[str, Any] = field(default_factory=dict)


Scorer = Callable[..., Score]


class NoScore(Exception):
    """There is none, and the answer is not to blame. `reasons` are kept all the same, such as what was paid in vain."""

    def __init__(self, why: str, reasons: Mapping[str, Any] | None = None) -> None:
        super().__init__(why)
        self.reasons = reasons or {}


class GoldUnfit(ValueError):
    """The case's gold is none that this scorer can compare with: the case is wrong, not the answer."""
