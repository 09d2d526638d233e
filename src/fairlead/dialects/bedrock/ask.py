"""Bedrock's language, outwards: requests to Converse. The model's name and whether it streams stand in the URL.

`pass_request` is for a caller who speaks it too: nothing is translated, values stay byte for byte. `write_request` is
for everybody else. Neither knows where the target is. What becomes of the conversation is told in `turns.py`; the rest:

| in the house | here |
|---|---|
| a JSON schema | `outputConfig.textFormat` |
| effort, a budget for thinking | as the model's family says it (`thinking.py`), by the nearest level that it knows |
| `top_k` | as Claude or Nova say it |
| no tool may be called | Claude is told; other models are given no tools, unless the conversation holds calls |
| one tool call at a time | Claude is told |
| calls in a conversation without tools | the tools that were called, without parameters; Claude may not call them |
| stop sequences | and the wish to be told which one matched |

Beside thinking Claude takes no temperature but 1, no `top_k` and no `top_p` below 0.95; since 4.5 no temperature and
`top_p` together, so only who speaks this language may say both. What else a Claude refuses goes by its id
(`dialects/claude.py`): sampling, forced tools, an answer to be continued, no thinking. Left out and told: names of
messages, an image's `detail`, levels of effort that the model does not know. Let go: the end user, whether a schema is
strict, and what is harmless.

| quirk | default | what it does |
|---|---|---|
| `thinking` | by the model's id | in whose words a model is asked to think, or `off`: effort is not sent at all |
| `cache` | by the model's id | where marks of the cache may stand: `all`, `messages` (not among tools), `off` |
| `system` | `top` | `inline`: the model takes system messages within the conversation, where they stand |
| `rename` | {} | `{ours = "theirs"}`: send a field under another name |
| `drop` | [] | fields that are never sent; with dots inside others: `inferenceConfig.temperature` |

The words for `thinking`: `anthropic` (Claude since 4.6), `budget` (Claude before), `nova` (Nova 2), `openai`
(`reasoning_effort`: gpt-oss, Kimi), `responses` (`reasoning.effort`: GPT, Grok), `deepseek` (`reasoning_effort`, high
or none), `qwen` (`reasoning_config`). An id that tells no family (a profile or an endpoint of one's own) needs the
quirk.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Chat, Request, Tool, ToolChoice
from fairlead.dialects.bedrock.chat import NO_PARAMETERS, STOP_PATHS, read_inference
from fairlead.dialects.bedrock.signing import DIALECT
from fairlead.dialects.bedrock.thinking import ADDITIONAL, Model, Wish, model_of, write_thinking
from fairlead.dialects.bedrock.turns import NAME_HINT, Writer, is_fine_name
from fairlead.dialects.harmless import is_harmless
from fairlead.dialects.losses import Losses
from fairlead.dialects.quirks import LIMITS, RESERVED, narrowed
from fairlead.dialects.reading import text_of, unsayable

LANGUAGE = "Bedrock's Converse API"
_LEAST_TOP_P_WITH_THINKING = 0.95
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ENCODER = msgspec.json.Encoder()

Fields = dict[str, Any]


def pass_request(
    request: Request, *, model: str, max_output_tokens: int, params: Mapping[str, Any], quirks: Mapping[str, Any]
) -> bytes:
    """The caller's own request, rebuilt from its top-level values, for a target that speaks the same language.

    Changed are: `inferenceConfig.maxTokens`, where the caller named none or more than `max_output_tokens`; what
    `params` sets; what `rename` and `drop` ask for. All else is byte-identical.
    """
    if request.spoken is None or request.spoken.dialect != DIALECT:
        raise TypeError("only a request that was said in Bedrock's language can be passed on in it")
    fields: Fields = dict(request.spoken.fields)
    fields.pop("modelId", None)
    limit = _narrowed(max_output_tokens, params)
    own = read_inference(request.spoken.fields).max_tokens
    if own is None or own > limit:
        fields["inferenceConfig"] = _opened(fields.get("inferenceConfig")) | {"maxTokens": limit}
    if params:
        _merge(fields, params, limit if own is None else min(own, limit))
    if quirks:
        _rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


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
    """The body of a Converse request. `params` are fields of one; objects are merged into what is there, other values
    override. The tables are at the top of this file."""
    limit = _narrowed(max_output_tokens, params)
    known = model_of(model, quirks.get("thinking"))
    marks = quirks.get("cache") or _marks(known)
    _refuse(chat, losses)
    writer = Writer(
        losses,
        origin,
        marks=marks != "off",
        takes_unsigned=known.family in ("open", "nova"),
        trims=known.family == "anthropic",
    )
    writer.write(chat, inline=chat.dialect == DIALECT or quirks.get("system") == "inline")
    if chat.dialect != DIALECT:
        _end_on_a_user(writer.turns, known, losses)
    if not writer.turns:
        raise unsayable("messages", "a conversation in which nobody says anything", LANGUAGE, "Add a user message.")
    fields: Fields = {"messages": writer.turns}
    if writer.system:
        fields["system"] = writer.system
    fields["inferenceConfig"] = _inference(chat, limit, known, losses)
    added: Fields = {}
    forced = _write_tools(fields, added, chat, writer, known, losses, marked=marks == "all")
    own = chat.dialect == DIALECT
    if chat.effort is not None or chat.thinking_tokens is not None:
        amid = writer.is_amid_tools()
        wish = Wish(chat.effort, chat.thinking_tokens, chat.shows_thinking, limit, forced, amid, own)
        write_thinking(added, wish, known, losses)
    _write_top_k(added, chat, known, losses)
    _write_shape(fields, chat, losses)
    if chat.stop:
        fields["additionalModelResponseFieldPaths"] = list(STOP_PATHS)
    if added:
        fields[ADDITIONAL] = added
    if known.claude is not None and not known.claude.samples and not own:
        _leave_sampling(fields, losses)
    _write_others(fields, chat, losses)
    if params:
        _merge(fields, params, limit)
    if known.family == "anthropic":
        _settle(fields, losses, own=own)
    if quirks:
        _rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


def write_count_request(
    chat: Chat,
    *,
    model: str,
    params: Mapping[str, Any],
    quirks: Mapping[str, Any],
    losses: Losses,
    origin: str = DIALECT,
) -> bytes:
    """The body that asks how many tokens a prompt has."""
    limit = chat.max_output_tokens or 1 << 20  # of no effect on the prompt, but a budget must fit into it
    body = write_request(
        chat,
        model=model,
        max_output_tokens=limit,
        stream=False,
        params=params,
        quirks=quirks,
        losses=losses,
        origin=origin,
    )
    said = _OBJECT.decode(body)
    counted = {name: said[name] for name in ("messages", "system", "toolConfig", ADDITIONAL) if name in said}
    return _ENCODER.encode({"input": {"converse": counted}})


# --- what can't be said ----------------------------------------------------------------------------------------------


def _refuse(chat: Chat, losses: Losses) -> None:
    if chat.samples > 1:
        losses.lose("n", "several samples", "Ask once per sample.")
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(chat, name):
            losses.lose(name, "a penalty")
    if chat.seed is not None:
        losses.lose("seed", "a seed")
    if chat.logprobs is not None:
        losses.lose("logprobs", "log probabilities")


def _marks(model: Model) -> str:
    if model.family == "nova":
        return "messages"
    return "all" if model.family in ("anthropic", "unknown") else "off"


def _end_on_a_user(turns: list[Any], model: Model, losses: Losses) -> None:
    """Claudes of late don't go on with an answer that has been begun."""
    while turns and turns[-1]["role"] == "assistant" and model.claude is not None and not model.claude.continues:
        hint = "End the conversation on a user message, or ask a model that goes on."
        losses.lose("messages", "a begun answer to this model", hint)
        turns.pop()


