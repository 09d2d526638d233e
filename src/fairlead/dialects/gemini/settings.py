"""Gemini's language, inwards: what is asked of the model beside the conversation.

| here | in the house |
|---|---|
| `generationConfig` | sampling, limits, `samples`, `logprobs` |
| `responseMimeType`, `responseSchema`, `responseJsonSchema` | `shape`; Gemini's own schemas become JSON schemas |
| `thinkingLevel`, `includeThoughts` | `effort`, `shows_thinking` |
| `thinkingBudget` | `thinking_tokens`; -1, automatic, says nothing |
| `tools`: functionDeclarations | `tools` |
| `tools`: whatever runs at the provider | `others["tools[1]"]` |
| `functionCallingConfig`: AUTO, VALIDATED; NONE; ANY | `tool_choice` auto; none; required |
| ANY with one allowed name; with all names | named; required |
| everything else | `others`, by its path |
"""

from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from fairlead.chat import Chat, Shape, Tool, ToolChoice
from fairlead.dialects.gemini.names import DIALECT, IDLE, take_object
from fairlead.dialects.gemini.schema import read_schema
from fairlead.dialects.reading import take

T = TypeVar("T")

MAX_TOKENS = 2**31 - 1
MAX_SAMPLES = 1024

_KNOWN = frozenset({"contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "model"})
# The fields of `generationConfig` that the house has words for.
GENERATION = frozenset({
    "maxOutputTokens", "temperature", "topP", "topK", "candidateCount", "stopSequences", "seed", "presencePenalty",
    "frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema", "responseLogprobs", "logprobs",
    "thinkingConfig",
})  # fmt: skip
_KNOWN_THINKING = frozenset({"thinkingBudget", "thinkingLevel", "includeThoughts"})
_KNOWN_CALLING = frozenset({"mode", "allowedFunctionNames"})
_KNOWN_DECLARATION = frozenset({"name", "description", "parameters", "parametersJsonSchema"})
_MODES = {"AUTO": "auto", "VALIDATED": "auto", "NONE": "none", "ANY": "required"}
_JSON = "application/json"
_PLAIN = "text/plain"


class _Declaration(Struct):
    name: str
    description: str | None = None
    parameters: Raw = Raw(b"null")
    schema: Raw = field(default=Raw(b"null"), name="parametersJsonSchema")
    schema_: Raw = field(default=Raw(b"null"), name="parameters_json_schema")


_Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
_Samples: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_SAMPLES)]

_LIMIT = msgspec.json.Decoder(_Limit)
_SAMPLES = msgspec.json.Decoder(_Samples)
_FLOAT = msgspec.json.Decoder(float)
_INT = msgspec.json.Decoder(int)
_FLAG = msgspec.json.Decoder(bool)
_STRING = msgspec.json.Decoder(str)
_STRINGS = msgspec.json.Decoder(tuple[str, ...])
_MODALITIES = msgspec.json.Decoder(list[str])
_RAW_LIST = msgspec.json.Decoder(list[Raw] | dict[str, Raw])
_DECLARATION = msgspec.json.Decoder(_Declaration)


def read_settings(fields: dict[str, Raw]) -> Chat:
    """A chat without messages from the fields of a request (Google's spelling). Raises RequestInvalid."""
    others = {name: raw for name, raw in fields.items() if name not in _KNOWN and bytes(raw) not in IDLE}
    config = take_object(fields.get("generationConfig"), "generationConfig")
    thinking = take_object(config.get("thinkingConfig"), "generationConfig.thinkingConfig")
    _keep(others, config, GENERATION, "generationConfig")
    _keep(others, thinking, _KNOWN_THINKING, "generationConfig.thinkingConfig")
    tools = _read_tools(fields, others)
    budget = _take(_INT, thinking, "thinkingBudget", "generationConfig.thinkingConfig")
    level = _take(_STRING, thinking, "thinkingLevel", "generationConfig.thinkingConfig")
    return Chat(
        messages=(),
        max_output_tokens=read_output_limit(config),
        temperature=_take(_FLOAT, config, "temperature"),
        top_p=_take(_FLOAT, config, "topP"),
        top_k=_read_whole(config, "topK"),
        frequency_penalty=_take(_FLOAT, config, "frequencyPenalty"),
        presence_penalty=_take(_FLOAT, config, "presencePenalty"),
        stop=_take(_STRINGS, config, "stopSequences") or (),
        seed=_take(_INT, config, "seed"),
        logprobs=_read_logprobs(config),
        tools=tools,
        tool_choice=_read_choice(fields, tools, others),
        shape=_read_shape(config, others),
        effort=None if level is None or level.endswith("UNSPECIFIED") else level.lower(),
        thinking_tokens=None if budget == -1 else budget,
        shows_thinking=_take(_FLAG, thinking, "includeThoughts", "generationConfig.thinkingConfig"),
        samples=read_samples(config),
        others=others,
        dialect=DIALECT,
    )


def read_output_limit(config: dict[str, Raw]) -> int | None:
    """`maxOutputTokens` of a generationConfig: a positive whole number."""
    return _take(_LIMIT, config, "maxOutputTokens")


