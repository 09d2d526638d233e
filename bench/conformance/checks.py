"""The checks of one recorded interaction. Each gives what was checked, and what was wrong with it ("" if nothing)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import ValidationError

from conformance import costs, facts, house
from conformance.records import Record
from fairlead.backends.status import error_for
from fairlead.chat import Answer, Chat, Item, Request
from fairlead.dialects import bedrock, gemini, openai
from fairlead.dialects.losses import Losses
from fairlead.dialects.probes import LANGUAGES
from fairlead.dialects.reading import read_fields
from fairlead.errors import FairleadError, RequestInvalid, TargetError
from fairlead.wire.eventstream import Frames
from fairlead.wire.sse import Events

PLENTY = 2**31 - 1  # an output limit that cuts nobody's
OURS = {"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens",
        "generationConfig", "generation_config", "inferenceConfig", "requests"}  # fmt: skip
# The fields that a target's own settings may change; within the nested ones only the output limit.
LIMITS = {"generationConfig": {"maxOutputTokens", "max_output_tokens"}, "inferenceConfig": {"maxTokens"},
          "generation_config": {"maxOutputTokens", "max_output_tokens"}, "requests": {"model"}}  # fmt: skip
Event = tuple[str, bytes]
LAST = {
    "anthropic": (b'"type":"message_stop"', b'"type": "message_stop"'),
    "responses": (b'"type":"response.completed"', b'"type": "response.completed"', b'"type":"response.incomplete"'),
}


@dataclass(frozen=True)
class Outcome:
    """`refused`: it was not translated but refused before anything would be sent, with its path, as it should be."""

    check: str
    wrong: str = ""
    refused: bool = False


def checks_of(record: Record) -> Iterator[Outcome]:
    if record.status >= 400:
        yield from _error(record)
        return
    if record.asked is not None:
        yield from _request(record)
    if record.status != 200 or not record.raw:
        return
    if record.stream and record.task in ("chat", "complete"):
        yield from _stream(record)
    elif record.answered is not None:
        yield from _answer(record)


# --- requests --------------------------------------------------------------------------------------------------------


def _request(record: Record) -> Iterator[Outcome]:
    try:
        request = _read_request(record)
        reading = _reading(request)
    except FairleadError as error:
        yield Outcome("request read", f"{error.message} [{error.param}]")
        return
    yield Outcome("request read")
    if record.task != "count" and request.spoken is not None:
        yield Outcome("same language: byte for byte", _passed(record, request))
    if isinstance(reading, Chat) and record.task != "complete":  # a completion is never written, only passed on
        yield Outcome("request round trip", _round_trip(reading, record.language))
        for language in LANGUAGES:
            if language is not record.language:
                wrong, refused = _crossed(reading, language)
                yield Outcome("request conserved or refused", wrong, refused)


def _reading(request: Request) -> object:
    """The full reading; None for what has none, such as several prompts of a completion."""
    try:
        return request.read() if request.read is not None else None
    except RequestInvalid as error:
        if error.code == "unsupported_feature":
            return None
        raise


def _read_request(record: Record) -> Request:
    language, body = record.language, json.dumps(record.asked, ensure_ascii=False).encode()
    if record.task == "count":
        if language in (gemini, bedrock):
            return language.read_count_request(body, route=record.model)
        return language.read_count_request(body)
    if language in (gemini, bedrock):
        return language.read_request(record.task, body, route=record.model or "model", stream=record.stream)
    return language.read_request(record.task, body)


def _passed(record: Record, request: Request) -> str:
    body = json.dumps(record.asked, ensure_ascii=False).encode()
    said = msgspec.json.decode(body, type=dict[str, Raw])
    sent = msgspec.json.decode(
        record.language.pass_request(request, model="other", max_output_tokens=PLENTY, params={}, quirks={}),
        type=dict[str, Raw],
    )
    for name in said.keys() | sent.keys():
        if name not in OURS and bytes(said.get(name, b"")) != bytes(sent.get(name, b"")):
            return f"{name} differs"
        before, after = (json.loads(bytes(side.get(name, b"null"))) for side in (said, sent))
        if name in LIMITS and not _same_but(before, after, LIMITS[name]):
            return f"{name} differs"
    return ""


def _same_but(said: Any, sent: Any, ours: set[str]) -> bool:
    if isinstance(said, list):
        return len(said) == len(sent) and all(_same_but(a, b, ours) for a, b in zip(said, sent, strict=True))
    said, sent = said or {}, sent or {}
    return {k: v for k, v in said.items() if k not in ours} == {k: v for k, v in sent.items() if k not in ours}


def _round_trip(chat: Chat, language: ModuleType) -> str:
    try:
        again = _translated(chat, language)
    except FairleadError as error:
        return f"refused: {error.message} [{error.param}]"
    return _difference(replace(chat, max_output_tokens=None), replace(again, max_output_tokens=None))


def _crossed(chat: Chat, language: ModuleType) -> tuple[str, bool]:
    """Either all of it arrives, or it is refused with its path: (what is wrong, whether it was refused)."""
    losses = Losses(language.LANGUAGE)
    try:
        again = _translated(chat, language, losses)
    except RequestInvalid as error:
        told = error.code == "unsupported_feature" and error.param
        return ("" if told else f"refused without a path: {error.message}"), True
    facets = {"text": _texts, "tool calls": _calls, "tool results": _results, "tools": _tools, "schema": _schema}
    lost = [name for name, of in facets.items() if of(chat) != of(again)]
    if "text" in lost and language is bedrock and _has_document(chat):
        lost.remove("text")  # Converse wants words beside a document, so some are put there
    if "tools" in lost and language is bedrock and not chat.tools:
        lost.remove("tools")  # nor does it take calls of tools that are not offered
    return (f"{language.DIALECT}: lost {', '.join(lost)}" if lost else ""), False


def _translated(chat: Chat, language: ModuleType, losses: Losses | None = None) -> Chat:
    body = language.write_request(
        chat,
        model="anthropic.claude-x" if language is bedrock else "other",
        max_output_tokens=chat.max_output_tokens or 4096,
        stream=False,
        params={},
        quirks={"cache_control": True} if language is openai else {},
        losses=losses or Losses(language.LANGUAGE),
    )
    return language.read_chat(read_fields(body))


def _difference(first: Chat, second: Chat) -> str:
    for name in first.__struct_fields__:
        one, other = getattr(first, name), getattr(second, name)
        if name == "others":
            one, other = ({path: json.loads(bytes(raw)) for path, raw in said.items()} for said in (one, other))
        if one != other and _plain(one) != _plain(other):
            return f"{name}: {str(one)[:150]} became {str(other)[:150]}"
    return ""


def _plain(value: Any) -> Any:
    """Raw JSON by its value, not its spelling."""
    return json.loads(msgspec.json.encode(value))


def _texts(chat: Chat) -> Any:
    """By side of the conversation: where one message ends and the next of the same side begins is not conserved by
    every language, and blank text is none."""
    said: dict[str, str] = {}
    for message in chat.messages:
        if message.role != "tool":
            text = "".join(part.text for part in message.parts if type(part).__name__ == "Text")
            said[message.role] = said.get(message.role, "") + "".join(text.split())
    return {role: text for role, text in said.items() if text}


def _has_document(chat: Chat) -> bool:
    return any(getattr(part, "kind", "") == "document" for message in chat.messages for part in message.parts)


def _calls(chat: Chat) -> Any:
    return [(call.name, facts.canonical(call.arguments)) for message in chat.messages for call in message.tool_calls]


def _results(chat: Chat) -> Any:
    return [
        "".join("".join(part.text for part in message.parts if type(part).__name__ == "Text").split())
        for message in chat.messages
        if message.role == "tool"
    ]


def _tools(chat: Chat) -> Any:
    return [(tool.name, tool.description or "") for tool in chat.tools]


def _schema(chat: Chat) -> Any:
    return chat.shape is not None and chat.shape.schema is not None and json.loads(bytes(chat.shape.schema))


# --- answers ---------------------------------------------------------------------------------------------------------


def _answer(record: Record) -> Iterator[Outcome]:
    language = record.language
    try:
        if record.task == "count":
            tokens = language.read_count_answer(record.raw)
            yield Outcome("answer read", "" if tokens > 0 else "no tokens")
            return
        answer = language.read_answer(record.raw, task=record.task, full=True)
    except TargetError as error:
        yield Outcome("answer read", error.message)
        return
    yield Outcome("answer read")
    if record.task in ("embed", "rerank"):
        yield Outcome("answer conserved", _same_values(record, answer))
        return
    recorded = facts.UNARY[language.DIALECT](record.answered)
    yield Outcome("answer conserved", _differs(recorded, house.facts_of(answer)))
    try:
        told = language.write_answer(replace(answer, spoken=None, dialect=""), created=0, task=record.task)
        again = facts.UNARY[language.DIALECT](json.loads(told))
    except FairleadError as error:
        yield Outcome("answer round trip", error.message)
    else:
        yield Outcome("answer round trip", _differs(recorded, again))
    yield from _told_elsewhere(record, answer)
    yield Outcome("valid against OpenAI's schema", _invalid(answer, record.task))
    if (wrong := costs.differs(record, answer.usage)) is not None:
        yield Outcome("cost as genai-prices says", wrong)


def _same_values(record: Record, answer: Answer) -> str:
    language = record.language
    told = language.write_answer(replace(answer, spoken=None, dialect=""), created=0, task=record.task)
    again = language.read_answer(told, task=record.task, full=True)
    if not (answer.vectors or answer.ranking):
        return "no vectors and no ranking"
    return "" if (again.vectors, again.ranking) == (answer.vectors, answer.ranking) else "values differ"


def _told_elsewhere(record: Record, answer: Answer) -> Iterator[Outcome]:
    """A caller of every other language hears the same."""
    wanted = house.facts_of(answer)
    for language in LANGUAGES:
        if (
            language is record.language
            or record.task == "complete"
            or (len(answer.said) > 1 and language is not gemini)
        ):
            continue
        body = language.write_answer(replace(answer, spoken=None), created=0)
        heard = house.facts_of(language.read_answer(body, full=True))
        wrong = _differs(wanted, heard)
        yield Outcome("answer in other languages", wrong and f"{language.DIALECT}: {wrong}")


def _differs(one: facts.Facts, other: facts.Facts) -> str:
    for name in ("text", "calls", "end", "used"):
        first, second = getattr(one, name), getattr(other, name)
        unsaid = name == "used" and not any(first or ()) and not any(second or ())
        garbled = name == "calls" and (first is None or any(not _is_json(args) for _, args in first))
        if first != second and not unsaid and not garbled:
            return f"{name}: {str(first)[:120]} became {str(second)[:120]}"
    return ""


def _is_json(arguments: str) -> bool:
    """What a model wrote wrongly is carried, but not everywhere in the same clothes."""
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True


def _invalid(answer: Answer, task: str) -> str:
    if answer.said and answer.said[0].finish is None:
        return ""  # an answer in the middle of being made, or of an end that nobody knows: no end is made up
    completes = task == "complete"
    body = openai.write_answer(replace(answer, spoken=None), created=1, task="complete" if completes else "chat")
    try:
        (Completion if completes else ChatCompletion).model_validate_json(body, strict=True)
    except ValidationError as error:
        return f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}"
    return ""


# --- streams ---------------------------------------------------------------------------------------------------------


def events_of(record: Record) -> list[Event]:
    """The events of a recorded stream; of several in one recording, the first stream's."""
    if record.language is bedrock:
        return _bedrock_events(record.raw)
    events = Events().feed(record.raw + b"\n\n")
    for count, (_, data) in enumerate(events, 1):
        if any(mark in data for mark in LAST.get(record.language.DIALECT, ())):
            return events[:count]
    return events


