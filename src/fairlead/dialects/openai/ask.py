"""OpenAI's language, outwards: requests to a target that speaks it.

`pass_request` is for a caller who speaks it too: nothing is translated, values stay byte for byte. `write_request` is
for everybody else. Neither knows where the target is.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Part, Request, Text, Thinking, Tool, ToolCall
from fairlead.dialects.losses import Losses
from fairlead.dialects.media import write_url
from fairlead.dialects.openai.chat import DIALECT, LIMIT_NAMES, read_output_limit
from fairlead.dialects.quirks import narrowed, override, rename_and_drop
from fairlead.dialects.reading import is_null, raw_json, unsayable

LANGUAGE = "OpenAI's API"
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
    | `rename` | {} | `{ours = "theirs"}`: send a field under another name |
    | `drop` | [] | fields that are never sent |

    `rename` and `drop` come last, in this order, and see the parameters too.
    """
    if request.spoken is None or request.spoken.dialect != DIALECT:
        raise TypeError("only a request that was said in OpenAI's language can be passed on in it")
    fields: dict[str, Any] = dict(request.spoken.fields)
    fields["model"] = model
    if request.task != "embed":
        _set_stream(fields, request, quirks)
        wanted = quirks.get("max_tokens_name") if request.task == "chat" else None
        _limit_output(fields, narrowed(max_output_tokens, params), wanted)
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
        raw = fields.get(name)
        if raw is None:
            continue
        own = read_output_limit(raw, name)
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

    Reasoning goes along as `reasoning_content` where it was said in this language; another provider's signed reasoning
    is left out, as is the flag that a tool failed (its text says so). Raises RequestInvalid `unsupported_feature` for
    what has no word here.
    """
    if chat.others:
        raise unsayable(next(iter(chat.others)), "this field", LANGUAGE)
    fields: dict[str, Any] = {"model": model, "messages": _write_messages(chat)}
    fields[quirks.get("max_tokens_name", "max_tokens")] = narrowed(max_output_tokens, params)
    optional = {
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "top_k": chat.top_k,
        "stop": chat.stop or None,
        "seed": chat.seed,
        "n": chat.samples if chat.samples > 1 else None,
        "tools": [_write_tool(tool) for tool in chat.tools] or None,
        "tool_choice": _write_tool_choice(chat),
        "parallel_tool_calls": chat.parallel_tool_calls,
        "response_format": _write_shape(chat),
        "reasoning_effort": chat.effort,
        "user": chat.user,
    }
    fields.update((name, value) for name, value in optional.items() if value is not None)
    if stream:
        fields["stream"] = True
        if quirks.get("stream_usage", True):
            fields["stream_options"] = _USAGE_PLEASE
    override(fields, params)
    rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


def _write_messages(chat: Chat) -> list[dict[str, Any]]:
    return [_write_message(message, f"messages[{position}]") for position, message in enumerate(chat.messages)]


def _write_message(message: Message, path: str) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role}
    opaque = [part for part in message.parts if isinstance(part, Opaque)]
    if foreign := next((part for part in opaque if part.dialect != DIALECT), None):
        raise unsayable(f"{path}.content", f"a part of type {foreign.kind!r}", LANGUAGE)
    aside = {"audio", "tool_call"} if message.role == "assistant" else set()  # kinds that stand beside the content
    content: list[Part] = [
        part
        for part in message.parts
        if not isinstance(part, Thinking | ToolCall) and not (isinstance(part, Opaque) and part.kind in aside)
    ]
    said["content"] = _write_content(content, message)
    if thought := "".join(part.text for part in message.parts if isinstance(part, Thinking) and not part.origin):
        said["reasoning_content"] = thought
    calls: list[Any] = [write_tool_call(call) for call in message.tool_calls]
    calls += [part.raw for part in opaque if part.kind == "tool_call" and "tool_call" in aside]
    if calls:
        said["tool_calls"] = calls
    if "audio" in aside and (audio := next((part for part in opaque if part.kind == "audio"), None)):
        said["audio"] = audio.raw
    if message.tool_call_id is not None:
        said["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        said["name"] = message.name
    return said


def _write_content(parts: list[Part], message: Message) -> Any:
    if not parts:
        return None if message.role == "assistant" else ""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_write_part(part) for part in parts]


def _write_part(part: Part) -> Any:
    match part:
        case Text(text=text) | Thinking(text=text):
            return {"type": "text", "text": text}
        case Media(detail=None):
            return {"type": "image_url", "image_url": {"url": write_url(part)}}
        case Media(detail=detail):
            return {"type": "image_url", "image_url": {"url": write_url(part), "detail": detail}}
        case Opaque(raw=raw):
            return raw


def write_tool_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _write_tool(tool: Tool) -> dict[str, Any]:
    optional = {"description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
    function = {"name": tool.name} | {name: value for name, value in optional.items() if value is not None}
    return {"type": "function", "function": function}


def _write_tool_choice(chat: Chat) -> Any:
    choice = chat.tool_choice
    if choice is None:
        return None
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _write_shape(chat: Chat) -> Any:
    shape = chat.shape
    if shape is None:
        return None
    if shape.mode != "schema":
        return {"type": "text" if shape.mode == "text" else "json_object"}
    schema: dict[str, Any] = {"name": shape.name or "answer", "schema": shape.schema or raw_json({})}
    if shape.strict is not None:
        schema["strict"] = shape.strict
    return {"type": "json_schema", "json_schema": schema}
