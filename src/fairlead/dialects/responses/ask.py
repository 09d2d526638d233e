"""OpenAI's Responses, outwards: requests to a target that speaks it.

`pass_request` is for a caller who speaks it too: nothing is translated, values stay byte for byte. `write_request` is
for everybody else. Neither knows where the target is.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Chat, Request, Tool
from fairlead.dialects.effort import effort_of
from fairlead.dialects.end_users import end_user
from fairlead.dialects.gpt import HINT, Gpt, gpt_of, lose_sampling, refuses_sampling
from fairlead.dialects.harmless import is_harmless
from fairlead.dialects.losses import Losses
from fairlead.dialects.quirks import narrowed, override, rename_and_drop
from fairlead.dialects.reading import UNREADABLE
from fairlead.dialects.responses.chat import REFERENCES, read_output_limit
from fairlead.dialects.responses.language import DIALECT, ENCRYPTED_REASONING, TEXT_LOGPROBS
from fairlead.dialects.responses.turns import Terms, write_conversation

# Fields of OpenAI's other API that have the same word here, and where they stand.
_SAME = {
    "verbosity": "text.verbosity",
    "prompt_cache_key": "prompt_cache_key",
    "safety_identifier": "safety_identifier",
}
_COUNTED = ("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning")
_MERGED = ("reasoning", "text")
LEAST_OUTPUT_TOKENS = 16  # that OpenAI's models take
_LONGEST_USER = 64
_ENCODER = msgspec.json.Encoder()
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_STRINGS = msgspec.json.Decoder(list[str])

Said = dict[str, Any]


def pass_request(
    request: Request, *, model: str, max_output_tokens: int, params: Mapping[str, Any], quirks: Mapping[str, Any]
) -> bytes:
    """The caller's own request, rebuilt from its top-level values, for a target that speaks the same language.

    Changed are: `model`; `stream`; the output limit, where the caller named none or more than `max_output_tokens`; what
    `params` sets (`reasoning` and `text` are merged); what the quirks `rename` and `drop` ask for. All else is
    byte-identical. The other quirks are for requests that are written: see `write_request`.
    """
    if request.spoken is None or request.spoken.dialect != DIALECT:
        raise TypeError("only a request that was said in the Responses language can be passed on in it")
    fields: Said = dict(request.spoken.fields)
    fields["model"] = model
    if request.stream:
        fields["stream"] = True
    elif bytes(fields.get("stream", b"")) == b"true":
        fields["stream"] = False
        fields.pop("stream_options", None)
    limit = narrowed(max_output_tokens, params)
    own = read_output_limit(request.spoken.fields)
    if own is None or own > limit:
        fields["max_output_tokens"] = limit
    _settle(fields, params, quirks)
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
    """A conversation in the house language as a request for a response.

    | in the house | here |
    |---|---|
    | a first system message of one text | `instructions` |
    | every other message, a tool's result | an item |
    | thinking, texts in a row, a call of an assistant's message | an item each, in their order |
    | thinking signed by this provider | a reasoning item; left out at the end of a turn, where nothing follows it |
    | other thinking, names of messages, the flag that a tool failed | left out and told |
    | a budget for thinking | the effort nearest to it, and told |
    | a tool of another language that says nothing of being strict | `strict` false: unsaid, it would be strict |
    | a mark for the cache | a breakpoint, where the quirk says so or the caller spoke this language |
    | a wish that another language has no word for | `store` false, encrypted reasoning |

    Lost: several samples, stop sequences, `seed`, `top_k`, penalties, video, audio but WAV and MP3, files kept by other
    providers, pictures that an assistant made, what a model of this name refuses (`dialects/gpt.py`), parts and fields
    of other languages but for harmless ones.

    | quirk | default | what it does |
    |---|---|---|
    | `encrypted_reasoning` | by the model's name, else true | false: who does not reason refuses to be asked for it |
    | `plain_reasoning` | false | true: send reasoning that nobody signed, as servers of open models take it |
    | `cache_breakpoints` | false | true: the model knows explicit cache breakpoints |
    | `rename` | {} | `{ours = "theirs"}`: send a field under another name |
    | `drop` | [] | fields that are never sent |

    `params` are fields of this language and override the rest; `reasoning` and `text` are merged.
    """
    limit = narrowed(max_output_tokens, params)
    gpt = gpt_of(model)
    body = _write(chat, quirks, losses, origin, limit, gpt)
    body["model"] = model
    body["max_output_tokens"] = limit
    if gpt is not None and limit < LEAST_OUTPUT_TOKENS and chat.dialect != DIALECT:
        hint = f"Ask for {LEAST_OUTPUT_TOKENS} tokens or more."
        losses.lose("max_output_tokens", f"a limit below {LEAST_OUTPUT_TOKENS} tokens", hint)
        body["max_output_tokens"] = LEAST_OUTPUT_TOKENS
    if stream:
        body["stream"] = True
    _settle(body, params, quirks)
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
    """The same conversation as a request to count its tokens, which takes only what is part of the prompt."""
    body = _write(chat, quirks, losses, origin, chat.max_output_tokens or 0, gpt_of(model))
    body["model"] = model
    _settle(body, {name: value for name, value in params.items() if name in _COUNTED}, quirks)
    return _ENCODER.encode({name: body[name] for name in (*_COUNTED, "truncation") if name in body})


def _settle(fields: Said, params: Mapping[str, Any], quirks: Mapping[str, Any]) -> None:
    """The target's own parameters and its names for things have the last word."""
    if params:
        override(fields, {**params, **_merged(fields, params)})
    if quirks:
        rename_and_drop(fields, quirks)


