"""What is conserved between two languages, found out by translating: one probe for each thing that can be said.

A probe is said in the caller's language, read, said in the target's, and read again; answers go the other way. Nothing
here is a table that could lie: the one in the documentation is made of these results.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from fairlead.chat import (
    Answer,
    Chat,
    Media,
    Message,
    Part,
    Said,
    Shape,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from fairlead.dialects import anthropic, bedrock, gemini, openai, responses
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

LANGUAGES: tuple[ModuleType, ...] = (openai, responses, anthropic, gemini, bedrock)

Fate = Literal["kept", "changed", "refused", "left out", "unsaid"]


class Probe(Struct, frozen=True):
    """A thing that can be said. `of` is what of the house's reading must be the same afterwards."""

    name: str
    chat: Chat
    of: Callable[[Chat], Any]


class AnswerProbe(Struct, frozen=True):
    name: str
    answer: Answer
    of: Callable[[Answer], Any]


class Finding(Struct, frozen=True):
    """What became of one probe between two languages.

    kept: the same afterwards. refused: 400 before anything is sent; left out and told where the route is lossy.
    left out: on every route, since it means nothing there. changed: said, but not the same. unsaid: the caller's language
    has no word for it.
    """

    probe: str
    caller: str
    target: str
    fate: Fate


def request_findings() -> list[Finding]:
    return [
        Finding(probe.name, caller.DIALECT, target.DIALECT, _request_fate(probe, caller, target))
        for probe in request_probes()
        for caller in LANGUAGES
        for target in LANGUAGES
    ]


def answer_findings() -> list[Finding]:
    return [
        Finding(probe.name, caller.DIALECT, target.DIALECT, _answer_fate(probe, caller, target))
        for probe in answer_probes()
        for caller in LANGUAGES
        for target in LANGUAGES
    ]


def _request_fate(probe: Probe, caller: ModuleType, target: ModuleType) -> Fate:
    try:
        asked = _said_and_read(probe.chat, caller)
    except RequestInvalid:
        return "unsaid"
    if probe.of(asked) != probe.of(probe.chat):
        return "unsaid"
    losses = Losses(target.LANGUAGE)
    try:
        told = _said_and_read(asked, target, losses)
    except RequestInvalid:
        return "refused"
    if probe.of(told) == probe.of(asked):
        return "kept"
    return "left out" if losses.told or not probe.of(told) else "changed"


def _said_and_read(chat: Chat, language: ModuleType, losses: Losses | None = None) -> Chat:
    body = language.write_request(
        chat,
        model="model",
        max_output_tokens=chat.max_output_tokens or LIMIT,
        stream=False,
        params={},
        quirks=QUIRKS.get(language.DIALECT, {}),
        losses=losses or Losses(language.LANGUAGE),
    )
    return language.read_chat(read_fields(body))


def _answer_fate(probe: AnswerProbe, caller: ModuleType, target: ModuleType) -> Fate:
    came = _answered_and_read(probe.answer, target)
    if probe.of(came) != probe.of(probe.answer):
        return "unsaid"
    return "kept" if probe.of(_answered_and_read(came, caller)) == probe.of(came) else "left out"


def _answered_and_read(answer: Answer, language: ModuleType) -> Answer:
    """Without what was spoken: a language would pass its own on."""
    body = language.write_answer(replace(answer, spoken=None), created=0)
    return language.read_answer(body, full=True)


# --- what is asked ---------------------------------------------------------------------------------------------------

