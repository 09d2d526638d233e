"""Gemini's language: embeddings, both ways.

| form | request | answer |
|---|---|---|
| batchEmbedContents | `requests`: each with its model, content, purpose | `embeddings` |
| embedContent | one such without `requests`; at Vertex AI its settings lie in `embedContentConfig` | `embedding` |
| predict, older models at Vertex AI | `instances` and `parameters` | `predictions` |

Callers may use the first two. Targets are asked by the first, unless the quirk `embed` says otherwise.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from fairlead.chat import Answer, Embed, Request, Usage
from fairlead.dialects.failures import failure, unclear
from fairlead.dialects.gemini.names import DIALECT, LANGUAGE, RAWS, camelled, is_idle, model_name, take_object
from fairlead.dialects.harmless import is_harmless
from fairlead.dialects.losses import Losses
from fairlead.dialects.quirks import LIMITS, RESERVED, rename_and_drop
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null, need, take, unsayable
from fairlead.errors import RequestInvalid

_PURPOSES = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
_TASK_TYPES = {theirs: ours for ours, theirs in _PURPOSES.items()}
_KNOWN = frozenset({"model", "content"})
_ENCODER = msgspec.json.Encoder()


class _Content(Struct):
    parts: list[dict[str, Raw]] | dict[str, Raw]


_ENTRIES = msgspec.json.Decoder(list[Raw])
_CONTENT = msgspec.json.Decoder(_Content)
_STRING = msgspec.json.Decoder(str)
_INT = msgspec.json.Decoder(int)


# --- inwards ---------------------------------------------------------------------------------------------------------


def read_embed(fields: dict[str, Raw]) -> Embed:
    """The whole of a request. What the texts have in common is said once; whatever else is in `others`, by its path.

    Raises RequestInvalid with the exact path, `unsupported_feature` where something that is no text is to be embedded.
    """
    fields = camelled(fields)
    if "requests" not in fields:
        entries = [("", _entry(fields, ""))]
        others = {}
    else:
        raws = take(_ENTRIES, fields["requests"], "requests")
        entries = [
            (f"requests[{i}].", _entry(take_object(raw, f"requests[{i}]"), f"requests[{i}]."))
            for i, raw in enumerate(raws)
        ]
        others = {name: raw for name, raw in fields.items() if name not in ("requests", "model") and not is_idle(raw)}
    inputs = tuple(_read_text(need(entry, "content"), f"{path}content") for path, entry in entries)
    purpose, dimensions = _shared(entries, "taskType"), _shared(entries, "outputDimensionality")
    said = None if purpose is None else take(_STRING, purpose, f"{entries[0][0]}taskType")
    known = _KNOWN if said not in _TASK_TYPES else _KNOWN | {"taskType"}
    if dimensions is not None:
        known |= {"outputDimensionality"}
    for path, entry in entries:
        others |= {path + name: raw for name, raw in entry.items() if name not in known and not is_idle(raw)}
    return Embed(
        inputs=inputs,
        dimensions=None if dimensions is None else take(_INT, dimensions, f"{entries[0][0]}outputDimensionality"),
        purpose=_TASK_TYPES.get(said or ""),
        others=others,
        dialect=DIALECT,
    )


def _entry(fields: dict[str, Raw], path: str) -> dict[str, Raw]:
    """The fields of one text, with those of Vertex AI's `embedContentConfig` among them."""
    config = fields.pop("embedContentConfig", None)
    return fields if config is None else {**fields, **take_object(config, f"{path}embedContentConfig")}


def _shared(entries: list[tuple[str, dict[str, Raw]]], name: str) -> Raw | None:
    """What all say alike; None where they don't."""
    said = {bytes(entry.get(name, b"")) for _, entry in entries}
    return entries[0][1].get(name) if len(said) == 1 and entries else None


def _read_text(raw: Raw, path: str) -> str:
    parts = take(_CONTENT, raw, path).parts
    texts: list[str] = []
    for position, part in enumerate([parts] if isinstance(parts, dict) else parts):
        where = f"{path}.parts[{position}]"
        if "text" not in part:
            raise RequestInvalid(
                f"`{where}`: only text can be embedded by a target that speaks another language.",
                code="unsupported_feature",
                param=where,
                hint="Ask for a route whose targets speak Gemini.",
            )
        texts.append(take(_STRING, part["text"], f"{where}.text"))
    return "".join(texts)


