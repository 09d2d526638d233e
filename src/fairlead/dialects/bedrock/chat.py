"""Bedrock's language, inwards: the full reading of a Converse request into the house language.

Every error names the exact path. What the house has no word for is listed in `Chat.others` (fields) or kept as an
`Opaque` (blocks), so that whoever must write it in another language can say no.

| here | in the house |
|---|---|
| `system` | one system message; messages of role `system` stay where they stand |
| results of tools in a user's turn | messages of role `tool`, before the rest of the turn |
| a `cachePoint` | a mark on what stands before it |
| `additionalModelRequestFields` | thinking, effort, `top_k`, Claude's `tool_choice` and `output_config`; others stay |
| `additionalModelResponseFieldPaths` for Claude's stop sequence | nothing: every language tells it |
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace

from fairlead.chat import Chat, Message, Part, Shape, Tool, ToolChoice
from fairlead.dialects.bedrock.content import Block, Whole, read_part, read_result, with_mark
from fairlead.dialects.bedrock.signing import DIALECT, CallSignature, with_signatures
from fairlead.dialects.bedrock.thinking import ADDITIONAL, read_thinking
from fairlead.dialects.conversation import check_tools
from fairlead.dialects.media import check_base64
from fairlead.dialects.reading import is_null, need, take
from fairlead.errors import RequestInvalid

MAX_TOKENS = 2**31 - 1
STOP_PATHS = ("/stop_sequence", "/delta/stop_sequence")  # where Claude tells it, in answers and in streams
NO_PARAMETERS = b'{"type":"object","properties":{}}'  # of a tool that was given no schema

_ROLES = ("user", "assistant", "system")
_KNOWN = frozenset({
    "messages", "system", "inferenceConfig", "toolConfig", "outputConfig", ADDITIONAL, "modelId",
    "additionalModelResponseFieldPaths",
})  # fmt: skip
_IDLE = frozenset({b"null", b"false", b"{}", b"[]"})  # values that ask for nothing
_NULL = Raw(b"null")


class _Message(Struct):
    role: str
    content: list[Block]


_Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]


class Inference(Struct, rename="camel"):
    max_tokens: _Limit | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class _Schema(Struct):
    json: Raw = _NULL


class _Spec(Struct, rename="camel"):
    name: str
    description: str | None = None
    input_schema: _Schema | None = None
    strict: bool | None = None


class _Point(Struct):
    ttl: str | None = None


class _Tool(Struct, rename="camel"):
    tool_spec: _Spec | None = None
    cache_point: _Point | None = None


class _Named(Struct):
    name: str


class _Choice(Struct):
    auto: Raw = _NULL
    any: Raw = _NULL
    tool: _Named | None = None


class _JsonSchema(Struct):
    schema_: str = field(name="schema")
    name: str | None = None
    description: str | None = None


class _Structure(Struct, rename="camel"):
    json_schema: _JsonSchema | None = None


class _TextFormat(Struct):
    type: str = ""
    structure: _Structure | None = None


class _ClaudeFormat(Struct):
    type: str = ""
    schema_: Raw = field(default=_NULL, name="schema")


class _ClaudeChoice(Struct):
    type: str = ""
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _NovaInference(Struct, rename="camel"):
    top_k: int | None = None


_MESSAGES = msgspec.json.Decoder(Annotated[list[_Message], Meta(min_length=1)])
_MESSAGE = msgspec.json.Decoder(_Message)
_CONTENTS = msgspec.json.Decoder(list[dict[str, Raw]])
_RAWS = msgspec.json.Decoder(list[Raw])
_BLOCK = msgspec.json.Decoder(Block)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_INFERENCE = msgspec.json.Decoder(Inference)
_TOOL = msgspec.json.Decoder(_Tool)
_CHOICE = msgspec.json.Decoder(_Choice)
_TEXT_FORMAT = msgspec.json.Decoder(_TextFormat)
_CLAUDE_FORMAT = msgspec.json.Decoder(_ClaudeFormat)
_CLAUDE_CHOICE = msgspec.json.Decoder(_ClaudeChoice)
_NOVA_INFERENCE = msgspec.json.Decoder(_NovaInference)
_STRING = msgspec.json.Decoder(str | None)
_STRINGS = msgspec.json.Decoder(list[str])
_INT = msgspec.json.Decoder(int | None)
_ANY = msgspec.json.Decoder(Any)


def read_chat(fields: dict[str, Raw]) -> Chat:
    """The whole of a Converse request. Raises RequestInvalid with the exact path (`messages[3].content[1].text`)."""
    others = {name: raw for name, raw in fields.items() if name not in _KNOWN}
    inference = read_inference(fields)
    _keep(others, "inferenceConfig", fields.get("inferenceConfig"), Inference.__struct_encode_fields__)
    added = _read_object(fields, ADDITIONAL)
    shape, effort = _read_output(fields, added, others)
    thinking = read_thinking(added, effort)
    tools, choice, parallel = _read_tools(fields, added, others)
    top_k = _read_top_k(added)
    others.update((f"{ADDITIONAL}.{name}", raw) for name, raw in added.items())
    _keep_paths(others, fields)
    return Chat(
        messages=_read_conversation(fields),
        max_output_tokens=inference.max_tokens,
        temperature=inference.temperature,
        top_p=inference.top_p,
        top_k=top_k,
        stop=tuple(inference.stop_sequences or ()),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        shape=shape,
        effort=thinking.effort,
        thinking_tokens=thinking.tokens,
        shows_thinking=thinking.shown,
        others={path: raw for path, raw in others.items() if bytes(raw) not in _IDLE},
        dialect=DIALECT,
    )


def read_inference(fields: dict[str, Raw]) -> Inference:
    raw = fields.get("inferenceConfig")
    return Inference() if raw is None or is_null(raw) else take(_INFERENCE, raw, "inferenceConfig")


def _read_object(fields: dict[str, Raw], name: str) -> dict[str, Raw]:
    raw = fields.get(name)
    return {} if raw is None or is_null(raw) else take(_OBJECT, raw, name)


def _keep(others: dict[str, Raw], path: str, raw: Raw | None, known: Sequence[str]) -> None:
    """Of an object the fields that are not known."""
    if raw is not None and not is_null(raw):
        others.update((f"{path}.{name}", value) for name, value in _OBJECT.decode(raw).items() if name not in known)


def _keep_paths(others: dict[str, Raw], fields: dict[str, Raw]) -> None:
    name = "additionalModelResponseFieldPaths"
    raw = fields.get(name)
    if raw is not None and not is_null(raw) and not set(take(_STRINGS, raw, name)) <= set(STOP_PATHS):
        others[name] = raw


# --- the conversation ------------------------------------------------------------------------------------------------


def _read_conversation(fields: dict[str, Raw]) -> tuple[Message, ...]:
    messages: list[Message] = []
    paths: list[str] = []
    system = _read_system(fields)
    if system:
        messages.append(Message("system", tuple(system)))
        paths.append("system")
    raw = need(fields, "messages")
    for position, said in enumerate(_read_messages(raw)):
        path = f"messages[{position}]"
        if said.role not in _ROLES:
            raise _unknown_value(f"{path}.role", said.role, _ROLES)
        whole = Whole(_finder(raw, position))
        for message, where in _read_turn(said, whole, f"{path}.content"):
            messages.append(message)
            paths.append(where)
    check_tools(messages, paths)
    return tuple(messages)


def _read_messages(raw: Raw) -> list[_Message]:
    """All at once; only where something is wrong, piece by piece, to tell where exactly."""
    try:
        return _MESSAGES.decode(raw)
    except msgspec.ValidationError:
        for position, message in enumerate(take(_RAWS, raw, "messages")):
            path = f"messages[{position}]"
            content = take(_OBJECT, message, path).get("content", _NULL)
            if bytes(content)[:1] == b"[":
                _read_blocks(content, f"{path}.content")
            take(_MESSAGE, message, path)
        return take(_MESSAGES, raw, "messages")


def _read_blocks(raw: Raw, path: str) -> list[Block]:
    return [take(_BLOCK, block, f"{path}[{position}]") for position, block in enumerate(take(_RAWS, raw, path))]


def _finder(raw: Raw, position: int) -> Callable[[], Raw]:
    return lambda: _CONTENTS.decode(raw)[position]["content"]


def _read_system(fields: dict[str, Raw]) -> list[Part]:
    raw = fields.get("system")
    if raw is None or is_null(raw):
        return []
    blocks = _read_blocks(raw, "system")
    whole = Whole(lambda: raw)
    parts: list[Part | CallSignature] = []
    for position, block in enumerate(blocks):
        if block.cache_point is not None:
            with_mark(parts, block.cache_point.ttl or "5m")
        else:
            parts.append(read_part(block, whole, position, "system", DIALECT, check_base64))
    return with_signatures(parts)


def _read_turn(said: _Message, whole: Whole, path: str) -> list[tuple[Message, str]]:
    """The messages of one turn and where they stand: results of tools first, then what was said."""
    results: list[tuple[Message, str]] = []
    parts: list[Part | CallSignature] = []
    after_result = False
    for position, block in enumerate(said.content):
        if block.cache_point is not None:
            ttl = block.cache_point.ttl or "5m"
            if after_result:
                results[-1] = (replace(results[-1][0], cache=ttl), results[-1][1])
            else:
                with_mark(parts, ttl)
            continue
        after_result = block.tool_result is not None and said.role == "user"
        if block.tool_result is not None and after_result:
            given = block.tool_result
            content = read_result(given, whole.inside(position), f"{path}[{position}].toolResult.content", check_base64)
            failed = given.status == "error"
            message = Message("tool", content, tool_call_id=given.tool_use_id, is_error=failed)
            results.append((message, f"{path}[{position}].toolResult.toolUseId"))
        else:
            parts.append(read_part(block, whole, position, path, DIALECT, check_base64))
    if parts or not results:
        role = "assistant" if said.role == "assistant" else "system" if said.role == "system" else "user"
        results.append((Message(role, tuple(with_signatures(parts))), path.removesuffix(".content")))
    return results


# --- tools -----------------------------------------------------------------------------------------------------------


def _read_tools(
    fields: dict[str, Raw], added: dict[str, Raw], others: dict[str, Raw]
) -> tuple[tuple[Tool, ...], ToolChoice | None, bool | None]:
    config = _read_object(fields, "toolConfig")
    tools: list[Tool] = []
    raw = config.pop("tools", None)
    for position, said in enumerate(() if raw is None or is_null(raw) else take(_RAWS, raw, "toolConfig.tools")):
        path = f"toolConfig.tools[{position}]"
        tool = take(_TOOL, said, path)
        if tool.tool_spec is not None:
            tools.append(_read_tool(tool.tool_spec))
        elif tool.cache_point is None:
            others[path] = said
        elif tools:
            tools[-1] = replace(tools[-1], cache=tool.cache_point.ttl or "5m")
    choice, parallel = _read_choice(config, added)
    others.update((f"toolConfig.{name}", value) for name, value in config.items())
    return tuple(tools), choice, parallel


def _read_tool(said: _Spec) -> Tool:
    schema = said.input_schema.json if said.input_schema else _NULL
    none = is_null(schema) or bytes(schema) == NO_PARAMETERS
    return Tool(said.name, said.description, None if none else schema, said.strict)


def _read_choice(config: dict[str, Raw], added: dict[str, Raw]) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether several tools may be called at once. What is understood is taken out of both."""
    choice: ToolChoice | None = None
    parallel: bool | None = None
    raw = config.get("toolChoice")
    if raw is not None and not is_null(raw):
        said = take(_CHOICE, raw, "toolConfig.toolChoice")
        choice = _chosen("tool" if said.tool else "any" if not is_null(said.any) else "auto", said.tool)
        if said.tool or not is_null(said.any) or not is_null(said.auto):
            del config["toolChoice"]
        else:
            choice = None
    raw = added.get("tool_choice")
    if raw is not None and bytes(raw)[:1] == b"{":
        claudes = take(_CLAUDE_CHOICE, raw, f"{ADDITIONAL}.tool_choice")
        if claudes.type in ("auto", "any", "none") or (claudes.type == "tool" and claudes.name):
            del added["tool_choice"]
            if claudes.disable_parallel_tool_use is not None:
                parallel = not claudes.disable_parallel_tool_use
            if claudes.type != "auto" or parallel is None:
                choice = _chosen(claudes.type, _Named(claudes.name or ""))
    return choice, parallel


