"""Anthropic's language, outwards: a conversation in the house language as a request to the Messages API.

What can't be conserved is refused, with a path; the few things that are let go are named in `write_request`.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Chat, Image, Message, Opaque, Part, Text, Thinking, Tool, ToolCall
from fairlead.dialects.quirks import narrowed, override, rename_and_drop
from fairlead.dialects.reading import UNREADABLE, unsayable
from fairlead.errors import RequestInvalid

DIALECT = "anthropic"
LANGUAGE = "Anthropic's API"

# Fields of the caller that don't change what an answer says: where it is billed, kept, cached or cut for speed.
HARMLESS = frozenset({
    "metadata", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier",
    "service_tier", "store",
})  # fmt: skip
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
# The part of the output limit that may be spent on thinking, where a model takes a budget instead of an effort.
_BUDGET_SHARES = {"low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.9, "max": 0.9}
_LEAST_BUDGET_TOKENS = 1024
_LEAST_TOP_P_WITH_THINKING = 0.95
_ID_TABOO = re.compile(r"[^a-zA-Z0-9_-]")
_DATA_URL = re.compile(r"data:(?P<media_type>[\w.+-]+/[\w.+-]+)(?:;[^;,]+)*;base64,(?P<data>.*)\Z", re.DOTALL)
_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ENCODER = msgspec.json.Encoder()

Block = dict[str, Any]


def write_request(
    chat: Chat,
    *,
    model: str,
    max_output_tokens: int,
    stream: bool,
    params: Mapping[str, Any],
    quirks: Mapping[str, Any],
) -> bytes:
    """The body of a Messages request.

    | in the house | here |
    |---|---|
    | system messages, wherever they stand | `system` blocks, in order |
    | messages of one side in a row, tool results | merged into one turn |
    | effort | `thinking` and `output_config.effort`; none switches thinking off; left out under a forced tool |
    | a JSON schema | `output_config.format` |
    | temperature above 1 | 1; left out while the model thinks, as is `top_k` |
    | temperature and top_p | only the temperature: current models refuse both |
    | a tool call with invalid JSON | an object with the text under `invalid_json` |
    | signed thinking | only what this API signed; other reasoning is left out |

    Let go: `seed` (best effort everywhere), names of messages, an image's `detail`, name and description of a schema,
    what stands inside a message, a part or a tool and is no word of OpenAI's own API (marks for a prompt cache, another
    provider's signatures), and the fields in HARMLESS. Refused
    as `unsupported_feature`: several samples, JSON without a schema, audio and files, log probabilities, penalties,
    stop sequences of nothing but white space, and every other field that the house has no word for.

    | quirk | default | what it does |
    |---|---|---|
    | `thinking` | `adaptive` | `budget`: for models before adaptive thinking; `off`: effort is not sent at all |
    | `ignore` | [] | fields of the caller (`n`, `logit_bias`, ...) that are let go instead of refused |
    | `rename` | {} | `{ours = "theirs"}`: send a field under another name |
    | `drop` | [] | fields that are never sent |

    `params` are fields of the Messages API and override the rest; `output_config` and `metadata` are merged.
    """
    ignored = frozenset(quirks.get("ignore", ()))
    _refuse(chat, ignored)
    limit = narrowed(max_output_tokens, params)
    body: Block = {"model": model, "max_tokens": limit}
    _write_conversation(body, chat)
    _write_tools(body, chat)
    _write_output(body, chat, limit, quirks)
    _write_sampling(body, chat, ignored)
    if chat.user is not None:
        body["metadata"] = {"user_id": chat.user}
    if stream:
        body["stream"] = True
    merged = {
        name: {**body[name], **params[name]} for name in ("output_config", "metadata") if _both(name, body, params)
    }
    override(body, {**params, **merged})
    _settle_sampling(body)
    rename_and_drop(body, quirks)
    return _ENCODER.encode(body)


def _both(name: str, body: Block, params: Mapping[str, Any]) -> bool:
    return isinstance(body.get(name), dict) and isinstance(params.get(name), Mapping)


# --- what can't be said ----------------------------------------------------------------------------------------------


def _refuse(chat: Chat, ignored: frozenset[str]) -> None:
    if chat.samples > 1 and "n" not in ignored:
        raise unsayable("n", "several samples", LANGUAGE, "Ask once per sample.")
    if chat.shape is not None and chat.shape.mode == "json" and "response_format" not in ignored:
        raise unsayable(
            "response_format", "JSON without a schema", LANGUAGE, 'Send a JSON schema (`"type": "json_schema"`).'
        )
    for field in chat.others:
        name = field.partition("[")[0]
        if name not in HARMLESS and name not in ignored:
            raise unsayable(field, "this field", LANGUAGE)
    if not any(message.role != "system" for message in chat.messages):
        raise unsayable("messages", "a conversation of system messages alone", LANGUAGE, "Add a user message.")


# --- the conversation ------------------------------------------------------------------------------------------------


def _write_conversation(body: Block, chat: Chat) -> None:
    system: list[Block] = []
    turns: list[Block] = []
    for position, message in enumerate(chat.messages):
        path = f"messages[{position}]"
        if message.role == "system":
            system += _write_parts(message.parts, path)
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _write_turn(message, path)
        if not blocks:
            continue  # the API refuses empty turns
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    if turns and turns[-1]["role"] == "assistant" and turns[-1]["content"][-1]["type"] == "text":
        last = turns[-1]["content"][-1]
        last["text"] = last["text"].rstrip()  # refused at the end of a turn that is to be continued
    if system:
        body["system"] = system
    body["messages"] = turns


def _write_turn(message: Message, path: str) -> list[Block]:
    if message.role == "tool":
        return [_write_result(message, path)]
    blocks = _write_parts(message.parts, path)
    return blocks + [_write_call(call) for call in message.tool_calls]


def _write_result(message: Message, path: str) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": _write_id(message.tool_call_id or "")}
    content = _write_parts(message.parts, path)
    if content:
        result["content"] = content
    if message.is_error:
        result["is_error"] = True
    return result


def _write_call(call: ToolCall) -> Block:
    return {"type": "tool_use", "id": _write_id(call.id), "name": call.name, "input": _write_input(call.arguments)}


def _write_input(arguments: str) -> Any:
    """What the model wrote, as an object: JSON that is none stays readable to it under a name that says so."""
    if not arguments.strip():
        return {}
    try:
        return _OBJECT.decode(arguments)
    except UNREADABLE:
        return {"invalid_json": arguments}


def _write_id(call_id: str) -> str:
    return _ID_TABOO.sub("_", call_id)  # the API takes no other characters; a call and its result change alike


def _write_parts(parts: tuple[Part, ...], path: str) -> list[Block]:
    blocks: list[Block] = []
    for part in parts:
        match part:
            case Text(text=text):
                if text.strip():  # the API refuses text blocks without text
                    blocks.append({"type": "text", "text": text})
            case Image(url=url):
                blocks.append({"type": "image", "source": _write_image(url, path)})
            case Thinking(text=text, signature=str() as signature, origin=origin) if origin == DIALECT:
                blocks.append({"type": "thinking", "thinking": text, "signature": signature})
            case Thinking():
                pass  # the API takes no thinking but its own
            case Opaque(kind=kind, raw=raw, dialect=dialect) if dialect == DIALECT:
                blocks.append({**_OBJECT.decode(raw), "type": kind})
            case Opaque(kind=kind):
                raise unsayable(f"{path}.content", f"a part of type {kind!r}", LANGUAGE)
    return blocks


def _write_image(url: str, path: str) -> Block:
    if url[:5].lower() != "data:":
        return {"type": "url", "url": url}
    said = _DATA_URL.match(url)
    if said is None:
        raise unsayable(f"{path}.content", "an image that is not base64", LANGUAGE, "Encode the image as base64.")
    return {"type": "base64", "media_type": said["media_type"], "data": said["data"]}


# --- tools -----------------------------------------------------------------------------------------------------------


def _write_tools(body: Block, chat: Chat) -> None:
    if not chat.tools:
        return
    body["tools"] = [_write_tool(tool) for tool in chat.tools]
    choice: Block | None = None
    if chat.tool_choice is not None:
        kinds = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
        choice = {"type": kinds[chat.tool_choice.mode]}
        if chat.tool_choice.mode == "named":
            choice["name"] = chat.tool_choice.name
    if chat.parallel_tool_calls is False:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    if choice is not None:
        body["tool_choice"] = choice


def _write_tool(tool: Tool) -> Block:
    said: Block = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    said["input_schema"] = tool.parameters if tool.parameters is not None else _NO_PARAMETERS
    if tool.strict:
        said["strict"] = True
    return said


# --- output and sampling ---------------------------------------------------------------------------------------------


def _write_output(body: Block, chat: Chat, limit: int, quirks: Mapping[str, Any]) -> None:
    output: Block = {}
    mode = quirks.get("thinking", "adaptive")
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    if chat.effort == "none" and mode != "off":
        body["thinking"] = {"type": "disabled"}
    elif chat.effort is not None and mode != "off":
        effort = _EFFORTS.get(chat.effort)
        if effort is None:
            raise RequestInvalid(
                f"`reasoning_effort`: {chat.effort!r} is not known.",
                param="reasoning_effort",
                hint=f"Use one of none, {', '.join(_EFFORTS)}.",
            )
        if mode == "adaptive":
            output["effort"] = effort
            if not forced:  # thinking and a forced tool exclude each other
                body["thinking"] = {"type": "adaptive"}
        elif not forced and not _is_amid_tools(body["messages"]):
            _write_budget(body, effort, limit)
    if chat.shape is not None and chat.shape.mode == "schema":
        output["format"] = {"type": "json_schema", "schema": chat.shape.schema or Raw(b"{}")}
    if output:
        body["output_config"] = output


def _write_budget(body: Block, effort: str, limit: int) -> None:
    """Thinking with a budget must have 1,024 tokens and leave some of the limit to the answer, or there is none."""
    budget = max(int(limit * _BUDGET_SHARES[effort]), _LEAST_BUDGET_TOKENS)
    if budget < limit:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _is_amid_tools(turns: list[Block]) -> bool:
    """Whether the last turn is a tool's result to a turn without signed thinking: then the API refuses a budget."""
    if len(turns) < 2 or all(block["type"] != "tool_result" for block in turns[-1]["content"]):
        return False
    return turns[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking")


def _write_sampling(body: Block, chat: Chat, ignored: frozenset[str]) -> None:
    sequences = [stop for stop in chat.stop if stop.strip()]
    if len(sequences) < len(chat.stop) and "stop" not in ignored:
        raise unsayable("stop", "a stop sequence of nothing but white space", LANGUAGE)
    if sequences:
        body["stop_sequences"] = sequences
    if chat.temperature is not None:
        body["temperature"] = min(chat.temperature, 1.0)
    if chat.top_p is not None:
        body["top_p"] = chat.top_p
    if chat.top_k is not None:
        body["top_k"] = chat.top_k


def _settle_sampling(body: Block) -> None:
    """Leave out what the API refuses in this company, whether the caller or the target's parameters brought it."""
    thinking = body.get("thinking")
    if isinstance(thinking, Mapping) and thinking.get("type") in ("adaptive", "enabled"):
        body.pop("temperature", None)
        body.pop("top_k", None)
        top_p = body.get("top_p")
        if isinstance(top_p, int | float) and top_p < _LEAST_TOP_P_WITH_THINKING:
            del body["top_p"]
    if "temperature" in body and "top_p" in body:
        del body["top_p" if body["temperature"] != 1.0 else "temperature"]
