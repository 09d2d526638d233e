"""How callers send back what they were told: the answer's own words, put into the next request as they stand.

Reasoning and its signatures come back this way, in each language in its own place.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Answer, Chat, Text, Thinking
from fairlead.dialects.probes.answering import AnswerProbe, answered
from fairlead.dialects.probes.asking import CALL, worked
from fairlead.dialects.reading import read_fields

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_ORIGINS = ("anthropic", "gemini", "responses", "bedrock", "openai")

Say = Callable[[ModuleType, Chat], bytes]


def give_back(caller: ModuleType, say: Say, spoken: bytes) -> dict[str, Raw]:
    """The next request of who was told the answer `spoken`: its tool was called, and here is what came of it."""
    fields = read_fields(say(caller, worked()))
    name = {"gemini": "contents", "responses": "input"}.get(caller.DIALECT, "messages")
    before, _, after = _LIST.decode(fields[name])
    fields[name] = Raw(msgspec.json.encode([before, *_turn(caller.DIALECT, _OBJECT.decode(spoken)), after]))
    return fields


def _turn(dialect: str, answer: dict[str, Raw]) -> list[Any]:
    match dialect:
        case "openai":
            return [_OBJECT.decode(_LIST.decode(answer["choices"])[0])["message"]]
        case "responses":
            return list(_LIST.decode(answer["output"]))
        case "anthropic":
            return [{"role": "assistant", "content": answer["content"]}]
        case "gemini":
            return [_OBJECT.decode(_LIST.decode(answer["candidates"])[0])["content"]]
    return [_OBJECT.decode(answer["output"])["message"]]


def _thoughts(answer: Answer) -> Any:
    """Its id aside, which is the caller's own business."""
    return [replace(part, id=None) for part in answer.said[0].parts if isinstance(part, Thinking)]


def _signatures(answer: Answer) -> Any:
    return [call.signature for call in answer.said[0].tool_calls if call.signature]


def _own_id(origin: str) -> str | None:
    return "rs_1" if origin == "responses" else None


def _signed(origin: str) -> Answer:
    return answered(Thinking("Hm.", "c2ln", origin, id=_own_id(origin)), Text("Wait."), CALL, finish="tool_calls")


def _hidden(origin: str) -> Answer:
    return answered(Thinking("", "c2ln", origin, True, _own_id(origin)), Text("Wait."), CALL, finish="tool_calls")


def _called(origin: str) -> Answer:
    return answered(replace(CALL, signature="c2ln", origin=origin), finish="tool_calls")


def _foreign(origin: str) -> Answer:
    """Signed by somebody else than `origin`."""
    return _signed(next(other for other in _ORIGINS if other != origin))


def own_probes() -> tuple[AnswerProbe, ...]:
    """What the target itself signed."""
    return (
        AnswerProbe("reasoning that the target signed", _signed, _thoughts),
        AnswerProbe("reasoning that the target hid", _hidden, _thoughts),
        AnswerProbe("tool calls that the target signed", _called, _signatures),
    )


def foreign_probes() -> tuple[AnswerProbe, ...]:
    return (AnswerProbe("reasoning that another provider signed", _foreign, _thoughts),)
