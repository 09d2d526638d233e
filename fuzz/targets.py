"""What is fuzzed: every function that is given bytes of strangers. Whatever comes, it gives a value or a FairleadError.

More is asked of some: what was read can be written in every language, and read again; a stream gives the same events
however its bytes are cut; what is written is JSON.
"""

import json
from collections.abc import Callable, Iterable
from functools import partial
from types import ModuleType

import msgspec

from fairlead.chat import Answer, Request
from fairlead.dialects import failures, gemini, openai, rerank, responses
from fairlead.dialects.anthropic import signing as anthropic_signing
from fairlead.dialects.bedrock import signing as bedrock_signing
from fairlead.dialects.gemini import signing as gemini_signing
from fairlead.dialects.gemini.schema import read_schema, write_schema
from fairlead.dialects.losses import Losses
from fairlead.dialects.media import read_url, write_url
from fairlead.dialects.probes import LANGUAGES, said_in
from fairlead.dialects.reading import read_fields
from fairlead.dialects.responses import signing as responses_signing
from fairlead.errors import FairleadError
from fairlead.scoring.json_schema import SchemaInvalid, compiled
from fairlead.wire.eventstream import Frames
from fairlead.wire.incoming import Incoming
from fairlead.wire.requests import Requests
from fairlead.wire.sse import Events

Target = Callable[[bytes], None]
ALLOWED = (FairleadError, SchemaInvalid)
MODELS = ("model", "anthropic.claude-sonnet-4-6", "amazon.nova-2-lite-v1:0", "gemini-2.5-flash")


def _lossy(language: ModuleType) -> Losses:
    return Losses(language.LANGUAGE, lossy=True)


# --- requests --------------------------------------------------------------------------------------------------------


def _passed(language: ModuleType, request: Request) -> None:
    """As it stands; one with a wrapped signature is read instead."""
    if request.spoken is None:
        return
    body = language.pass_request(request, model="m", max_output_tokens=9, params={}, quirks={})
    json.loads(body)


def _request(language: ModuleType) -> Target:
    def run(body: bytes) -> None:
        request = language.read_request("chat", body, route="r", stream=len(body) % 2 == 0)
        _passed(language, request)
        if request.read is not None:
            request.read()

    return run


def _translated(language: ModuleType) -> Target:
    """What was read is said in every language, and can be read there."""

    def run(body: bytes) -> None:
        chat = language.read_chat(read_fields(body))
        for other in LANGUAGES:
            try:
                said = said_in(other, chat, _lossy(other))
            except FairleadError:
                continue
            json.loads(said)
            try:
                other.read_chat(read_fields(said))
            except FairleadError as error:
                if other is not language and not _is_excused(error):
                    raise AssertionError(f"{other.DIALECT} can't read what it wrote: {error.message}") from error

    return run


def _is_excused(error: FairleadError) -> bool:
    """What is wrong in the caller's own words (a range, a role without a call) stays wrong in others'."""
    return error.code in ("invalid_request", "unsupported_feature")


def _count(language: ModuleType) -> Target:
    def run(body: bytes) -> None:
        request = language.read_count_request(body)
        if request.read is not None:
            language.write_count_request(request.read(), model="m", params={}, quirks={}, losses=_lossy(language))

    return run


def _embed(language: ModuleType) -> Target:
    def run(body: bytes) -> None:
        request = language.read_request("embed", body, route="r", stream=False)
        _passed(language, request)
        for other in (openai, gemini):
            said = other.write_embed(request.embed(), model="m", params={}, quirks={}, losses=_lossy(other))
            json.loads(said)

    return run


def _rerank(body: bytes) -> None:
    request = rerank.read_request("rerank", body, route="r")
    _passed(rerank, request)
    json.loads(rerank.write_rerank(request.rerank(), model="m", params={}, quirks={}, losses=_lossy(rerank)))


def _complete(body: bytes) -> None:
    request = openai.read_request("complete", body, route="r")
    _passed(openai, request)
    if request.read is not None:
        request.read()


# --- answers ---------------------------------------------------------------------------------------------------------


def _answer(language: ModuleType) -> Target:
    def run(body: bytes) -> None:
        language.read_answer(body)
        answer = language.read_answer(body, full=True)
        for other in LANGUAGES:
            json.loads(other.write_answer(answer, created=1))
        _again(language, answer)

    return run


def _again(language: ModuleType, answer: Answer) -> None:
    """Without what was spoken: in its own language it would go on as it came."""
    bare = msgspec.structs.replace(answer, spoken=None)
    language.read_answer(language.write_answer(bare, created=1), full=True)


def _vectors(language: ModuleType) -> Target:
    def run(body: bytes) -> None:
        answer = language.read_answer(body, task="embed", full=True)
        for other in (openai, gemini):
            json.loads(other.write_answer(answer, created=1, task="embed"))

    return run


def _ranking(body: bytes) -> None:
    json.loads(rerank.write_answer(rerank.read_answer(body, full=True)))


def _completion(body: bytes) -> None:
    openai.write_answer(openai.read_answer(body, task="complete", full=True), created=1, task="complete")


