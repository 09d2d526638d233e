"""A case as scorers see it, and an answer."""

from typing import Any

from msgspec import Struct, field

from fairlead.chat import ToolCall
from fairlead.scoring.score import Output


class Case(Struct, frozen=True):
    gold: Any = None
    vars: dict[str, Any] = field(default_factory=dict)
    id: str = "a"


def said(text: str = "", *calls: tuple[str, str]) -> Output:
    return Output(text, tuple(ToolCall(str(number), *call) for number, call in enumerate(calls)))
