"""The house language: what is asked of a model and what comes back, whatever language is spoken outside.

It knows no wire format (that is `dialects/`), no transport and no money. Everything is frozen; raw JSON values that the
house has no business with (a JSON schema, a tool's parameters, log probabilities) stay `msgspec.Raw`. What is made by
the dozen can't be part of a cycle, so the garbage collector is spared it (`gc=False`).
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Literal, TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "tool_calls", "content_filter"]
Task = Literal["chat", "complete", "embed", "rerank", "count"]
Modality = Literal["image", "audio", "video", "document"]


# --- what a message is made of ---------------------------------------------------------------------------------------
#
# `cache` on a part, a message or a tool is a mark: the prompt up to and with it is worth keeping in a cache, for "5m"
# or "1h". `origin` names the language of the provider who signed; a signature is sent to nobody else.


class Text(Struct, frozen=True, tag="text", gc=False):
    text: str
    cache: str | None = None


class Media(Struct, frozen=True, tag="media", kw_only=True, gc=False):
    """An image, a sound, a film or a document: exactly one of `data` (base64), `url` and `file` is set.

    `media_type` is a MIME type, "" where nobody said. `file` is an id at the provider whose language is `origin`.
    `detail` is an image's (low, high, auto); `name` a document's.
    """

    kind: Modality
    media_type: str = ""
    data: str | None = None
    url: str | None = None
    file: str | None = None
    origin: str = ""
    name: str | None = None
    detail: str | None = None
    cache: str | None = None


class Thinking(Struct, frozen=True, tag="thinking", gc=False):
    """A model's own reasoning, or the signature over it.

    A signature without text belongs to the part before it, as Gemini signs. `redacted`: the reasoning itself is hidden,
    `signature` holds it encrypted. `id` is the provider's name of it, where the language has one (Responses).
    """

    text: str
    signature: str | None = None
    origin: str = ""
    redacted: bool = False
    id: str | None = None


class ToolCall(Struct, frozen=True, tag="tool_call", gc=False):
    """`arguments` is the JSON text as the model wrote it; it may be invalid JSON."""

    id: str
    name: str
    arguments: str
    signature: str | None = None
    origin: str = ""
    cache: str | None = None


class Opaque(Struct, frozen=True, tag="opaque"):
    """A content part that can be passed on in its own language (`dialect`) but not translated (`kind` names it)."""

    kind: str
    raw: Raw
    dialect: str = ""


Part = Text | Media | Thinking | ToolCall | Opaque


# --- what is asked ---------------------------------------------------------------------------------------------------


class Message(Struct, frozen=True, gc=False):
    """`parts` keep the order in which they were said, an assistant's tool calls among them.

    A tool's result is a message of its own, with role `tool`: its parts are text and media.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    tool_call_id: str | None = None  # of a message with role `tool`
    is_error: bool = False  # of a message with role `tool`: the tool failed
    name: str | None = None
    cache: str | None = None  # of a message with role `tool`: the mark on the result as a whole

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


class Tool(Struct, frozen=True, gc=False):
    name: str
    description: str | None = None
    parameters: Raw | None = None  # a JSON schema
    strict: bool | None = None
    cache: str | None = None


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
    description: str | None = None


class Chat(Struct, frozen=True, kw_only=True):
    """A conversation to be continued. None means that the caller did not say.

    A caller asks for thinking by `effort` (none, minimal, low, medium, high, xhigh, max) or by `thinking_tokens`, a
    budget (0: off); `shows_thinking` is whether the answer should tell it. `logprobs` is how many alternatives are
    wanted with each token, 0 for the token alone. `others` are the fields that the house has no word for: path -> value
    as it stood, in the language `dialect`.
    """

    messages: tuple[Message, ...]
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    shape: Shape | None = None
    effort: str | None = None
    thinking_tokens: int | None = None
    shows_thinking: bool | None = None
    user: str | None = None
    samples: int = 1
    others: Mapping[str, Raw] = {}
    dialect: str = ""


class Embed(Struct, frozen=True, kw_only=True):
    """Texts, or token ids, whose vectors are wanted. `purpose`: query, document, classification, clustering."""

    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    encoding: Literal["float", "base64"] = "float"
    purpose: str | None = None
    user: str | None = None
    others: Mapping[str, Raw] = {}
    dialect: str = ""


class Rerank(Struct, frozen=True, kw_only=True):
    """Documents to be put in the order in which they answer a query. `top`: only so many, the best."""

    query: str | Media | Opaque
    documents: tuple[str | Media | Opaque, ...]
    top: int | None = None
    returns_documents: bool = False
    others: Mapping[str, Raw] = {}
    dialect: str = ""


NOTHING: frozenset[str] = frozenset()
OPAQUE = "opaque"
Reading = TypeVar("Reading", Chat, Embed, Rerank)


