"""Gemini's language, inwards, as much as the road needs: the top level of a request, each value left as it stands.

The model's name and whether to stream stand in the URL and are handed in. A request that can't be passed on as it
stands, because signatures of other providers are in it or because it asks for one vector in the form that only one has,
is known by having no `spoken`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, field

from fairlead.chat import NOTHING, OPAQUE, Request, Spoken, Task
from fairlead.dialects.gemini.chat import read_chat
from fairlead.dialects.gemini.embed import read_embed
from fairlead.dialects.gemini.media import kind_at
from fairlead.dialects.gemini.names import DIALECT, NULL, camel, camelled, is_idle, take_object
from fairlead.dialects.gemini.settings import read_output_limit, read_samples, read_tool_list
from fairlead.dialects.gemini.signing import has_wrapped
from fairlead.dialects.reading import (
    TEMPLATE_SLACK_TOKENS,
    UNREADABLE,
    Once,
    is_null,
    need,
    read_fields,
    required,
    take,
)
from fairlead.dialects.steering import costs_more
from fairlead.errors import RequestInvalid

# Kinds of parts whose prompt is in the request, and what may be said beside them.
_BOUNDED = frozenset({
    "text", "thought", "thoughtSignature", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse", "partMetadata",
})  # fmt: skip
_MEDIA = frozenset({"inlineData", "fileData"})


class _Medium(Struct):
    """What of `inlineData` or `fileData` says of what kind it is."""

    mime: str | None = field(default=None, name="mimeType")
    mime_: str | None = field(default=None, name="mime_type")
    uri: str | None = field(default=None, name="fileUri")
    uri_: str | None = field(default=None, name="file_uri")


class _TextResult(Struct, forbid_unknown_fields=True):
    name: Raw = NULL
    id: Raw = NULL
    response: Raw = NULL


class _TextPart(Struct, forbid_unknown_fields=True):
    """A part that is known to be text: what nearly all are."""

    text: Raw = NULL
    thought: Raw = NULL
    signature: Raw = field(default=NULL, name="thoughtSignature")
    signature_: Raw = field(default=NULL, name="thought_signature")
    call: Raw = field(default=NULL, name="functionCall")
    call_: Raw = field(default=NULL, name="function_call")
    result: _TextResult | None = field(default=None, name="functionResponse")
    result_: _TextResult | None = field(default=None, name="function_response")


class _TextContent(Struct):
    parts: list[_TextPart] | None = None


class _Slim(Struct):
    """A content, or the result of a tool, which has parts too."""

    parts: list[dict[str, Raw]] | dict[str, Raw] | None = None


class _Entry(Struct):
    content: _Slim


_NAME = msgspec.json.Decoder(Annotated[str, Meta(min_length=1)])
_CONTENTS = msgspec.json.Decoder(list[_Slim] | _Slim)
_INSTRUCTION = msgspec.json.Decoder(_Slim | str)
_TEXT_CONTENTS = msgspec.json.Decoder(Annotated[list[_TextContent], Meta(min_length=1)])
_TEXT_INSTRUCTION = msgspec.json.Decoder(_TextContent)
_MEDIUM = msgspec.json.Decoder(_Medium)
_SLIM = msgspec.json.Decoder(_Slim)
_ENTRIES = msgspec.json.Decoder(Annotated[list[_Entry], Meta(min_length=1)])


def read_request(task: Task, body: bytes, *, route: str | None = None, stream: bool | None = None) -> Request:
    """Read one request of the given task, no deeper than the road needs. Raises RequestInvalid (`param` is the path).

    `route` and `stream` are what the URL says; without a route the body's own `model` is it.
    """
    fields = read_fields(body)
    if task == "embed":
        return _embedding(body, fields, route)
    if task != "chat":
        raise RequestInvalid(f"Gemini's API has no task {task!r}.", code="unsupported_feature")
    return _chat("chat", body, fields, route, bool(stream))


def read_count_request(body: bytes, *, route: str | None = None, stream: bool | None = None) -> Request:
    """A request to count tokens: of `contents`, or of a whole request in `generateContentRequest`."""
    fields = read_fields(body)
    whole = camelled(fields).get("generateContentRequest")
    if whole is not None:
        fields = take_object(whole, "generateContentRequest")
    return _chat("count", body, fields, route, False)


def _chat(task: Task, body: bytes, fields: dict[str, Raw], route: str | None, stream: bool) -> Request:
    said = camelled(fields)
    config = take_object(said.get("generationConfig"), "generationConfig")
    needs: set[str] = set()
    bounded = _look_at_contents(said, needs) and is_null(said.get("cachedContent"))
    bounded &= _look_at_tools(said, needs) and not costs_more(said)
    _look_at_config(config, needs)
    passes = task == "chat" and not has_wrapped(body)
    return Request(
        task=task,
        route=_route(said, route),
        stream=stream,
        samples=read_samples(config),
        max_output_tokens=read_output_limit(config),
        input_bound=len(body) + TEMPLATE_SLACK_TOKENS if bounded else None,
        input_bytes=len(body),
        wants_usage=stream,
        needs=frozenset(needs) if needs else NOTHING,
        spoken=Spoken(DIALECT, fields) if passes else None,
        read=Once(read_chat, fields),
    )


def _embedding(body: bytes, fields: dict[str, Raw], route: str | None) -> Request:
    """Many texts come in `requests`, a single one without it."""
    said = camelled(fields)
    batch = said.get("requests")
    needs: set[str] = set()
    if batch is None:
        contents = [take(_SLIM, need(said, "content"), "content")]
    else:
        contents = [entry.content for entry in take(_ENTRIES, batch, "requests")]
    bounded = True
    for content in contents:
        bounded &= _look_at_content(content, "content", needs)
    return Request(
        task="embed",
        route=_route(said, route),
        input_bound=len(body) + TEMPLATE_SLACK_TOKENS if bounded else None,
        input_bytes=len(body),
        needs=frozenset(needs) if needs else NOTHING,
        spoken=None if batch is None else Spoken(DIALECT, fields),
        read=Once(read_embed, fields),
    )


def _route(fields: dict[str, Raw], route: str | None) -> str:
    if route is not None:
        return route
    return take(_NAME, need(fields, "model"), "model").removeprefix("models/")


# --- what a model must be able to do, and whether the prompt has a bound ---------------------------------------------


def _look_at_contents(fields: dict[str, Raw], needs: set[str]) -> bool:
    raw = fields.get("contents")
    if raw is None:
        raise required("contents")
    instruction = fields.get("systemInstruction")
    try:
        _TEXT_CONTENTS.decode(raw)
        if instruction is not None:
            _TEXT_INSTRUCTION.decode(instruction)
    except UNREADABLE:  # more than text, or wrong: looked at closely
        return _look_closely(raw, instruction, needs)
    return True


def _look_closely(raw: Raw, instruction: Raw | None, needs: set[str]) -> bool:
    contents = take(_CONTENTS, raw, "contents")
    bounded = True
    for position, content in enumerate(contents if isinstance(contents, list) else [contents]):
        bounded &= _look_at_content(content, f"contents[{position}]", needs)
    if instruction is not None:
        said = take(_INSTRUCTION, instruction, "systemInstruction")
        bounded &= isinstance(said, str) or _look_at_content(said, "systemInstruction", needs)
    return bounded


def _look_at_content(content: _Slim, path: str, needs: set[str]) -> bool:
    """Whether all its tokens are in the request; what media are there is put into `needs`."""
    parts = content.parts
    bounded = True
    for part in [parts] if isinstance(parts, dict) else parts or ():
        for name, raw in part.items():
            name = camel(name) if "_" in name else name
            if name in _MEDIA:
                medium = take(_MEDIUM, raw, f"{path}.{name}")
                needs.add(kind_at(medium.mime or medium.mime_ or "", medium.uri or medium.uri_ or ""))
                bounded = False
            elif name not in _BOUNDED:
                if not is_idle(raw):
                    needs.add(OPAQUE)
                    bounded = False
            elif name == "functionResponse":
                result = take(_SLIM, raw, f"{path}.functionResponse")
                bounded &= _look_at_content(result, f"{path}.functionResponse", needs)
    return bounded


def _look_at_tools(fields: dict[str, Raw], needs: set[str]) -> bool:
    """Tools that run at the provider put text into the prompt that is not in the request."""
    bounded = True
    for _, entry, _ in read_tool_list(fields):
        if entry:
            needs.add("tools")
        bounded &= entry.keys() <= {"functionDeclarations"}
    return bounded


def _look_at_config(config: dict[str, Raw], needs: set[str]) -> None:
    if "responseSchema" in config or "responseJsonSchema" in config:
        needs.add("schema")
    elif bytes(config.get("responseMimeType", b"")) == b'"application/json"':
        needs.add("json")
    thinking = take_object(config.get("thinkingConfig"), "generationConfig.thinkingConfig")
    asked = bytes(thinking.get("thinkingBudget", b"0")) != b"0" or "thinkingLevel" in thinking
    if asked or bytes(thinking.get("includeThoughts", b"")) == b"true":
        needs.add("thinking")
