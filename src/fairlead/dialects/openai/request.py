"""OpenAI's language, inwards, as much as the road needs: the top level of a request, each value left as it stands.

Three tasks: `/chat/completions`, `/completions`, `/embeddings`. The full reading of a conversation is `openai_chat`,
and only done when somebody asks for it.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from fairlead.chat import Chat, Request, Spoken, Task
from fairlead.dialects.openai.chat import LIMIT_NAMES, read_chat, read_output_limit
from fairlead.dialects.reading import UNREADABLE, is_null, need, read_fields, take, take_optional
from fairlead.errors import RequestInvalid

DIALECT = "openai"

# A token stands for at least one byte of what was sent (a byte-level tokenizer has no smaller ones); the slack covers
# what a chat template adds around it.
TEMPLATE_SLACK_TOKENS = 1024
MAX_SAMPLES = 1024  # more than any provider allows, and small enough to multiply a hold by

# Fields by which a provider reads, searches or writes prompt text that is not in the request.
_UNBOUNDED_FIELDS = (
    "chat_template",
    "data_sources",
    "file_ids",
    "plugins",
    "prompt_embeds",
    "search_parameters",
    "tool_resources",
    "web_search_options",
)
_TEXT_PARTS = frozenset({"text", "refusal", "input_text", "output_text"})
_CALLER_TOOLS = frozenset({"function", "custom"})  # every other kind runs at the provider


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
_PROMPT = msgspec.json.Decoder(str | Annotated[list[str | int | list[int]], Meta(min_length=1)])
_TOOLS = msgspec.json.Decoder(list[_Tool])


TASKS: frozenset[Task] = frozenset({"chat", "complete", "embed"})


def read_request(task: Task, body: bytes, *, route: str | None = None, stream: bool | None = None) -> Request:
    """Read one request of the given task, no deeper than the road needs.

    Raises RequestInvalid (`malformed_json` or `invalid_request`; `param` is the path). `samples` counts the answers
    that will be generated: `n` or `best_of`, times the prompts of a completion.
    """
    fields = read_fields(body)
    route = take(_ROUTE, need(fields, "model"), "model") if route is None else route
    if task == "embed":
        _read_prompts(fields, "input")
        return _request(task, route, body, fields, bounded=True)
    stream = bool(take_optional(_FLAG, fields, "stream")) if stream is None else stream
    samples = take_optional(_SAMPLES, fields, "n") or 1
    if task == "complete":
        best_of = take_optional(_SAMPLES, fields, "best_of") or 1
        samples = max(samples, best_of) * _read_prompts(fields, "prompt")
        bounded = True
    else:
        bounded = _is_text_only(take(_MESSAGES, need(fields, "messages"), "messages"))
    options = take_optional(_STREAM_OPTIONS, fields, "stream_options") if stream else None
    return _request(
        task,
        route,
        body,
        fields,
        bounded=bounded,
        stream=stream,
        samples=samples,
        max_output_tokens=_caller_limit(fields),
        wants_usage=bool(options and options.include_usage),
    )


def _request(
    task: Task,
    route: str,
    body: bytes,
    fields: dict[str, Raw],
    *,
    bounded: bool,
    stream: bool = False,
    samples: int = 1,
    max_output_tokens: int | None = None,
    wants_usage: bool = False,
) -> Request:
    bounded = bounded and not _asks_for_more(fields)
    return Request(
        task=task,
        route=route,
        stream=stream,
        samples=samples,
        max_output_tokens=max_output_tokens,
        input_bound=len(body) + TEMPLATE_SLACK_TOKENS if bounded else None,
        input_bytes=len(body),
        wants_usage=wants_usage,
        spoken=Spoken(DIALECT, fields),
        read=_Reading(fields) if task == "chat" else None,
    )


class _Reading:
    """The full reading of a request: done when first asked for, then kept."""

    __slots__ = ("_chat", "_fields")

    def __init__(self, fields: dict[str, Raw]) -> None:
        self._fields = fields
        self._chat: Chat | None = None

    def __call__(self) -> Chat:
        if self._chat is None:
            self._chat = read_chat(self._fields)
        return self._chat


def _caller_limit(fields: dict[str, Raw]) -> int | None:
    """The newer name wins where a caller sends both, as it does at the providers."""
    limits = [read_output_limit(fields[name], name) for name in LIMIT_NAMES if name in fields]
    return next((limit for limit in limits if limit is not None), None)


def _read_prompts(fields: dict[str, Raw], name: str) -> int:
    """How many prompts there are: a string or an array of tokens is one, an array of those as many as it holds."""
    prompt = take(_PROMPT, need(fields, name), name)
    if isinstance(prompt, str):
        return 1
    kinds = {type(entry) for entry in prompt}
    if len(kinds) > 1:
        raise RequestInvalid(
            f"`{name}` mixes strings and tokens.",
            param=name,
            hint="Send a string, an array of strings, an array of tokens, or an array of arrays of tokens.",
        )
    return 1 if kinds == {int} else len(prompt)


def _is_text_only(messages: list[_Slim]) -> bool:
    """Only what is known to be text has a bound; a kind of part that nobody knows yet has none."""
    for message in messages:
        content = message.content
        if isinstance(content, list) and any(type(part) is _Typed and part.type not in _TEXT_PARTS for part in content):
            return False
        if not (message.audio is message.images is message.attachments is UNSET) and _has_more(message):
            return False
    return True


def _has_more(message: _Slim) -> bool:
    beside = (message.audio, message.images, message.attachments)
    return any(value is not UNSET and bytes(value) not in (b"null", b"[]") for value in beside)


def _asks_for_more(fields: dict[str, Raw]) -> bool:
    """Whether the provider is asked to put text into the prompt that is not in the request."""
    if any(name in fields and not is_null(fields[name]) for name in _UNBOUNDED_FIELDS):
        return True
    tools = fields.get("tools")
    if is_null(tools):
        return False
    try:
        return not all(tool.is_the_callers for tool in _TOOLS.decode(tools or b"[]"))
    except UNREADABLE:
        return True
