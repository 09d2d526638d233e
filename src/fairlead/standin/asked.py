"""What is asked of a stand-in: from a path and a body to a request of the house, and the language that it came in.

Paths are those of the wire formats (`backends/formats.py`), below any base path. It plays nothing.
"""

import re
from collections.abc import Iterator
from types import ModuleType
from urllib.parse import unquote

from msgspec import Struct

from fairlead.backends.formats import FORMATS
from fairlead.backends.turns import PLAYED
from fairlead.chat import Request, Task
from fairlead.errors import EndpointUnsupported


class Place(Struct, frozen=True):
    """Where a task is asked in a language. `stream` is what the path says of it; None: the body says."""

    path: re.Pattern[str]
    language: ModuleType
    stream_type: str
    task: Task
    stream: bool | None


class Said(Struct, frozen=True):
    """A request, and how it is answered."""

    place: Place
    request: Request


def _places() -> Iterator[Place]:
    for kind in FORMATS.values():
        streams_elsewhere = bool(kind.stream_paths)
        for paths, stream in ((kind.stream_paths, True), (kind.paths, False if streams_elsewhere else None)):
            for task, path in paths.items():
                if task in PLAYED:
                    pattern = re.escape(path.partition("?")[0]).replace(re.escape("{model}"), "(?P<model>.+)")
                    yield Place(re.compile(f".*{pattern}"), kind.language, kind.stream_type, task, stream)  # type: ignore[arg-type]


PLACES = tuple(sorted(_places(), key=lambda place: -len(place.path.pattern)))  # /chat/completions before /completions


def find_place(path: str) -> Place:
    """Raises EndpointUnsupported."""
    found = next((place for place in PLACES if place.path.fullmatch(path)), None)
    if found is None:
        raise EndpointUnsupported(f"{path[:200]} is played by no script", hint="its paths are those of a chat")
    return found


def read(place: Place, path: str, body: bytes) -> Said:
    """Raises RequestInvalid."""
    named = place.path.fullmatch(path)
    model = unquote(named["model"]) if named is not None and "model" in named.groupdict() else None
    if place.task == "count":
        request = place.language.read_count_request(body, **({"route": model} if model else {}))
    else:
        request = place.language.read_request(place.task, body, route=model, stream=place.stream)
    return Said(place, request)
