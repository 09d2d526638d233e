"""The language of rerankers, inwards: the top level of a request for the road, and its full reading on demand.

| field | said by | in the house |
|---|---|---|
| `query` | all | `query`; `{"text"}` and `{"image"}` are Jina's |
| `documents` | all | `documents`: strings, `{"text"}`, `{"image"}`; an object with other fields is opaque |
| `texts` | Text Embeddings Inference | `documents` |
| `top_n`; `top_k` | most; Voyage | `top`; 0 is vLLM's word for all of them |
| `return_documents`; `return_text` | most; Text Embeddings Inference | `returns_documents` |

Everything else (`max_tokens_per_doc`, `truncation`, `rank_fields`, ...) goes along as it stands.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from fairlead.chat import NOTHING, Media, Opaque, Request, Rerank, Spoken, Task
from fairlead.dialects.media import check_base64, read_url
from fairlead.dialects.reading import UNREADABLE, Once, is_null, need, read_fields, required, take, take_optional
from fairlead.dialects.steering import check_steering
from fairlead.errors import RequestInvalid

DIALECT = "rerank"
TASKS: frozenset[Task] = frozenset({"rerank"})
DOCUMENTS_NAMES = ("documents", "texts")
TOP_NAMES = ("top_n", "top_k")
RETURN_NAMES = ("return_documents", "return_text")

# What a reranker puts around each pair of query and document: separators, or the template of one that is a chat model.
PAIR_SLACK_TOKENS = 256
# What Cohere bills as one search: so many documents, a longer one counted once for each piece of it.
_SEARCHED_DOCUMENTS = 100
_PIECE_TOKENS = 500
MAX_TOP = 2**31 - 1

_KNOWN = frozenset({"model", "query", *DOCUMENTS_NAMES, *TOP_NAMES, *RETURN_NAMES})
_IMAGES = NOTHING | {"image"}
_MEDIA = frozenset({"image", "image_url", "video", "video_url", "audio", "audio_url", "pdf"})
# Values by which a field asks for nothing.
_IDLE = frozenset({b"null", b"false", b"{}", b"[]"})


class Document(Struct):
    """A query or a document that is an object, as far as the house knows its fields."""

    text: str | None = None
    image: str | None = None


_Top: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_TOP)]

_ROUTE = msgspec.json.Decoder(Annotated[str, Meta(min_length=1)])
_RAWS = msgspec.json.Decoder(Annotated[list[Raw], Meta(min_length=1)])
_TEXTS = msgspec.json.Decoder(tuple[str, ...])
_STRING = msgspec.json.Decoder(str)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_DOCUMENT = msgspec.json.Decoder(Document)
_TOP = msgspec.json.Decoder(_Top | None)
_FLAG = msgspec.json.Decoder(bool | None)


def read_request(task: Task, body: bytes, *, route: str | None = None, stream: bool | None = None) -> Request:
    """Read one request, no deeper than the road needs. Raises RequestInvalid (`param` is the path).

    A reranker reads the query once for every document, so that is what the bound of its tokens counts. There are no
    streams: `stream` has no effect.
    """
    fields = read_fields(body)
    check_steering(fields)
    name = take(_ROUTE, need(fields, "model"), "model") if route is None else route
    query = need(fields, "query")
    key, documents = read_documents(fields)
    pictured = not _is_text(query, "query")
    pictured |= not all(_is_text(raw, f"{key}[{place}]") for place, raw in enumerate(documents) if not _is_string(raw))
    bound = len(body) + len(documents) * (len(bytes(query)) + PAIR_SLACK_TOKENS)
    return Request(
        task="rerank",
        route=name,
        searches=-(-(len(documents) + bound // _PIECE_TOKENS) // _SEARCHED_DOCUMENTS),
        input_bound=None if pictured else bound,
        input_bytes=len(body) + (len(documents) - 1) * len(bytes(query)),
        needs=_IMAGES if pictured else NOTHING,
        spoken=Spoken(DIALECT, fields, body),
        read=Once(read_rerank, fields),
    )


def read_rerank(fields: dict[str, Raw]) -> Rerank:
    """The whole of a request. Raises RequestInvalid with the exact path (`documents[3].image`)."""
    name, _ = read_documents(fields)
    tops = [take_optional(_TOP, fields, top) for top in TOP_NAMES]
    returns = [take_optional(_FLAG, fields, flag) for flag in RETURN_NAMES]
    return Rerank(
        query=read_document(need(fields, "query"), "query"),
        documents=_read_all(fields[name], name),
        top=next((top for top in tops if top), None),
        returns_documents=any(returns),
        others={path: raw for path, raw in fields.items() if path not in _KNOWN and bytes(raw) not in _IDLE},
        dialect=DIALECT,
    )


def read_documents(fields: dict[str, Raw]) -> tuple[str, list[Raw]]:
    """(the name of the field, what it holds)."""
    for name in DOCUMENTS_NAMES:
        raw = fields.get(name)
        if not is_null(raw):
            return name, take(_RAWS, raw or b"", name)
    raise required("documents")


def _read_all(raw: Raw, name: str) -> tuple[str | Media | Opaque, ...]:
    """Texts alone are read at once; anything else is read one by one, so that what is wrong has a path."""
    try:
        return _TEXTS.decode(raw)
    except UNREADABLE:
        return tuple(read_document(one, f"{name}[{position}]") for position, one in enumerate(take(_RAWS, raw, name)))


def read_document(raw: Raw, path: str) -> str | Media | Opaque:
    """A string, an object that holds nothing but a text or an image, or whatever else an object is."""
    if _is_string(raw):
        return take(_STRING, raw, path)
    fields = take(_FIELDS, raw, path)
    said = take(_DOCUMENT, raw, path)
    if len(fields) == 1 and said.text is not None:
        return said.text
    if len(fields) == 1 and said.image is not None:
        return _read_image(said.image, f"{path}.image")
    if not fields:
        raise RequestInvalid(
            f"`{path}` is an object with nothing in it.",
            param=path,
            hint='Send a string, {"text": ...} or {"image": ...}.',
        )
    return Opaque("fields", raw, DIALECT)


def _read_image(said: str, path: str) -> Media:
    """A URL, a data URL, or bare base64."""
    if "://" in said[:16] or said[:5].lower() == "data:":
        return read_url(said, path, "image")
    return Media(kind="image", data=check_base64(said, path))


def _is_string(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b'"'


def _is_text(raw: Raw, path: str) -> bool:
    """Whether it is a text, or an object of texts and numbers: an image, or vLLM's list of parts, has no bound."""
    if _is_string(raw):
        return True
    fields = take(_FIELDS, raw, path)
    return fields.keys().isdisjoint(_MEDIA) and bytes(fields.get("content", b""))[:1] != b"["
