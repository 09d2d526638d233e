"""OpenAI's Responses, inwards: the full reading of a request into the house language.

Every error names the exact path. What is valid there and has no word in the house is not refused here but listed in
`Chat.others` (fields) or kept as an `Opaque` (items and parts), so that whoever must write it in another language can
say no.
"""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace

from fairlead.chat import Chat, Message, Opaque, Part, Role, Shape, Text, Tool, ToolCall, ToolChoice
from fairlead.dialects.conversation import check_tools, places
from fairlead.dialects.reading import is_null, raw_json, required, take, take_optional
from fairlead.dialects.responses.items import (
    NULL,
    AnyItem,
    Item,
    is_plain,
    is_retold,
    known_items,
    read_call,
    read_content,
    read_item,
    read_picture,
    read_reasoning,
    read_signature,
    unknown_value,
)
from fairlead.dialects.responses.language import DIALECT, ENCRYPTED_REASONING, TEXT_LOGPROBS
from fairlead.dialects.responses.signing import Heard

MAX_TOKENS = 2**31 - 1
REFERENCES = ("item_reference", "compaction")  # items that stand for a conversation that is not in the request
INPUT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_KNOWN = frozenset({
    "include", "input", "instructions", "model", "reasoning", "stream", "stream_options", "text", "tool_choice",
    "tools", "top_logprobs",
})  # fmt: skip
_TOOL_WORDS = frozenset({"type", "name", "description", "parameters", "strict"})
# Values by which a field asks for nothing. `store` is on unless it is switched off, so false says something there.
_IDLE = frozenset({b"null", b"false", b"{}", b"[]"})
_IDLE_OF = {"store": frozenset({b"null"}), "truncation": frozenset({b"null", b'"disabled"'})}


# What is included where no more is told than reasoning can be sent back with.
_NOTHING_TOLD = (None, raw_json([ENCRYPTED_REASONING]))


class _Format(Struct):
    type: str
    name: str | None = None
    schema_: Raw = field(default=NULL, name="schema")
    strict: bool | None = None
    description: str | None = None


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None


class _PlainFunction(_Function, tag="function", forbid_unknown_fields=True):
    """A function tool that has no more words than the house."""


class _Choice(Struct):
    type: str
    name: str | None = None


_Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
_Count: TypeAlias = Annotated[int, Meta(ge=0)]

_INPUT = msgspec.json.Decoder(str | list[Raw] | None)
_LIMIT = msgspec.json.Decoder(_Limit | None)
_RAWS = msgspec.json.Decoder(list[Raw] | None)
_FUNCTION = msgspec.json.Decoder(_PlainFunction)
_LENIENT_FUNCTION = msgspec.json.Decoder(_Function)
_WORDS = msgspec.json.Decoder(dict[str, Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Raw] | None)
_FORMAT = msgspec.json.Decoder(_Format | None)
_CHOICE = msgspec.json.Decoder(_Choice)
_STRINGS = msgspec.json.Decoder(list[str] | None)
_STRING = msgspec.json.Decoder(str | None)
_FLOAT = msgspec.json.Decoder(float | None)
_COUNT = msgspec.json.Decoder(_Count | None)
_FLAG = msgspec.json.Decoder(bool | None)
# Fields that have the same word in the house.
_PLAIN: dict[str, msgspec.json.Decoder[Any]] = {
    "frequency_penalty": _FLOAT,
    "max_output_tokens": _LIMIT,
    "parallel_tool_calls": _FLAG,
    "presence_penalty": _FLOAT,
    "temperature": _FLOAT,
    "top_p": _FLOAT,
    "user": _STRING,
}


def read_output_limit(fields: dict[str, Raw]) -> int | None:
    """A positive whole number, or None where the caller did not say."""
    return take_optional(_LIMIT, fields, "max_output_tokens")


def read_chat(fields: dict[str, Raw]) -> Chat:
    """The whole of a request. Raises RequestInvalid with the exact path (`input[3].content[1].type`).

    | there | in the house |
    |---|---|
    | `instructions` | a first message of role system |
    | message items of one side in a row | a message each |
    | reasoning, calls and other items of the assistant's in a row | parts of one message |
    | items of built-in tools | opaque parts, in their places |
    | references to items, compactions | the same, and `others`, since without them another question would be asked |
    | `developer` | system |
    | `phase`, ids and states of items, annotations | nothing: they help the provider, and change nothing said |
    | `reasoning.summary` | whether thinking is shown; in which detail is let go |
    | a cache breakpoint, one of 12h | a mark of 5m, one of 1h |
    | built-in and custom tools, namespaces | `others["tools[n]"]` |
    """
    others: dict[str, Raw] = {}
    plain: dict[str, Any] = {}
    for name, raw in fields.items():
        if (decoder := _PLAIN.get(name)) is not None:
            plain[name] = take(decoder, raw, name)
        elif name not in _KNOWN and _asks(name, raw):
            others[name] = raw
    tools = _read_tools(fields, others)
    choice = _read_tool_choice(fields, others)
    shape = _read_text(fields, others)
    effort, shows = _read_reasoning_wish(fields, others)
    return Chat(
        messages=_read_messages(fields, others),
        logprobs=_read_logprobs(fields, others),
        tools=tools,
        tool_choice=choice,
        shape=shape,
        effort=effort,
        shows_thinking=shows,
        others=others,
        dialect=DIALECT,
        **plain,
    )


