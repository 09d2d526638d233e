"""Gemini's language: its own schemas (a part of OpenAPI's) <-> JSON schemas.

Inwards everything has a word. Outwards only targets of old need it (quirk `schema = "openapi"`): current ones take a
JSON schema as it stands. It knows nothing of where a schema comes from.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.dialects.gemini.names import camel
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import malformed, raw_json

_TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_NAMED = {"ref": "$ref", "defs": "$defs"}
_ANY = msgspec.json.Decoder()


# --- inwards ---------------------------------------------------------------------------------------------------------


def read_schema(raw: Raw, path: str) -> Raw:
    """A schema of Gemini's as a JSON schema; what is one already stays one. Raises RequestInvalid for broken JSON.

    | there | here |
    |---|---|
    | `type: "OBJECT"` | `type: "object"` |
    | `nullable: true` | `null` among types, alternatives and values |
    | `example` | `examples` |
    | `propertyOrdering` | the order of `properties` |
    | `format: "enum"` | said by `enum` itself |
    | `minItems: "3"` | `minItems: 3` |
    """
    try:
        return raw_json(_inwards(_ANY.decode(raw)))
    except RecursionError as error:
        raise malformed(error, path) from None


def _inwards(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    said = {camel(name) if "_" in name else name: value for name, value in schema.items()}
    made: dict[str, Any] = {}
    for name, value in said.items():
        if name in ("nullable", "propertyOrdering") or (value is None and name != "default"):
            continue
        _read_keyword(made, name, value)
    order = said.get("propertyOrdering")
    if isinstance(order, list) and isinstance(made.get("properties"), dict):
        made["properties"] = _ordered(made["properties"], order)
    if said.get("nullable") is True:
        _allow_null(made)
    return made


def _read_keyword(made: dict[str, Any], name: str, value: Any) -> None:
    match name:
        case "type" if isinstance(value, str) and value.upper() in _TYPES:
            made["type"] = value.lower()
        case "type" if value == "TYPE_UNSPECIFIED":
            pass
        case "format" if value == "enum":
            pass
        case "example":
            made["examples"] = [value]
        case "properties" | "defs" | "$defs" if isinstance(value, dict):
            made[_NAMED.get(name, name)] = {key: _inwards(inner) for key, inner in value.items()}
        case "items" | "additionalProperties":
            made[name] = _inwards(value)
        case "anyOf" | "oneOf" | "allOf" | "prefixItems" if isinstance(value, list):
            made[name] = [_inwards(inner) for inner in value]
        case _ if name in _COUNTS and isinstance(value, str) and value.isdecimal():
            made[name] = int(value)
        case _:
            made[_NAMED.get(name, name)] = value


def _ordered(properties: dict[str, Any], order: list[Any]) -> dict[str, Any]:
    first = [name for name in dict.fromkeys(order) if isinstance(name, str) and name in properties]
    return {name: properties[name] for name in dict.fromkeys([*first, *properties])}


def _allow_null(schema: dict[str, Any]) -> None:
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
    if isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]


# --- outwards --------------------------------------------------------------------------------------------------------

_KEPT = frozenset({
    "title", "description", "default", "format", "pattern", "minimum", "maximum", "required", "propertyOrdering",
    *_COUNTS,
})  # fmt: skip
# What says nothing about what is valid, or is said otherwise here.
_IDLE = frozenset({"$schema", "$id", "$defs", "definitions", "$comment", "type", "nullable", "enum", "examples"})
_DEEPEST = 32
_MOST_PARTS = 5_000  # that a schema may come to, once references are followed

Lose = Callable[[str, str], None]


def write_schema(raw: Raw, path: str, losses: Losses) -> Any:
    """A JSON schema as one of Gemini's. Definitions are put where they are referred to.

    A closed object (`additionalProperties: false`) needs no word: answers have only the properties that are named.
    What has no word is lost (`losses`) at `path` and below.
    """
    try:
        schema = _ANY.decode(raw)
        if not isinstance(schema, dict):
            return {"type": "OBJECT"}
        definitions = {**_table(schema, "definitions"), **_table(schema, "$defs")}
        return _Writing(definitions, losses, path).write(schema, path, 0)
    except RecursionError as error:
        raise malformed(error, path) from None


def _table(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found = schema.get(name)
    return found if isinstance(found, dict) else {}


class _Writing:
    """One schema on its way out, with the definitions that it refers to.

    Two references of a schema to itself would double at every level: so its parts are counted, and where it is cut off
    that is told once, by the path of the whole.
    """

    def __init__(self, definitions: dict[str, Any], losses: Losses, root: str) -> None:
        self._definitions = definitions
        self._lose = losses.lose
        self._root = root
        self._parts = 0

    def write(self, schema: Any, path: str, depth: int) -> dict[str, Any]:
        if not isinstance(schema, dict):  # true: anything goes
            return {}
        self._parts += 1
        if self._parts > _MOST_PARTS:
            self._lose(f"{self._root}.$ref", f"a schema of more than {_MOST_PARTS:,} parts")
            return {}
        schema = self._resolved(schema, path, depth)
        if schema is None:
            return {}
        made: dict[str, Any] = {name: value for name, value in schema.items() if name in _KEPT}
        self._write_type(made, schema, path, depth)
        if isinstance(schema.get("enum"), list):
            self._write_enum(made, schema["enum"], path)
        elif "const" in schema:
            self._write_enum(made, [schema["const"]], path)
        if isinstance(schema.get("examples"), list) and schema["examples"]:
            made["example"] = schema["examples"][0]
        if isinstance(schema.get("properties"), dict):
            made["properties"] = {
                name: self.write(inner, f"{path}.properties.{name}", depth + 1)
                for name, inner in schema["properties"].items()
            }
        if "items" in schema:
            made["items"] = self.write(schema["items"], f"{path}.items", depth + 1)
        self._write_alternatives(made, schema, path, depth)
        self._write_rest(schema, path)
        return made

    def _resolved(self, schema: dict[str, Any], path: str, depth: int) -> dict[str, Any] | None:
        """Without references, and with the one schema of an `allOf` put in its place."""
        for _ in range(_DEEPEST):
            if isinstance(reference := schema.get("$ref"), str):
                found = self._definitions.get(reference.rpartition("/")[2])
                if not isinstance(found, dict):
                    self._lose(f"{path}.$ref", "this reference")
                    return None
                if depth > _DEEPEST:
                    break
                schema = {**found, **{name: value for name, value in schema.items() if name != "$ref"}}
            elif isinstance(parts := schema.get("allOf"), list) and len(parts) == 1 and isinstance(parts[0], dict):
                schema = {**parts[0], **{name: value for name, value in schema.items() if name != "allOf"}}
            else:
                return schema
        self._lose(f"{self._root}.$ref", "a schema that contains itself")
        return None

    def _write_type(self, made: dict[str, Any], schema: dict[str, Any], path: str, depth: int) -> None:
        said = schema.get("type")
        kinds = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        if ("null" in kinds and len(kinds) > 1) or schema.get("nullable") is True:
            made["nullable"] = True
            kinds = [kind for kind in kinds if kind != "null"]
        if len(kinds) == 1:
            made["type"] = str(kinds[0]).upper()
        elif kinds:
            made["anyOf"] = [{"type": str(kind).upper()} for kind in kinds]

    def _write_enum(self, made: dict[str, Any], values: list[Any], path: str) -> None:
        """Only strings can be listed here."""
        if None in values:
            made["nullable"] = True
            values = [value for value in values if value is not None]
        if all(isinstance(value, str) for value in values):
            made.setdefault("type", "STRING")
            made["enum"] = values
        else:
            self._lose(f"{path}.enum", "a list of values that are not strings")

    def _write_alternatives(self, made: dict[str, Any], schema: dict[str, Any], path: str, depth: int) -> None:
        for name in ("anyOf", "oneOf"):
            found = schema.get(name)
            if not isinstance(found, list):
                continue
            kept = [inner for inner in found if inner != {"type": "null"}]
            if len(kept) < len(found):
                made["nullable"] = True
            written = [self.write(inner, f"{path}.{name}[{place}]", depth + 1) for place, inner in enumerate(kept)]
            if len(written) == 1:
                made.update({key: value for key, value in written[0].items() if key not in made})
            else:
                made["anyOf"] = written

    def _write_rest(self, schema: dict[str, Any], path: str) -> None:
        for name, value in schema.items():
            if name in _KEPT or name in _IDLE or name in ("const", "properties", "items", "anyOf", "oneOf"):
                continue
            if name == "additionalProperties" and value is False:
                continue
            self._lose(f"{path}.{name}", "this keyword of a schema")
