"""Rows of the books as a test wants them: it says what matters to it, everything else is empty."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

T = TypeVar("T")
EMPTY = {str: "", int: 0, bool: False, tuple[str, ...]: (), Mapping[str, int]: {}}


def row(kind: type[T], **said: object) -> T:
    """What is not said is empty, or None where that may be."""
    fields = {field.name: EMPTY.get(field.type) for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    return kind(**{**fields, **said})
