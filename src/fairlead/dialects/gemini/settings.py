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

from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from fairlead.chat import Shape, Tool, ToolChoice
from fairlead.dialects.gemini.names import NULL, RAWS, camelled, is_idle, take_object
from fairlead.dialects.gemini.schema import read_schema
from fairlead.dialects.reading import UNREADABLE, required, take

T = TypeVar("T")

MAX_TOKENS = 2**31 - 1
MAX_SAMPLES = 1024

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
_ENTRIES = msgspec.json.Decoder(list[Raw] | dict[str, Raw])

# Fields of `generationConfig` that have one word in the house: that word, and what they hold.
_PLAIN: dict[str, tuple[str, "msgspec.json.Decoder[Any]"]] = {
    "maxOutputTokens": ("max_output_tokens", _LIMIT),
    "temperature": ("temperature", _FLOAT),
    "topP": ("top_p", _FLOAT),
    "topK": ("top_k", _FLOAT),  # Google's client sends it as a float
    "frequencyPenalty": ("frequency_penalty", _FLOAT),
    "presencePenalty": ("presence_penalty", _FLOAT),
    "stopSequences": ("stop", _STRINGS),
    "seed": ("seed", _INT),
    "candidateCount": ("samples", _SAMPLES),
}
_SHAPE = ("responseMimeType", "responseSchema", "responseJsonSchema")
# The fields of `generationConfig` that the house has words for.
GENERATION = frozenset({*_PLAIN, *_SHAPE, "responseLogprobs", "logprobs", "thinkingConfig"})

