"""OpenAI's language, inwards: the full reading of a chat request into the house language.

Every error names the exact path. What is valid there and has no word in the house is not refused here but listed in
`Chat.others` (fields) or kept as an `Opaque` (parts), so that whoever must write it in another language can say no.
"""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, field

from fairlead.chat import Chat, Shape, Tool, ToolChoice
from fairlead.dialects.openai import thinking
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.messages import read_messages, unknown_value
from fairlead.dialects.openai.parts import Mark, read_mark
from fairlead.dialects.reading import UNREADABLE, is_null, need, required, take, take_optional

LIMIT_NAMES = ("max_completion_tokens", "max_tokens")
MAX_TOKENS = 2**31 - 1

_KNOWN = thinking.NAMES | frozenset({
    *LIMIT_NAMES, "function_call", "functions", "logprobs", "messages", "model", "n", "response_format", "stop",
    "stream", "stream_options", "tool_choice", "tools", "top_logprobs",
})  # fmt: skip
_NULL = Raw(b"null")
# Values by which a field asks for nothing: its default, written out.
_IDLE = frozenset({b"null", b"false", b"0", b"0.0", b"{}", b"[]", b'["text"]'})


class _Function(Struct, gc=False):
    name: str
    description: str | None = None
    parameters: Raw = _NULL
    strict: bool | None = None
    cache_control: Mark | None = None


class _Tool(Struct):
    """A tool without a type is a function where it has one: several servers let that go unsaid."""

    type: str | None = None
    function: Raw = _NULL
    cache_control: Mark | None = None


class _FunctionTool(Struct, gc=False):
    """The same where it is a function for sure."""

    function: _Function
    type: Literal["function"] | None = None
    cache_control: Mark | None = None


class _Named(Struct):
    name: str


class _Choice(Struct):
    type: str
    function: _Named | None = None


class _JsonSchema(Struct):
    name: str | None = None
    schema_: Raw = field(default=_NULL, name="schema")
    strict: bool | None = None
    description: str | None = None


class _Format(Struct):
    type: str
    json_schema: _JsonSchema | None = None
    schema_: Raw = field(default=_NULL, name="schema")  # llama.cpp and others take it beside `json_object`


_Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
_Count: TypeAlias = Annotated[int, Meta(ge=1)]
_Alternatives: TypeAlias = Annotated[int, Meta(ge=0)]

_LIMIT = msgspec.json.Decoder(_Limit | None)
_SAMPLES = msgspec.json.Decoder(_Count | None)
_ALTERNATIVES = msgspec.json.Decoder(_Alternatives | None)
_RAWS = msgspec.json.Decoder(list[Raw] | None)
_FUNCTION_TOOLS = msgspec.json.Decoder(list[_FunctionTool] | None)
_TOOL = msgspec.json.Decoder(_Tool)
_FUNCTION = msgspec.json.Decoder(_Function)
_CHOICE = msgspec.json.Decoder(str | _Choice | None)
_OLD_CHOICE = msgspec.json.Decoder(str | _Named | None)
_FORMAT = msgspec.json.Decoder(_Format | None)
_STOP = msgspec.json.Decoder(str | list[str] | None)
_STRING = msgspec.json.Decoder(str | None)
_FLOAT = msgspec.json.Decoder(float | None)
_INT = msgspec.json.Decoder(int | None)
_FLAG = msgspec.json.Decoder(bool | None)
# Fields that have the same word in the house.
_PLAIN: dict[str, msgspec.json.Decoder[Any]] = {
    "frequency_penalty": _FLOAT,
    "parallel_tool_calls": _FLAG,
    "presence_penalty": _FLOAT,
    "seed": _INT,
    "temperature": _FLOAT,
    "top_k": _INT,
    "top_p": _FLOAT,
    "user": _STRING,
}
_PENALTIES = frozenset({"frequency_penalty", "presence_penalty"})


def read_output_limit(raw: Raw, name: str) -> int | None:
    """The value of `max_tokens` or `max_completion_tokens`: a positive whole number, or None for null."""
    return take(_LIMIT, raw, name)


def caller_limit(fields: dict[str, Raw]) -> int | None:
    """The newer name wins where a caller sends both, as it does at the providers."""
    limit: int | None = None
    for name in LIMIT_NAMES:
        if name in fields:
            own = read_output_limit(fields[name], name)
            limit = own if limit is None else limit
    return limit


