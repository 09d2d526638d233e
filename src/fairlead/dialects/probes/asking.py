"""The probes of what is asked: each thing that a caller may say, in the house language."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Chat, Embed, Media, Message, Modality, Part, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects.effort import effort_of

LIMIT = 8192  # of the output, in tokens
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = Raw(b'{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"],"additionalProperties":false}')
LOOK_UP = Tool("look_up", "Look something up.", SCHEMA)
CALL = ToolCall("call_1", "look_up", '{"id":7}')
SECOND = ToolCall("call_2", "look_up", '{"id":8}')
QUESTION = Message("user", (Text("Hello?"),))
HELLO = Chat(messages=(QUESTION,), max_output_tokens=LIMIT)
RESULT = Message("tool", (Text("seven"),), tool_call_id="call_1")
IMAGE = Media(kind="image", media_type="image/png", data=PIXEL)
PDF = Media(kind="document", media_type="application/pdf", data="JVBERi0xLjQK", name="paper")
TEXT_FILE = Media(kind="document", media_type="text/plain", data="U2V2ZW4u", name="note")
TABLE = Media(kind="document", media_type="text/csv", data=base64.b64encode(b"a,b\n1,2\n").decode(), name="table")
FILM = Media(kind="video", media_type="video/mp4", data="AAAAGGZ0eXA=")
SOUND = Media(kind="audio", media_type="audio/wav", data="UklGRg==")


class Probe(Struct, frozen=True):
    """A thing that can be said. `of` is what of the house's reading must be the same afterwards.

    `chat` may depend on the caller's language: what only a provider's own callers have.
    """

    name: str
    chat: Chat | Callable[[str], Chat]
    of: Callable[[Chat], Any]

    def said(self, caller: str) -> Chat:
        return self.chat if isinstance(self.chat, Chat) else self.chat(caller)


class EmbedProbe(Struct, frozen=True):
    name: str
    embed: Embed
    of: Callable[[Embed], Any]


def ask(*messages: Message, **rest: Any) -> Chat:
    return Chat(messages=messages or (QUESTION,), max_output_tokens=LIMIT, **rest)


def worked(*parts: Part, result: Message = RESULT) -> Chat:
    """A conversation in which the assistant said `parts` and called a tool, whose result is there."""
    return ask(QUESTION, Message("assistant", (*parts, CALL)), result, tools=(LOOK_UP,))


def _shown(*parts: Part) -> Chat:
    return ask(Message("user", (Text("What is this?"), *parts)))


def _file(kind: Modality, media_type: str) -> Callable[[str], Chat]:
    """A file that the caller left with the provider whose language it speaks."""

    def said(caller: str) -> Chat:
        file = "https://generativelanguage.googleapis.com/v1beta/files/a" if caller == "gemini" else "file_1"
        return _shown(Media(kind=kind, media_type=media_type, file=file, origin=caller))

    return said


# --- what must be the same -------------------------------------------------------------------------------------------


def _field(name: str) -> Callable[[Chat], Any]:
    return lambda chat: getattr(chat, name)


def _texts(chat: Chat) -> Any:
    return [(message.role, _text(message)) for message in chat.messages]


def _text(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, Text))


def _media(chat: Chat) -> Any:
    """Names aside: some languages want one and some have none."""
    return [
        (message.role, replace(part, name=None, detail=None, cache=None))
        for message in chat.messages
        for part in message.parts
        if isinstance(part, Media)
    ]


def _files(chat: Chat) -> Any:
    """Their types aside, which only some languages repeat."""
    return [(medium.kind, medium.file, medium.origin) for medium in _media_parts(chat)]


def _media_parts(chat: Chat) -> list[Media]:
    return [part for message in chat.messages for part in message.parts if isinstance(part, Media)]


def _calls(chat: Chat) -> Any:
    return [[(call.name, msgspec.json.decode(call.arguments)) for call in m.tool_calls] for m in chat.messages]


def _results(chat: Chat) -> Any:
    return [(message.tool_call_id, _text(message)) for message in chat.messages if message.role == "tool"]


def _order(chat: Chat) -> Any:
    return [[type(part) for part in message.parts] for message in chat.messages if message.role == "tool"]


def _failed(chat: Chat) -> bool:
    return any(message.is_error for message in chat.messages)


def _tools(chat: Chat) -> Any:
    return [(tool.name, tool.description, msgspec.json.decode(tool.parameters or b"{}")) for tool in chat.tools]


def _schema(chat: Chat) -> Any:
    return chat.shape and chat.shape.schema and msgspec.json.decode(chat.shape.schema)


def _marks(chat: Chat) -> Any:
    """Which messages and tools bear a mark, and for how long."""
    messages = [[message.role, _mark(message)] for message in chat.messages if _mark(message)]
    return messages + [tool.cache for tool in chat.tools if tool.cache]


def _mark(message: Message) -> list[str]:
    parts = [part.cache for part in message.parts if isinstance(part, Text | Media | ToolCall) and part.cache]
    return [*parts, message.cache] if message.cache else parts


def _thoughts(chat: Chat) -> Any:
    return [part.text for message in chat.messages for part in message.parts if isinstance(part, Thinking)]


def _effort(chat: Chat) -> str | None:
    """A budget as the effort nearest to it."""
    if chat.effort is not None or chat.thinking_tokens is None:
        return chat.effort
    return effort_of(chat.thinking_tokens, LIMIT)


# --- the probes ------------------------------------------------------------------------------------------------------


def request_probes() -> tuple[Probe, ...]:
    """In the order in which people ask."""
    return (*_conversation(), *_tool_probes(), *_media_probes(), *_wishes(), *_thinking(), *_around())


def _conversation() -> tuple[Probe, ...]:
    said = Message("assistant", (Text("Yes."),))
    system = Message("system", (Text("Be brief."),))
    return (
        Probe("text", ask(QUESTION, said, QUESTION), _texts),
        Probe("a system prompt", ask(system, QUESTION), _texts),
        Probe("where system messages stand", ask(system, QUESTION, said, system, QUESTION), _texts),
        Probe("an answer to be continued", ask(QUESTION, said), _texts),
        Probe(
            "names of messages",
            ask(replace(QUESTION, name="ann")),
            lambda chat: [message.name for message in chat.messages],
        ),
    )


def _tool_probes() -> tuple[Probe, ...]:
    two = Message("assistant", (CALL, SECOND))
    both = (RESULT, Message("tool", (Text("eight"),), tool_call_id="call_2"))
    seen = replace(RESULT, parts=(Text("seven"), IMAGE))
    after = replace(RESULT, parts=(Text("seven"), IMAGE, Text("as you see")))
    read = replace(RESULT, parts=(Text("seven"), PDF))
    given = ask(tools=(LOOK_UP,))
    return (
        Probe("tools", given, _tools),
        Probe("tools without parameters", ask(tools=(Tool("look", "Look."),)), lambda chat: chat.tools[0].name),
        Probe("strict tools", ask(tools=(replace(LOOK_UP, strict=True),)), lambda chat: chat.tools[0].strict),
        Probe("a forced tool", replace(given, tool_choice=ToolChoice("named", "look_up")), _field("tool_choice")),
        Probe("any tool", replace(given, tool_choice=ToolChoice("required")), _field("tool_choice")),
        Probe("no tool", replace(given, tool_choice=ToolChoice("none")), _field("tool_choice")),
        Probe("one tool at a time", replace(given, parallel_tool_calls=False), _field("parallel_tool_calls")),
        Probe("tool calls and results", worked(), lambda chat: (_calls(chat), _results(chat))),
        Probe(
            "several tool calls at once",
            ask(QUESTION, two, *both, tools=(LOOK_UP,)),
            lambda chat: (_calls(chat), _results(chat)),
        ),
        Probe("that a tool failed", worked(result=replace(RESULT, is_error=True)), _failed),
        Probe("results with images", worked(result=seen), _media),
        Probe("results with PDF documents", worked(result=read), _media),
        Probe("results with texts and images in turn", worked(result=after), _order),
    )


def _media_probes() -> tuple[Probe, ...]:
    return (
        Probe("images", _shown(IMAGE), _media),
        Probe("images by URL", _shown(Media(kind="image", url="https://example.com/a.png")), _media),
        Probe(
            "how closely to look at an image", _shown(replace(IMAGE, detail="low")), lambda c: _media_parts(c)[0].detail
        ),
        Probe("audio", _shown(SOUND), _media),
        Probe("video", _shown(FILM), _media),
        Probe("PDF documents", _shown(PDF), _media),
        Probe("PDF documents by URL", _shown(Media(kind="document", url="https://example.com/a.pdf")), _media),
        Probe("text documents", _shown(TEXT_FILE), _media),
        Probe("other documents", _shown(TABLE), _media),
        Probe("names of documents", _shown(PDF), lambda chat: [medium.name for medium in _media_parts(chat)]),
        Probe("documents that lie at a provider", _file("document", "application/pdf"), _files),
        Probe("images that lie at a provider", _file("image", "image/png"), _files),
    )


def _wishes() -> tuple[Probe, ...]:
    return (
        Probe("output limit", ask(), _field("max_output_tokens")),
        Probe("JSON schema", ask(shape=Shape("schema", "answer", SCHEMA, True)), _schema),
        Probe("JSON without a schema", ask(shape=Shape("json")), lambda chat: chat.shape and chat.shape.mode),
        Probe("temperature", ask(temperature=0.5), _field("temperature")),
        Probe("temperature above 1", ask(temperature=1.5), _field("temperature")),
        Probe("top_p", ask(top_p=0.5), _field("top_p")),
        Probe("temperature and top_p together", ask(temperature=0.5, top_p=0.5), lambda c: (c.temperature, c.top_p)),
        Probe("top_k", ask(top_k=40), _field("top_k")),
        Probe("frequency penalty", ask(frequency_penalty=0.5), _field("frequency_penalty")),
        Probe("presence penalty", ask(presence_penalty=0.5), _field("presence_penalty")),
        Probe("stop sequences", ask(stop=("END",)), _field("stop")),
        Probe("seed", ask(seed=7), _field("seed")),
        Probe("log probabilities", ask(logprobs=0), _field("logprobs")),
        Probe("log probabilities of alternatives", ask(logprobs=2), _field("logprobs")),
        Probe("several samples", ask(samples=2), _field("samples")),
    )


def _thinking() -> tuple[Probe, ...]:
    return (
        Probe("effort", ask(effort="high"), _effort),
        Probe("the least effort", ask(effort="minimal"), _field("effort")),
        Probe("the greatest effort", ask(effort="max"), _field("effort")),
        Probe("a budget for thinking, by its nearest effort", ask(thinking_tokens=LIMIT // 2), _effort),
        Probe("a budget for thinking, in tokens", ask(thinking_tokens=LIMIT // 2), _field("thinking_tokens")),
        Probe("no thinking", ask(effort="none"), lambda chat: chat.effort == "none" or chat.thinking_tokens == 0),
        Probe("that thinking is told", ask(effort="high", shows_thinking=True), _field("shows_thinking")),
        Probe("that thinking is not told", ask(effort="high", shows_thinking=False), _field("shows_thinking")),
        Probe("reasoning that nobody signed", worked(Thinking("Hm.")), _thoughts),
    )


def _around() -> tuple[Probe, ...]:
    long = Text("Long.", cache="5m")
    system = Message("system", (long,))
    marked = Message("user", (long, Text("Short.")))
    hour = Message("user", (replace(long, cache="1h"), Text("Short.")))
    return (
        Probe("marks for the prompt cache", ask(marked), _marks),
        Probe("such marks for an hour", ask(hour), _marks),
        Probe("such marks on a system prompt", ask(system, QUESTION), _marks),
        Probe("such marks on tools", ask(tools=(replace(LOOK_UP, cache="5m"),)), _marks),
        Probe("such marks on results of tools", worked(result=replace(RESULT, cache="5m")), _marks),
        Probe("end user", ask(user="user-7"), _field("user")),
    )


def embed_probes() -> tuple[EmbedProbe, ...]:
    return (
        EmbedProbe("a text", Embed(inputs=("One.",)), lambda embed: embed.inputs),
        EmbedProbe("several texts", Embed(inputs=("One.", "Two.")), lambda embed: embed.inputs),
        EmbedProbe("a text as tokens", Embed(inputs=((1, 2, 3),)), lambda embed: embed.inputs),
        EmbedProbe("dimensions", Embed(inputs=("One.",), dimensions=256), lambda embed: embed.dimensions),
        EmbedProbe("what for: a query", Embed(inputs=("One.",), purpose="query"), lambda embed: embed.purpose),
        EmbedProbe("what for: clustering", Embed(inputs=("One.",), purpose="clustering"), lambda embed: embed.purpose),
        EmbedProbe("end user of a vector", Embed(inputs=("One.",), user="user-7"), lambda embed: embed.user),
    )
