"""Fuzzes every parser of foreign bytes with atheris: `make fuzz` (ARGS="-max_total_time=600" goes to libFuzzer).

Whatever comes, a parser gives a value or one of the house's own errors. Anything else that is raised is a bug, and so
is a stream that was cut and is taken for whole.
"""

import sys
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fairlead"]):
    from fairlead.dialects import anthropic, bedrock, gemini, openai, rerank, responses
    from fairlead.dialects.reading import read_fields
    from fairlead.errors import FairleadError
    from fairlead.wire.eventstream import Frames
    from fairlead.wire.sse import Events

LANGUAGES = (openai, responses, anthropic, gemini, bedrock)


def _request(language, body: bytes) -> None:  # type: ignore[no-untyped-def]
    request = language.read_request("chat", body, route="r", stream=False)
    if request.read is not None:
        request.read()


def _rerank(_: object, body: bytes) -> None:
    rerank.read_request("rerank", body)


def _embed(language, body: bytes) -> None:  # type: ignore[no-untyped-def]
    if "embed" in language.TASKS:
        language.read_request("embed", body, route="r", stream=False)
        language.read_answer(body, task="embed", full=True)


def _chat(language, body: bytes) -> None:  # type: ignore[no-untyped-def]
    language.read_chat(read_fields(body))


def _answer(language, body: bytes) -> None:  # type: ignore[no-untyped-def]
    answer = language.read_answer(body, full=True)
    for other in LANGUAGES:
        other.write_answer(answer, created=1)


def _error(language, body: bytes) -> None:  # type: ignore[no-untyped-def]
    language.read_error(500, body)


def _stream(language, body: bytes) -> None:  # type: ignore[no-untyped-def]
    reader = language.StreamReader(full=True)
    writer = openai.StreamWriter(model="m", created=1)
    for event, data in (Frames() if language is bedrock else Events()).feed(body):
        for item in reader.read(event, data):
            writer.write(item)
    reader.close()


PARSERS = (_request, _chat, _answer, _error, _stream, _embed, _rerank)


def one(data: bytes) -> None:
    """The first byte chooses language and parser, the rest is what they are given."""
    if not data:
        return
    choice = data[0]
    language = LANGUAGES[choice % len(LANGUAGES)]
    parse = PARSERS[choice // len(LANGUAGES) % len(PARSERS)]
    with suppress(FairleadError):
        parse(language, data[1:])


if __name__ == "__main__":
    corpus = Path(__file__).parent / "corpus"
    atheris.Setup([*sys.argv, str(corpus)] if corpus.is_dir() else sys.argv, one)
    atheris.Fuzz()
