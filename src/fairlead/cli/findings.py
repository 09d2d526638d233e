"""What a check found. Who checks what is not known here."""

from typing import Literal

from msgspec import Struct

Level = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True):
    """`fail` would keep it from serving; `warn` would not, but look at it."""

    level: Level
    what: str
    found: str
    hint: str = ""