# --- outwards --------------------------------------------------------------------------------------------------------


def pass_embed(request: Request, *, model: str, params: Mapping[str, Any], quirks: Mapping[str, Any]) -> bytes:
    """The caller's own batch: only the model's name changes, in each request, and what `params` and quirks set."""
    assert request.spoken is not None
    fields: dict[str, Any] = dict(request.spoken.fields)
    fields.pop("model", None)
    entries = _ENTRIES.decode(fields["requests"])
    fields["requests"] = [_passed(RAWS.decode(entry), model, params, quirks) for entry in entries]
    return _ENCODER.encode(fields)


def _passed(entry: dict[str, Any], model: str, params: Mapping[str, Any], quirks: Mapping[str, Any]) -> dict[str, Any]:
    entry["model"] = model_name(model)
    _override(entry, params)
    rename_and_drop(entry, quirks)
    return entry


def _override(entry: dict[str, Any], params: Mapping[str, Any]) -> None:
    entry.update((name, value) for name, value in params.items() if name not in RESERVED and name not in LIMITS)


def write_embed(
    embed: Embed, *, model: str, params: Mapping[str, Any], quirks: Mapping[str, Any], losses: Losses
) -> bytes:
    """Texts in the house language as the body of batchEmbedContents, or as the quirk `embed` says.

    | quirk | default | what it does |
    |---|---|---|
    | `embed` | `batch` | `single`: embedContent, for one text; `predict`: Vertex AI's older form |
    | `vertex` | false | true: settings go into `embedContentConfig` |

    `params` are settings of each text (`autoTruncate`, `title`, ...). Raises RequestInvalid `unsupported_feature`.
    """
    form = quirks.get("embed", "batch")
    settings = _settings(embed, losses)
    texts = [_text(text, f"input[{position}]") for position, text in enumerate(embed.inputs)]
    if form == "single" and len(texts) != 1:
        raise unsayable("input", "several texts", LANGUAGE, "Send one text at a time.")
    own = [dict(settings) for _ in texts]
    body = _carry_others(embed, own, losses)
    for entry in own:
        _override(entry, params)
        rename_and_drop(entry, quirks)
    if form == "predict":
        return _ENCODER.encode(_predict(texts, own))
    entries = [
        {
            "content": {"parts": [{"text": text}]},
            **({"embedContentConfig": said} if quirks.get("vertex") and said else said),
        }
        for text, said in zip(texts, own, strict=True)
    ]
    if form == "single":
        return _ENCODER.encode({**body, **entries[0]})
    return _ENCODER.encode({**body, "requests": [{"model": model_name(model), **entry} for entry in entries]})


def _settings(embed: Embed, losses: Losses) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if embed.purpose is not None:
        if embed.purpose in _PURPOSES:
            settings["taskType"] = _PURPOSES[embed.purpose]
        else:
            losses.lose("purpose", f"the purpose {embed.purpose!r}")
    if embed.dimensions is not None:
        settings["outputDimensionality"] = embed.dimensions
    return settings


def _text(text: str | tuple[int, ...], path: str) -> str:
    if isinstance(text, str):
        return text
    raise unsayable(path, "a text as tokens", LANGUAGE, "Send the text itself.")


def _carry_others(embed: Embed, own: list[dict[str, Any]], losses: Losses) -> dict[str, Any]:
    """Put what the house has no word for where it stood; gives what stood above the texts."""
    above: dict[str, Any] = {}
    for path, raw in embed.others.items():
        if embed.dialect != DIALECT:
            if not is_harmless(path, raw, embed.dialect):
                losses.lose(path, "this field")
        elif path.startswith("requests["):
            index, _, name = path.removeprefix("requests[").partition("].")
            own[int(index)][name] = raw
        elif len(own) == 1:
            own[0][path] = raw
        else:
            above[path] = raw
    return above