LIMIT = 8192
QUIRKS: dict[str, dict[str, Any]] = {"openai": {"cache_control": True}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = Raw(b'{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"],"additionalProperties":false}')
LOOK_UP = Tool("look_up", "Look something up.", SCHEMA)
CALL = ToolCall("call_1", "look_up", '{"id":7}')
HELLO = Message("user", (Text("Hello?"),))


def _chat(*messages: Message, **rest: Any) -> Chat:
    return Chat(messages=messages or (HELLO,), max_output_tokens=LIMIT, **rest)


def _turns(*parts: Part, **result: Any) -> Chat:
    """A conversation in which the assistant said `parts`, ending in a call whose result is there."""
    answer = Message("tool", (Text("seven"),), tool_call_id="call_1", **result)
    return _chat(HELLO, Message("assistant", (*parts, CALL)), answer, tools=(LOOK_UP,))


def _texts(chat: Chat) -> Any:
    return [(message.role, "".join(p.text for p in message.parts if isinstance(p, Text))) for message in chat.messages]


def _media(chat: Chat) -> Any:
    """Names aside: some languages want one and some have none."""
    return [
        (message.role, replace(part, name=None, detail=None, cache=None))
        for message in chat.messages
        for part in message.parts
        if isinstance(part, Media)
    ]


def _calls(chat: Chat) -> Any:
    return [[(call.name, msgspec.json.decode(call.arguments)) for call in m.tool_calls] for m in chat.messages]


def _results(chat: Chat) -> Any:
    return [(message.tool_call_id, message.parts) for message in chat.messages if message.role == "tool"]


def _thinking(chat: Chat) -> Any:
    return [part for message in chat.messages for part in message.parts if isinstance(part, Thinking)]


def _tools(chat: Chat) -> Any:
    return [(tool.name, tool.description, msgspec.json.decode(tool.parameters or b"{}")) for tool in chat.tools]


def _schema(chat: Chat) -> Any:
    return chat.shape and chat.shape.schema and msgspec.json.decode(chat.shape.schema)


def _marks(chat: Chat) -> Any:
    parts = [part.cache for m in chat.messages for part in m.parts if isinstance(part, Text | Media) and part.cache]
    return parts + [tool.cache for tool in chat.tools if tool.cache]


def _asks_with(medium: Media) -> Chat:
    return _chat(Message("user", (Text("What is this?"), medium)))


def _field(name: str) -> Callable[[Chat], Any]:
    return lambda chat: getattr(chat, name)


def request_probes() -> tuple[Probe, ...]:
    """In the order in which people ask."""
    pdf = Media(kind="document", media_type="application/pdf", data="JVBERi0xLjQK", name="paper")
    plain = Media(kind="document", media_type="text/plain", data="U2V2ZW4u", name="note")
    image = Media(kind="image", media_type="image/png", data=PIXEL)
    seen = Message("tool", (Text("seven"), image), tool_call_id="call_1")
    two = Message("assistant", (CALL, ToolCall("call_2", "look_up", '{"id":8}')))
    both = (Message("tool", (Text("seven"),), tool_call_id="call_1"), Message("tool", (Text("eight"),), "call_2"))
    return (
        Probe("text", _chat(HELLO, Message("assistant", (Text("Yes."),)), HELLO), _texts),
        Probe("system prompt", _chat(Message("system", (Text("Be brief."),)), HELLO), _texts),
        Probe("tools", _chat(tools=(LOOK_UP,)), _tools),
        Probe("strict tools", _chat(tools=(replace(LOOK_UP, strict=True),)), lambda chat: chat.tools[0].strict),
        Probe("a forced tool", _chat(tools=(LOOK_UP,), tool_choice=ToolChoice("named", "look_up")), _field("tool_choice")),
        Probe("any tool", _chat(tools=(LOOK_UP,), tool_choice=ToolChoice("required")), _field("tool_choice")),
        Probe("no tool", _chat(tools=(LOOK_UP,), tool_choice=ToolChoice("none")), _field("tool_choice")),
        Probe("one tool at a time", _chat(tools=(LOOK_UP,), parallel_tool_calls=False), _field("parallel_tool_calls")),
        Probe("tool calls and results", _turns(), lambda chat: (_calls(chat), _results(chat))),
        Probe("parallel tool calls", _chat(HELLO, two, *both, tools=(LOOK_UP,)), lambda c: (_calls(c), _results(c))),
        Probe("a tool that failed", _turns(is_error=True), lambda chat: chat.messages[2].is_error),
        Probe("tool results with images", _chat(HELLO, Message("assistant", (CALL,)), seen, tools=(LOOK_UP,)), _media),
        Probe("images", _asks_with(image), _media),
        Probe("images by URL", _asks_with(Media(kind="image", url="https://example.com/a.png")), _media),
        Probe("audio", _asks_with(Media(kind="audio", media_type="audio/wav", data="UklGRg==")), _media),
        Probe("video", _asks_with(Media(kind="video", media_type="video/mp4", data="AAAAGGZ0eXA=")), _media),
        Probe("PDF documents", _asks_with(pdf), _media),
        Probe("text documents", _asks_with(plain), _media),
        Probe("JSON schema", _chat(shape=Shape("schema", "answer", SCHEMA, True)), _schema),
        Probe("JSON without a schema", _chat(shape=Shape("json")), lambda chat: chat.shape and chat.shape.mode),
        Probe("temperature", _chat(temperature=0.5), _field("temperature")),
        Probe("temperature above 1", _chat(temperature=1.5), _field("temperature")),
        Probe("top_p", _chat(top_p=0.5), _field("top_p")),
        Probe("top_k", _chat(top_k=40), _field("top_k")),
        Probe("penalties", _chat(frequency_penalty=0.5, presence_penalty=0.5), _field("frequency_penalty")),
        Probe("stop sequences", _chat(stop=("END",)), _field("stop")),
        Probe("seed", _chat(seed=7), _field("seed")),
        Probe("log probabilities", _chat(logprobs=2), _field("logprobs")),
        Probe("several samples", _chat(samples=2), _field("samples")),
        Probe("output limit", _chat(), _field("max_output_tokens")),
        Probe("reasoning effort", _chat(effort="high"), lambda chat: chat.effort or _effort(chat)),
        Probe("thinking budget", _chat(thinking_tokens=LIMIT // 2), lambda chat: _effort(chat) or chat.effort),
        Probe("no thinking", _chat(effort="none"), lambda chat: chat.effort == "none" or chat.thinking_tokens == 0),
        Probe("reasoning signed by OpenAI", _turns(Thinking("Hm.", "c2ln", "responses", id="rs_1")), _thinking),
        Probe("reasoning signed by Anthropic", _turns(Thinking("Hm.", "c2ln", "anthropic")), _thinking),
        Probe("reasoning signed by Google", _turns(Thinking("Hm.", "c2ln", "gemini")), _thinking),
        Probe("reasoning signed at Bedrock", _turns(Thinking("Hm.", "c2ln", "bedrock")), _thinking),
        Probe("prompt-cache marks", _chat(Message("user", (Text("Long.", cache="5m"), Text("Short.")))), _marks),
        Probe("end user", _chat(user="user-7"), _field("user")),
    )


def _effort(chat: Chat) -> str | None:
    from fairlead.dialects.effort import effort_of

    return None if chat.thinking_tokens is None else effort_of(chat.thinking_tokens, LIMIT)


# --- what is answered ------------------------------------------------------------------------------------------------

USED = Usage(100, 20, 60, 10, 5)
LOGPROBS = Raw(b'{"content":[{"token":"Yes","logprob":-0.1,"bytes":[89,101,115],"top_logprobs":[]}],"refusal":null}')


def _answer(*parts: Part, **said: Any) -> Answer:
    said = {"finish": "stop"} | said
    return Answer(id="answer_1", model="model", said=(Said(parts, **said),), finish=said["finish"], usage=USED)


def _said(name: str) -> Callable[[Answer], Any]:
    return lambda answer: getattr(answer.said[0], name)


def _counted(answer: Answer) -> Any:
    usage = answer.usage
    return usage and (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning)


def _signed(answer: Answer) -> Any:
    return [part for part in answer.said[0].parts if isinstance(part, Thinking)]


def answer_probes() -> tuple[AnswerProbe, ...]:
    calls = (CALL, ToolCall("call_2", "look_up", '{"id":8}'))
    text = Text("Yes.")
    return (
        AnswerProbe("text", _answer(text), _said("text")),
        AnswerProbe("tool calls", _answer(*calls, finish="tool_calls"), lambda a: (a.said[0].tool_calls, a.said[0].finish)),
        AnswerProbe("end by length", _answer(text, finish="length"), _said("finish")),
        AnswerProbe("end by a content filter", _answer(finish="content_filter"), _said("finish")),
        AnswerProbe("which stop sequence", _answer(text, stop="END"), _said("stop")),
        AnswerProbe("refusal", _answer(refusal="I can't."), lambda a: (a.said[0].refusal, a.said[0].finish)),
        AnswerProbe("log probabilities", _answer(text, logprobs=LOGPROBS), lambda a: bool(a.said[0].logprobs)),
        AnswerProbe("reasoning", _answer(Thinking("Hm."), text), _said("reasoning")),
        AnswerProbe("signed reasoning", _answer(Thinking("Hm.", "c2ln", "anthropic"), text), _signed),
        AnswerProbe("signed tool calls", _answer(replace(CALL, signature="c2ln", origin="gemini")), _said("tool_calls")),
        AnswerProbe("tokens in and out", _answer(text), lambda a: a.usage and (a.usage.input, a.usage.output)),
        AnswerProbe("cached and reasoning tokens", _answer(text), _counted),
    )
