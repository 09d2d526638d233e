"""OpenAI's language, inwards: the messages of a conversation.

Every error names the exact path. The old form of tool calls (`function_call`, role `function`) becomes the new one: it
has no ids, so the position of the message that calls makes one.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Media, Message, Opaque, Part, Role, Text, ToolCall
from fairlead.dialects.conversation import check_tools, places
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.parts import Breakpoint, Mark, PartSaid, read_known, read_mark, read_part
from fairlead.dialects.openai.pieces import lenient
from fairlead.dialects.openai.reasoning import Detail, ExtraContent, read_told, with_reasoning
from fairlead.dialects.reading import UNREADABLE, is_null, required, take
from fairlead.dialects.signatures import unwrap
from fairlead.errors import RequestInvalid

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


_NULL = Raw(b"null")


class _Function(Struct, gc=False):
    name: str
    arguments: str = ""


class _Call(Struct):
    id: str = ""
    function: _Function | None = None
    extra_content: ExtraContent | None = None
    cache_control: Mark | None = None


class _FunctionCall(_Call, gc=False):
    type: Literal["function"] = "function"


class _AnyCall(_Call):
    type: str = "function"


class _Aside(Struct):
    """What LiteLLM keeps of a message that OpenAI's own have no field for; so it comes back under this name."""

    reasoning_details: list[Detail] | None = None


class _Message(Struct):
    role: str
    content: Any = None
    name: str | None = None
    tool_calls: Any = None
    tool_call_id: str | None = None
    function_call: _Function | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Raw = _NULL
    reasoning_details: list[Detail] | None = None
    provider_specific_fields: Raw = _NULL
    extra_content: ExtraContent | None = None
    images: list[Raw] | None = None
    audio: Raw = _NULL
    cache_control: Mark | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class _KnownMessage(_Message, gc=False):
    content: str | list[PartSaid] | None = None
    tool_calls: list[_FunctionCall] | None = None


class _RawMessage(_Message):
    content: str | list[Raw] | None = None
    tool_calls: list[Raw] | None = None


_KNOWN_MESSAGES = msgspec.json.Decoder(list[_KnownMessage])
_RAW_MESSAGES = msgspec.json.Decoder(Annotated[list[_RawMessage], Meta(min_length=1)])
_CALL = msgspec.json.Decoder(_AnyCall)
_ASIDE = msgspec.json.Decoder(_Aside | None)


def read_messages(raw: Raw) -> tuple[Message, ...]:
    """Raises RequestInvalid with the exact path (`messages[3].content[1].type`)."""
    called: dict[str, str] = {}  # the name of a function called in the old form -> the id that its result will be given
    said = _take_messages(raw)
    paths = places("messages", len(said))
    messages = [_read_message(message, path, called) for message, path in zip(said, paths, strict=True)]
    check_tools(messages, paths)
    return tuple(messages)


def _take_messages(raw: Raw) -> Sequence[_Message]:
    """Where all is known they are read in one go, which is most of the time; else part by part, which also tells where
    something is wrong."""
    try:
        known = _KNOWN_MESSAGES.decode(raw)
    except UNREADABLE:
        known = []
    return known or take(_RAW_MESSAGES, raw, "messages")


def _read_message(message: _Message, path: str, called: dict[str, str]) -> Message:
    role = _ROLES.get(message.role)
    content = message.content
    if role == "assistant":
        parts = _read_assistant(message, path, called)
    elif type(content) is str:
        parts = (Text(content),)
    elif role is None:
        raise unknown_value(f"{path}.role", message.role, tuple(_ROLES))
    elif content is None:
        raise required(f"{path}.content")
    else:
        parts = tuple(_read_content(content, path))
    cache = None
    if message.cache_control is not None or message.prompt_cache_breakpoint is not None:
        cache = read_mark(message.cache_control, message.prompt_cache_breakpoint)
    if role == "tool":
        return Message(role, parts, _read_result_id(message, path, called), False, message.name, cache)
    if role is None:
        raise unknown_value(f"{path}.role", message.role, tuple(_ROLES))
    return Message(role, parts if cache is None else _marked(parts, cache), None, False, message.name)


