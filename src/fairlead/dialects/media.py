"""Images, sounds and documents in a request: data URLs, base64, types.

It fetches nothing: what stands at a URL is nobody's business here.
"""

import binascii
import re

from fairlead.chat import Media, Modality
from fairlead.errors import RequestInvalid

_DATA_URL = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?P<parameters>(?:;[^;,]+)*?)(?P<base64>;base64)?,(?P<data>.*)\Z",
    re.DOTALL | re.IGNORECASE,
)


def read_url(url: str, path: str, kind: Modality | None = None, **rest: str | None) -> Media:
    """A medium named by a URL (`https:`, `gs:`, `s3:`, ...) or holding its own data (`data:...;base64,...`).

    `kind`: what it is for sure; else its type decides. Raises RequestInvalid where a data URL can't be read.
    """
    if url[:5].lower() != "data:":
        return Media(kind=kind or "document", url=url, **rest)  # type: ignore[arg-type]
    found = _DATA_URL.match(url)
    if found is None or not found["base64"]:
        raise RequestInvalid(
            f"`{path}`: a data URL must hold a type and base64 (`data:image/png;base64,...`).",
            param=path,
            hint="Encode the data as base64.",
        )
    media_type = (found["type"] or "").lower()
    check_base64(found["data"], path)
    return Media(kind=kind or kind_of(media_type), media_type=media_type, data=found["data"], **rest)  # type: ignore[arg-type]


def check_base64(data: str, path: str) -> str:
    """The same text. Raises RequestInvalid where it is not base64 (standard alphabet, padded, no line breaks)."""
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid(
            f"`{path}`: this is not base64: {str(error)[:1].lower()}{str(error)[1:]}.",
            param=path,
            hint="Encode the bytes with the standard alphabet and padding, without line breaks.",
        ) from None
    return data


def write_url(media: Media) -> str:
    """The URL where it stands, or a data URL. The medium must have one or the other."""
    if media.url is not None:
        return media.url
    return f"data:{media.media_type or 'application/octet-stream'};base64,{media.data or ''}"


def kind_of(media_type: str) -> Modality:
    """What a MIME type is the type of; whatever is no image, sound or film is a document."""
    match media_type.partition("/")[0]:
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
    return "document"
