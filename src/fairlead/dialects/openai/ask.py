"""OpenAI's language, outwards: requests to a target that speaks it.

`pass_request` is for a caller who speaks it too: nothing is translated, values stay byte for byte. `write_request` is
for everybody else. Neither knows where the target is.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Chat, Request, Shape, Tool, ToolChoice
from fairlead.dialects.end_users import end_user
from fairlead.dialects.gpt import HINT, Gpt, gpt_of, lose_sampling, refuses_sampling
from fairlead.dialects.harmless import is_harmless
from fairlead.dialects.losses import Losses
from fairlead.dialects.openai.chat import LIMIT_NAMES, read_output_limit
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.parts import write_mark
from fairlead.dialects.openai.retold import retell
from fairlead.dialects.openai.thinking import write_asked
from fairlead.dialects.openai.turns import Manner, write_messages
from fairlead.dialects.quirks import narrowed, override, rename_and_drop
from fairlead.dialects.reading import is_null, raw_json

_SAME = {"text.verbosity": "verbosity"}  # fields of OpenAI's other API that have the same word here
# Fields that have the same word in the house.
_PLAIN = (
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "parallel_tool_calls",
    "user",
)
_LONGEST_USER = 64
_ENCODER = msgspec.json.Encoder()
_RAWS = msgspec.json.Decoder(dict[str, Raw])
_USAGE_PLEASE = Raw(b'{"include_usage":true}')


def pass_request(
    request: Request, *, model: str, max_output_tokens: int, params: Mapping[str, Any], quirks: Mapping[str, Any]
) -> bytes:
    """The caller's own request, rebuilt from its top-level values, for a target that speaks the same language.

    Changed are: `model`; `stream_options`, so that a stream tells its usage; the output limit, where the caller named
    none or more than `max_output_tokens`; what `params` sets; what a quirk asks for. All else is byte-identical.

    | quirk | default | what it does |
    |---|---|---|
    | `max_tokens_name` | the caller's own, else `max_tokens` | the field that carries a chat's output limit |
    | `stream_usage` | true | false: the target refuses `stream_options`, so it is never sent |
    | `counts_one_sample` | false | true: of several samples (`n`) the target counts one; ours is that times `n` |
    | `reasoning` | the caller's own, else `effort` | the words in which thinking is asked for: see below |
    | `returns_reasoning` | true | false: the target refuses earlier reasoning in messages, so it is left out |
    | `system_role` | the caller's own, else `system` | the role of system messages, or `developer` |
    | `tool_ids` | `any` | `mistral9`: ids of tool calls become nine letters and digits |
    | `media_from` | `any` | `user`: what a tool gave is shown by the user, after the results; in passing it stays |
    | `cache_control` | false | true: the target takes marks for its prompt cache; in passing they always go on |
    | `prefill` | none | how a target is told to go on with a begun answer: see below; in passing it stays as it is |
    | `rename` | {} | `{ours = "theirs"}`: send a field under another name |
    | `drop` | [] | fields that are never sent |

    `rename` and `drop` come last, in this order, and see the parameters too. `reasoning` is one of `effort`
    (`reasoning_effort`), `openrouter` (`reasoning`), `qwen` (`enable_thinking`, `thinking_budget`), `vllm`
    (`chat_template_kwargs`) and `off` (never sent); see `thinking`. `prefill` is one of `last` (the last message is
    enough), `vllm` (`continue_final_message`, `add_generation_prompt`) and `prefix` (a mark on that message).
    """
    if request.spoken is None or request.spoken.dialect != DIALECT:
        raise TypeError("only a request that was said in OpenAI's language can be passed on in it")
    fields: dict[str, Any] = dict(request.spoken.fields)
    fields["model"] = model
    if request.task != "embed":
        if request.stream or "stream" in fields:
            _set_stream(fields, request, quirks)
        limit = narrowed(max_output_tokens, params) if params else max_output_tokens
        _limit_output(fields, limit, quirks.get("max_tokens_name") if request.task == "chat" else None)
        if quirks and request.task == "chat":
            retell(fields, limit, quirks)
    if params:
        override(fields, params)
    if quirks:
        rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


def _set_stream(fields: dict[str, Any], request: Request, quirks: Mapping[str, Any]) -> None:
    """Stream as the request says, which may by now differ from what the caller sent, and ask for the usage."""
    if not request.stream:
        if bytes(fields.get("stream", b"")) == b"true":
            fields["stream"] = False
            fields.pop("stream_options", None)
        return
    fields["stream"] = True
    if not quirks.get("stream_usage", True):
        fields.pop("stream_options", None)
    elif not request.wants_usage:
        said = fields.get("stream_options")
        options = {} if said is None or is_null(said) else _RAWS.decode(said)
        fields["stream_options"] = {**options, "include_usage": True} if options else _USAGE_PLEASE
    elif "stream_options" not in fields:
        fields["stream_options"] = _USAGE_PLEASE


def _limit_output(fields: dict[str, Any], limit: int, wanted: str | None) -> None:
    """Every limit that the caller named is kept, but none above `limit`; where there is none, `limit` is sent.

    `wanted` is the name that the target knows it by, None: either.
    """
    named = False
    for name in LIMIT_NAMES:
        if name not in fields:
            continue
        own = read_output_limit(fields[name], name)
        if own is None:
            del fields[name]
            continue
        named = True
        if own > limit:
            fields[name] = limit
    if not named:
        fields[wanted or "max_tokens"] = limit
    elif wanted:
        other = LIMIT_NAMES[0] if wanted == LIMIT_NAMES[1] else LIMIT_NAMES[1]
        own = fields.pop(other, None)
        if own is not None:
            fields.setdefault(wanted, own)


# --- written anew ----------------------------------------------------------------------------------------------------


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
    """A conversation in the house language as the body of a chat completion. Quirks: see `pass_request`.

    Reasoning goes along as `reasoning_content`, what `origin` signed as `reasoning_details`; what others signed is left
    out, and so is the flag that a tool failed (its text says so); a budget for thinking becomes the nearest effort,
    where the target has no word for it, and an effort that one of OpenAI's models does not have the nearest; what else
    such a model refuses by its name (`dialects/gpt.py`) is lost. Let go: marks for the prompt cache unless the target
    takes them, whether thinking is told where it has no word for that, and what is harmless. Any other loss is told to
    `losses`, with its path.
    """
    limit = narrowed(max_output_tokens, params)
    fields: dict[str, Any] = {
        "model": model,
        "messages": write_messages(chat.messages, _manner(quirks, origin), losses),
    }
    fields[quirks.get("max_tokens_name", "max_tokens")] = limit
    for name in _PLAIN:
        if (value := getattr(chat, name)) is not None:
            fields[name] = value
    if chat.stop:
        fields["stop"] = chat.stop
    if chat.logprobs is not None:
        fields["logprobs"] = True
        if chat.logprobs:
            fields["top_logprobs"] = chat.logprobs
    if chat.samples > 1:
        fields["n"] = chat.samples
    if chat.tools:
        marks = quirks.get("cache_control", False)
        fields["tools"] = [_write_tool(tool, marks) for tool in chat.tools]
    if chat.tool_choice is not None:
        fields["tool_choice"] = _write_tool_choice(chat.tool_choice)
    if chat.shape is not None:
        fields["response_format"] = _write_shape(chat.shape)
    fields.update(write_asked(chat, limit, quirks.get("reasoning", "effort"), losses))
    if chat.dialect != DIALECT:  # who speaks this language chose his words for the model
        _suit(fields, gpt_of(model), losses)
    _write_others(fields, chat, losses)
    if stream:
        fields["stream"] = True
        if quirks.get("stream_usage", True):
            fields["stream_options"] = _USAGE_PLEASE
    if chat.messages and chat.messages[-1].role == "assistant" and not chat.messages[-1].tool_calls:
        _go_on(fields, quirks.get("prefill"))
    override(fields, params)
    rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


def _suit(fields: dict[str, Any], gpt: Gpt | None, losses: Losses) -> None:
    """What a model of this name refuses (`dialects/gpt.py`), and a name of the end user that is too long."""
    if "user" in fields:
        fields["user"] = end_user(fields["user"], longest=_LONGEST_USER)
    if gpt is None:
        return
    effort = fields.get("reasoning_effort")
    if effort is not None and (level := gpt.level(effort)) != effort:
        losses.leave("reasoning_effort")
        fields["reasoning_effort"] = effort = level
    if refuses_sampling(gpt, effort):
        lose_sampling(fields, losses)
        if fields.pop("logprobs", None):
            losses.lose("logprobs", "log probabilities to this model", HINT)
            fields.pop("top_logprobs", None)
    if gpt.always and fields.pop("stop", None):
        losses.lose("stop", "stop sequences to this model", HINT)


def _go_on(fields: dict[str, Any], prefill: str | None) -> None:
    """The last message is the beginning of the answer: the target says the rest, and not a turn of its own."""
    if prefill == "vllm":
        fields.update(continue_final_message=True, add_generation_prompt=False)
    elif prefill == "prefix":
        fields["messages"][-1]["prefix"] = True


def _manner(quirks: Mapping[str, Any], origin: str) -> Manner:
    told_as = "reasoning" if quirks.get("reasoning") == "openrouter" else "reasoning_content"
    return Manner(
        origin,
        marks=quirks.get("cache_control", False),
        system_role=quirks.get("system_role", "system"),
        nine=quirks.get("tool_ids") == "mistral9",
        told_as=told_as if quirks.get("returns_reasoning", True) else "",
        user_media=quirks.get("media_from") == "user",
    )


def _write_others(fields: dict[str, Any], chat: Chat, losses: Losses) -> None:
    """What the house has no word for: as it stood, where the caller spoke this language."""
    for path, raw in chat.others.items():
        name, _, position = path.partition("[")
        if chat.dialect != DIALECT:
            if chat.dialect == "responses" and path in _SAME:
                fields[_SAME[path]] = raw
            elif not is_harmless(path, raw, chat.dialect):
                losses.lose(path, "this field")
        elif position and name == "tools":
            tools: list[Any] = fields.setdefault("tools", [])
            tools.insert(int(position.rstrip("]")), raw)
        else:
            fields[path] = raw


def _write_tool(tool: Tool, marks: bool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    said: dict[str, Any] = {"type": "function", "function": function}
    if tool.cache is not None and marks:
        said["cache_control"] = write_mark(tool.cache)
    return said


def _write_tool_choice(choice: ToolChoice) -> Any:
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _write_shape(shape: Shape) -> Any:
    if shape.mode != "schema":
        return {"type": "text" if shape.mode == "text" else "json_object"}
    schema: dict[str, Any] = {"name": shape.name or "answer"}
    if shape.description is not None:
        schema["description"] = shape.description
    schema["schema"] = shape.schema if shape.schema is not None else raw_json({})
    if shape.strict is not None:
        schema["strict"] = shape.strict
    return {"type": "json_schema", "json_schema": schema}