def _read_content(content: Any, path: str) -> list[Part]:
    """`content` is a text, or parts: as structs, or as they stand."""
    if type(content) is str:
        return [Text(content)]
    parts: list[Part] = []
    for position, said in enumerate(content):
        if type(said) is PartSaid:
            if said.type == "text" and said.text is not UNSET and said.cache_control is said.prompt_cache_breakpoint:
                parts.append(Text(said.text))
            else:
                parts.append(read_known(said, f"{path}.content[{position}]"))
        else:
            parts.append(read_part(said, f"{path}.content[{position}]"))
    return parts


def _marked(parts: tuple[Part, ...], cache: str) -> tuple[Part, ...]:
    """A mark on a message as a whole stands on its last part that can carry one."""
    for position in reversed(range(len(parts))):
        part = parts[position]
        if isinstance(part, Text | Media | ToolCall):
            return (*parts[:position], replace(part, cache=part.cache or cache), *parts[position + 1 :])
    return parts


# --- what the model said ---------------------------------------------------------------------------------------------


def _read_assistant(message: _Message, path: str, called: dict[str, str]) -> tuple[Part, ...]:
    parts: list[Part] = _read_content(message.content, path) if message.content else []
    if message.refusal:
        parts.append(Text(message.refusal))
    for position, raw in enumerate(message.images or ()):
        parts.append(read_part(raw, f"{path}.images[{position}]"))
    asides: list[Part] = []
    if message.tool_calls is not None:
        _read_calls(message.tool_calls, path, parts, asides)
    if message.function_call is not None and message.function_call.name:
        call_id = f"call_{path[len('messages[') : -1]}"
        called[message.function_call.name] = call_id
        parts.append(ToolCall(call_id, message.function_call.name, message.function_call.arguments))
    if message.audio is not _NULL and not is_null(message.audio):
        asides.append(Opaque("audio", message.audio, DIALECT))
    told = message.reasoning_content or ("" if message.reasoning is _NULL else read_told(message.reasoning))
    details = message.reasoning_details or _read_aside(message.provider_specific_fields)
    if told or details or message.extra_content is not None:
        parts = list(with_reasoning(parts, told, details, message.extra_content, DIALECT))
    return (*parts, *asides) if asides else tuple(parts)


def _read_aside(said: Raw) -> Sequence[Detail]:
    aside = None if said is _NULL else lenient(_ASIDE, said)
    return () if aside is None else aside.reasoning_details or ()


def _read_calls(calls: Sequence[Any], path: str, parts: list[Part], asides: list[Part]) -> None:
    """Appends the tool calls (structs, or values as they stand) to the parts, and those that the house has no word for
    to the asides."""
    for position, said in enumerate(calls):
        call: Any = said
        if type(call) is Raw:
            call = take(_CALL, call, f"{path}.tool_calls[{position}]")
        if call.type != "function":
            asides.append(Opaque("tool_call", said, DIALECT))
        elif call.function is None:
            raise required(f"{path}.tool_calls[{position}].function")
        else:
            parts.append(_read_call(call, call.function))


def _read_call(call: _Call, function: _Function) -> ToolCall:
    if call.extra_content is None and call.cache_control is None:
        return ToolCall(call.id, function.name, function.arguments)
    signed = call.extra_content.signature if call.extra_content is not None else None
    signature, origin = unwrap(signed, DIALECT) if signed else (None, "")
    return ToolCall(call.id, function.name, function.arguments, signature, origin, read_mark(call.cache_control))


def _read_result_id(message: _Message, path: str, called: dict[str, str]) -> str:
    if message.role == "function":
        if message.name is None:
            raise required(f"{path}.name")
        if message.name not in called:
            raise RequestInvalid(
                f"`{path}.name`: no earlier message called the function {message.name!r}.",
                param=f"{path}.name",
                hint="Put the assistant's message with its `function_call` before the result.",
            )
        return called[message.name]
    if message.tool_call_id is None:
        raise required(f"{path}.tool_call_id")
    return message.tool_call_id


def unknown_value(path: str, value: str, allowed: Sequence[str]) -> RequestInvalid:
    return RequestInvalid(
        f"`{path}`: {value!r} is not one of {', '.join(allowed)}.", param=path, hint=f"Use one of {', '.join(allowed)}."
    )