def _asks(name: str, raw: Raw) -> bool:
    return bytes(raw) not in _IDLE_OF.get(name, _IDLE)


# --- the conversation ------------------------------------------------------------------------------------------------


def has_more_input(fields: dict[str, Raw]) -> bool:
    """Whether the provider adds what it has kept to the conversation."""
    return not fields.keys().isdisjoint(INPUT_ELSEWHERE) and not all(
        is_null(fields.get(name)) for name in INPUT_ELSEWHERE
    )


def _read_messages(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[Message, ...]:
    said: str | Sequence[Item | Raw] | None = known_items(fields.get("input")) or take_optional(_INPUT, fields, "input")
    elsewhere = has_more_input(fields)
    if said is None and not elsewhere:
        raise required("input")
    conversation = _Conversation()
    if instructions := take_optional(_STRING, fields, "instructions"):
        conversation.add(Message("system", (Text(instructions),)), "instructions")
    if isinstance(said, str):
        conversation.add(Message("user", (Text(said),)), "input")
    else:
        for item, path in zip(said or (), places("input", len(said or ())), strict=True):
            conversation.read(item, path)
    conversation.flush()
    others.update(conversation.refers)
    if not (elsewhere or conversation.refers):
        check_tools(conversation.messages, conversation.paths)
    return tuple(conversation.messages)


class _Conversation:
    """Messages, as the items of `input` make them: what the assistant says in a row is one."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.paths: list[str] = []
        self.refers: dict[str, Raw] = {}  # to what is not in the request: the first item of each kind that does
        self._parts: list[Part] = []  # of the assistant's message that is going on
        self._path = ""
        self._after_text = False  # its last item was a message: one more is a message of its own
        self._signatures: dict[str, Heard] = {}  # id of a tool call -> its signature
        self._elsewhere: set[str] = set()  # ids of calls that are opaque; so are their results

    def add(self, message: Message, path: str) -> None:
        if self._parts:
            self.flush()
        self.messages.append(message)
        self.paths.append(path)

    def flush(self) -> None:
        if self._parts:
            parts = tuple(self._parts)
            if self._signatures:
                parts = tuple(self._signed(part) for part in parts)
            self.messages.append(Message("assistant", parts))
            self.paths.append(self._path)
            self._parts.clear()
            self._signatures.clear()
        self._after_text = False

    def read(self, said: Item | Raw, path: str) -> None:
        item = read_item(said, path) if isinstance(said, Raw) else said
        kind = item.type
        if kind == "message" or (kind is None and item.role is not None):
            self._message(item, path)
        elif kind == "function_call" and is_plain(item):
            self._say((read_call(item, path),), path)
        elif kind == "function_call_output" and is_plain(item) and item.call_id not in self._elsewhere:
            self._result(item, path)
        elif kind == "reasoning":
            self._reasoning(item, path)
        elif isinstance(said, Raw) and isinstance(item, AnyItem):
            self._other(item, said, path)

    def _other(self, item: AnyItem, raw: Raw, path: str) -> None:
        if is_retold(item):
            self._say((read_picture(item, path),), path)
        elif item.type is None and item.id is None:
            raise required(f"{path}.type")
        else:
            self._opaque(item.type or "item_reference", item, raw, path)

    def _message(self, item: Item, path: str) -> None:
        role = _ROLES.get(item.role or "")
        content = item.content
        if role is None:
            if item.role is None:
                raise required(f"{path}.role")
            raise unknown_value(f"{path}.role", item.role, tuple(_ROLES))
        if content is None and role != "assistant":
            raise required(f"{path}.content")
        parts = (Text(content),) if type(content) is str else read_content(content, f"{path}.content")
        if role != "assistant":
            self.add(Message(role, parts), path)
            return
        if self._after_text:
            self.flush()
        self._say(parts, path)
        self._after_text = True

    def _result(self, item: Item, path: str) -> None:
        if item.call_id is None:
            raise required(f"{path}.call_id")
        if item.output is None:
            raise required(f"{path}.output")
        if type(item.output) is str:
            self.add(Message("tool", (Text(item.output),), item.call_id), path)
            return
        parts = read_content(item.output, f"{path}.output")
        cache = getattr(parts[-1], "cache", None) if parts else None
        if cache is not None:  # the end of its last part is the end of the result
            parts = (*parts[:-1], replace(parts[-1], cache=None))
        self.add(Message("tool", parts, tool_call_id=item.call_id, cache=cache), path)

    def _reasoning(self, item: Item, path: str) -> None:
        heard = read_signature(item)
        if heard is not None and heard.kind == "call" and heard.name is not None:
            self._signatures[heard.name] = heard
            return
        part = read_reasoning(item, heard, path)
        if part.text or part.signature or part.id:
            self._say((part,), path)

    def _opaque(self, kind: str, item: Item, raw: Raw, path: str) -> None:
        if item.call_id is not None:
            self._elsewhere.add(item.call_id)
        if kind in REFERENCES:
            self.refers.setdefault(kind, raw)
        self._say((Opaque(kind, raw, DIALECT),), path)

    def _say(self, parts: tuple[Part, ...], path: str) -> None:
        if not self._parts:
            self._path = path
        self._parts += parts
        self._after_text = False

    def _signed(self, part: Part) -> Part:
        heard = self._signatures.get(part.id) if isinstance(part, ToolCall) else None
        return part if heard is None else replace(part, signature=heard.signature, origin=heard.origin)


# --- tools and the form of the answer --------------------------------------------------------------------------------


def _read_tools(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for position, raw in enumerate(take_optional(_RAWS, fields, "tools") or []):
        try:
            said = _FUNCTION.decode(raw)
        except msgspec.ValidationError:  # of another kind, with more words, or wrong
            said = _read_other_tool(raw, f"tools[{position}]", others)
        if said is not None:
            parameters = None if is_null(said.parameters) else said.parameters
            tools.append(Tool(said.name, said.description, parameters, said.strict))
    return tuple(tools)


def _read_other_tool(raw: Raw, path: str, others: dict[str, Raw]) -> _Function | None:
    said = take(_WORDS, raw, path)
    if is_null(said.get("type")):
        raise required(f"{path}.type")
    if bytes(said["type"]) != b'"function"':
        others[path] = raw
        return None
    function = take(_LENIENT_FUNCTION, raw, path)
    others.update((f"{path}.{word}", raw) for word, raw in said.items() if word not in _TOOL_WORDS and _asks(word, raw))
    return function


def _read_tool_choice(fields: dict[str, Raw], others: dict[str, Raw]) -> ToolChoice | None:
    raw = fields.get("tool_choice")
    if raw is None or is_null(raw):
        return None
    if bytes(raw)[:1] == b'"':
        mode = take(_STRING, raw, "tool_choice")
        if mode not in ("auto", "none", "required"):
            raise unknown_value("tool_choice", str(mode), ("auto", "none", "required"))
        return ToolChoice(mode)
    choice = take(_CHOICE, raw, "tool_choice")
    if choice.type != "function":
        others["tool_choice"] = raw
        return None
    if choice.name is None:
        raise required("tool_choice.name")
    return ToolChoice("named", choice.name)


def _read_text(fields: dict[str, Raw], others: dict[str, Raw]) -> Shape | None:
    if "text" not in fields:
        return None
    text = take_optional(_OBJECT, fields, "text") or {}
    raw = text.pop("format", NULL)
    others.update((f"text.{name}", raw) for name, raw in text.items() if _asks(name, raw))
    said = take(_FORMAT, raw, "text.format")
    if said is None:
        return None
    match said.type:
        case "text":
            return Shape("text")
        case "json_object":
            return Shape("json")
        case "json_schema":
            if is_null(said.schema_):
                raise required("text.format.schema")
            return Shape("schema", said.name, said.schema_, said.strict, said.description)
    others["text.format"] = raw
    return None


def _read_reasoning_wish(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[str | None, bool | None]:
    """(effort, whether to show it). A summary that is null is one that is not wanted."""
    if "reasoning" not in fields:
        return None, None
    said = take_optional(_OBJECT, fields, "reasoning") or {}
    effort = take(_STRING, said.pop("effort", NULL), "reasoning.effort")
    summaries = [said.pop(name) for name in ("summary", "generate_summary") if name in said]
    others.update((f"reasoning.{name}", raw) for name, raw in said.items() if _asks(name, raw))
    return effort, (not all(map(is_null, summaries)) if summaries else None)


def _read_logprobs(fields: dict[str, Raw], others: dict[str, Raw]) -> int | None:
    top = take_optional(_COUNT, fields, "top_logprobs") or 0
    if fields.get("include") in _NOTHING_TOLD:
        return top or None
    included = take_optional(_STRINGS, fields, "include")
    if not included:
        return top or None
    rest = sorted({*included} - {ENCRYPTED_REASONING, TEXT_LOGPROBS})
    if rest:
        others["include"] = raw_json(rest)
    return top if top or TEXT_LOGPROBS in included else None