class Spoken(Struct, frozen=True):
    """A request as it was said: its language and its top-level fields, byte for byte. `body` is all of it as it came,
    b"" where the fields are not of one body."""

    dialect: str
    fields: dict[str, Raw]
    body: bytes = b""


class Request(Struct, frozen=True, kw_only=True):
    """What a caller asks of a route, with what the road must know of it; `read` translates the rest on demand.

    `spoken` lets a backend that speaks the caller's language pass every value on as it stands.
    `input_bound` is an upper bound of the prompt's tokens, None where there is none (a file id, an image's URL).
    `needs` holds OPAQUE where there is a part of a kind that nobody here knows: it may name a URL.
    """

    task: Task
    route: str
    stream: bool = False
    samples: int = 1
    searches: int = 0  # of a reranker: an upper bound of those that are billed
    max_output_tokens: int | None = None
    input_bound: int | None = None
    input_bytes: int = 0
    wants_usage: bool = False  # the caller of a stream asked for its usage chunk
    needs: frozenset[str] = NOTHING  # what a model must be able to do: modalities, tools, thinking, schema
    spoken: Spoken | None = None
    read: Callable[[], Chat | Embed | Rerank] | None = None

    def chat(self) -> Chat:
        return self._read(Chat)

    def embed(self) -> Embed:
        return self._read(Embed)

    def rerank(self) -> Rerank:
        return self._read(Rerank)

    def _read(self, kind: type[Reading]) -> Reading:
        read = None if self.read is None else self.read()
        if not isinstance(read, kind):
            raise TypeError(f"a request of task {self.task!r} can't be read as {kind.__name__}")
        return read


# --- what comes back -------------------------------------------------------------------------------------------------


class Usage(Struct, frozen=True):
    """Tokens of one attempt.

    `input` counts all prompt tokens, the cached ones too; `output` all completion tokens, reasoning too. `details` are
    counts that have prices of their own, by the catalog's names (`cache_write_1h_tokens`, `input_audio_tokens`,
    `web_searches`, ...); those of tokens are contained in the counts above.
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
    details: Mapping[str, int] = {}

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to it but input and output."""
        return not (self.cache_read or self.cache_write or self.reasoning or self.details)


class Said(Struct, frozen=True):
    """One choice of an answer. `refusal` is said instead of an answer; `stop` is the sequence that ended it."""

    parts: tuple[Part, ...] = ()
    finish: Finish | None = None
    refusal: str | None = None
    stop: str | None = None
    logprobs: Raw | None = None

    @property
    def text(self) -> str | None:
        """All text, None where there is none at all."""
        texts = [part.text for part in self.parts if isinstance(part, Text)]
        return "".join(texts) if texts else None

    @property
    def reasoning(self) -> str | None:
        return "".join(part.text for part in self.parts if isinstance(part, Thinking)) or None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


class Ranked(Struct, frozen=True):
    """A document by its place in what was sent, and how well it answers: the higher the better, in no common scale."""

    index: int
    score: float
    document: str | None = None


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
    vectors: tuple[tuple[float, ...], ...] | None = None  # of an embedding
    ranking: tuple[Ranked, ...] | None = None
    tokens: int | None = None  # of a prompt that was counted
    dropped: tuple[str, ...] = ()  # what of the request was left out, where the route allows it
    request_id: str = ""  # the provider's own name of the request, for its support
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
    dropped: tuple[str, ...] = ()
    request_id: str = ""


class ToolDelta(Struct, frozen=True, gc=False):
    """A piece of the tool call at position `slot`: id and name come once, arguments in pieces."""

    slot: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    signature: str | None = None
    origin: str = ""


class Chunk(Struct, frozen=True, gc=False):
    """A piece of a stream. `words` is true if it carries content, a tool call or reasoning (see "first word").

    `part` is what comes whole: a Thinking without text that signs the reasoning before it or is redacted, generated
    Media.     `spoken` is the event's data as the provider sent it; then the other fields may be left empty.
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
    part: Part | None = None
    stop: str | None = None  # the stop sequence that ended it, with `finish`


Item = Head | Chunk | Usage
Stream = AsyncGenerator[Item, None]  # whoever holds one closes it (contextlib.aclosing)


class Relay:
    """A short way for what follows a stream's first word. Every layer that a piece passes costs more than the piece,
    and most of them only hand it on by then. So whoever reads the stream may say who is to be told: `tell` is given
    items as they come, and says whether it takes the next ones, too; then the stream itself has none of them. `saw` is
    told of each before (the books)."""

    __slots__ = ("saw", "tell")

    def __init__(self, saw: Callable[[Item], None]) -> None:
        self.saw = saw
        self.tell: Callable[[Sequence[Item]], bool] | None = None

    def close(self) -> None:
        """Lets go of both, who hold this: cycles."""
        self.tell = None
        del self.saw