def read_samples(config: dict[str, Raw]) -> int:
    return _take(_SAMPLES, config, "candidateCount") or 1


def _take(
    decoder: "msgspec.json.Decoder[T]", config: dict[str, Raw], name: str, path: str = "generationConfig"
) -> T | None:
    raw = config.get(name)
    return None if raw is None else take(decoder, raw, f"{path}.{name}")


def _keep(others: dict[str, Raw], config: dict[str, Raw], known: frozenset[str], path: str) -> None:
    for name, raw in config.items():
        if name in known or bytes(raw) in IDLE:
            continue
        if name == "responseModalities" and _is_text_alone(raw):
            continue
        others[f"{path}.{name}"] = raw


def _is_text_alone(raw: Raw) -> bool:
    modalities = take(_MODALITIES, raw, "generationConfig.responseModalities")
    return all(name.upper() in ("TEXT", "MODALITY_UNSPECIFIED") for name in modalities)


def _read_whole(config: dict[str, Raw], name: str) -> int | None:
    """A whole number; Google's client sends it as a float."""
    value = _take(_FLOAT, config, name)
    return None if value is None else round(value)


def _read_logprobs(config: dict[str, Raw]) -> int | None:
    if not _take(_FLAG, config, "responseLogprobs"):
        return None
    return _take(_INT, config, "logprobs") or 0


def _read_shape(config: dict[str, Raw], others: dict[str, Raw]) -> Shape | None:
    kind = _take(_STRING, config, "responseMimeType")
    own, schema = config.get("responseSchema"), config.get("responseJsonSchema")
    if kind is not None and kind not in (_JSON, _PLAIN, ""):
        for name in ("responseMimeType", "responseSchema", "responseJsonSchema"):  # a word of a list, without quotes
            if name in config:
                others[f"generationConfig.{name}"] = config[name]
        return None
    if schema is None and own is not None:
        schema = read_schema(own, "generationConfig.responseSchema")
    if schema is not None:
        return Shape("schema", schema=schema)
    if kind == _JSON:
        return Shape("json")
    return Shape("text") if kind == _PLAIN else None


# --- tools -----------------------------------------------------------------------------------------------------------


def read_tool_list(fields: dict[str, Raw]) -> list[tuple[str, dict[str, Raw], Raw]]:
    """(path, fields, as it stands) of each entry of `tools`; an entry may hold any number of declarations."""
    raw = fields.get("tools")
    if raw is None:
        return []
    entries = take(_RAW_LIST, raw, "tools")
    if isinstance(entries, dict):
        return [("tools", take_object(raw, "tools"), raw)]
    return [(f"tools[{i}]", take_object(entry, f"tools[{i}]"), entry) for i, entry in enumerate(entries)]


def _read_tools(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for path, entry, raw in read_tool_list(fields):
        declared = entry.pop("functionDeclarations", None)
        if declared is None:
            if entry:
                others[path] = raw
            continue
        others.update({f"{path}.{name}": value for name, value in entry.items()})
        where = f"{path}.functionDeclarations"
        declarations = take(_RAW_LIST, declared, where)
        if isinstance(declarations, dict):
            tools.append(_read_tool(declared, where, others))
            continue
        tools += [_read_tool(one, f"{where}[{i}]", others) for i, one in enumerate(declarations)]
    return tuple(tools)


def _read_tool(raw: Raw, path: str, others: dict[str, Raw]) -> Tool:
    said = take(_DECLARATION, raw, path)
    schema = next((own for own in (said.schema, said.schema_) if bytes(own) != b"null"), None)
    if schema is None and bytes(said.parameters) != b"null":
        schema = read_schema(said.parameters, f"{path}.parameters")
    _keep(others, take_object(raw, path), _KNOWN_DECLARATION, path)
    return Tool(said.name, said.description, schema)


def _read_choice(fields: dict[str, Raw], tools: tuple[Tool, ...], others: dict[str, Raw]) -> ToolChoice | None:
    config = take_object(fields.get("toolConfig"), "toolConfig")
    calling = take_object(config.pop("functionCallingConfig", None), "toolConfig.functionCallingConfig")
    path = "toolConfig.functionCallingConfig"
    _keep(others, config, frozenset(), "toolConfig")
    _keep(others, calling, _KNOWN_CALLING, path)
    said = (_take(_STRING, calling, "mode", path) or "").upper()
    allowed = _take(_STRINGS, calling, "allowedFunctionNames", path) or ()
    mode = _MODES.get(said)
    if mode is None:
        if said and said != "MODE_UNSPECIFIED":
            others[f"{path}.mode"] = calling["mode"]
        return None
    if allowed and not {tool.name for tool in tools} <= set(allowed):
        if mode == "required" and len(allowed) == 1:
            return ToolChoice("named", allowed[0])
        others[f"{path}.allowedFunctionNames"] = calling["allowedFunctionNames"]
    elif allowed and mode == "required" and len(allowed) == 1:
        return ToolChoice("named", allowed[0])
    return ToolChoice(mode)  # type: ignore[arg-type]
