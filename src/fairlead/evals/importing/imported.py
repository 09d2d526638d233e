"""What a file of results becomes: a score table, and what the file says of how the scores were made."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

import msgspec
from msgspec import Struct

from fairlead.errors import ResultsUnreadable
from fairlead.evals.results import ScoreTable

T = TypeVar("T")
WHOLE = "Is the file whole? Copy or download it once more."
MOST = 1e300  # beyond it nothing is a score
DIGEST = 16  # characters of a hash that names a content


class Imported(Struct, frozen=True, eq=False):
    """`format` is the name of the format, `facts` are words of the file about itself, `primary` the metric that the
    file puts first, `notes` what a reader should know."""

    table: ScoreTable
    format: str
    primary: str
    facts: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()


def unreadable(source: str, problem: str, hint: str = "") -> ResultsUnreadable:
    """A file that is not what it should be."""
    return ResultsUnreadable(f"{source}: {problem}", hint=hint, file=source)


def decoded(data: bytes | str, kind: type[T], where: str, problem: str, hint: str = "") -> T:
    """JSON as `kind`; also with NaN, Infinity and halves of characters, which Python's and JavaScript's tools write and
    JSON has not. Raises ResultsUnreadable, with the problem and what is wrong in particular."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(where, f"{problem}: {error}", hint) from error
    except msgspec.DecodeError as error:
        found = error
    try:
        return msgspec.convert(_whole(json.loads(data)), kind)
    except msgspec.ValidationError as error:
        raise unreadable(where, f"{problem}: {error}", hint) from error
    except (ValueError, RecursionError):
        raise unreadable(where, f"{problem}: {found}", hint or WHOLE) from found


def _whole(value: Any) -> Any:
    """Without halves of characters (surrogates), which nothing can be done with."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(of) for name, of in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value


def keys(data: bytes | str) -> frozenset[str]:
    """Those of a JSON object, or of the first one of a list; none of anything else."""
    kind: Any = dict[str, msgspec.Raw] | list[msgspec.Raw]
    try:
        found = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kind = dict[str, Any] | list[dict[str, Any]]
        try:
            found = decoded(data, kind, "", "")
        except ResultsUnreadable:
            return frozenset()
    if isinstance(found, dict):
        return frozenset(found)
    first = found[0] if found else {}
    if not isinstance(first, msgspec.Raw):
        return frozenset(first)
    return keys(bytes(first)) if bytes(first).startswith(b"{") else frozenset()


def digest(value: Any) -> str:
    """The same for the same JSON value, whatever the order of its keys; blank for none."""
    if value is None:
        return ""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:DIGEST]


def is_score(value: Any) -> TypeGuard[float]:
    """A number, or NaN; not one so large that it can only be a mistake."""
    return isinstance(value, bool | int | float) and not abs(value) > MOST


def as_text(value: Any) -> str:
    """For people: text as it is, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