def _merged(fields: Said, params: Mapping[str, Any]) -> Said:
    merged: Said = {}
    for name in _MERGED:
        said, wanted = fields.get(name), params.get(name)
        if said is None or not isinstance(wanted, Mapping):
            continue
        if isinstance(said, Raw):
            try:
                said = _OBJECT.decode(said)
            except UNREADABLE:
                continue
        merged[name] = {**said, **wanted}
    return merged


# --- the fields ------------------------------------------------------------------------------------------------------


def _write(chat: Chat, quirks: Mapping[str, Any], losses: Losses, origin: str, limit: int, gpt: Gpt | None) -> Said:
    own = chat.dialect == DIALECT
    marks = own or quirks.get("cache_breakpoints", False)
    terms = Terms(losses, origin, own, quirks.get("plain_reasoning", False), marks)
    instructions, items = write_conversation(chat, terms)
    body: Said = {"model": None, "input": items}
    _lose(chat, losses, own)
    optional: Said = {
        "instructions": instructions,
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "tools": [_write_tool(tool, own) for tool in chat.tools] or None,
        "tool_choice": _write_tool_choice(chat),
        "parallel_tool_calls": chat.parallel_tool_calls,
        "text": _write_shape(chat),
        "reasoning": _write_effort(chat, limit, losses),
        "include": _write_include(chat, quirks, gpt),
        "top_logprobs": chat.logprobs or None,
        "frequency_penalty": chat.frequency_penalty if own else None,
        "presence_penalty": chat.presence_penalty if own else None,
        "user": chat.user,
        "store": None if own else False,
    }
    body.update((name, value) for name, value in optional.items() if value is not None)
    if not own:  # who speaks this language chose his words for the model
        _suit(body, gpt, losses)
    for path, raw in chat.others.items():
        _write_other(body, path, raw, chat, losses)
    return body


def _suit(body: Said, gpt: Gpt | None, losses: Losses) -> None:
    """What a model of this name refuses (`dialects/gpt.py`), and a name of the end user that is too long."""
    if "user" in body:
        body["user"] = end_user(body["user"], longest=_LONGEST_USER)
    if gpt is None:
        return
    effort = body.get("reasoning", {}).get("effort")
    if effort is not None and (level := gpt.level(effort)) != effort:
        losses.leave("reasoning_effort")
        body["reasoning"]["effort"] = effort = level
    if not refuses_sampling(gpt, effort):
        return
    lose_sampling(body, losses)
    if TEXT_LOGPROBS in body.get("include", ()):
        losses.lose("logprobs", "log probabilities to this model", HINT)
        body["include"].remove(TEXT_LOGPROBS)
        body.pop("top_logprobs", None)
        if not body["include"]:
            del body["include"]