def _bedrock_events(raw: bytes) -> list[Event]:
    """Binary frames; or, as some recorded them, a JSON object a line: the event's name, and its payload."""
    if raw[:1] != b"{":
        return Frames().feed(raw)
    lines = [json.loads(line) for line in raw.splitlines() if line.strip()]
    return [(name, json.dumps(payload).encode()) for line in lines for name, payload in line.items()]


def _stream(record: Record) -> Iterator[Outcome]:
    language = record.language
    try:
        events = events_of(record)
        items, whole = _heard(language, events, record, full=True)
    except TargetError as error:
        expected = "error_in_stream" in record.features
        yield Outcome("error mapped" if expected else "answer read", "" if expected else error.message)
        return
    if not whole:
        unfinished = "stream_no_terminal" in record.features
        yield Outcome("unfinished stream is known" if unfinished else "answer read", "" if unfinished else "not whole")
        return
    yield Outcome("answer read")
    recorded = facts.STREAMED[language.DIALECT](events)
    yield Outcome("answer conserved", _differs(recorded, house.facts_of(house.gather(items))))
    yield Outcome("stream passed on as it came", _passed_stream(language, events, record))
    for listener in LANGUAGES:
        wrong = _retold(listener, items)
        name = "stream = unary" if listener is language else "stream in other languages"
        yield Outcome(name, wrong and f"{listener.DIALECT}: {wrong}")
    yield Outcome("valid against OpenAI's schema", _invalid_stream(items))
    yield Outcome("cut anywhere, never whole", _cut(language, events, record))