def _counted(language: ModuleType) -> Target:
    def run(body: bytes) -> None:
        language.read_count_answer(body)

    return run


def _error(language: ModuleType) -> Target:
    def run(body: bytes) -> None:
        message, code = language.read_error(500, body)
        assert isinstance(message, str) and isinstance(code, str)
        failures.failure(body, language.DIALECT)

    return run


def _stream(language: ModuleType) -> Target:
    def run(body: bytes) -> None:
        events = (Frames() if language.DIALECT == "bedrock" else Events()).feed(body)
        readers = [language.StreamReader(full=True), language.StreamReader()]
        writers = [other.StreamWriter(model="m", created=1, include_usage=True) for other in LANGUAGES]
        for event, data in events:
            for item in readers[0].read(event, data):
                for writer in writers:
                    writer.write(item)
        for item in readers[0].close():
            for writer in writers:
                writer.write(item)
        for writer in writers:
            writer.end()
        for event, data in events:
            readers[1].read(event, data)
        assert readers[0].complete == readers[1].complete

    return run


# --- beside the languages --------------------------------------------------------------------------------------------


def _events(body: bytes) -> None:
    """The first byte says where the rest is cut."""
    cut, rest = (body[0] if body else 0), body[1:]
    whole = Events().feed(rest)
    pieces = Events()
    assert pieces.feed(rest[:cut]) + pieces.feed(rest[cut:]) == whole


def _frames(body: bytes) -> None:
    cut, rest = (body[0] if body else 0), body[1:]
    whole = Frames().feed(rest)
    pieces = Frames()
    assert pieces.feed(rest[:cut]) + pieces.feed(rest[cut:]) == whole


class _Nobody:
    """A connection that is none: requests are only read."""

    congested = retiring = False

    def hold_body(self) -> None:
        pass


def _heard(pieces: Iterable[bytes]) -> list[tuple[object, ...]]:
    """What was understood of the bytes of a connection: requests, and the fault that ends them."""
    taken: list[Incoming | FairleadError] = []
    requests = Requests(partial(Incoming, _Nobody()), taken.append)  # type: ignore[arg-type]
    for piece in pieces:
        requests.feed(piece)
    return [
        (one.method, one.path, one.query, one.headers, one.complete, one.size, one.keep, one.expects)
        if isinstance(one, Incoming)
        else (one.code,)
        for one in taken
    ]


def _http(body: bytes) -> None:
    """However its bytes are cut, a connection says the same; nothing is said after a fault."""
    cut, rest = (body[0] if body else 0), body[1:]
    whole = _heard([rest])
    assert _heard([rest[:cut], rest[cut:]]) == whole
    assert _heard(bytes([byte]) for byte in rest) == whole
    assert all(len(one) > 1 for one in whole[:-1])


def _url(body: bytes) -> None:
    medium = read_url(body.decode("utf-8", "replace"), "url")
    read_url(write_url(medium), "url")


def _schema(body: bytes) -> None:
    schema, _, value = body.partition(b"\x00")
    compiled(schema).check(value.decode("utf-8", "replace"))


def _gemini_schema(body: bytes) -> None:
    raw = read_fields(b'{"schema":' + body + b"}").get("schema", msgspec.Raw(b"null"))
    read_schema(raw, "schema")
    msgspec.json.encode(write_schema(raw, "schema", _lossy(gemini)))


def _signature(body: bytes) -> None:
    said = body.decode("utf-8", "replace")
    anthropic_signing.hear(said)
    bedrock_signing.read_signed("", said, "bedrock")
    gemini_signing.unwrap(said, "gemini")
    responses_signing.hear(said)


def _kept(body: bytes) -> None:
    """A response whose conversation is continued: one that was read before."""
    responses.read_answer(body)
    responses.id_of(body)
    fields = {"input": msgspec.Raw(b'"Hello?"')}
    responses.continued(fields, responses.kept(fields, body))


_OF_LANGUAGES: dict[str, Callable[[ModuleType], Target]] = {
    "request": _request,
    "translated": _translated,
    "answer": _answer,
    "stream": _stream,
    "error": _error,
}
TARGETS: dict[str, Target] = {
    **{f"{language.DIALECT} {name}": make(language) for language in LANGUAGES for name, make in _OF_LANGUAGES.items()},
    **{
        f"{language.DIALECT} {name}": make(language)
        for language in LANGUAGES
        for name, make in {"count": _count, "count answer": _counted}.items()
        if hasattr(language, "read_count_request")
    },
    **{f"{language.DIALECT} embed": _embed(language) for language in (openai, gemini)},
    **{f"{language.DIALECT} vectors": _vectors(language) for language in (openai, gemini)},
    "rerank request": _rerank,
    "rerank answer": _ranking,
    "openai complete": _complete,
    "openai complete answer": _completion,
    "events": _events,
    "frames": _frames,
    "url": _url,
    "http": _http,
    "schema": _schema,
    "gemini schema": _gemini_schema,
    "signature": _signature,
    "kept": _kept,
}
NAMES = tuple(TARGETS)
