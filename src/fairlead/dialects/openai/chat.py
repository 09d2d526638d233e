"""OpenAI's language, inwards: the full reading of a chat request into the house language.

Every error names the exact path. What is valid there and has no word in the house is not refused here but listed in
`Chat.others` (fields) or kept as an `Opaque` (parts), so that whoever must write it in another language can say no.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, field

from fairlead.chat import Chat, Message, Opaque, Part, Role, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects.media import read_url
from fairlead.dialects.reading import is_null, need, required, take, take_optional
from fairlead.errors import RequestInvalid

DIALECT = "openai"
LIMIT_NAMES = ("max_completion_tokens", "max_tokens")
MAX_TOKENS = 2**31 - 1

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_KNOWN = frozenset({
    *LIMIT_NAMES, "messages", "model", "n", "parallel_tool_calls", "reasoning_effort", "response_format", "seed",
    "stop", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_k", "top_p", "user",
})  # fmt: skip
# Values by which a field asks for nothing: its default, written out.
_IDLE = frozenset({b"null", b"false", b"0", b"0.0", b"{}", b"[]", b'["text"]'})


class _Function(Struct):
    name: str
    arguments: str = ""


class _Call(Struct):
    type: str = "function"
    id: str = ""
    function: _Function | None = None


class _Message(Struct):
    role: str
    content: str | list[Raw] | None = None
    name: str | None = None
    tool_calls: list[Raw] | None = None
    tool_call_id: str | None = None
    function_call: _Function | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Raw = Raw(b"null")
    audio: Raw = Raw(b"null")


class _Kind(Struct):
    type: str


class _TextPart(Struct):
    text: str


class _RefusalPart(Struct):
    refusal: str


class _ImageUrl(Struct):
    url: str
    detail: str | None = None


class _ImagePart(Struct):
    image_url: _ImageUrl | str


class _ToolFunction(Struct):
    name: str
    description: str | None = None
    parameters: Raw = Raw(b"null")
    strict: bool | None = None


class _ToolKind(Struct):
    type: str | None = None
    function: Raw = Raw(b"null")


class _Tool(Struct):
    function: _ToolFunction


class _Named(Struct):
    name: str


class _Choice(Struct):
    type: str
    function: _Named | None = None


class _JsonSchema(Struct):
    name: str | None = None
    schema_: Raw = field(default=Raw(b"null"), name="schema")
    strict: bool | None = None


class _Format(Struct):
    type: str
    json_schema: _JsonSchema | None = None
    schema_: Raw = field(default=Raw(b"null"), name="schema")  # llama.cpp and others take it beside `json_object`


_Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
_Count: TypeAlias = Annotated[int, Meta(ge=1)]

_LIMIT = msgspec.json.Decoder(_Limit | None)
_SAMPLES = msgspec.json.Decoder(_Count | None)
_MESSAGES = msgspec.json.Decoder(Annotated[list[_Message], Meta(min_length=1)])
_RAWS = msgspec.json.Decoder(list[Raw] | None)
_BARE = msgspec.json.Decoder(str)
_KIND = msgspec.json.Decoder(_Kind)
_CALL = msgspec.json.Decoder(_Call)
_TEXT_PART = msgspec.json.Decoder(_TextPart)
_REFUSAL_PART = msgspec.json.Decoder(_RefusalPart)
_IMAGE_PART = msgspec.json.Decoder(_ImagePart)
_TOOL_KIND = msgspec.json.Decoder(_ToolKind)
_TOOL = msgspec.json.Decoder(_Tool)
_CHOICE = msgspec.json.Decoder(str | _Choice | None)
_FORMAT = msgspec.json.Decoder(_Format | None)
_STOP = msgspec.json.Decoder(str | list[str] | None)
_STRING = msgspec.json.Decoder(str | None)
_FLOAT = msgspec.json.Decoder(float | None)
_INT = msgspec.json.Decoder(int | None)
_FLAG = msgspec.json.Decoder(bool | None)


def read_output_limit(raw: Raw, name: str) -> int | None:
    """The value of `max_tokens` or `max_completion_tokens`: a positive whole number, or None for null."""
    return take(_LIMIT, raw, name)


def read_chat(fields: dict[str, Raw]) -> Chat:
    """The whole of a chat request. Raises RequestInvalid with the exact path (`messages[3].content[1].type`)."""
    limits = [read_output_limit(fields[name], name) for name in LIMIT_NAMES if name in fields]
    tools, unknown_tools = _read_tools(fields)
    choice, unknown_choice = _read_tool_choice(fields)
    shape, unknown_shape = _read_shape(fields)
    unknown = {name: raw for name, raw in fields.items() if name not in _KNOWN and bytes(raw) not in _IDLE}
    return Chat(
        messages=_read_messages(fields),
        max_output_tokens=next((limit for limit in limits if limit is not None), None),
        temperature=take_optional(_FLOAT, fields, "temperature"),
        top_p=take_optional(_FLOAT, fields, "top_p"),
        top_k=take_optional(_INT, fields, "top_k"),
        stop=_read_stop(fields),
        seed=take_optional(_INT, fields, "seed"),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=take_optional(_FLAG, fields, "parallel_tool_calls"),
        shape=shape,
        effort=take_optional(_STRING, fields, "reasoning_effort"),
        user=take_optional(_STRING, fields, "user"),
        samples=take_optional(_SAMPLES, fields, "n") or 1,
        others=unknown | unknown_tools | unknown_choice | unknown_shape,
        dialect=DIALECT,
    )


def _read_messages(fields: dict[str, Raw]) -> tuple[Message, ...]:
    legacy_calls: dict[str, str] = {}  # the name of a called function -> the id that its result will be given
    return tuple(
        _read_message(message, f"messages[{position}]", legacy_calls)
        for position, message in enumerate(take(_MESSAGES, need(fields, "messages"), "messages"))
    )


def _read_message(message: _Message, path: str, legacy_calls: dict[str, str]) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise _unknown_value(f"{path}.role", message.role, tuple(_ROLES))
    parts = _read_content(message, path)
    calls: tuple[ToolCall, ...] = ()
    if role == "assistant":
        calls, opaque = _read_calls(message, path, legacy_calls)
        parts = (*_read_reasoning(message), *parts, *calls, *opaque)
    return Message(
        role=role,
        parts=parts,
        tool_call_id=_read_result_id(message, path, legacy_calls) if role == "tool" else None,
        name=message.name,
    )


def _read_content(message: _Message, path: str) -> tuple[Part, ...]:
    content = message.content
    if isinstance(content, str):
        return (Text(content),)
    parts = tuple(_read_part(raw, f"{path}.content[{position}]") for position, raw in enumerate(content or ()))
    if message.role != "assistant":
        if content is None:
            raise required(f"{path}.content")
        return parts
    if message.refusal:
        parts += (Text(message.refusal),)
    if not is_null(message.audio):
        parts += (Opaque("audio", message.audio, DIALECT),)
    return parts


def _read_part(raw: Raw, path: str) -> Part:
    if bytes(raw)[:1] == b'"':  # several servers take a bare string for a text part
        return Text(take(_BARE, raw, path))
    kind = take(_KIND, raw, path).type
    if kind == "text":
        return Text(take(_TEXT_PART, raw, path).text)
    if kind == "refusal":
        return Text(take(_REFUSAL_PART, raw, path).refusal)
    if kind == "image_url":
        image = take(_IMAGE_PART, raw, path).image_url
        said = _ImageUrl(image) if isinstance(image, str) else image
        return read_url(said.url, f"{path}.image_url", "image", detail=said.detail)
    return Opaque(kind, raw, DIALECT)


def _read_reasoning(message: _Message) -> tuple[Part, ...]:
    said = message.reasoning_content
    if said is None and bytes(message.reasoning)[:1] == b'"':
        said = msgspec.json.decode(message.reasoning, type=str)
    return (Thinking(said),) if said else ()


def _read_calls(
    message: _Message, path: str, legacy_calls: dict[str, str]
) -> tuple[tuple[ToolCall, ...], tuple[Opaque, ...]]:
    calls: list[ToolCall] = []
    opaque: list[Opaque] = []
    for position, raw in enumerate(message.tool_calls or ()):
        call_path = f"{path}.tool_calls[{position}]"
        call = take(_CALL, raw, call_path)
        if call.type != "function":
            opaque.append(Opaque("tool_call", raw, DIALECT))
        elif call.function is None:
            raise required(f"{call_path}.function")
        else:
            calls.append(ToolCall(call.id, call.function.name, call.function.arguments))
    if message.function_call is not None:
        call_id = f"call_{path[len('messages[') : -1]}"  # the old form has no ids: the message's position makes one
        legacy_calls[message.function_call.name] = call_id
        calls.append(ToolCall(call_id, message.function_call.name, message.function_call.arguments))
    return tuple(calls), tuple(opaque)


def _read_result_id(message: _Message, path: str, legacy_calls: dict[str, str]) -> str:
    if message.role == "function":
        if message.name is None:
            raise required(f"{path}.name")
        if message.name not in legacy_calls:
            raise RequestInvalid(
                f"`{path}.name`: no earlier message called the function {message.name!r}.",
                param=f"{path}.name",
                hint="Put the assistant's message with its `function_call` before the result.",
            )
        return legacy_calls[message.name]
    if message.tool_call_id is None:
        raise required(f"{path}.tool_call_id")
    return message.tool_call_id


def _read_tools(fields: dict[str, Raw]) -> tuple[tuple[Tool, ...], dict[str, Raw]]:
    tools: list[Tool] = []
    unknown: dict[str, Raw] = {}
    for position, raw in enumerate(take_optional(_RAWS, fields, "tools") or ()):
        path = f"tools[{position}]"
        kind = take(_TOOL_KIND, raw, path)
        if kind.type is None and is_null(kind.function):
            raise required(f"{path}.type")
        if kind.type not in (None, "function"):  # several servers let the type of a function go unsaid
            unknown[path] = raw
            continue
        said = take(_TOOL, raw, path).function
        parameters = None if is_null(said.parameters) else said.parameters
        tools.append(Tool(said.name, said.description, parameters, said.strict))
    return tuple(tools), unknown


def _read_tool_choice(fields: dict[str, Raw]) -> tuple[ToolChoice | None, dict[str, Raw]]:
    choice = take_optional(_CHOICE, fields, "tool_choice")
    match choice:
        case None:
            return None, {}
        case "auto" | "none" | "required":
            return ToolChoice(choice), {}
        case "any":  # Mistral's word for it
            return ToolChoice("required"), {}
        case str():
            raise _unknown_value("tool_choice", choice, ("auto", "none", "required"))
        case _Choice(type="function", function=None):
            raise required("tool_choice.function")
        case _Choice(type="function", function=_Named(name=name)):
            return ToolChoice("named", name), {}
    return None, {"tool_choice": fields["tool_choice"]}


def _read_shape(fields: dict[str, Raw]) -> tuple[Shape | None, dict[str, Raw]]:
    said = take_optional(_FORMAT, fields, "response_format")
    if said is None:
        return None, {}
    if said.type == "text":
        return Shape("text"), {}
    if said.type == "json_object":
        return (Shape("json") if is_null(said.schema_) else Shape("schema", schema=said.schema_)), {}
    if said.type != "json_schema":
        return None, {"response_format": fields["response_format"]}
    if said.json_schema is None:
        raise required("response_format.json_schema")
    if is_null(said.json_schema.schema_):
        raise required("response_format.json_schema.schema")
    return Shape("schema", said.json_schema.name, said.json_schema.schema_, said.json_schema.strict), {}


def _read_stop(fields: dict[str, Raw]) -> tuple[str, ...]:
    stop = take_optional(_STOP, fields, "stop")
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def _unknown_value(path: str, value: str, allowed: tuple[str, ...]) -> RequestInvalid:
    return RequestInvalid(
        f"`{path}`: {value!r} is not one of {', '.join(allowed)}.", param=path, hint=f"Use one of {', '.join(allowed)}."
    )