def read_chat(fields: dict[str, Raw]) -> Chat:
    """The whole of a chat request. Raises RequestInvalid with the exact path (`messages[3].content[1].type`)."""
    unknown: dict[str, Raw] = {}
    plain: dict[str, Any] = {}
    for name, raw in fields.items():
        if (decoder := _PLAIN.get(name)) is not None:
            plain[name] = take(decoder, raw, name)
        elif name not in _KNOWN and bytes(raw) not in _IDLE:
            unknown[name] = raw
    for name in _PENALTIES & plain.keys():
        plain[name] = plain[name] or None  # 0 is none at all
    asked = thinking.read_asked(fields)
    unknown.update((name, fields[name]) for name in asked.unread)
    return Chat(
        messages=read_messages(need(fields, "messages")),
        max_output_tokens=caller_limit(fields),
        stop=read_stop(fields),
        logprobs=_read_logprobs(fields),
        tools=_read_tools(fields, unknown),
        tool_choice=_read_tool_choice(fields, unknown),
        shape=_read_shape(fields, unknown),
        effort=asked.effort,
        thinking_tokens=asked.tokens,
        shows_thinking=asked.shows,
        samples=take_optional(_SAMPLES, fields, "n") or 1,
        others=unknown,
        dialect=DIALECT,
        **plain,
    )


def read_stop(fields: dict[str, Raw]) -> tuple[str, ...]:
    if "stop" not in fields:
        return ()
    stop = take(_STOP, fields["stop"], "stop")
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def _read_logprobs(fields: dict[str, Raw]) -> int | None:
    alternatives = take_optional(_ALTERNATIVES, fields, "top_logprobs")
    return (alternatives or 0) if take_optional(_FLAG, fields, "logprobs") else None


def _read_tools(fields: dict[str, Raw], unknown: dict[str, Raw]) -> tuple[Tool, ...]:
    if "tools" in fields and "functions" not in fields:
        try:  # as nearly always
            tools = _FUNCTION_TOOLS.decode(fields["tools"]) or ()
            return tuple([_tool(said.function, said.cache_control) for said in tools])
        except UNREADABLE:
            pass
    return _read_any_tools(fields, unknown)


def _read_any_tools(fields: dict[str, Raw], unknown: dict[str, Raw]) -> tuple[Tool, ...]:
    """Other kinds of tools among them, or mistakes: then each is read by itself."""
    tools: list[Tool] = []
    for position, raw in enumerate(take_optional(_RAWS, fields, "tools") or ()):
        path = f"tools[{position}]"
        said = take(_TOOL, raw, path)
        if said.type not in (None, "function"):
            unknown[path] = raw
        elif is_null(said.function):
            raise required(f"{path}.type" if said.type is None else f"{path}.function")
        else:
            tools.append(_tool(take(_FUNCTION, said.function, f"{path}.function"), said.cache_control))
    for position, raw in enumerate(take_optional(_RAWS, fields, "functions") or ()):
        tools.append(_tool(take(_FUNCTION, raw, f"functions[{position}]"), None))
    return tuple(tools)


def _tool(said: _Function, mark: Mark | None) -> Tool:
    parameters = None if is_null(said.parameters) else said.parameters
    return Tool(said.name, said.description, parameters, said.strict, read_mark(mark or said.cache_control))


def _read_tool_choice(fields: dict[str, Raw], unknown: dict[str, Raw]) -> ToolChoice | None:
    match take_optional(_CHOICE, fields, "tool_choice"):
        case None:
            return _read_old_choice(fields)
        case "auto" | "none" | "required" as choice:
            return ToolChoice(choice)
        case "any":  # Mistral's word for it
            return ToolChoice("required")
        case str(choice):
            raise unknown_value("tool_choice", choice, ("auto", "none", "required"))
        case _Choice(type="function", function=None):
            raise required("tool_choice.function")
        case _Choice(type="function", function=_Named(name=name)):
            return ToolChoice("named", name)
    unknown["tool_choice"] = fields["tool_choice"]
    return None


def _read_old_choice(fields: dict[str, Raw]) -> ToolChoice | None:
    match take_optional(_OLD_CHOICE, fields, "function_call"):
        case None:
            return None
        case "auto" | "none" as choice:
            return ToolChoice(choice)
        case _Named(name=name):
            return ToolChoice("named", name)
        case choice:
            raise unknown_value("function_call", choice, ("auto", "none"))


def _read_shape(fields: dict[str, Raw], unknown: dict[str, Raw]) -> Shape | None:
    said = take_optional(_FORMAT, fields, "response_format")
    match said:
        case None:
            return None
        case _Format(type="text"):
            return Shape("text")
        case _Format(type="json_object", schema_=schema):
            return Shape("json") if is_null(schema) else Shape("schema", schema=schema)
        case _Format(type="json_schema", json_schema=None):
            raise required("response_format.json_schema")
        case _Format(type="json_schema", json_schema=_JsonSchema() as form):
            if is_null(form.schema_):
                raise required("response_format.json_schema.schema")
            return Shape("schema", form.name, form.schema_, form.strict, form.description)
    unknown["response_format"] = fields["response_format"]
    return None
