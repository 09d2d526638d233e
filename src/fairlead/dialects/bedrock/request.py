"""Bedrock's language, inwards, as much as the road needs: the top level of a request, each value left as it stands.

The model's name and whether a stream is wanted stand in the URL, so they are handed in. The full reading is `chat.py`,
and only done when somebody asks for it.
"""

from collections.abc import Iterable
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from fairlead.chat import NOTHING, OPAQUE, Request, Spoken, Task
from fairlead.dialects.bedrock.chat import read_chat, read_inference
from fairlead.dialects.bedrock.signing import DIALECT
from fairlead.dialects.bedrock.thinking import ADDITIONAL, read_thinking
from fairlead.dialects.quirks import LIMITS
from fairlead.dialects.reading import NULL, TEMPLATE_SLACK_TOKENS, UNREADABLE, Once, is_null, need, read_fields, take
from fairlead.dialects.steering import OTHER_LIMITS, costs_more
from fairlead.errors import RequestInvalid

TASKS: frozenset[Task] = frozenset({"chat", "count"})

_MEDIA = frozenset({"image", "document", "video", "audio"})
_UNBOUNDED = _MEDIA | {OPAQUE}
# Kinds of blocks that are text, or made of text.
_TEXT = frozenset({
    "text", "json", "toolUse", "toolResult", "reasoningContent", "cachePoint", "searchResult", "citationsContent",
})  # fmt: skip
_ROUTE = msgspec.json.Decoder(Annotated[str, Meta(min_length=1)])
_Blocks: TypeAlias = list[dict[str, Raw]]


# Fields of models' own that put nothing into a prompt.
_SETTINGS = frozenset({
    "anthropic_beta", "enable_thinking", "frequency_penalty", "inferenceConfig", "k", "logprobs", "output_config", "p",
    "parallel_tool_calls", "presence_penalty", "reasoning", "reasoningConfig", "reasoning_config", "reasoning_effort",
    "repetition_penalty", "response_format", "seed", "stop", "stop_sequences", "temperature", "text", "thinking",
    "tool_choice", "topK", "topP", "top_k", "top_logprobs", "top_p", "verbosity",
})  # fmt: skip
# How long and how often is answered is said in Converse's own words, or not at all.
_NOT_ADDED = OTHER_LIMITS | LIMITS | {
    "best_of", "candidateCount", "maxTokens", "model", "modelId", "n", "numResults", "num_generations", "stream",
}  # fmt: skip


class _Result(Struct):
    content: _Blocks | None = None


class _Message(Struct):
    content: _Blocks


class _Tools(Struct):
    tools: list[dict[str, Raw]] | None = None


class _Output(Struct, rename="camel"):
    text_format: Raw = NULL
    effort: str | None = None


class _Count(Struct, rename="camel"):
    converse: Raw = NULL
    invoke_model: Raw = NULL


_BLOCKS = msgspec.json.Decoder(_Blocks | None)
_RESULT = msgspec.json.Decoder(_Result | None)
_MESSAGES = msgspec.json.Decoder(Annotated[list[_Message], Meta(min_length=1)])
_TOOLS = msgspec.json.Decoder(_Tools | None)
_OUTPUT = msgspec.json.Decoder(_Output | None)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_COUNT = msgspec.json.Decoder(_Count)


def read_request(task: Task, body: bytes, *, route: str | None = None, stream: bool | None = None) -> Request:
    """Read one Converse request, no deeper than the road needs. `route` is the model's name as it was meant, not as it
    was encoded in the URL; without it the body must name it (`modelId`).

    Raises RequestInvalid (`malformed_json` or `invalid_request`; `param` is the path).
    """
    if task not in TASKS:
        raise RequestInvalid(f"Bedrock's Converse has no task {task!r}.", code="unsupported_feature")
    return _request(task, body, read_fields(body), route, bool(stream))


def read_count_request(body: bytes, *, route: str | None = None) -> Request:
    """The same for a prompt whose tokens are to be counted: what would be said to Converse, under `input.converse`."""
    fields = read_fields(body)
    said = take(_COUNT, need(fields, "input"), "input")
    if is_null(said.converse):
        other = "input.invokeModel" if not is_null(said.invoke_model) else "input.converse"
        raise RequestInvalid(
            "Only what is said to Converse can be counted: `input.converse` is required.",
            code="unsupported_feature",
            param=other,
            hint="Send the messages under `input.converse`.",
        )
    asked = take(_FIELDS, said.converse, "input.converse")
    if "modelId" in fields:
        asked["modelId"] = fields["modelId"]
    return _request("count", body, asked, route, False)


