"""The probes of what is answered: each thing that a target may say, in the house language, whole and as a stream."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from fairlead.chat import (
    Answer,
    Chunk,
    Item,
    Media,
    Part,
    Said,
    Text,
    Thinking,
    Usage,
)
from fairlead.dialects import retelling
from fairlead.dialects.probes.asking import CALL, IMAGE, SECOND

USED = Usage(100, 20, 60, 10, 5)
LOGPROBS = Raw(b'{"content":[{"token":"Yes","logprob":-0.1,"bytes":[89,101,115],"top_logprobs":[]}],"refusal":null}')
DETAILS = {
    "5-minute cache writes": "cache_write_5m_tokens",
    "1-hour cache writes": "cache_write_1h_tokens",
    "audio tokens in": "input_audio_tokens",
    "audio tokens out": "output_audio_tokens",
    "audio tokens from the cache": "cache_audio_read_tokens",
    "image tokens in": "input_image_tokens",
    "image tokens out": "output_image_tokens",
    "video tokens in": "input_video_tokens",
    "web searches": "web_searches",
}


class AnswerProbe(Struct, frozen=True):
    """`answer` is what the target says, whose language is given. `of` is what must be the same afterwards."""

    name: str
    answer: Callable[[str], Answer]
    of: Callable[[Answer], Any]


def answered(*parts: Part, usage: Usage = USED, **said: Any) -> Answer:
    said = {"finish": "stop"} | said
    return Answer(id="answer_1", model="model", said=(Said(parts, **said),), finish=said["finish"], usage=usage)


def _probe(name: str, answer: Answer, of: Callable[[Answer], Any]) -> AnswerProbe:
    return AnswerProbe(name, lambda _: answer, of)


def _said(name: str) -> Callable[[Answer], Any]:
    return lambda answer: getattr(answer.said[0], name) if answer.said else None


def _used(name: str) -> Callable[[Answer], Any]:
    return lambda answer: getattr(answer.usage, name, None)


def _detail(name: str) -> Callable[[Answer], Any]:
    return lambda answer: answer.usage.details.get(name) if answer.usage else None


def _thoughts(answer: Answer) -> Any:
    return [part for part in answer.said[0].parts if isinstance(part, Thinking)]


def _calls(answer: Answer) -> Any:
    calls = answer.said[0].tool_calls
    return [(call.id, call.name, msgspec.json.decode(call.arguments)) for call in calls], answer.said[0].finish


def _signatures(answer: Answer) -> Any:
    return [(call.signature, call.origin) for call in answer.said[0].tool_calls if call.signature]


def _order(answer: Answer) -> Any:
    return [type(part) for part in answer.said[0].parts]


def _pictures(answer: Answer) -> Any:
    return [part.data for part in answer.said[0].parts if isinstance(part, Media)]


def answer_probes() -> tuple[AnswerProbe, ...]:
    text = Text("Yes.")
    return (
        _probe("text", answered(text), _said("text")),
        _probe("tool calls", answered(CALL, finish="tool_calls"), _calls),
        _probe("text and several tool calls", answered(text, CALL, SECOND, finish="tool_calls"), _calls),
        _probe("texts and tool calls in turn", answered(text, CALL, text, SECOND, finish="tool_calls"), _order),
        _probe("end by length", answered(text, finish="length"), _said("finish")),
        _probe("end by a content filter", answered(finish="content_filter"), _said("finish")),
        _probe("which stop sequence", answered(text, stop="END"), _said("stop")),
        _probe("that it is a refusal", answered(refusal="I can't.", finish="content_filter"), _said("refusal")),
        _probe("what is said in a refusal", answered(refusal="I can't.", finish="content_filter"), _words),
        _probe("log probabilities", answered(text, logprobs=LOGPROBS), lambda answer: bool(answer.said[0].logprobs)),
        _probe("several samples", _twice(answered(text)), lambda answer: len(answer.said)),
        _probe("generated images", answered(text, IMAGE), _pictures),
        *_reasoning(),
        *_usage(),
    )


def _words(answer: Answer) -> str:
    return (answer.said[0].text or "") + (answer.said[0].refusal or "")


def _twice(answer: Answer) -> Answer:
    return replace(answer, said=(*answer.said, *answer.said))


def _reasoning() -> tuple[AnswerProbe, ...]:
    text = Text("Yes.")

    def signed(origin: str) -> Answer:
        return answered(Thinking("Hm.", "c2ln", origin, id="rs_1" if origin == "responses" else None), text)

    def hidden(origin: str) -> Answer:
        return answered(Thinking("", "c2ln", origin, True, "rs_1" if origin == "responses" else None), text)

    def called(origin: str) -> Answer:
        return answered(replace(CALL, signature="c2ln", origin=origin), finish="tool_calls")

    def after(origin: str) -> Answer:
        return answered(text, Thinking("", "c2ln", origin))

    return (
        _probe("reasoning", answered(Thinking("Hm."), text), _said("reasoning")),
        AnswerProbe("signed reasoning", signed, _thoughts),
        AnswerProbe("hidden reasoning", hidden, _thoughts),
        AnswerProbe("signed tool calls", called, _signatures),
        AnswerProbe("signed texts", after, _thoughts),
    )


def _usage() -> tuple[AnswerProbe, ...]:
    text = Text("Yes.")
    return (
        _probe("tokens in", answered(text), _used("input")),
        _probe("tokens out", answered(text), _used("output")),
        _probe("tokens read from the cache", answered(text), _used("cache_read")),
        _probe("tokens written to the cache", answered(text), _used("cache_write")),
        _probe("reasoning tokens", answered(text), _used("reasoning")),
        *(_counted(name, detail) for name, detail in DETAILS.items()),
    )


def _counted(name: str, detail: str) -> AnswerProbe:
    return _probe(name, answered(Text("Yes."), usage=replace(USED, details={detail: 7})), _detail(detail))


# --- as a stream -----------------------------------------------------------------------------------------------------


def told(answer: Answer) -> Iterator[Item]:
    """A whole answer as the items of a stream, its words and arguments in two pieces each."""
    for item in retelling.told(answer):
        if isinstance(item, Chunk) and item.text:
            yield replace(item, text=item.text[:1])
            yield replace(item, text=item.text[1:])
        elif isinstance(item, Chunk) and item.tool is not None and item.tool.name is None:
            yield replace(item, tool=replace(item.tool, arguments=item.tool.arguments[:3]))
            yield replace(item, tool=replace(item.tool, arguments=item.tool.arguments[3:]))
        else:
            yield item