def _leave_sampling(fields: Fields, losses: Losses) -> None:
    """Claudes of late take nothing but the default."""
    hint = "The model takes none; leave it out, or say an effort."
    for name, ours in (("temperature", "temperature"), ("topP", "top_p")):
        if fields["inferenceConfig"].pop(name, 1.0) != 1.0:
            losses.lose(ours, f"a `{ours}` to this model", hint)
    added = fields.get(ADDITIONAL, {})
    if added.pop("top_k", None) is not None:
        losses.lose("top_k", "a `top_k` to this model", hint)
        if not added:
            del fields[ADDITIONAL]


# --- output and sampling ---------------------------------------------------------------------------------------------


def _inference(chat: Chat, limit: int, model: Model, losses: Losses) -> Fields:
    said: Fields = {"maxTokens": limit}
    if chat.temperature is not None:
        if chat.temperature > 1:
            losses.lose("temperature", "a temperature above 1")
        said["temperature"] = min(chat.temperature, 1.0)
    if chat.top_p is not None:
        said["topP"] = chat.top_p
    stop = chat.stop
    if stop and model.family == "anthropic" and chat.dialect != DIALECT and not all(map(str.strip, stop)):
        losses.lose("stop", "a stop sequence of nothing but white space")
        stop = tuple(sequence for sequence in stop if sequence.strip())
    if stop:
        said["stopSequences"] = stop
    return said


