"""What a file of results becomes: a score table, and what the file says of how the scores were made."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.errors import ResultsUnreadable
from fairlead.evals.results import ScoreTable

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


def digest(value: Any) -> str:
    """The same for the same JSON value, whatever the order of its keys; blank for none."""
    if value is None:
        return ""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:DIGEST]


def as_text(value: Any) -> str:
    """For people: text as it is, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
