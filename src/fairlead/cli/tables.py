"""Plain values as TOML, for people to read. What the values mean is not known here."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def written(tables: Mapping[str, Any]) -> str:
    """TOML. None is left out, as TOML has no word for it."""
    return "\n".join(_lines(tables, ())).strip("\n")


def inline(table: Mapping[str, Any]) -> str:
    """The same in one line, without braces."""
    return ", ".join(f"{_key(name)} = {_value(item)}" for name, item in table.items() if item is not None)


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {name: value for name, value in table.items() if not _is_section(value, path)}
    if path and (plain or not table):
        yield ""
        yield f"[{'.'.join(map(_key, path))}]"
    for name, value in plain.items():
        if value is not None:
            yield f"{_key(name)} = {_value(value)}"
    for name, value in table.items():
        if _is_section(value, path):
            yield from _lines(value, (*path, name))


def _is_section(value: Any, path: tuple[str, ...]) -> bool:
    """Sections and named sections are written below each other; what is deeper stands in one line."""
    return isinstance(value, Mapping) and len(path) < 2 and bool(value)


def _key(name: str) -> str:
    return name if BARE.match(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = inline(value)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)
