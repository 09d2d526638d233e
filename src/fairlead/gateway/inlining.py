"""Media that a request names by URL are fetched and put into it as data, for targets that take no URLs.

Only on routes that say so and only what `policies/media.py` has let through; how a fetch is kept on the public internet
is `wire/fetching.py`. What comes must be of the kind that it was said to be: its first bytes decide, not the server's
word.
"""

import asyncio
import base64

from msgspec.structs import replace

from fairlead.chat import Chat, Media, Modality, Request, Rerank
from fairlead.dialects.media import kind_of
from fairlead.errors import RequestInvalid, TargetError
from fairlead.gateway.call import Call, Fetch, MediaRules
from fairlead.gateway.policies.media import CHATS, MODALITIES, is_bucket, parts
from fairlead.wire.fetching import Fetched
from fairlead.wire.public import NotPublic, read

MOST_URLS = 20
AT_ONCE = 4
HINT = "Send the data as base64."

# The first bytes of what models take, and where in it they stand.
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
)


async def inlined(call: Call, fetch: Fetch | None) -> Call:
    """The same call where its route wants no URLs in it; else one whose media are data. Raises RequestInvalid
    (`media_not_fetched`)."""
    rules, request = call.route.media, call.request
    if rules.urls != "inline" or request.needs.isdisjoint(MODALITIES):
        return call
    wanted = {part.url: part for part in parts(request) if isinstance(part, Media) and _is_remote(part)}
    if not wanted:
        return call
    if fetch is None or len(wanted) > MOST_URLS:
        raise _failed(f"{len(wanted)} of them are more than are fetched for one request")
    if call.route.total_s < rules.total_s:
        rules = replace(rules, total_s=call.route.total_s)
    found = await _fetch_all(wanted, fetch, rules)
    return replace(call, request=_with(request, found))


def _is_remote(part: Media) -> bool:
    return part.url is not None and not is_bucket(part.url)


async def _fetch_all(wanted: dict[str | None, Media], fetch: Fetch, rules: MediaRules) -> dict[str, Media]:
    """By URL. All or none: the first that fails ends the others."""
    room = asyncio.Semaphore(AT_ONCE)
    found: dict[str, Media] = {}

    async def one(media: Media) -> None:
        async with room:
            found[media.url or ""] = await _fetched(media, fetch, rules)

    try:
        async with asyncio.timeout(rules.total_s), asyncio.TaskGroup() as group:
            for media in wanted.values():
                group.create_task(one(media))
    except TimeoutError:
        raise _failed(f"they were not all there within {rules.total_s:g} s") from None
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return found


async def _fetched(media: Media, fetch: Fetch, rules: MediaRules) -> Media:
    try:
        came = await fetch.fetch(read(media.url or ""), max_bytes=rules.max_bytes, total_s=rules.total_s)
    except (NotPublic, TargetError) as error:
        raise _failed(str(error)) from None
    media_type = type_of(came)
    if not media_type or not _is_kind(media.kind, media_type):
        raise _failed(f"what stands at {read(media.url or '').host} is no {media.kind}")
    return replace(media, url=None, data=base64.b64encode(came.data).decode(), media_type=media_type)


def type_of(came: Fetched) -> str:
    """By its first bytes; where those tell nothing, the type that the server gave, if it is text. "": unknown."""
    for at, mark, media_type in _MARKS:
        if came.data.startswith(mark, at):
            return media_type
    if came.media_type.startswith("text/") or came.media_type in {"application/json", "application/xml"}:
        return came.media_type
    return ""


def _is_kind(kind: Modality, media_type: str) -> bool:
    """An image may come where a document is wanted (a scan); nothing else is what it is not."""
    found = kind_of(media_type)
    return found == kind or (kind == "document" and found == "image")


def _with(request: Request, found: dict[str, Media]) -> Request:
    """The request in the house language, its media replaced; it is no longer as it was said."""

    def put(part: object) -> object:
        if not (isinstance(part, Media) and part.url in found):
            return part
        return replace(found[part.url], detail=part.detail, name=part.name, cache=part.cache)

    said: Chat | Rerank
    if request.task in CHATS:
        chat = request.chat()
        messages = tuple(replace(one, parts=tuple(map(put, one.parts))) for one in chat.messages)
        said = replace(chat, messages=messages)
    else:
        rerank = request.rerank()
        said = replace(rerank, query=put(rerank.query), documents=tuple(map(put, rerank.documents)))
    added = sum(len(media.data or "") for media in found.values())
    return replace(request, spoken=None, read=lambda: said, input_bytes=request.input_bytes + added)


def _failed(why: str) -> RequestInvalid:
    return RequestInvalid(
        f"an image or another medium could not be fetched: {why}", hint=HINT, code="media_not_fetched"
    )
