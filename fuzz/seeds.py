"""Small valid bodies to begin with, made by the languages' own writers of what the probes say. No recorded data.

`make fuzz` writes them anew each time; a seed's first byte chooses its target, as in `parsers`.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Raw
from targets import NAMES

from fairlead.chat import Answer, Ranked, Rerank, Usage
from fairlead.dialects import anthropic, gemini, openai, rerank, responses
from fairlead.dialects.losses import Losses
from fairlead.dialects.probes import LANGUAGES, said_in
from fairlead.dialects.probes.answering import answer_probes, told
from fairlead.dialects.probes.asking import SCHEMA, embed_probes, request_probes
from fairlead.errors import FairleadError

VALUE = b"\x00"  # between a schema and a value
ERRORS = (
    {"status": 400, "message": "no", "type": "invalid_request_error", "code": "invalid_request", "param": "a.b"},
    {"status": 429, "message": "slow", "type": "rate_limit_error", "code": "rate_limited", "hint": "wait"},
    {"status": 500, "message": "oh", "type": "server_error", "code": "internal", "extra": {"retry_after_s": 2}},
)
SCHEMAS = (
    SCHEMA,
    Raw(b'{"type":"array","items":{"anyOf":[{"type":"string","pattern":"^a+$"},{"$ref":"#/$defs/n"}]},'
        b'"$defs":{"n":{"type":["number","null"],"minimum":0,"enum":[1,null]}}}'),
    Raw(b'{"type":"object","properties":{"a":{"$ref":"#"}},"patternProperties":{"^b":{"not":{"const":1}}}}'),
)  # fmt: skip
URLS = (
    "data:image/png;base64,AAAA",
    "data:text/plain;charset=utf-8;base64,YQ==",
    "https://e.com/a.png",
    "gs://b/a.mp4",
)
POST = b"POST /v1/chat/completions?a=%20 HTTP/1.1\r\nhost: x\r\n"
HTTP = (
    b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nConnection: close\r\n\r\n",
    b"GET http://x/healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" * 2,
    POST + b"content-length: 2\r\nexpect: 100-continue\r\n\r\n{}" + POST + b"content-length: 0\r\n\r\n",
    POST + b"transfer-encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nx-t: y\r\n\r\n",
    POST + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n",
    POST + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n{}",
)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, body) in enumerate(_all()):
        (folder / f"{number:05}").write_bytes(bytes([NAMES.index(name)]) + body)


def _all() -> Iterator[tuple[str, bytes]]:
    yield from _requests()
    yield from _answers()
    yield from _embeddings()
    yield from _reranks()
    for language in LANGUAGES:
        for error in ERRORS:
            body = language.error_body(**error)
            yield from ((f"{language.DIALECT} {what}", body) for what in ("error", "answer"))
            yield f"{language.DIALECT} stream", language.StreamWriter(model="m", created=1).fail(body)
    for schema in SCHEMAS:
        yield "schema", bytes(schema) + VALUE + b'{"id":7}'
        yield "gemini schema", bytes(schema)
    for url in URLS:
        yield "url", url.encode()
    for asked in HTTP:
        yield "http", bytes([len(asked) // 2]) + asked
    for signature in ("c2ln", "~fairlead:gemini:c2ln", '~fairlead:responses/id:["rs_1","c2ln"]'):
        yield "signature", signature.encode()


def _requests() -> Iterator[tuple[str, bytes]]:
    for probe in request_probes():
        for language in LANGUAGES:
            try:
                body = said_in(language, probe.said(language.DIALECT))
            except FairleadError:
                continue
            yield f"{language.DIALECT} request", body
            yield f"{language.DIALECT} translated", body
    for language in LANGUAGES:
        if hasattr(language, "write_count_request"):
            chat = request_probes()[0].said(language.DIALECT)
            losses = Losses(language.LANGUAGE)
            yield (
                f"{language.DIALECT} count",
                language.write_count_request(chat, model="m", params={}, quirks={}, losses=losses),
            )


def _answers() -> Iterator[tuple[str, bytes]]:
    for probe in answer_probes():
        for language in LANGUAGES:
            answer = probe.answer(language.DIALECT)
            yield f"{language.DIALECT} answer", language.write_answer(answer, created=1)
            writer = language.StreamWriter(model="m", created=1, include_usage=True)
            yield f"{language.DIALECT} stream", b"".join([*map(writer.write, told(answer)), writer.end()])
    for language in (anthropic, gemini, responses):
        yield f"{language.DIALECT} count answer", language.count_body(7)
    yield "openai complete answer", openai.write_answer(answer_probes()[0].answer("openai"), created=1, task="complete")


def _embeddings() -> Iterator[tuple[str, bytes]]:
    vectors = Answer(id="a", model="m", vectors=((0.5, -1.0), (0.0, 1.0)), usage=Usage(3, 0))
    for language in (openai, gemini):
        for probe in embed_probes():
            losses = Losses(language.LANGUAGE, lossy=True)
            try:
                body = language.write_embed(probe.embed, model="m", params={}, quirks={}, losses=losses)
            except FairleadError:
                continue
            yield f"{language.DIALECT} embed", body
        yield f"{language.DIALECT} vectors", language.write_answer(vectors, created=1, task="embed")
    yield "openai vectors", openai.write_answer(vectors, created=1, task="embed", encoding="base64")


def _reranks() -> Iterator[tuple[str, bytes]]:
    asked = Rerank(query="q", documents=("one", "two"), top=1, returns_documents=True)
    yield "rerank request", rerank.write_rerank(asked, model="m", params={}, quirks={}, losses=Losses("it"))
    yield "rerank request", b'{"model":"m","query":"q","texts":["a"],"documents":[{"text":"b"},{"image":"AAAA"}]}'
    ranked = Answer(id="a", model="m", ranking=(Ranked(1, 0.5, "two"), Ranked(0, 0.25)), usage=Usage(3, 0))
    yield "rerank answer", rerank.write_answer(ranked)
    yield "rerank answer", b'[{"index":0,"score":0.5,"text":"a"}]'
    yield "rerank answer", msgspec.json.encode({"object": "list", "data": [{"index": 0, "relevance_score": 0.5}]})
