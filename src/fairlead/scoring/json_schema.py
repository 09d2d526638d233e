"""Whether a text is JSON, and valid under a JSON schema (draft 2020-12, or the draft that its `$schema` names).

Schemas come from strangers, so nothing in one may make this process fetch, hang or fall over:

| what a schema could do | what is done |
|---|---|
| name something outside of itself (`$ref` to a URL or a file) | never fetched: the schema is refused |
| be huge or nested without end | `MAX_BYTES`, and the validator's own bound of 255 levels |
| double with every `$ref`, so that checking takes 2^n steps | what it spreads to is counted first: `MAX_SPREAD` |
| hold a regular expression that backtracks without end | linear engine; with look-around, at most `MAX_BACKTRACKS` |
| hold one that is compiled into gigabytes | `MAX_REGEX_BYTES` |
| lead back to itself without going deeper (`{"$ref": "#"}`) | refused |
| lead back to itself within the value, twice at each level | the validator remembers what it has seen |

To count, references must be read as the validator reads them, so only those within the document are taken:
`#` and `#/...`; a nested `$id`, anchors and dynamic references are refused. `format` is an annotation, not checked.
It knows no model and no request.
"""

import graphlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    import jsonschema_rs

MAX_BYTES = 256 * 1024
MAX_SPREAD = 20_000  # subschemas, each counted as often as it is led to
MAX_BACKTRACKS = 10_000
MAX_REGEX_BYTES = 1 << 20
KEPT = 128  # compiled schemas
LONGEST_PROBLEM = 500
DEEPEST_TOLD = 50  # levels of a value

_IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_IN_PLACE = ("not", "if", "then", "else")
_LISTS = ("prefixItems", "items")
_ONES = (
    "additionalProperties",
    "additionalItems",
    "items",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_MAPS = ("properties", "patternProperties")
_FOREIGN = ("$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_WHY = re.compile(r"\s+")


class SchemaInvalid(ValueError):
    """The schema itself can't be used. `where` is the path in it, "" for its top."""

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where


class Problem(Struct, frozen=True):
    """Why a text is not valid: the rule (a keyword of the schema, or `json`), where in the schema it stands, and the
    same in words, which may hold parts of the text: those go to the model and to nobody else."""

    rule: str
    where: str
    words: str


class Schema:
    """A compiled schema. `check` may be asked as often as one likes."""

    __slots__ = ("_document", "_loops", "_validator")

    def __init__(self, document: Any, validator: "jsonschema_rs.Validator", *, loops: bool) -> None:
        self._document = document
        self._validator = validator
        self._loops = loops

    def check(self, text: str) -> Problem | None:
        """None: the whole text is one JSON value, and valid."""
        try:
            value = msgspec.json.decode(text)
        except _UNREADABLE as error:
            return _no_json(error)
        return None if self._validator.is_valid(value) else self._problem(value)

    def _problem(self, value: Any) -> Problem:
        """To say what is wrong all ways through the schema are gone, so of one that leads back to itself it is only
        said where there are few."""
        if self._loops:
            depth = _depth(value)
            if depth > DEEPEST_TOLD or _Spread(self._document).count(depth) > MAX_SPREAD:
                return Problem("schema", "", "The value is not valid under the schema.")
        try:
            self._validator.validate(value)
        except ValueError as error:  # ValidationError is one
            return _told(error)
        return Problem("schema", "", "The value is not valid under the schema.")


def check_json(text: str) -> Problem | None:
    """The same where any JSON will do."""
    try:
        msgspec.json.decode(text)
    except _UNREADABLE as error:
        return _no_json(error)
    return None


@lru_cache(maxsize=KEPT)
def compiled(schema: bytes) -> Schema:
    """A JSON schema, ready to check with; the last ones are kept. Raises SchemaInvalid."""
    import jsonschema_rs  # 40 ms, and most processes never see a schema

    if len(schema) > MAX_BYTES:
        raise SchemaInvalid(f"it has {len(schema):,} bytes, more than {MAX_BYTES:,}")
    try:
        document = msgspec.json.decode(schema)
    except _UNREADABLE as error:
        raise SchemaInvalid(f"it is no JSON: {error}") from None
    if not isinstance(document, dict | bool):
        raise SchemaInvalid("it must be an object")
    spread = _Spread(document)
    if spread.count() > MAX_SPREAD:
        raise SchemaInvalid(f"its references spread to more than {MAX_SPREAD:,} subschemas")
    if spread.goes_round():
        raise SchemaInvalid("a `$ref` leads back to itself without going deeper into the value")
    try:
        validator = jsonschema_rs.validator_for(
            document,
            validate_formats=False,
            offline=True,
            pattern_options=jsonschema_rs.FancyRegexOptions(
                backtrack_limit=MAX_BACKTRACKS, size_limit=MAX_REGEX_BYTES, dfa_size_limit=MAX_REGEX_BYTES
            ),
        )
    except ValueError as error:
        problem = _told(error)
        where = ".".join(str(step) for step in getattr(error, "instance_path", ()))
        raise SchemaInvalid(problem.words, where) from None
    return Schema(document, validator, loops=spread.loops)


class _Spread:
    """Counts the subschemas that checking one value may lead to. `loops`: a reference led back to where it was."""

    def __init__(self, document: Any) -> None:
        self.loops = False
        self._document = document
        self._counted: dict[tuple[int, int], int] = {}
        self._open: set[tuple[int, int]] = set()
        self._beside: dict[int, list[int]] = {}  # which subschemas a value is handed on to as it is

    def count(self, levels: int = -1) -> int:
        """For a value of so many levels. -1: each reference is followed until it leads back."""
        try:
            return self._count(self._document, levels, "")
        except RecursionError:
            raise SchemaInvalid("it is nested too deeply") from None

    def goes_round(self) -> bool:
        """After counting: whether a value is handed on in a circle."""
        try:
            graphlib.TopologicalSorter(self._beside).prepare()
        except graphlib.CycleError:
            return True
        return False

    def _count(self, schema: Any, levels: int, where: str) -> int:
        if not isinstance(schema, dict):
            return 1
        at = (id(schema), levels)
        if at in self._open:
            self.loops = True
            return 1
        if (known := self._counted.get(at)) is not None:
            return known
        self._open.add(at)
        total = 1
        for step, below, deeper in self._below(schema, where):
            if deeper and levels == 0:
                continue
            if not deeper:
                self._beside.setdefault(id(schema), []).append(id(below))
            total += self._count(below, levels - 1 if deeper and levels > 0 else levels, step)
            if total > MAX_SPREAD:
                break
        self._open.discard(at)
        self._counted[at] = total
        return total

    def _below(self, schema: dict[str, Any], where: str) -> Iterator[tuple[str, Any, bool]]:
        """(path, subschema, whether it is applied to what lies within the value instead of to the value itself)."""
        for name in _FOREIGN:
            if name in schema:
                raise SchemaInvalid(f"`{name}` can't be used here: refer to `#/$defs/NAME`", where)
        if where and "$id" in schema:
            raise SchemaInvalid("a nested `$id` can't be used here: refer to `#/$defs/NAME`", where)
        if "$ref" in schema:
            yield f"{where}.$ref", self._referred(schema["$ref"], where), False
        for name in _IN_PLACE_LISTS:
            for position, below in enumerate(_list(schema.get(name))):
                yield f"{where}.{name}[{position}]", below, False
        for name in _IN_PLACE:
            if name in schema:
                yield f"{where}.{name}", schema[name], False
        for name in ("dependentSchemas", "dependencies"):
            for key, below in _map(schema.get(name)).items():
                yield f"{where}.{name}.{key}", below, False
        for name in _LISTS:
            for position, below in enumerate(_list(schema.get(name))):
                yield f"{where}.{name}[{position}]", below, True
        for name in _ONES:
            if isinstance(schema.get(name), dict):
                yield f"{where}.{name}", schema[name], True
        for name in _MAPS:
            for key, below in _map(schema.get(name)).items():
                yield f"{where}.{name}.{key}", below, True

    def _referred(self, reference: Any, where: str) -> Any:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise SchemaInvalid("`$ref` may only refer to the schema itself: `#` or `#/...`", where)
        found = self._document
        for step in unquote(reference[2:]).split("/") if len(reference) > 1 else ():
            step = step.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(step)] if isinstance(found, list) else found[step]
            except (KeyError, IndexError, ValueError, TypeError):
                raise SchemaInvalid(f"`$ref`: there is no {reference[:100]!r}", where) from None
        return found


def _depth(value: Any) -> int:
    """How many levels lie within it."""
    levels, row = 0, [value]
    while row := [
        below
        for one in row
        if isinstance(one, dict | list)
        for below in (one.values() if isinstance(one, dict) else one)
    ]:
        levels += 1
    return levels


def _no_json(error: Exception) -> Problem:
    what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Problem("json", "", f"The answer is not one JSON value: {what}.")


def _told(error: ValueError) -> Problem:
    """What the validator says of the first thing that it found wrong."""
    message = getattr(error, "message", str(error))
    path = [str(step) for step in getattr(error, "schema_path", ())]
    at = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in getattr(error, "instance_path", ()))
    words = _WHY.sub(" ", f"At `${at}`: {message}")
    if len(words) > LONGEST_PROBLEM:
        words = f"{words[:LONGEST_PROBLEM]}…"
    return Problem(path[-1] if path else "schema", ".".join(path), words)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
