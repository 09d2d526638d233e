"""The language of rerankers, outwards: requests to a target that speaks it, in the words that it wants.

It does not know where the target is.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Media, Opaque, Request, Rerank
from fairlead.dialects.losses import Losses
from fairlead.dialects.media import write_url
from fairlead.dialects.quirks import override, rename_and_drop
from fairlead.dialects.reading import is_null, raw_json
from fairlead.dialects.rerank.request import DIALECT, RETURN_NAMES, TOP_NAMES, read_document, read_documents

LANGUAGE = "the language of rerankers"
_ENCODER = msgspec.json.Encoder()


def pass_request(
    request: Request,
    *,
    model: str,
    max_output_tokens: int = 0,
    params: Mapping[str, Any],
    quirks: Mapping[str, Any],
) -> bytes:
    """The caller's own request, rebuilt from its top-level values. All but `model` is byte-identical, unless a
    parameter or a quirk changes it. A reranker writes nothing: `max_output_tokens` has no effect.

    | quirk | default | what it does |
    |---|---|---|
    | `top_name` | the caller's own, else `top_n` | `top_n` or `top_k`: the field that carries how many are wanted |
    | `documents_as` | as they stand, else `text` | `text`: strings; `object`: `{"text": ...}` |
    | `return_name` | the caller's own, else `return_documents` | `return_documents` or `return_text`; "": never sent |
    | `rename` | {} | `{ours = "theirs"}`: send a field under another name |
    | `drop` | [] | fields that are never sent |

    `rename` and `drop` come last, in this order, and see the parameters too.
    """
    if request.spoken is None or request.spoken.dialect != DIALECT:
        raise TypeError("only a request that was said in the language of rerankers can be passed on in it")
    fields: dict[str, Any] = dict(request.spoken.fields)
    fields["model"] = model
    if quirks:
        _name(fields, TOP_NAMES, quirks.get("top_name"))
        _name(fields, RETURN_NAMES, quirks.get("return_name"))
        if form := quirks.get("documents_as"):
            name, documents = read_documents(request.spoken.fields)
            fields[name] = [_formed(raw, form, f"{name}[{position}]") for position, raw in enumerate(documents)]
    override(fields, params)
    rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


def _name(fields: dict[str, Any], names: tuple[str, ...], wanted: str | None) -> None:
    """Bring what the caller said under any of `names` under the one that is wanted; None: as it stands."""
    if wanted is None:
        return
    said = [fields.pop(name) for name in names if name in fields]
    value = next((raw for raw in said if not is_null(raw)), None)
    if wanted and value is not None:
        fields[wanted] = value


def _formed(raw: Raw, form: str, path: str) -> Any:
    document = read_document(raw, path)
    if not isinstance(document, str):
        return raw
    return {"text": document} if form == "object" else document


def write_rerank(
    rerank: Rerank,
    *,
    model: str,
    params: Mapping[str, Any],
    quirks: Mapping[str, Any],
    losses: Losses,
) -> bytes:
    """A query and its documents in the house language as the body of a request. Quirks: see `pass_request`."""
    form = quirks.get("documents_as", "text")
    fields: dict[str, Any] = {
        "model": model,
        "query": _write(rerank.query, "text", "query", losses),
        "documents": [
            _write(document, form, f"documents[{position}]", losses)
            for position, document in enumerate(rerank.documents)
        ],
    }
    if rerank.top is not None:
        fields[quirks.get("top_name", "top_n")] = rerank.top
    if rerank.returns_documents:
        name = quirks.get("return_name", "return_documents")
        if name:
            fields[name] = True
        else:
            losses.lose("return_documents", "that the documents come back")
    for path, raw in rerank.others.items():
        if rerank.dialect == DIALECT:
            fields[path] = raw
        else:
            losses.lose(path, "this field")
    override(fields, params)
    rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


def _write(said: str | Media | Opaque, form: str, path: str, losses: Losses) -> Any:
    """None where it can't be said: a document that is lost keeps its place, since answers count by it."""
    match said:
        case str():
            return {"text": said} if form == "object" else said
        case Media(kind="image", file=None):
            return {"image": said.data if said.data is not None and not said.media_type else write_url(said)}
        case Opaque(dialect="rerank"):
            return said.raw
        case Media():
            what = f"a document of kind {said.kind!r}"
        case _:
            what = f"a document of kind {said.kind!r}"
    losses.lose(path, what)
    return raw_json("")
