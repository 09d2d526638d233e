"""Gemini's language, outwards: requests to a target that speaks it.

`pass_request` is for a caller who speaks it too: values stay byte for byte. `write_request` is for everybody else. The
model's name and whether to stream stand in the URL, which neither knows.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Chat, Request, Tool
from fairlead.dialects.conversation import places
from fairlead.dialects.gemini.embed import pass_embed
from fairlead.dialects.gemini.names import DIALECT, LANGUAGE, camel, model_name, take_object
from fairlead.dialects.gemini.schema import write_schema
from fairlead.dialects.gemini.settings import GENERATION, read_output_limit
from fairlead.dialects.gemini.thinking import MOST_BUDGET_TOKENS, is_old, write_thinking
from fairlead.dialects.gemini.turns import Turns, carry_rest, excuse_calls, without_empty
from fairlead.dialects.harmless import is_harmless
from fairlead.dialects.losses import Losses
from fairlead.dialects.quirks import LIMITS, RESERVED, narrowed, rename_and_drop
from fairlead.dialects.reading import unsayable

OWN_LIMIT = "maxOutputTokens"
# All declarations go out in one entry, so only those of the first are found at the place where they stood.
_OF_A_DECLARATION = re.compile(r"tools(?:\[0])?\.functionDeclarations(?:\[(?P<place>\d+)])?\.(?P<name>\w+)\Z")
_ONCE = (b"OutputTokens", b"output_tokens", b"andidateCount", b"andidate_count")
_COUNTED = ("contents", "systemInstruction", "tools", "generationConfig")
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
# Fields of `generationConfig` that have one word in the house.
_PLAIN = {
    "temperature": "temperature",
    "topP": "top_p",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
}
_ENCODER = msgspec.json.Encoder()

Fields = dict[str, Any]


# --- the caller speaks it too ----------------------------------------------------------------------------------------


def pass_request(
    request: Request, *, model: str, max_output_tokens: int, params: Mapping[str, Any], quirks: Mapping[str, Any]
) -> bytes:
    """The caller's own request, rebuilt from its top-level values.

    Changed are: the output limit in `generationConfig`, where the caller named none or more than `max_output_tokens`;
    what `params` and quirks set (see `write_request`); `model`, which only embeddings name. All else is byte-identical.
    """
    if request.spoken is None or request.spoken.dialect != DIALECT:
        raise TypeError("only a request that was said in Gemini's language can be passed on in it")
    if request.task == "embed":
        return pass_embed(request, model=model, params=params, quirks=quirks)
    fields: Fields = dict(request.spoken.fields)
    fields.pop("model", None)
    name = "generationConfig"
    raw: Raw | None = None
    for spelling in [key for key in fields if camel(key) == name]:
        raw = fields.pop(spelling)
    config: Fields = dict(take_object(raw, name))
    limit = min(_limit(max_output_tokens, params), read_output_limit(config) or max_output_tokens)
    own = config.get(OWN_LIMIT)
    if raw is None or params or quirks or own is None or read_output_limit(config) != limit or _repeats(raw):
        config[OWN_LIMIT] = limit
        fields[name] = config
        _finish(fields, params, quirks)
    else:
        fields[name] = raw
    return _ENCODER.encode(fields)


def _repeats(raw: Raw) -> bool:
    """Whether a field of money may come twice: which of them counts would be the server's guess."""
    said = bytes(raw)
    return b"\\u" in said or any(said.count(name) > 1 for name in _ONCE)


# --- what every request ends with ------------------------------------------------------------------------------------


def _limit(limit: int, params: Mapping[str, Any]) -> int:
    """Narrowed by the target's own parameters."""
    if not params:
        return limit
    config = params.get("generationConfig")
    own = config.get(OWN_LIMIT) if isinstance(config, Mapping) else None
    limit = narrowed(limit, params)
    return min(limit, own) if type(own) is int and own > 0 else limit


def _finish(fields: Fields, params: Mapping[str, Any], quirks: Mapping[str, Any]) -> None:
    """The target's parameters, then the quirks that rename and drop: of a request and of its generationConfig."""
    config: Fields = fields["generationConfig"]
    for name, value in params.items():
        if name == "generationConfig" and isinstance(value, Mapping):
            config.update((key, said) for key, said in value.items() if key not in RESERVED and key not in LIMITS)
        elif name not in RESERVED and name not in LIMITS:
            (config if name in GENERATION else fields)[name] = value
    if quirks:
        rename_and_drop(config, quirks)
        rename_and_drop(fields, quirks)


