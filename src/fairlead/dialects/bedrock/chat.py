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

from collections.abc import Collection
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace

from fairlead.chat import Chat, Shape, Tool, ToolChoice
from fairlead.dialects.bedrock.dialogue import read_conversation
from fairlead.dialects.bedrock.signing import DIALECT
from fairlead.dialects.bedrock.thinking import ADDITIONAL, ThinkingSaid, read_thinking
from fairlead.dialects.reading import UNREADABLE, is_null, take

MAX_TOKENS = 2**31 - 1
STOP_PATHS = ("/stop_sequence", "/delta/stop_sequence")  # where Claude tells it, in answers and in streams
NO_PARAMETERS = b'{"type":"object","properties":{}}'  # of a tool that was given no schema

_KNOWN = frozenset({
    "messages", "system", "inferenceConfig", "toolConfig", "outputConfig", ADDITIONAL, "modelId",
    "additionalModelResponseFieldPaths",
})  # fmt: skip
_IDLE = frozenset({b"null", b"false", b"{}", b"[]"})  # values that ask for nothing
_NULL = Raw(b"null")
_NO_PARAMETERS = Raw(NO_PARAMETERS)


_Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]


class Inference(Struct, rename="camel"):
    max_tokens: _Limit | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class _UsualInference(Inference, forbid_unknown_fields=True, rename="camel"):
    """Without a field that is not known."""


_INFERRED = frozenset(Inference.__struct_encode_fields__)


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


class _UsualTool(Struct, rename="camel", forbid_unknown_fields=True):
    tool_spec: _Spec


class _UsualConfig(Struct, forbid_unknown_fields=True):
    tools: list[_UsualTool]


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


_RAWS = msgspec.json.Decoder(list[Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_INFERENCE = msgspec.json.Decoder(Inference)
_USUAL_CONFIG = msgspec.json.Decoder(_UsualConfig)
_USUAL_INFERENCE = msgspec.json.Decoder(_UsualInference)
_TOOLS = msgspec.json.Decoder(list[_Tool])
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
    inference = _read_inference(fields, others)
    added = _read_object(fields, ADDITIONAL)
    shape, effort = _read_output(fields, added, others) if added or "outputConfig" in fields else (None, None)
    thinking = read_thinking(added, effort) if added else ThinkingSaid(effort)
    tools, choice, parallel = _read_tools(fields, added, others)
    top_k = _read_top_k(added)
    others.update((f"{ADDITIONAL}.{name}", raw) for name, raw in added.items())
    _keep_paths(others, fields)
    return Chat(
        messages=read_conversation(fields),
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


def _read_inference(fields: dict[str, Raw], others: dict[str, Raw]) -> Inference:
    """The same, with what is not known there kept in `others`."""
    raw = fields.get("inferenceConfig")
    if raw is None:
        return Inference()
    try:
        return _USUAL_INFERENCE.decode(raw)
    except UNREADABLE:
        inference = read_inference(fields)
    _keep(others, "inferenceConfig", raw, _INFERRED)
    return inference


def _read_object(fields: dict[str, Raw], name: str) -> dict[str, Raw]:
    raw = fields.get(name)
    return {} if raw is None or is_null(raw) else take(_OBJECT, raw, name)


def _keep(others: dict[str, Raw], path: str, raw: Raw | None, known: Collection[str]) -> None:
    """Of an object the fields that are not known."""
    if raw is not None and not is_null(raw):
        others.update((f"{path}.{name}", value) for name, value in _OBJECT.decode(raw).items() if name not in known)


def _keep_paths(others: dict[str, Raw], fields: dict[str, Raw]) -> None:
    name = "additionalModelResponseFieldPaths"
    raw = fields.get(name)
    if raw is not None and not is_null(raw) and not set(take(_STRINGS, raw, name)) <= set(STOP_PATHS):
        others[name] = raw


# --- tools -----------------------------------------------------------------------------------------------------------


def _read_tools(
    fields: dict[str, Raw], added: dict[str, Raw], others: dict[str, Raw]
) -> tuple[tuple[Tool, ...], ToolChoice | None, bool | None]:
    usual = _usual_tools(fields.get("toolConfig"))
    if usual is not None and "tool_choice" not in added:
        return usual, None, None
    config = _read_object(fields, "toolConfig")
    tools: list[Tool] = []
    raw = config.pop("tools", None)
    for position, tool in enumerate(() if raw is None or is_null(raw) else take(_TOOLS, raw, "toolConfig.tools")):
        if tool.tool_spec is not None:
            tools.append(_read_tool(tool.tool_spec))
        elif tool.cache_point is None:
            others[f"toolConfig.tools[{position}]"] = _RAWS.decode(raw or b"[]")[position]
        elif tools:
            tools[-1] = replace(tools[-1], cache=tool.cache_point.ttl or "5m")
    choice, parallel = _read_choice(config, added)
    others.update((f"toolConfig.{name}", value) for name, value in config.items())
    return tuple(tools), choice, parallel


def _usual_tools(raw: Raw | None) -> tuple[Tool, ...] | None:
    """The tools where nothing else is said of them; None where more is."""
    if raw is None:
        return ()
    try:
        return tuple([_read_tool(tool.tool_spec) for tool in _USUAL_CONFIG.decode(raw).tools])
    except UNREADABLE:
        return None


def _read_tool(said: _Spec) -> Tool:
    schema = said.input_schema.json if said.input_schema else _NULL
    none = schema in (_NULL, _NO_PARAMETERS)
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