def _write_top_k(added: Fields, chat: Chat, model: Model, losses: Losses) -> None:
    if chat.top_k is None:
        return
    match model.family:
        case "anthropic":
            added["top_k"] = chat.top_k
        case "nova":
            added["inferenceConfig"] = {"topK": chat.top_k}
        case _:
            losses.lose("top_k", "`top_k` to this model")


def _write_shape(fields: Fields, chat: Chat, losses: Losses) -> None:
    shape = chat.shape
    if shape is None or shape.mode == "text":
        return
    if shape.mode == "json":
        losses.lose("response_format", "JSON without a schema", "Send a JSON schema.")
        return
    schema: Fields = {"schema": text_of(shape.schema) if shape.schema is not None else "{}"}
    if shape.name:
        schema["name"] = shape.name
    if shape.description:
        schema["description"] = shape.description
    fields["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _settle(fields: Fields, losses: Losses, *, own: bool) -> None:
    """Leave out what Claude refuses in this company, whether the caller or the target's parameters brought it.

    `own`: the caller speaks this language; some models take a temperature and a `top_p`.
    """
    inference, added = fields["inferenceConfig"], fields.get(ADDITIONAL)
    added = added if isinstance(added, dict) else {}
    thinking = added.get("thinking")
    if isinstance(thinking, Mapping) and thinking.get("type") in ("adaptive", "enabled"):
        if inference.get("temperature", 1) != 1:
            losses.lose("temperature", "a temperature beside thinking")
            del inference["temperature"]
        if "top_k" in added:
            losses.lose("top_k", "`top_k` beside thinking")
            del added["top_k"]
        top_p = inference.get("topP")
        if isinstance(top_p, int | float) and top_p < _LEAST_TOP_P_WITH_THINKING:
            losses.lose("top_p", f"a `top_p` below {_LEAST_TOP_P_WITH_THINKING} beside thinking")
            del inference["topP"]
    if "temperature" in inference and "topP" in inference and not own:
        losses.lose("top_p", "a `top_p` beside a temperature")
        del inference["topP"]


# --- tools -----------------------------------------------------------------------------------------------------------


def _write_tools(
    fields: Fields, added: Fields, chat: Chat, writer: Writer, model: Model, losses: Losses, *, marked: bool
) -> bool:
    """Whether a tool is forced."""
    tools = _tools(chat, losses, marked=marked)
    mode = chat.tool_choice.mode if chat.tool_choice and tools else None
    if mode in ("required", "named") and model.claude is not None and not model.claude.forces:
        hint = "Leave the choice to the model, or ask an earlier one."
        losses.lose("tool_choice", "a forced tool to this model", hint)
        chat, mode = replace(chat, tool_choice=ToolChoice("auto")), "auto"
    if not tools and writer.has_tools:  # calls are refused where there are no tools
        tools, mode = [_spec(Tool(name)) for name in writer.called()], "none"
    if not tools:
        return False
    choice: Fields | None = None
    if mode == "none":
        if model.family == "anthropic":
            added["tool_choice"] = {"type": "none"}
        elif not writer.has_tools:
            losses.leave("tools")
            return False
        else:
            losses.lose("tool_choice", "that no tool may be called")
    elif mode is not None:
        named = chat.tool_choice.name if chat.tool_choice else None
        choice = {"required": {"any": {}}, "named": {"tool": {"name": named}}}.get(mode, {"auto": {}})
    if chat.parallel_tool_calls is False and mode != "none":
        choice = _one_at_a_time(added, chat, choice, model, losses)
    fields["toolConfig"] = {"tools": tools} if choice is None else {"tools": tools, "toolChoice": choice}
    return mode in ("required", "named")


def _one_at_a_time(added: Fields, chat: Chat, choice: Fields | None, model: Model, losses: Losses) -> Fields | None:
    """The choice, in Claude's own words: beside those it takes none of Converse."""
    if model.family != "anthropic":
        losses.lose("parallel_tool_calls", "at most one tool call at a time")
        return choice
    mode = chat.tool_choice.mode if chat.tool_choice else "auto"
    said: Fields = {"type": {"required": "any", "named": "tool"}.get(mode, "auto"), "disable_parallel_tool_use": True}
    if mode == "named" and chat.tool_choice is not None:
        said["name"] = chat.tool_choice.name
    added["tool_choice"] = said
    return None


def _tools(chat: Chat, losses: Losses, *, marked: bool) -> list[Any]:
    said: list[Any] = []
    for position, tool in enumerate(chat.tools):
        if not is_fine_name(tool.name):
            losses.lose(f"tools[{position}].name", f"the name of the tool {tool.name!r}", NAME_HINT)
            continue
        said.append(_spec(tool, own=chat.dialect == DIALECT))
        if tool.cache is not None and marked:
            point = {"type": "default"} if tool.cache == "5m" else {"type": "default", "ttl": tool.cache}
            said.append({"cachePoint": point})
    if chat.dialect == DIALECT:
        for path, raw in chat.others.items():
            if path.startswith("toolConfig.tools["):
                said.insert(int(path.removeprefix("toolConfig.tools[").removesuffix("]")), raw)
    return said


def _spec(tool: Tool, *, own: bool = False) -> Fields:
    """`own`: said by a caller who knows these models; else `strict` is only said where it is asked for."""
    said: Fields = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    said["inputSchema"] = {"json": tool.parameters if tool.parameters is not None else Raw(NO_PARAMETERS)}
    if tool.strict or (own and tool.strict is not None):
        said["strict"] = tool.strict
    return {"toolSpec": said}


# --- what others set -------------------------------------------------------------------------------------------------


def _write_others(fields: Fields, chat: Chat, losses: Losses) -> None:
    for path, raw in chat.others.items():
        if chat.dialect == DIALECT:
            if not path.startswith("toolConfig.tools["):
                _put(fields, path.split("."), raw)
        elif not is_harmless(path, raw, chat.dialect):
            losses.lose(path, "this field")


def _put(fields: Fields, path: list[str], value: Any) -> None:
    for name in path[:-1]:
        inner = fields.get(name)
        fields[name] = inner = inner if isinstance(inner, dict) else _opened(inner)
        fields = inner
    fields[path[-1]] = value


def _opened(value: Any) -> Fields:
    """An object that may still be raw, to be changed; what is none is as good as none."""
    if isinstance(value, Mapping):
        return dict(value)
    return dict(_OBJECT.decode(value)) if isinstance(value, Raw) and bytes(value)[:1] == b"{" else {}


def _narrowed(limit: int, params: Mapping[str, Any]) -> int:
    """The output limit in tokens, narrowed by the target's parameters under any name."""
    inference = params.get("inferenceConfig")
    own = inference.get("maxTokens") if isinstance(inference, Mapping) else None
    limit = narrowed(limit, params)
    return min(limit, own) if isinstance(own, int) else limit


def _merge(fields: Fields, params: Mapping[str, Any], limit: int) -> None:
    """Let the target's parameters win, but for those that are not theirs to set."""
    for name, value in params.items():
        if name not in RESERVED and name not in LIMITS and name != "modelId":
            fields[name] = _merged(fields.get(name), value)
    inference = fields["inferenceConfig"] = _opened(fields.get("inferenceConfig"))
    own = inference.get("maxTokens")
    if not isinstance(own, Raw):
        inference["maxTokens"] = min(limit, own) if isinstance(own, int) else limit


def _merged(value: Any, param: Any) -> Any:
    if not isinstance(param, Mapping):
        return param
    inner = _opened(value)
    return inner | {name: _merged(inner.get(name), own) for name, own in param.items()}


def _rename_and_drop(fields: Fields, quirks: Mapping[str, Any]) -> None:
    """As in every dialect (`rename`, then `drop`), but a field may stand inside others: `a.b`."""
    for ours, theirs in quirks.get("rename", {}).items():
        value = _take_out(fields, ours)
        if value is not None:
            _put(fields, theirs.split("."), value)
    for name in quirks.get("drop", ()):
        _take_out(fields, name)


def _take_out(fields: Fields, path: str) -> Any:
    *outer, last = path.split(".")
    for name in outer:
        inner = _opened(fields.get(name))
        if not inner:
            return None
        fields[name] = inner
        fields = inner
    return fields.pop(last, None)
