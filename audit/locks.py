"""Lock files as they are: names, versions, hashes; which of them count on this machine."""

import itertools
import re
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_LINE = re.compile(r"^([A-Za-z0-9][^\\#]*==[^\\#]*)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Pin(NamedTuple):
    name: str  # as PyPI writes it
    version: str
    hashes: tuple[str, ...]  # SHA-256 of each of its files
    is_for_here: bool  # for this system and this Python


def read(lock: Path) -> list[Pin]:
    """Raises ValueError for a line that pins nothing."""
    text = lock.read_text(encoding="utf-8")
    starts = [found.start() for found in _LINE.finditer(text)] + [len(text)]
    return [_pin(text[start:end]) for start, end in itertools.pairwise(starts)]


def _pin(entry: str) -> Pin:
    found = _LINE.match(entry)
    if found is None:
        raise ValueError(f"no pin: {entry[:80]!r}")
    wanted = Requirement(found[1].strip())
    version = str(wanted.specifier).removeprefix("==")
    here = wanted.marker is None or wanted.marker.evaluate()
    return Pin(canonicalize_name(wanted.name), version, tuple(_HASH.findall(entry)), here)
