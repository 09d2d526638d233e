"""OpenAI's language, inwards, as much as the road needs: the top level of a request, each value left as it stands.

Three tasks: `/chat/completions`, `/completions`, `/embeddings`. The full reading is `chat`, `complete` and `embed`, and
only done when somebody asks for it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from fairlead.chat import NOTHING, OPAQUE, Chat, Embed, Request, Spoken, Task
from fairlead.dialects.openai import thinking
from fairlead.dialects.openai.chat import LIMIT_NAMES, caller_limit, read_chat
from fairlead.dialects.openai.complete import read_completion
from fairlead.dialects.openai.embed import count_of, read_embed, read_inputs
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.parts import MODALITIES
from fairlead.dialects.reading import (
    TEMPLATE_SLACK_TOKENS,
    UNREADABLE,
    Once,
    is_null,
    read_fields,
    take,
    take_needed,
    take_optional,
)
from fairlead.dialects.steering import DEARER, OTHER_LIMITS, check_steering, costs_more, may_steer
from fairlead.errors import RequestInvalid

MAX_SAMPLES = 1024  # more than any provider allows, and small enough to multiply a hold by

# Fields by which a provider reads, searches or writes prompt text that is not in the request.
_UNBOUNDED_FIELDS = frozenset(
    {
        "chat_template",
        "compound_custom",
        "connectors",
        "data_sources",
        "enable_search",
        "file_ids",
        "mcp_servers",
        "plugins",
        "prompt_embeds",
        "search_options",
        "search_parameters",
        "search_settings",
        "tool_resources",
        "web_search",
        "web_search_options",
    }
)
_COSTLY = _UNBOUNDED_FIELDS | DEARER | {"tools"}
# How often is answered: OpenAI's word, that of completions (in vLLM of chats, too), llama.cpp's.
_LIMITS = frozenset(LIMIT_NAMES)
_SAMPLE_NAMES = frozenset({"n", "best_of", "n_cmpl"})
_TEXT_PARTS = frozenset({"text", "refusal", "thinking", "input_text", "output_text"})
_CALLER_TOOLS = frozenset({"function", "custom"})  # every other kind runs at the provider
_IDLE = frozenset({b"null", b"false"})
_OFFERS = frozenset({"tools", "functions"})
_BESIDE = _OFFERS | thinking.NAMES | {"response_format"}
_SHAPES = {"json_schema": "schema", "json_object": "json"}
_READERS: dict[Task, Callable[[dict[str, Raw]], Chat | Embed]] = {
    "chat": read_chat,
    "complete": read_completion,
    "embed": read_embed,
}


class _Names(Struct, frozen=True):
    """What names of fields may mean, so that values are looked at only where they may: they would steer a server, say
    how often is answered or how long, cost more, need more of a model."""

    steer: bool
    sample: bool
    limit: bool
    cost: bool
    need: bool


@lru_cache(maxsize=1024)  # callers send few different sets of fields
def _names(task: Task, names: tuple[str, ...]) -> _Names:
    return _Names(
        steer=may_steer(names, OTHER_LIMITS if task != "embed" else NOTHING),
        sample=not _SAMPLE_NAMES.isdisjoint(names),
        limit=not _LIMITS.isdisjoint(names),
        cost=not _COSTLY.isdisjoint(names),
        need=not _BESIDE.isdisjoint(names),
    )


class _Typed(Struct):
    type: str = ""


class _Tool(Struct):
    """A tool without a type is a function where it has one."""

    type: str | None = None
    function: Raw = Raw(b"null")

    @property
    def is_the_callers(self) -> bool:
        return self.type in _CALLER_TOOLS if self.type is not None else not is_null(self.function)


class _Slim(Struct):
    """A message, as far as the bound of its tokens goes."""

    content: str | list[str | _Typed] | None = None
    audio: Raw | UnsetType = UNSET
    images: Raw | UnsetType = UNSET
    attachments: Raw | UnsetType = UNSET


class _StreamOptions(Struct):
    include_usage: bool | None = None


_Samples: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_SAMPLES)]

_ROUTE = msgspec.json.Decoder(Annotated[str, Meta(min_length=1)])
_FLAG = msgspec.json.Decoder(bool | None)
_SAMPLES = msgspec.json.Decoder(_Samples | None)
_STREAM_OPTIONS = msgspec.json.Decoder(_StreamOptions | None)
_MESSAGES = msgspec.json.Decoder(Annotated[list[_Slim], Meta(min_length=1)])
_TOOLS = msgspec.json.Decoder(list[_Tool])
_TYPED = msgspec.json.Decoder(_Typed)


def read_request(task: Task, body: bytes, *, route: str | None = None, stream: bool | None = None) -> Request:
    """Read one request of the given task, no deeper than the road needs. `route` and `stream` win over what it says.

    Raises RequestInvalid (`malformed_json` or `invalid_request`; `param` is the path). `samples` counts the answers
    that will be generated: `n` or `best_of`, times the prompts of a completion.
    """
    fields = read_fields(body)
    names = _names(task, tuple(fields))
    if names.steer:
        check_steering(fields, OTHER_LIMITS if task != "embed" else NOTHING)
    name = take_needed(_ROUTE, fields, "model") if route is None else route
    if task == "embed":
        if "messages" in fields:  # vLLM would embed those instead
            raise RequestInvalid("`messages` can't be embedded.", param="messages", hint="Send `input` alone.")
        read_inputs(fields, "input")
        return _request(task, name, body, fields, NOTHING, names)
    streams = stream or False
    if stream is None and "stream" in fields:
        streams = bool(take(_FLAG, fields["stream"], "stream"))
    samples = _samples(fields) if names.sample else 1
    if task == "complete":
        samples *= count_of(read_inputs(fields, "prompt"))
        needs: frozenset[str] | None = NOTHING
    else:
        needs = _needed(take_needed(_MESSAGES, fields, "messages"))
    options = take_optional(_STREAM_OPTIONS, fields, "stream_options") if streams else None
    limit = caller_limit(fields) if names.limit else None
    return _request(
        task, name, body, fields, needs, names, streams, samples, limit, bool(options and options.include_usage)
    )


def _samples(fields: dict[str, Raw]) -> int:
    return max(take(_SAMPLES, raw, name) or 1 for name, raw in fields.items() if name in _SAMPLE_NAMES)


def _request(
    task: Task,
    route: str,
    body: bytes,
    fields: dict[str, Raw],
    needs: frozenset[str] | None,
    names: _Names,
    stream: bool = False,
    samples: int = 1,
    max_output_tokens: int | None = None,
    wants_usage: bool = False,
) -> Request:
    """`needs`: what the messages need, empty if they are nothing but text, None if nobody knows."""
    size = len(body)
    bounded = needs is not None and not needs and not (names.cost and _asks_for_more(fields))
    if task != "chat":
        needs = NOTHING
    elif names.need:
        needs = _needed_beside(fields, needs or NOTHING)
    return Request(
        task=task,
        route=route,
        stream=stream,
        samples=samples,
        max_output_tokens=max_output_tokens,
        input_bound=size + TEMPLATE_SLACK_TOKENS if bounded else None,
        input_bytes=size,
        wants_usage=wants_usage,
        needs=needs or NOTHING,
        spoken=Spoken(DIALECT, fields, body),
        read=Once(_READERS[task], fields),
    )


# --- what it needs ---------------------------------------------------------------------------------------------------


def _needed(messages: list[_Slim]) -> frozenset[str] | None:
    """The kinds of media in the messages, and whether there is a part of a kind that nobody knows yet. None where there
    is something beside the content: only what is known to be text has a bound."""
    needs: set[str] | None = None
    known = True
    for message in messages:
        content = message.content
        if type(content) is list:
            for part in content:
                if type(part) is _Typed and part.type not in _TEXT_PARTS:
                    needs = needs or set()
                    needs.add(MODALITIES.get(part.type) or OPAQUE)
        if not (message.audio is message.images is message.attachments is UNSET):
            known = known and not _has_more(message)
    if needs:
        return frozenset(needs)
    return NOTHING if known else None


def _has_more(message: _Slim) -> bool:
    beside = (message.audio, message.images, message.attachments)
    return any(value is not UNSET and bytes(value) not in (b"null", b"[]") for value in beside)


def _needed_beside(fields: dict[str, Raw], needs: frozenset[str]) -> frozenset[str]:
    """The same and what the other fields need."""
    if any(name in fields and bytes(fields[name]) not in (b"null", b"[]") for name in _OFFERS):
        needs |= {"tools"}
    form = fields.get("response_format")
    if form is not None:
        try:
            shape = _SHAPES.get(_TYPED.decode(form).type)
        except UNREADABLE:
            shape = None
        if shape is not None:
            needs |= {shape}
    return needs | {"thinking"} if thinking.is_asked(fields) else needs


def _asks_for_more(fields: dict[str, Raw]) -> bool:
    """Whether the provider is asked to put text into the prompt that is not in the request, or to be dearer."""
    if any(bytes(fields[name]) not in _IDLE for name in _UNBOUNDED_FIELDS & fields.keys()) or costs_more(fields):
        return True
    tools = fields.get("tools")
    if is_null(tools):
        return False
    try:
        return not all(tool.is_the_callers for tool in _TOOLS.decode(tools or b"[]"))
    except UNREADABLE:
        return True
