"""Anthropic's language: whether a caller's own words suit the model that they go to.

A caller who speaks this language chose his words for one model, and a route may ask another. What does not suit it is
written anew (`ask`), which says it in the model's own words or tells what is lost.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Request
from fairlead.dialects.anthropic.chat import OFF
from fairlead.dialects.claude import Claude, claude_of
from fairlead.dialects.reading import UNREADABLE, is_null

_SAMPLING = ("temperature", "top_p", "top_k")
_FORCING = ("any", "tool")

T = TypeVar("T")


class _Typed(Struct):
    type: str = ""


class _Output(Struct):
    effort: str | None = None


_TYPED = msgspec.json.Decoder(_Typed | None)
_OUTPUT = msgspec.json.Decoder(_Output | None)
_NUMBER = msgspec.json.Decoder(float | None)


def fits(request: Request, model: str) -> bool:
    """Whether a request in this language can be passed on to this model. What can't be read is left to the target."""
    claude = claude_of(model)
    if claude is None or request.spoken is None or request.task != "chat":
        return True
    fields = request.spoken.fields
    return (
        _fits_thinking(_read(_TYPED, fields, "thinking"), claude)
        and _fits_effort(_read(_OUTPUT, fields, "output_config"), claude)
        and (claude.samples or all(_read(_NUMBER, fields, name) in (None, 1.0) for name in _SAMPLING))
        and (claude.forces or (_read(_TYPED, fields, "tool_choice") or _Typed()).type not in _FORCING)
    )


def _fits_thinking(said: _Typed | None, claude: Claude) -> bool:
    if said is None:
        return True
    if said.type in OFF:
        return said.type == (claude.off or None)
    wanted = {"enabled": "budget", "adaptive": "adaptive"}.get(said.type)
    return wanted is None or claude.thinking in (wanted, "either")


def _fits_effort(said: _Output | None, claude: Claude) -> bool:
    return said is None or said.effort is None or said.effort in claude.efforts


def _read(decoder: "msgspec.json.Decoder[T]", fields: Mapping[str, Raw], name: str) -> T | None:
    raw = fields.get(name)
    if raw is None or is_null(raw):
        return None
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        return None
