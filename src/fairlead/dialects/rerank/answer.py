"""The language of rerankers: answers, both ways, and errors.

An answer in the form that most servers give (`results`) goes back as it came; Voyage's (`data`) and the bare list of
Text Embeddings Inference are read and written anew.
"""

from collections.abc import Mapping
from math import ceil, isfinite
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Answer, Ranked, Task, Usage
from fairlead.dialects import openai
from fairlead.dialects.failures import failure, unclear
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null
from fairlead.dialects.rerank.request import DIALECT, Document

SEARCHES = "rerank_searches"  # what Cohere bills by: one query with up to 100 documents

_ENCODER = msgspec.json.Encoder()


class _Result(Struct):
    """A ranked document. Text Embeddings Inference says `score` and `text`."""

    index: int
    relevance_score: float | None = None
    score: float | None = None
    document: Raw = Raw(b"null")
    text: str | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens: int | None = None


class _Units(Struct):
    """Cohere writes its counts as floats."""

    search_units: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None


class _Meta(Struct):
    billed_units: _Units | None = None
    tokens: _Units | None = None
    cached_tokens: float | None = None


class _Body(Struct):
    id: str | int | None = None
    model: str | None = None
    results: list[_Result] | None = None
    data: list[_Result] | None = None
    usage: _Usage | None = None
    meta: _Meta | None = None
    error: Raw = Raw(b"null")


_BODY = msgspec.json.Decoder(_Body)
_LIST = msgspec.json.Decoder(list[_Result])
_DOCUMENT = msgspec.json.Decoder(Document | str | None)


def read_answer(body: bytes, *, task: Task = "rerank", full: bool = False, origin: str = DIALECT) -> Answer:
    """Read an order of documents: `ranking` as the server gives it (best first), usage, and `spoken`, the body as it
    came, where it has the common form. It is no bigger for reading all of it: `full` has no effect, nor has `origin`.

    Raises TargetUnclear if this is no answer, and the TargetError that fits if it is an error in an answer's clothes.
    """
    said, results = _decode(body)
    if not is_null(said.error):
        raise failure(body, DIALECT)
    if results is None:
        raise unclear("it has no results", body, DIALECT)
    try:
        ranking = tuple(_read_result(result) for result in results)
    except UNREADABLE as error:
        raise unclear(str(error), body, DIALECT) from None
    return Answer(
        id=str(said.id or ""),
        model=said.model or "",
        dialect=DIALECT,
        spoken=body if said.results is not None else None,
        ranking=ranking,
        usage=_read_usage(said),
    )


def _decode(body: bytes) -> tuple[_Body, list[_Result] | None]:
    try:
        check_utf8(body)
        if body.lstrip()[:1] == b"[":
            return _Body(), _LIST.decode(body)
        said = _BODY.decode(body)
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    return said, said.data if said.results is None else said.results


def _read_result(said: _Result) -> Ranked:
    score = said.relevance_score if said.relevance_score is not None else said.score
    if score is None:
        raise msgspec.ValidationError(f"the document at {said.index} has no score")
    return Ranked(said.index, score, said.text if said.text is not None else _read_document(said.document))


def _read_document(said: Raw) -> str | None:
    """Its text; None for an image or an object with other fields, and where it was not asked for."""
    document = _DOCUMENT.decode(said)
    return document.text if isinstance(document, Document) else document


def _read_usage(said: _Body) -> Usage | None:
    """None where the server did not count, or counts zero, as some do that do not count."""
    usage, meta = said.usage or _Usage(), said.meta or _Meta()
    tokens, billed = meta.tokens or _Units(), meta.billed_units or _Units()
    counts = (usage.prompt_tokens, usage.input_tokens, usage.total_tokens, tokens.input_tokens, billed.input_tokens)
    read = next((_whole(count) for count in counts if count), 0)
    searches = _whole(billed.search_units)
    if not (read or searches):
        return None
    return Usage(
        input=read,
        output=_whole(tokens.output_tokens),
        cache_read=_whole(meta.cached_tokens),
        details={SEARCHES: searches} if searches else {},
    )


def _whole(count: float | None) -> int:
    return ceil(count) if count is not None and isfinite(count) and count > 0 else 0


def write_answer(answer: Answer, *, created: int = 0, task: Task = "rerank") -> bytes:
    """The body for a caller: as it came if it came in this language, else written from `ranking`.

    `created` has no place in it.
    """
    if answer.spoken is not None and answer.dialect == DIALECT:
        return answer.spoken
    body: dict[str, Any] = {
        "id": answer.id,
        "object": "list",
        "model": answer.model,
        "results": [_write_result(ranked) for ranked in answer.ranking or ()],
    }
    if answer.usage is not None:
        body.update(_write_usage(answer.usage))
    return _ENCODER.encode(body)


def _write_result(ranked: Ranked) -> dict[str, Any]:
    result: dict[str, Any] = {"index": ranked.index, "relevance_score": ranked.score}
    if ranked.document is not None:
        result["document"] = {"text": ranked.document}
    return result


def _write_usage(usage: Usage) -> dict[str, Any]:
    """Both forms: Jina's `usage`, and Cohere's `meta` where it counts by searches."""
    said: dict[str, Any] = {"usage": {"prompt_tokens": usage.input, "total_tokens": usage.input + usage.output}}
    if searches := usage.details.get(SEARCHES):
        said["meta"] = {"billed_units": {"search_units": searches}}
    return said


def error_body(
    *,
    status: int = 500,
    message: str,
    type: str,
    code: str,
    param: str | None = None,
    hint: str = "",
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """An error in OpenAI's shape: there is none that all rerankers share, and clients of this one read its message."""
    return openai.error_body(status=status, message=message, type=type, code=code, param=param, hint=hint, extra=extra)