def _chosen(kind: str, tool: _Named | None) -> ToolChoice:
    match kind:
        case "any":
            return ToolChoice("required")
        case "tool":
            return ToolChoice("named", tool.name if tool else None)
        case "none":
            return ToolChoice("none")
    return ToolChoice("auto")


# --- output ----------------------------------------------------------------------------------------------------------


def _read_output(
    fields: dict[str, Raw], added: dict[str, Raw], others: dict[str, Raw]
) -> tuple[Shape | None, str | None]:
    """The shape of the answer and the effort, from `outputConfig`; the shape also in Claude's own words."""
    config = _read_object(fields, "outputConfig")
    shape: Shape | None = None
    raw = config.get("textFormat")
    if raw is not None and not is_null(raw):
        said = take(_TEXT_FORMAT, raw, "outputConfig.textFormat")
        if said.type == "json_schema" and said.structure and said.structure.json_schema:
            del config["textFormat"]
            shape = _read_schema(said.structure.json_schema)
    word = config.pop("effort", _NULL)
    effort = take(_STRING, word, "outputConfig.effort")
    others.update((f"outputConfig.{name}", value) for name, value in config.items())
    raw = added.get("output_config")
    if raw is not None and bytes(raw)[:1] == b"{":
        own = take(_OBJECT, raw, f"{ADDITIONAL}.output_config")
        wanted = own.get("format")
        if wanted is not None and shape is None:
            found = take(_CLAUDE_FORMAT, wanted, f"{ADDITIONAL}.output_config.format")
            if found.type == "json_schema" and not is_null(found.schema_):
                shape = Shape("schema", schema=found.schema_)
                del own["format"]
                added["output_config"] = Raw(msgspec.json.encode(own))
    return shape, effort


def _read_schema(said: _JsonSchema) -> Shape:
    path = "outputConfig.textFormat.structure.jsonSchema.schema"
    schema = said.schema_.encode()
    take(_ANY, schema, path)
    return Shape("schema", said.name, Raw(schema), None, said.description)


def _read_top_k(added: dict[str, Raw]) -> int | None:
    """By Claude's name or by Nova's."""
    if "top_k" in added:
        return take(_INT, added.pop("top_k"), f"{ADDITIONAL}.top_k")
    raw = added.get("inferenceConfig")
    if raw is None or bytes(raw)[:1] != b"{":
        return None
    found = take(_NOVA_INFERENCE, raw, f"{ADDITIONAL}.inferenceConfig").top_k
    del added["inferenceConfig"]
    rest = {name: value for name, value in _OBJECT.decode(raw).items() if name != "topK"}
    added.update((f"inferenceConfig.{name}", value) for name, value in rest.items())
    return found


def _unknown_value(path: str, value: str, allowed: Sequence[str]) -> RequestInvalid:
    return RequestInvalid(
        f"`{path}`: {value!r} is not one of {', '.join(allowed)}.", param=path, hint=f"Use one of {', '.join(allowed)}."
    )