def _request(task: Task, body: bytes, fields: dict[str, Raw], route: str | None, stream: bool) -> Request:
    named = take(_ROUTE, need(fields, "modelId"), "modelId") if route is None else route
    messages = need(fields, "messages")
    needs = _media(messages, fields.get("system", NULL)) | _tools(fields) | _output(fields)
    bounded = not _asks_for_more(fields) and needs.isdisjoint(_UNBOUNDED)
    return Request(
        task=task,
        route=named,
        stream=stream,
        max_output_tokens=read_inference(fields).max_tokens,
        input_bound=len(body) + TEMPLATE_SLACK_TOKENS if bounded else None,
        input_bytes=len(body),
        wants_usage=stream,
        needs=needs or NOTHING,
        spoken=Spoken(DIALECT, fields, body),
        read=Once(read_chat, fields),
    )


# --- what a model must be able to do ---------------------------------------------------------------------------------


def _media(messages: Raw, system: Raw) -> frozenset[str]:
    """The kinds of media in the conversation, and whether there is a block of a kind that nobody knows."""
    found: set[str] = set()
    for place, message in enumerate(take(_MESSAGES, messages, "messages")):
        _find(message.content, f"messages[{place}].content", found)
    _find(take(_BLOCKS, system, "system") or (), "system", found)
    return frozenset(found) if found else NOTHING


def _find(blocks: Iterable[dict[str, Raw]], path: str, found: set[str]) -> None:
    for place, block in enumerate(blocks):
        for name, raw in block.items():
            if name in _MEDIA:
                found.add(name)
            elif name == "toolResult":
                where = f"{path}[{place}].toolResult"
                result = take(_RESULT, raw, where)
                if result is not None:
                    _find(result.content or (), f"{where}.content", found)
            elif name not in _TEXT and not (name == "guardContent" and _is_guarded_text(raw)) and not is_null(raw):
                found.add(OPAQUE)


def _is_guarded_text(raw: Raw) -> bool:
    try:
        return _FIELDS.decode(raw).keys() <= {"text"}
    except UNREADABLE:
        return False


def _tools(fields: dict[str, Raw]) -> frozenset[str]:
    config = take(_TOOLS, fields.get("toolConfig", NULL), "toolConfig")
    return frozenset({"tools"}) if config and config.tools else NOTHING


def _output(fields: dict[str, Raw]) -> frozenset[str]:
    """A schema, and thinking where it was asked for in whichever family's words."""
    needs: set[str] = set()
    output = take(_OUTPUT, fields.get("outputConfig", NULL), "outputConfig")
    if output is not None and not is_null(output.text_format):
        needs.add("schema")
    raw = fields.get(ADDITIONAL)
    if raw is not None and not is_null(raw):
        added = take(_FIELDS, raw, ADDITIONAL)
        if b'"format"' in bytes(added.get("output_config", b"")):
            needs.add("schema")
        thinking = read_thinking(added, None)
        if thinking.tokens or thinking.effort not in (None, "none"):
            needs.add("thinking")
    if output is not None and output.effort not in (None, "none"):
        needs.add("thinking")
    return frozenset(needs)


def _asks_for_more(fields: dict[str, Raw]) -> bool:
    """Whether the provider is asked to put text into the prompt that is not in the request, or to be dearer."""
    if not is_null(fields.get("promptVariables")) or costs_more(fields):
        return True
    raw = fields.get(ADDITIONAL, NULL)
    if not is_null(raw) and not _check_added(take(_FIELDS, raw, ADDITIONAL), ADDITIONAL):
        return True
    config = take(_TOOLS, fields.get("toolConfig", NULL), "toolConfig")
    return bool(config and any("systemTool" in tool for tool in config.tools or ()))


def _check_added(added: dict[str, Raw], path: str) -> bool:
    """Whether a model's own fields put nothing into the prompt. Raises RequestInvalid for those that say what Converse
    has its own words for."""
    for name, raw in added.items():
        if name in _NOT_ADDED and not is_null(raw):
            raise RequestInvalid(
                f"`{path}.{name}` can't be said beside Converse's own words.",
                code="unsupported_feature",
                param=f"{path}.{name}",
                hint="Use `inferenceConfig.maxTokens` for the output limit, and ask once for each sample.",
            )
    inference = added.get("inferenceConfig", NULL)
    if not is_null(inference):
        _check_added(take(_FIELDS, inference, f"{path}.inferenceConfig"), f"{path}.inferenceConfig")
    return added.keys() <= _SETTINGS
