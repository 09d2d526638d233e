"""The house language: what is asked of a model and what comes back, whatever language is spoken outside.

It knows no wire format (that is `dialects/`), no transport and no money. Everything is frozen; raw JSON values that the
house has no business with (a JSON schema, a tool's parameters, log probabilities) stay `msgspec.Raw`.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "tool_calls", "content_filter"]
Task = Literal["chat", "complete", "embed"]


# --- what is asked ---------------------------------------------------------------------------------------------------


class Text(Struct, frozen=True, tag="text"):
    text: str


class Image(Struct, frozen=True, tag="image"):
    """An image by URL (`https:` or `data:`)."""

    url: str
    detail: str | None = None


class Thinking(Struct, frozen=True, tag="thinking"):
    """A model's own earlier reasoning. `signature` is only valid at the provider named in `origin`."""

    text: str
    signature: str | None = None
    origin: str = ""


class Opaque(Struct, frozen=True, tag="opaque"):
    """A content part that can be passed on in its own language (`dialect`) but not translated (`kind` names it)."""

    kind: str
    raw: Raw
    dialect: str = ""


Part = Text | Image | Thinking | Opaque


class ToolCall(Struct, frozen=True):
    """`arguments` is the JSON text as the model wrote it; it may be invalid JSON."""

    id: str
    name: str
    arguments: str


class Message(Struct, frozen=True):
    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None  # of a message with role `tool`
    is_error: bool = False  # of a message with role `tool`: the tool failed
    name: str | None = None


class Tool(Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: Raw | None = None  # a JSON schema
    strict: bool | None = None


class ToolChoice(Struct, frozen=True):
    """`name` is set where one tool is forced."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


class Shape(Struct, frozen=True):
    """What form the answer must have. `schema` is a JSON schema where mode is `schema`."""

    mode: Literal["text", "json", "schema"]
    name: str | None = None
    schema: Raw | None = None
    strict: bool | None = None


class Chat(Struct, frozen=True, kw_only=True):
    """A conversation to be continued. None means that the caller did not say."""

    messages: tuple[Message, ...]
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    shape: Shape | None = None
    effort: str | None = None  # reasoning effort: none, minimal, low, medium, high, xhigh
    user: str | None = None
    samples: int = 1
    others: tuple[str, ...] = ()  # top-level fields that the caller sent and the house has no word for


class Spoken(Struct, frozen=True):
    """A request as it was said: its language and its top-level fields, byte for byte."""

    dialect: str
    fields: dict[str, Raw]


class Request(Struct, frozen=True, kw_only=True):
    """What a caller asks of a route, with what the road must know of it; `read` translates the rest on demand.

    `spoken` lets a backend that speaks the caller's language pass every value on as it stands.
    `input_bound` is an upper bound of the prompt's tokens, None where there is none (a file id, an image's URL).
    """

    task: Task
    route: str
    stream: bool = False
    samples: int = 1
    max_output_tokens: int | None = None
    input_bound: int | None = None
    input_bytes: int = 0
    wants_usage: bool = False  # the caller of a stream asked for its usage chunk
    spoken: Spoken | None = None
    read: Callable[[], Chat] | None = None

    def chat(self) -> Chat:
        if self.read is None:
            raise TypeError(f"a request of task {self.task!r} has no reading as a chat")
        return self.read()


# --- what comes back -------------------------------------------------------------------------------------------------


class Usage(Struct, frozen=True):
    """Tokens of one attempt.

    `input` counts all prompt tokens, the cached ones too; `output` all completion tokens, reasoning too.
    `estimated`: counted by us, because the target did not say.
    `spoken`: the stream's own usage event, passed on to a caller who asked for it.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    estimated: bool = False
    spoken: bytes | None = None


class Said(Struct, frozen=True):
    """One choice of an answer."""

    text: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish | None = None
    logprobs: Raw | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer. Either `spoken` (the body in the language named by `dialect`) or `said` is set, or both.

    `model` is what the provider calls itself; `target` the name of the target that answered.
    `usage` is None where the provider did not say.
    """

    id: str = ""
    model: str = ""
    target: str = ""
    dialect: str = ""
    spoken: bytes | None = None
    said: tuple[Said, ...] = ()
    finish: str | None = None  # of the first choice
    usage: Usage | None = None
    cost_nusd: int | None = None
    estimated: bool = False


class Head(Struct, frozen=True):
    """The first item of a stream: who answers. `spoken` is the event that said so, if one did."""

    id: str = ""
    model: str = ""
    target: str = ""
    dialect: str = ""
    spoken: bytes | None = None


class ToolDelta(Struct, frozen=True):
    """A piece of the tool call at position `slot`: id and name come once, arguments in pieces."""

    slot: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Chunk(Struct, frozen=True):
    """A piece of a stream. `words` is true if it carries content, a tool call or reasoning (see "first word").

    `spoken` is the event's data as the provider sent it; then the other fields may be left empty.
    """

    index: int = 0
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool: ToolDelta | None = None
    finish: Finish | None = None
    logprobs: Raw | UnsetType = UNSET
    words: bool = False
    spoken: bytes | None = None


Item = Head | Chunk | Usage
Stream = AsyncGenerator[Item, None]  # whoever holds one closes it (contextlib.aclosing)