_KNOWN = frozenset({"contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "model"})
_KNOWN_DECLARATION = frozenset({"name", "description", "parameters", "parametersJsonSchema"})
_MODES = {"AUTO": "auto", "VALIDATED": "auto", "NONE": "none", "ANY": "required"}
_JSON = "application/json"
_TEXT = "text/plain"

Words = dict[str, Any]  # fields of a Chat


class _Declaration(Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    schema: Raw = field(default=NULL, name="parametersJsonSchema")
    schema_: Raw = field(default=NULL, name="parameters_json_schema")


class _Entry(Struct, forbid_unknown_fields=True):
    """An entry of `tools` with nothing but declarations: what nearly all are."""

    declared: list[_Declaration] | None = field(default=None, name="functionDeclarations")
    declared_: list[_Declaration] | None = field(default=None, name="function_declarations")

    @property
    def all(self) -> list[_Declaration]:
        return self.declared or self.declared_ or []


class _UsualConfig(Struct, forbid_unknown_fields=True, rename="camel"):
    """A generationConfig with nothing but plain values; its fields are called as in the house."""

    max_output_tokens: _Limit | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] | None = field(default=None, name="stopSequences")
    seed: int | None = None
    samples: _Samples | None = field(default=None, name="candidateCount")


_USUAL = msgspec.json.Decoder(list[_Entry])
_USUAL_CONFIG = msgspec.json.Decoder(_UsualConfig)


def read_settings(fields: dict[str, Raw]) -> Words:
    """All fields of a Chat but the conversation itself, from those of a request (Google's spelling).

    Raises RequestInvalid with the exact path.
    """
    others = {name: raw for name, raw in fields.items() if name not in _KNOWN and not is_idle(raw)}
    words: Words = {"others": others}
    if "generationConfig" in fields:
        _read_config(fields["generationConfig"], words, others)
    if "tools" in fields:
        words["tools"] = _read_tools(fields, others)
    if "toolConfig" in fields:
        words["tool_choice"] = _read_choice(fields["toolConfig"], words.get("tools", ()), others)
    return words


def _read_config(raw_config: Raw, words: Words, others: dict[str, Raw]) -> None:
    try:
        usual = _USUAL_CONFIG.decode(raw_config)
    except UNREADABLE:  # more than that, in other spellings, or wrong
        _read_config_closely(take_object(raw_config, "generationConfig"), words, others)
        return
    for name in usual.__struct_fields__:
        if (value := getattr(usual, name)) is not None:
            words[name] = value


def _read_config_closely(config: dict[str, Raw], words: Words, others: dict[str, Raw]) -> None:
    for name, raw in config.items():
        if (plain := _PLAIN.get(name)) is not None:
            words[plain[0]] = take(plain[1], raw, f"generationConfig.{name}")
        elif name not in GENERATION and not is_idle(raw) and not (name == "responseModalities" and _is_text_alone(raw)):
            others[f"generationConfig.{name}"] = raw
    if (top_k := words.get("top_k")) is not None:
        words["top_k"] = round(top_k)
    if _take(_FLAG, config, "responseLogprobs"):
        words["logprobs"] = _take(_INT, config, "logprobs") or 0
    if not config.keys().isdisjoint(_SHAPE):
        words["shape"] = _read_shape(config, others)
    if "thinkingConfig" in config:
        _read_thinking(config["thinkingConfig"], words, others)


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
        if name not in known and not is_idle(raw):
            others[f"{path}.{name}"] = raw


def _is_text_alone(raw: Raw) -> bool:
    modalities = take(_MODALITIES, raw, "generationConfig.responseModalities")
    return all(name.upper() in ("TEXT", "MODALITY_UNSPECIFIED") for name in modalities)


def _read_shape(config: dict[str, Raw], others: dict[str, Raw]) -> Shape | None:
    kind = _take(_STRING, config, "responseMimeType")
    own, schema = config.get("responseSchema"), config.get("responseJsonSchema")
    if kind not in (None, "", _JSON, _TEXT):  # a word of a list, without quotes around it
        others.update({f"generationConfig.{name}": config[name] for name in _SHAPE if name in config})
        return None
    if schema is None and own is not None:
        schema = read_schema(own, "generationConfig.responseSchema")
    if schema is not None:
        return Shape("schema", schema=schema)
    if kind == _JSON:
        return Shape("json")
    return Shape("text") if kind == _TEXT else None


def _read_thinking(raw: Raw, words: Words, others: dict[str, Raw]) -> None:
    path = "generationConfig.thinkingConfig"
    for name, value in take_object(raw, path).items():
        match name:
            case "thinkingBudget":
                budget = take(_INT, value, f"{path}.{name}")
                words["thinking_tokens"] = None if budget == -1 else budget
            case "thinkingLevel":
                level = take(_STRING, value, f"{path}.{name}").lower()
                words["effort"] = None if level.endswith("unspecified") else level
            case "includeThoughts":
                words["shows_thinking"] = take(_FLAG, value, f"{path}.{name}")
            case _ if not is_idle(value):
                others[f"{path}.{name}"] = value


# --- tools -----------------------------------------------------------------------------------------------------------


def read_tool_list(fields: dict[str, Raw]) -> list[tuple[str, dict[str, Raw], Raw]]:
    """(path, fields, as it stands) of each entry of `tools`; an entry may hold any number of declarations."""
    raw = fields.get("tools")
    if raw is None:
        return []
    entries = take(_ENTRIES, raw, "tools")
    if isinstance(entries, dict):
        return [("tools", camelled(entries), raw)]
    return [(f"tools[{i}]", take_object(entry, f"tools[{i}]"), entry) for i, entry in enumerate(entries)]


def _read_tools(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[Tool, ...]:
    try:
        entries = _USUAL.decode(fields["tools"])
    except UNREADABLE:  # more than that, or wrong: read closely
        return _read_closely(fields, others)
    return tuple(
        [_read_usual(said, place, i) for place, entry in enumerate(entries) for i, said in enumerate(entry.all)]
    )


def _read_usual(said: _Declaration, entry: int, place: int) -> Tool:
    schema = said.schema if said.schema_ == NULL else said.schema_
    if schema != NULL:
        return Tool(said.name, said.description, schema)
    if said.parameters == NULL:
        return Tool(said.name, said.description)
    path = f"tools[{entry}].functionDeclarations[{place}].parameters"
    return Tool(said.name, said.description, read_schema(said.parameters, path))


def _read_closely(fields: dict[str, Raw], others: dict[str, Raw]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for path, entry, raw in read_tool_list(fields):
        declared = entry.pop("functionDeclarations", None)
        if declared is None:
            if entry:
                others[path] = raw
            continue
        others.update({f"{path}.{name}": value for name, value in entry.items()})
        where = f"{path}.functionDeclarations"
        declarations = take(_ENTRIES, declared, where)
        if isinstance(declarations, dict):
            tools.append(_read_tool(declarations, where, others))
            continue
        tools += [
            _read_tool(take(RAWS, one, f"{where}[{i}]"), f"{where}[{i}]", others) for i, one in enumerate(declarations)
        ]
    return tuple(tools)


def _read_tool(fields: dict[str, Raw], path: str, others: dict[str, Raw]) -> Tool:
    said = camelled(fields)
    name = _take(_STRING, said, "name", path)
    if name is None:
        raise required(f"{path}.name")
    schema = said.get("parametersJsonSchema")
    if schema is None and "parameters" in said:
        schema = read_schema(said["parameters"], f"{path}.parameters")
    _keep(others, said, _KNOWN_DECLARATION, path)
    return Tool(name, _take(_STRING, said, "description", path), schema)


def _read_choice(raw: Raw, tools: tuple[Tool, ...], others: dict[str, Raw]) -> ToolChoice | None:
    config = take_object(raw, "toolConfig")
    path = "toolConfig.functionCallingConfig"
    calling = take_object(config.pop("functionCallingConfig", None), path)
    _keep(others, config, frozenset(), "toolConfig")
    mode, allowed = None, ()
    for name, value in calling.items():
        if name == "mode":
            said = take(_STRING, value, f"{path}.mode").upper()
            mode = _MODES.get(said)
            if mode is None and said not in ("", "MODE_UNSPECIFIED"):
                others[f"{path}.mode"] = value
        elif name == "allowedFunctionNames":
            allowed = take(_STRINGS, value, f"{path}.{name}")
        elif not is_idle(value):
            others[f"{path}.{name}"] = value
    if mode == "required" and len(allowed) == 1:
        return ToolChoice("named", allowed[0])
    if allowed and mode is not None and not {tool.name for tool in tools} <= set(allowed):
        others[f"{path}.allowedFunctionNames"] = calling["allowedFunctionNames"]
    return None if mode is None else ToolChoice(mode)  # type: ignore[arg-type]