def _heard(language: ModuleType, events: list[Event], record: Record | None, full: bool) -> tuple[list[Item], bool]:
    task = record.task if record is not None else "chat"
    asked = record.asked if record is not None and isinstance(record.asked, dict) else {}
    reader = language.StreamReader(full, task, asked.get("n") or 1)
    items = [item for event, data in events for item in reader.read(event, data)]
    items += reader.close()
    return items, reader.complete


def _passed_stream(language: ModuleType, events: list[Event], record: Record) -> str:
    """To a caller of the same language each event's bytes go on; they may only lose what is no data."""
    items, _ = _heard(language, events, record, full=False)
    writer = language.StreamWriter(created=1, include_usage=True, task=record.task)
    told = b"".join(writer.write(item) for item in items) + writer.end()
    said = [data for _, data in (Frames() if language is bedrock else Events()).feed(told)]
    came = [data for _, data in events]
    marks = (b"[DONE]",)
    said, came = ([data for data in side if data.strip() not in marks] for side in (said, came))
    return "" if said == came else f"{len(came)} events came, {len(said)} went on, or not the same"


def _retold(language: ModuleType, items: list[Item]) -> str:
    if len({item.index for item in items if hasattr(item, "index")}) > 1 and language not in (openai, gemini):
        return ""  # several choices can't be told in this language, and can't be asked for in it
    writer = language.StreamWriter(model="m", created=1, include_usage=True)
    told = b"".join(writer.write(item) for item in house.unspoken(items)) + writer.end()
    events = (Frames() if language is bedrock else Events()).feed(told)
    heard, whole = _heard(language, events, None, full=True)
    wanted, found = (house.facts_of(house.gather(side)) for side in (items, heard))
    return _differs(wanted, found) or ("" if whole else "not whole")


