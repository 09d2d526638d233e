"""Anthropic's language, inwards: the full reading of a Messages request into the house language.

Every error names the exact path. What is valid there and has no word in the house is not refused here but listed in
`Chat.others` (fields) or kept as an `Opaque` (blocks), so that whoever must write it in another language can say no.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace

from fairlead.chat import Chat, Media, Message, Shape, Text, Tool, ToolCall, ToolChoice
from fairlead.dialects.anthropic.blocks import IDLE, CacheSaid, read_mark, read_message, read_system, take_messages
from fairlead.dialects.anthropic.signing import DIALECT
from fairlead.dialects.conversation import check_tools, places
from fairlead.dialects.reading import UNREADABLE, is_null, need, required, take, take_optional
from fairlead.errors import RequestInvalid

MAX_TOKENS = 2**31 - 1

_KNOWN = frozenset({
    "cache_control", "context_management", "max_tokens", "messages", "metadata", "model", "output_config",
    "output_format", "stop_sequences", "stream", "system", "temperature", "thinking", "tool_choice", "tools", "top_k",
    "top_p",
})  # fmt: skip
# Of a tool: what says only how it is streamed, and by whom it may be called where there is nobody else.
_TOOL_ASIDE = frozenset({"eager_input_streaming"})
_TOOL_IDLE = IDLE | {b'["direct"]'}
_TOOL_KNOWN = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
OFF = ("disabled", "between_tools")  # types of thinking that switch it off, each for other models
_ADAPTIVE_EFFORT = "high"  # what the API takes where a request names none
_DISPLAYS = {None: None, "summarized": True, "omitted": False}
_NULL = Raw(b"null")


class _ToolKind(Struct):
    type: str | None = None


class _Tool(Struct):
    name: str
    input_schema: Raw = _NULL
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheSaid | None = None


class _PlainTool(_Tool, forbid_unknown_fields=True):
    """A tool of the caller's own that says no more than the house has words for."""

    type: Literal["custom"] | None = None
    eager_input_streaming: Raw = _NULL


class _Choice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _Format(Struct):
    type: str
    schema_: Raw = field(default=_NULL, name="schema")


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(Struct):
    user_id: str | None = None


class _Edit(Struct):
    type: str = ""


class _Management(Struct):
    edits: list[_Edit] | None = None


_Limit: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]

_LIMIT = msgspec.json.Decoder(_Limit)
_RAWS = msgspec.json.Decoder(list[Raw] | None)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_OPTIONAL_FIELDS = msgspec.json.Decoder(dict[str, Raw] | None)
_PLAIN_TOOLS = msgspec.json.Decoder(list[_PlainTool])
_TOOL_KIND = msgspec.json.Decoder(_ToolKind)
_TOOL = msgspec.json.Decoder(_Tool)
_CHOICE = msgspec.json.Decoder(_Choice | None)
_THINKING = msgspec.json.Decoder(_Thinking | None)
_OUTPUT = msgspec.json.Decoder(_OutputConfig | None)
_FORMAT = msgspec.json.Decoder(_Format | None)
_METADATA = msgspec.json.Decoder(_Metadata | None)
_MANAGEMENT = msgspec.json.Decoder(_Management | None)
_CACHE = msgspec.json.Decoder(CacheSaid | None)
_STRINGS = msgspec.json.Decoder(list[str] | None)
_FLOAT = msgspec.json.Decoder(float | None)
_INT = msgspec.json.Decoder(int | None)


def read_output_limit(fields: dict[str, Raw]) -> int | None:
    """`max_tokens`, None where it is not there. 0 is allowed: it warms the prompt cache."""
    raw = fields.get("max_tokens")
    return None if raw is None else take(_LIMIT, raw, "max_tokens")


def read_chat(fields: dict[str, Raw]) -> Chat:
    """The whole of a Messages request. Raises RequestInvalid with the exact path (`messages[3].content[1].type`)."""
    others = {name: raw for name, raw in fields.items() if name not in _KNOWN and bytes(raw) not in IDLE}
    tools = _read_tools(fields, others)
    choice, parallel = _read_choice(fields, others)
    effort, shape = _read_output(fields, others)
    effort, budget, shows = _read_thinking(fields, others, effort)
    metadata = take_optional(_METADATA, fields, "metadata")
    if metadata is not None and take(_FIELDS, fields["metadata"], "metadata").keys() - {"user_id"}:
        others["metadata"] = fields["metadata"]
    if _is_managed(fields):
        others["context_management"] = fields["context_management"]
    return Chat(
        messages=_read_messages(fields),
        max_output_tokens=read_output_limit(fields),
        temperature=take_optional(_FLOAT, fields, "temperature"),
        top_p=take_optional(_FLOAT, fields, "top_p"),
        top_k=take_optional(_INT, fields, "top_k"),
        stop=tuple(take_optional(_STRINGS, fields, "stop_sequences") or ()),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        shape=shape,
        effort=effort,
        thinking_tokens=budget,
        shows_thinking=shows,
        user=None if metadata is None else metadata.user_id,
        others=others,
        dialect=DIALECT,
    )


# --- the conversation ------------------------------------------------------------------------------------------------