# --- the caller speaks another language ------------------------------------------------------------------------------


def write_request(
    chat: Chat,
    *,
    model: str,
    max_output_tokens: int,
    stream: bool,
    params: Mapping[str, Any],
    quirks: Mapping[str, Any],
    losses: Losses,
    origin: str = DIALECT,
) -> bytes:
    """A conversation in the house language as the body of generateContent. The conversation itself: see `turns`.

    | in the house | here |
    |---|---|
    | a tool's parameters, a schema for the answer | `parametersJsonSchema`, `responseJsonSchema`, as they stand |
    | a tool that is forced | mode ANY with its name alone |
    | effort, a budget | as the model takes it (`thinking.py`); what it can't is the nearest that it can, and told |
    | `logprobs` | `responseLogprobs`, `logprobs` |

    Let go: name, description and strictness of a schema (answers always follow it), the end user, and what is harmless.
    Texts of nothing are refused there, and left out. Left out and told: strictness of tools of which none is forced, a
    budget beside an effort. Lost: at most one tool call at a time, a seed beyond 32 bits, files at another provider, a
    form of the answer beside tools (before Gemini 3), and every field that the house has no word for and Gemini did not
    say itself.

    | quirk | default | what it does |
    |---|---|---|
    | `thinking` | by the model's name | `level`; `budget`; `off`: it is not sent at all |
    | `levels` | by the model's name | the levels that the model has; an effort becomes the nearest |
    | `schema` | `json` | `openapi`: the model takes only Gemini's own schemas (`parameters`, `responseSchema`) |
    | `unsigned_calls` | by the model's name | `excused`: with Google's word for a call of another model's; `bare` |
    | `call_ids` | true | false: calls and results go without their ids |
    | `vertex` | false | true: names of media are sent, embeddings and counts asked as Vertex AI wants them |
    | `embed` | `batch` | see `write_embed` |
    | `rename` | {} | `{ours = "theirs"}`: send a field of the request or of its `generationConfig` by another name |
    | `drop` | [] | such fields that are never sent |

    `params` are fields of the request or of its `generationConfig`, and override the rest.
    """
    body = _write(chat, model, _limit(max_output_tokens, params), quirks, losses, origin)
    _finish(body, params, quirks)
    return _ENCODER.encode(body)


def write_count_request(
    chat: Chat,
    *,
    model: str,
    params: Mapping[str, Any],
    quirks: Mapping[str, Any],
    losses: Losses,
    origin: str = DIALECT,
) -> bytes:
    """The same conversation as the body of countTokens."""
    body = _write(chat, model, chat.max_output_tokens or MOST_BUDGET_TOKENS, quirks, losses, origin)
    _finish(body, params, quirks)
    if quirks.get("vertex"):
        return _ENCODER.encode({name: body[name] for name in _COUNTED if name in body})
    return _ENCODER.encode({"generateContentRequest": {"model": model_name(model), **body}})


def _write(chat: Chat, model: str, limit: int, quirks: Mapping[str, Any], losses: Losses, origin: str) -> Fields:
    turns = Turns(losses, origin, quirks)
    system, contents = turns.write(chat.messages)
    if turns.has_empty and chat.dialect != DIALECT:
        system, contents = without_empty(system, contents)
    if not contents:
        raise unsayable("messages", "a conversation of system messages alone", LANGUAGE, "Add a user message.")
    unsigned = quirks.get("unsigned_calls", "auto")
    if unsigned == "excused" or (unsigned == "auto" and not is_old(model)):
        excuse_calls(contents)
    body: Fields = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    _write_tools(body, chat, quirks, losses)
    config: Fields = {OWN_LIMIT: limit}
    body["generationConfig"] = config
    _write_sampling(config, chat, losses)
    _write_shape(config, chat, model, quirks, losses)
    if thinking := write_thinking(chat, model, limit, quirks, losses):
        config["thinkingConfig"] = thinking
    if chat.others:
        _carry_others(body, chat, losses)
    return body


