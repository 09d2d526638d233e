"""Recorded traffic -> cases: what callers really asked, sampled, without duplicates, scrubbed, and bound to the zone
that it was recorded in.

A case is one call: its messages as they were sent, in OpenAI's form whatever language they came in, and the answer that
was given as `{"recorded": ...}`, which is what was said, not what is right. A session is a cluster. What holds images
or files is left out, since nothing here can scrub them. Where recordings come from, and who may read them, is not known
here: each is asked for one by one, so that whoever keeps them can note it.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from fairlead.chat import Chat, Text, Thinking, ToolCall
from fairlead.dialects import anthropic, bedrock, gemini, openai, responses
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.dialects.retelling import gathered
from fairlead.errors import FairleadError
from fairlead.evals.cases import digest
from fairlead.evals.likeness import Known
from fairlead.evals.scrubbing import Scrubber
from fairlead.wire.sse import Events

ZONES = ("private", "contract", "public")
LANGUAGES = (openai, anthropic, responses, gemini, bedrock)
WORDS_ONLY = (Text, Thinking, ToolCall)
STREAMED = (b"data:", b"event:", b":")
LONGEST_OUTPUT = 1 << 20


class Recording(Struct, frozen=True):
    """What is kept of one call; `answer` is empty where only requests are recorded."""

    request: bytes
    answer: bytes
    zone: str


class Spoken(Struct, frozen=True):
    """A call of the books. `session` may be blank."""

    call: str
    route: str
    session: str


class Collection(Struct):
    """`cases` are rows of a cases file; the counts say what became of the other calls that were looked at."""

    cases: list[dict[str, Any]] = field(default_factory=list)
    zone: str = "public"
    looked_at: int = 0
    not_recorded: int = 0
    with_media: int = 0
    unreadable: int = 0
    duplicates: int = 0
    scrubbed: dict[str, int] = field(default_factory=dict)


Read = Callable[[str], Awaitable[Recording | None]]


async def collect(
    calls: Sequence[Spoken],
    read: Read,
    *,
    count: int,
    seed: int = 0,
    near: float = 0.8,
    scrubber: Scrubber | None = None,
) -> Collection:
    """So many cases, from calls in a random order that `seed` draws. No more recordings are read than that takes."""
    scrubber = scrubber or Scrubber()
    found, known = Collection(), Known(near)
    drawn = sorted(calls, key=lambda one: one.call)
    random.Random(seed).shuffle(drawn)
    for spoken in drawn:
        if len(found.cases) >= count:
            break
        found.looked_at += 1
        recording = await read(spoken.call)
        if recording is None or not recording.request:
            found.not_recorded += 1
            continue
        case = _case(spoken, recording, found)
        if case is None:
            continue
        case |= {name: scrubber.value(case[name]) for name in ("messages", "tools", "gold") if name in case}
        if not known.add(_text(case)):
            found.duplicates += 1
            continue
        found.cases.append(case)
        found.zone = min(found.zone, recording.zone, key=ZONES.index)
    found.cases.sort(key=lambda case: case["id"])
    found.scrubbed = scrubber.counts
    return found


def _case(spoken: Spoken, recording: Recording, found: Collection) -> dict[str, Any] | None:
    try:
        language, chat = read_chat(recording.request)
    except FairleadError:
        found.unreadable += 1
        return None
    if any(not isinstance(part, WORDS_ONLY) for message in chat.messages for part in message.parts):
        found.with_media += 1
        return None
    body = _said(chat)
    case: dict[str, Any] = {"id": spoken.call, "messages": body["messages"], "tags": [spoken.route]}
    if body.get("tools"):
        case["tools"] = body["tools"]
    if spoken.session:
        case["cluster"] = digest(spoken.session)  # whatever a caller wrote there
    if answer := read_answer(language, recording.answer):
        case["gold"] = {"recorded": answer}
    return case


def read_chat(body: bytes) -> tuple[Any, Chat]:
    """The language of a recorded request, and what it says. Raises FairleadError."""
    fields = read_fields(body)
    if "contents" in fields:
        likely: tuple[Any, ...] = (gemini,)
    elif "input" in fields:
        likely = (responses,)
    elif "inferenceConfig" in fields or "toolConfig" in fields:
        likely = (bedrock,)
    elif "system" in fields:  # OpenAI's says it among the messages
        likely = (anthropic, bedrock)
    else:
        likely = (openai, anthropic, bedrock)
    for language in likely[:-1]:
        try:
            return language, language.read_chat(fields)
        except FairleadError:
            continue
    return likely[-1], likely[-1].read_chat(fields)


def read_answer(language: Any, body: bytes) -> str:
    """The words of a recorded answer, whole or streamed; "" where it can't be read."""
    if not body:
        return ""
    try:
        if not body.lstrip().startswith(STREAMED):
            answer = language.read_answer(body, full=True)
        else:
            reader = language.StreamReader(full=True)
            items = [item for name, data in Events().feed(body + b"\n\n") for item in reader.read(name, data)]
            answer = gathered([*items, *reader.close()])
    except FairleadError:
        return ""
    return (answer.said[0].text or "") if answer.said else ""


def _said(chat: Chat) -> Mapping[str, Any]:
    """In OpenAI's form, as far as it has words for it."""
    body = openai.write_request(
        chat,
        model="-",
        max_output_tokens=LONGEST_OUTPUT,
        stream=False,
        params={},
        quirks={},
        losses=Losses("OpenAI's language", lossy=True),
    )
    return msgspec.json.decode(body)


def _text(case: Mapping[str, Any]) -> str:
    """Without the system message, which a route's callers share."""
    said = (message for message in case["messages"] if message["role"] not in ("system", "developer"))
    return "\n".join(str(message.get("content") or "") for message in said)