def _read_messages(fields: dict[str, Raw]) -> tuple[Message, ...]:
    messages: list[Message] = []
    paths: list[str] = []
    system = read_system(fields.get("system"))
    if system and system != (Text(""),):
        messages.append(Message("system", system))
        paths.append("system")
    turns = take_messages(need(fields, "messages"))
    for said, path in zip(turns, places("messages", len(turns)), strict=True):
        read_message(said, path, messages)
        while len(paths) < len(messages):
            paths.append(path)
    check_tools(messages, paths)
    if not is_null(fields.get("cache_control")):
        _mark_last(messages, read_mark(take_optional(_CACHE, fields, "cache_control")))
    return tuple(messages)


def _mark_last(messages: list[Message], cache: str | None) -> None:
    """A mark on the request as a whole is one on the last part that can have one."""
    last = messages[-1]
    if last.role == "tool":
        messages[-1] = replace(last, cache=last.cache or cache)
        return
    part = last.parts[-1] if last.parts else None
    if isinstance(part, Text | Media | ToolCall) and part.cache is None:
        messages[-1] = replace(last, parts=(*last.parts[:-1], replace(part, cache=cache)))


# --- tools -----------------------------------------------------------------------------------------------------------


def _read_tools(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[Tool, ...]:
    raw = fields.get("tools")
    if raw is None:
        return ()
    try:
        return tuple([_read_tool(said, "tools") for said in _PLAIN_TOOLS.decode(raw)])
    except (*UNREADABLE, RequestInvalid):  # one by one, which tells where something is wrong
        return _read_any_tools(raw, others)


def _read_any_tools(array: Raw, others: dict[str, Raw]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for position, raw in enumerate(take(_RAWS, array, "tools") or ()):
        path = f"tools[{position}]"
        if take(_TOOL_KIND, raw, path).type not in (None, "custom"):
            others[path] = raw  # it runs at Anthropic, or is trained in there
            continue
        tools.append(_read_tool(take(_TOOL, raw, path), path))
        for name, value in take(_FIELDS, raw, path).items():
            if name not in _TOOL_KNOWN and name not in _TOOL_ASIDE and bytes(value) not in _TOOL_IDLE:
                others[f"{path}.{name}"] = value
    return tuple(tools)


def _read_tool(said: _Tool, path: str) -> Tool:
    if is_null(said.input_schema):
        raise required(f"{path}.input_schema")
    return Tool(said.name, said.description, said.input_schema, said.strict, read_mark(said.cache_control))


def _read_choice(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[ToolChoice | None, bool | None]:
    said = take_optional(_CHOICE, fields, "tool_choice")
    if said is None:
        return None, None
    parallel = False if said.disable_parallel_tool_use else None
    match said.type:
        case "auto":
            return ToolChoice("auto"), parallel
        case "any":
            return ToolChoice("required"), parallel
        case "none":
            return ToolChoice("none"), parallel
        case "tool":
            if said.name is None:
                raise required("tool_choice.name")
            return ToolChoice("named", said.name), parallel
    others["tool_choice"] = fields["tool_choice"]
    return None, parallel


# --- output and thinking ---------------------------------------------------------------------------------------------


def _read_output(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[str | None, Shape | None]:
    """(effort, shape). The shape also stands in `output_format`, as long as it was tried out."""
    said = take_optional(_OUTPUT, fields, "output_config") or _OutputConfig()
    for name, raw in (take_optional(_OPTIONAL_FIELDS, fields, "output_config") or {}).items():
        if name not in ("effort", "format") and bytes(raw) not in IDLE:
            others[f"output_config.{name}"] = raw
    name, form = "output_config.format", said.format
    if form is None:
        name, form = "output_format", take_optional(_FORMAT, fields, "output_format")
    if form is None:
        return said.effort, None
    if form.type != "json_schema":
        others[name] = fields[name] if name in fields else _FIELDS.decode(fields["output_config"])["format"]
        return said.effort, None
    if is_null(form.schema_):
        raise required(f"{name}.schema")
    return said.effort, Shape("schema", schema=form.schema_)


def _read_thinking(
    fields: dict[str, Raw], others: dict[str, Raw], effort: str | None
) -> tuple[str | None, int | None, bool | None]:
    """(effort, budget, whether it is shown). Thinking that is switched off beside an effort is a budget of 0."""
    said = take_optional(_THINKING, fields, "thinking")
    if said is None:
        return effort, None, None
    if said.type not in ("enabled", "adaptive", *OFF) or said.display not in _DISPLAYS:
        others["thinking"] = fields["thinking"]
        return effort, None, None
    if said.type in OFF:
        return ("none", None, None) if effort is None else (effort, 0, None)
    shows = _DISPLAYS[said.display]
    if said.type == "adaptive":
        return effort or _ADAPTIVE_EFFORT, None, shows
    if said.budget_tokens is None:
        raise required("thinking.budget_tokens")
    if said.budget_tokens < 1:
        raise RequestInvalid(
            "`thinking.budget_tokens`: a budget must be above 0.",
            param="thinking.budget_tokens",
            hint='Send 1024 or more, or `{"type": "disabled"}`.',
        )
    return effort, said.budget_tokens, shows


def _is_managed(fields: dict[str, Raw]) -> bool:
    """Whether the context shall be edited. Old reasoning that is kept or cleared is no part of what others are sent."""
    said = take_optional(_MANAGEMENT, fields, "context_management")
    if said is None:
        return False
    return not all(edit.type.startswith("clear_thinking_") for edit in said.edits or ())