def _invalid_stream(items: list[Item]) -> str:
    writer = openai.StreamWriter(model="m", created=1, include_usage=True)
    told = b"".join(writer.write(item) for item in house.unspoken(items))
    for _, data in Events().feed(told):
        try:
            ChatCompletionChunk.model_validate_json(data, strict=True)
        except ValidationError as error:
            return f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}"
    return ""


def _cut(language: ModuleType, events: list[Event], record: Record) -> str:
    """Cut after every event: either an error, or known to be unfinished, or all that was to come had come."""
    wanted = house.facts_of(house.gather(_heard(language, events, record, full=True)[0]))
    for end in range(len(events)):
        try:
            items, whole = _heard(language, events[:end], record, full=True)
        except TargetError:
            continue
        if whole:
            heard = house.facts_of(house.gather(items))
            if (heard.text, heard.calls, heard.end) != (wanted.text, wanted.calls, wanted.end):
                return f"taken for whole after {end} of {len(events)} events"
    return ""


# --- errors ----------------------------------------------------------------------------------------------------------


def _error(record: Record) -> Iterator[Outcome]:
    message, code = record.language.read_error(record.status, record.raw)
    error = error_for(record.status, (message, code), record.raw, record.headers, target="t", dialect="")
    wrong = ""
    if record.answered is not None and message.startswith("HTTP ") and _says_something(record.answered):
        wrong = "the provider's message was not found"
    kinds = {401: "target_refused", 403: "target_refused", 404: "target_refused", 429: "target_overloaded"}
    wanted = kinds.get(record.status, "target_rejected" if record.status < 500 else "target_failed")
    if error.code != wanted:
        wrong = f"{record.status} became {error.code}"
    yield Outcome("error mapped", wrong)
    for language in LANGUAGES:
        told = language.error_body(status=record.status, message=error.message, type="upstream_error", code=error.code)
        heard, _ = language.read_error(record.status, told)
        yield Outcome("error in other languages", "" if heard == error.message else f"{language.DIALECT}: {heard}")


def _says_something(body: Any) -> bool:
    return isinstance(body, dict) and "message" in json.dumps(body)