def _write_tools(body: Fields, chat: Chat, quirks: Mapping[str, Any], losses: Losses) -> None:
    if chat.parallel_tool_calls is False:
        losses.lose("parallel_tool_calls", "at most one tool call at a time")
    if not chat.tools:
        return
    own = quirks.get("schema") == "openapi"
    paths = places("tools", len(chat.tools))
    declared = [_write_tool(tool, path, own, losses) for tool, path in zip(chat.tools, paths, strict=True)]
    body["tools"] = [{"functionDeclarations": declared}]
    choice = chat.tool_choice
    if choice is None or choice.mode == "auto":  # where a call is forced, it follows the schema
        for tool, path in zip(chat.tools, paths, strict=True):
            if tool.strict:
                losses.leave(f"{path}.strict")
    if choice is not None:
        calling: Fields = {"mode": _MODES[choice.mode]}
        if choice.name is not None:
            calling["allowedFunctionNames"] = [choice.name]
        body["toolConfig"] = {"functionCallingConfig": calling}


def _write_tool(tool: Tool, path: str, own: bool, losses: Losses) -> Fields:
    said: Fields = {"name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    if tool.parameters is not None:
        if own:
            said["parameters"] = write_schema(tool.parameters, f"{path}.parameters", losses)
        else:
            said["parametersJsonSchema"] = tool.parameters
    return said


def _write_sampling(config: Fields, chat: Chat, losses: Losses) -> None:
    for name, field in _PLAIN.items():
        if (value := getattr(chat, field)) is not None:
            config[name] = value
    if chat.top_k is not None and chat.top_k > 0:  # others say "all" with 0 or -1
        config["topK"] = chat.top_k
    if chat.stop:
        config["stopSequences"] = chat.stop
    if chat.samples > 1:
        config["candidateCount"] = chat.samples
    if chat.seed is not None:
        if -(2**31) <= chat.seed < 2**31:
            config["seed"] = chat.seed
        else:
            losses.lose("seed", "a seed beyond 32 bits")
    if chat.logprobs is not None:
        config["responseLogprobs"] = True
        if chat.logprobs:
            config["logprobs"] = chat.logprobs


def _write_shape(config: Fields, chat: Chat, model: str, quirks: Mapping[str, Any], losses: Losses) -> None:
    shape = chat.shape
    if shape is None:
        return
    if shape.mode != "text" and chat.tools and chat.dialect != DIALECT and is_old(model):
        hint = 'Ask a model since Gemini 3, or tell the model the form (`structured = "prompt"` of the target).'
        losses.lose("response_format", "a form of the answer beside tools to this model", hint)
        return
    config["responseMimeType"] = "text/plain" if shape.mode == "text" else "application/json"
    if shape.mode == "schema" and shape.schema is not None:
        if quirks.get("schema") == "openapi":
            config["responseSchema"] = write_schema(shape.schema, "response_format.schema", losses)
        else:
            config["responseJsonSchema"] = shape.schema


# --- what the house has no word for ----------------------------------------------------------------------------------


def _carry_others(body: Fields, chat: Chat, losses: Losses) -> None:
    own = chat.dialect == DIALECT
    for path, raw in chat.others.items():
        if not (own and _carried(body, path, raw)) and not is_harmless(path, raw, chat.dialect):
            losses.lose(path, "this field")


def _carried(body: Fields, path: str, raw: Raw) -> bool:
    """Put a field back where it stood. False where that place is not there any more."""
    names = path.split(".")
    if len(names) == 1 and "[" not in path:
        body[path] = raw
        return True
    if names[0] in ("generationConfig", "toolConfig"):
        for name in names[:-1]:
            body = body.setdefault(name, {})
        body[names[-1]] = raw
        return True
    if found := _OF_A_DECLARATION.match(path):
        entries = (tool for tool in body.get("tools", ()) if type(tool) is dict)
        declared = next((tool["functionDeclarations"] for tool in entries if "functionDeclarations" in tool), ())
        place = int(found["place"] or 0)
        if place < len(declared):
            declared[place][found["name"]] = raw
        return place < len(declared)
    if names[0].startswith("tools") and len(names) <= 2:
        tools = body.setdefault("tools", [])
        place = names[0][6:-1]
        tools.insert(int(place) if place else len(tools), raw if len(names) == 1 else {names[1]: raw})
        return True
    return carry_rest(body["contents"], path, raw)