def _lose(chat: Chat, losses: Losses, own: bool) -> None:
    if chat.samples > 1:
        losses.lose("n", "several samples", "Ask once per sample.")
    if chat.stop:
        losses.lose("stop", "stop sequences")
    if chat.seed is not None:
        losses.lose("seed", "a seed")
    if chat.top_k is not None:
        losses.lose("top_k", "a limit to the most likely tokens")
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(chat, name) and not own:
            losses.lose(name, "a penalty")


def _write_other(body: Said, path: str, raw: Raw, chat: Chat, losses: Losses) -> None:
    """A field that the house has no word for: as it stood, in its place, where it was said in this language."""
    if chat.dialect != DIALECT:
        if chat.dialect == "openai" and path in _SAME:
            path = _SAME[path]
        elif is_harmless(path, raw, chat.dialect):
            return
        else:
            losses.lose(path, "this field")
            return
    if path in REFERENCES:  # it stands in its place already
        return
    if path.startswith("tools["):
        _put_tool(body, path, raw)
        return
    outer, _, inner = path.partition(".")
    if inner:
        body.setdefault(outer, {})[inner] = raw
    elif path == "include":
        body[path] = [*body.get(path, ()), *_STRINGS.decode(raw)]
    else:
        body[path] = raw


def _put_tool(body: Said, path: str, raw: Raw) -> None:
    """A tool of another kind in its place among the others, or one more word of a function. Paths come in order; where
    the tools are not those of the caller any more, a word may have lost its place.
    """
    place, _, word = path.removeprefix("tools[").partition("]")
    tools: list[Any] = body.setdefault("tools", [])
    position = int(place)
    if not word:
        tools.insert(position, raw)
    elif position < len(tools) and isinstance(tools[position], dict):
        tools[position][word.removeprefix(".")] = raw


def _write_tool(tool: Tool, own: bool) -> Said:
    said: Said = {"type": "function", "name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    if tool.parameters is not None or not own:
        said["parameters"] = tool.parameters
    if tool.strict is not None or not own:
        said["strict"] = bool(tool.strict)
    return said


def _write_tool_choice(chat: Chat) -> Any:
    choice = chat.tool_choice
    if choice is None:
        return None
    return {"type": "function", "name": choice.name} if choice.mode == "named" else choice.mode


def _write_shape(chat: Chat) -> Said | None:
    shape = chat.shape
    if shape is None:
        return None
    if shape.mode != "schema":
        return {"format": {"type": "text" if shape.mode == "text" else "json_object"}}
    form: Said = {"type": "json_schema", "name": shape.name or "answer", "schema": shape.schema or Raw(b"{}")}
    optional = {"strict": shape.strict, "description": shape.description}
    form.update((name, value) for name, value in optional.items() if value is not None)
    return {"format": form}


def _write_effort(chat: Chat, limit: int, losses: Losses) -> Said | None:
    said: Said = {}
    if chat.thinking_tokens:
        losses.leave("thinking_tokens")
    if chat.effort is not None:
        said["effort"] = chat.effort
    elif chat.thinking_tokens is not None:
        said["effort"] = effort_of(chat.thinking_tokens, limit)
    if chat.shows_thinking:
        said["summary"] = "auto"
    elif chat.shows_thinking is False and (said or chat.dialect == DIALECT):
        said["summary"] = None
    return said or None


def _write_include(chat: Chat, quirks: Mapping[str, Any], gpt: Gpt | None) -> list[str] | None:
    encrypted = quirks.get("encrypted_reasoning")
    thinks = (gpt is None or gpt.thinks) if encrypted is None else encrypted
    wanted = [ENCRYPTED_REASONING] if thinks else []
    if chat.logprobs is not None:
        wanted.append(TEXT_LOGPROBS)
    return wanted or None