def _predict(texts: list[str], own: list[dict[str, Any]]) -> dict[str, Any]:
    """What is said of each text, and what of all."""
    body: dict[str, Any] = {
        "instances": [
            {"content": text}
            | ({"task_type": said["taskType"]} if "taskType" in said else {})
            | ({"title": said["title"]} if "title" in said else {})
            for text, said in zip(texts, own, strict=True)
        ]
    }
    parameters = {name: value for name, value in own[0].items() if name not in ("taskType", "title")} if own else {}
    return {**body, "parameters": parameters} if parameters else body


# --- answers ---------------------------------------------------------------------------------------------------------


class _Statistics(Struct):
    tokens: int | None = field(default=None, name="token_count")
    tokens_: int | None = field(default=None, name="tokenCount")


class _Vector(Struct):
    values: tuple[float, ...] = ()
    statistics: _Statistics | None = None


class _Prediction(Struct):
    embeddings: _Vector


class _Counts(Struct):
    prompt: int | None = field(default=None, name="promptTokenCount")


class _Body(Struct):
    embeddings: list[_Vector] | None = None
    embedding: _Vector | None = None
    predictions: list[_Prediction] | None = None
    usage: _Counts | None = field(default=None, name="usageMetadata")
    error: Raw = Raw(b"null")


class _SlimVector(Struct):
    statistics: _Statistics | None = None


class _SlimPrediction(Struct):
    embeddings: _SlimVector


class _SlimBody(Struct):
    """An answer, as far as the books go: the numbers are not looked at."""

    embeddings: list[_SlimVector] | None = None
    embedding: _SlimVector | None = None
    predictions: list[_SlimPrediction] | None = None
    usage: _Counts | None = field(default=None, name="usageMetadata")
    error: Raw = Raw(b"null")


_BODY = msgspec.json.Decoder(_Body)
_SLIM_BODY = msgspec.json.Decoder(_SlimBody)


def read_vectors(body: bytes, *, full: bool) -> Answer:
    """The answer to any of the forms. `full`: with `vectors`, and without `spoken`, since the caller may have asked in
    another form. Raises TargetUnclear if it is none, and the TargetError that fits where it is an error.
    """
    try:
        check_utf8(body)
        said = (_BODY if full else _SLIM_BODY).decode(body)
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    if not is_null(said.error):
        raise failure(body, DIALECT)
    vectors = _vectors(said)
    if vectors is None:
        raise unclear("it has no embeddings", body, DIALECT)
    return Answer(
        dialect=DIALECT,
        spoken=None if full else body,
        vectors=tuple(vector.values for vector in vectors if isinstance(vector, _Vector)) if full else None,
        usage=_read_usage(said, vectors),
    )


def _vectors(said: _Body | _SlimBody) -> "list[_Vector] | list[_SlimVector] | None":
    if said.embeddings is not None:
        return said.embeddings
    if said.embedding is not None:
        return [said.embedding]  # type: ignore[return-value]
    if said.predictions is not None:
        return [prediction.embeddings for prediction in said.predictions]  # type: ignore[return-value]
    return None


def _read_usage(said: _Body | _SlimBody, vectors: "list[_Vector] | list[_SlimVector]") -> Usage | None:
    """None where the provider did not count, as older models don't."""
    if said.usage is not None and said.usage.prompt is not None:
        return Usage(input=max(said.usage.prompt, 0))
    counts = [vector.statistics.tokens or vector.statistics.tokens_ for vector in vectors if vector.statistics]
    return Usage(input=sum(max(count or 0, 0) for count in counts)) if any(counts) else None


def write_vectors(answer: Answer) -> bytes:
    """The body of an answer to batchEmbedContents."""
    return _ENCODER.encode({"embeddings": [{"values": vector} for vector in answer.vectors or ()], **_usage(answer)})


def write_embedding(answer: Answer) -> bytes:
    """The body of an answer to embedContent, which asks for one vector."""
    [vector] = answer.vectors or ((),)
    return _ENCODER.encode({"embedding": {"values": vector}, **_usage(answer)})


def _usage(answer: Answer) -> dict[str, Any]:
    if answer.usage is None:
        return {}
    return {"usageMetadata": {"promptTokenCount": answer.usage.input, "totalTokenCount": answer.usage.input}}
