"""Changes to a body that leave it readable: most random bytes are no JSON, and no parser gets far with those.

A JSON value is changed in one or two places; of a stream, one event, or their order. It knows no language.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

NEST = 2000  # deeper than any reader should follow
_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, 1e308, 2**31, 2**63, 2**70, -(2**70), "", " ", "a", "\u0000", "\ud83d\ude00",
    "data:;base64,", "data:a/b;base64,AA=", "~fairlead:x:y", '~fairlead:x/call:["a","b"]', "https://e.com/a.png",
    "AAAA", "system", "assistant", "tool", "stop", "tool_use", "end_turn", [], {}, [[]], [{}], [None], {"": None},
    {"type": None}, {"text": 1}, "x" * 300,
)  # fmt: skip
_BLOCK = re.compile(rb"(\r?\n\r?\n)")
_DATA = re.compile(rb"^data: ?(.*)$", re.MULTILINE)

Where = tuple[Any, Any]  # a container, and a key or an index of it


def changed(body: bytes, seed: int) -> bytes | None:
    """The body with something else in it, None where it is neither JSON nor a stream of it."""
    chance = random.Random(seed)
    if b"data:" in body and b"\n\n" in body:
        return _stream(body, chance)
    return _json(body, chance)


def _json(body: bytes, chance: random.Random) -> bytes | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for _ in range(chance.choice((1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            return json.dumps(chance.choice(_ODD)).encode()
        container, key = chance.choice(places)
        chance.choice(_CHANGES)(container, key, places, chance)
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.02:
        text = text.replace("null", "[" * NEST + "]" * NEST, 1)
    return text.encode("utf-8", "surrogatepass")


def _places(value: Any, depth: int = 0) -> Iterator[Where]:
    if depth > 40:
        return
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        yield value, key
        yield from _places(inner, depth + 1)


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _odd(container: Any, key: Any, places: list[Where], chance: random.Random) -> None:
    container[key] = _copied(chance.choice(_ODD))


def _gone(container: Any, key: Any, places: list[Where], chance: random.Random) -> None:
    del container[key]


def _other(container: Any, key: Any, places: list[Where], chance: random.Random) -> None:
    """What stands elsewhere."""
    there, where = chance.choice(places)
    container[key] = _copied(there[where])


def _twice(container: Any, key: Any, places: list[Where], chance: random.Random) -> None:
    if isinstance(container, list):
        container.insert(key, _copied(container[key]))
    else:
        names = [name for _, name in places if isinstance(name, str)]
        container[chance.choice(names)] = _copied(container[key])


def _wrapped(container: Any, key: Any, places: list[Where], chance: random.Random) -> None:
    inner = _copied(container[key])
    container[key] = [inner] if chance.random() < 0.5 else {"type": inner, "a": inner}


def _flipped(container: Any, key: Any, places: list[Where], chance: random.Random) -> None:
    """One letter of a text, or another spelling of a name."""
    value = container[key]
    if isinstance(value, str) and value:
        at = chance.randrange(len(value))
        container[key] = value[:at] + chance.choice(("", "~", ":", '"', "é", "\x00", value)) + value[at + 1 :]
    elif isinstance(container, dict):
        container[re.sub("([A-Z])", lambda found: "_" + found[1].lower(), key)] = container.pop(key)


_CHANGES: tuple[Callable[[Any, Any, list[Where], random.Random], None], ...] = (
    _odd, _odd, _gone, _other, _twice, _wrapped, _flipped,
)  # fmt: skip


def _stream(body: bytes, chance: random.Random) -> bytes | None:
    events = _BLOCK.split(body)
    blocks = [b"".join(events[at : at + 2]) for at in range(0, len(events), 2)]
    blocks = [block for block in blocks if block]
    at = chance.randrange(len(blocks))
    match chance.randrange(6):
        case 0:
            del blocks[at]
        case 1:
            blocks.insert(chance.randrange(len(blocks) + 1), blocks[at])
        case 2:
            del blocks[at:]
        case _:
            found = _DATA.search(blocks[at])
            data = None if found is None else _json(found[1], chance)
            if found is None or data is None:
                return None
            blocks[at] = blocks[at][: found.start(1)] + data + blocks[at][found.end(1) :]
    return b"".join(blocks)
