"""The smallest values that fit JSON schemas, for the schemas that clients make of simple classes and functions."""

from typing import Any

import msgspec


def fill(schema: Any, name: str) -> Any:
    """A value of that schema; every string in it is `name`, every number 7."""
    return _filled(schema, name, schema.get("$defs", {}))


def _filled(schema: Any, name: str, defs: Any) -> Any:
    if "$ref" in schema:
        return _filled(defs[schema["$ref"].rpartition("/")[2]], name, defs)
    if "anyOf" in schema:
        return _filled(schema["anyOf"][0], name, defs)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            return {field: _filled(inner, name, defs) for field, inner in schema.get("properties", {}).items()}
        case "array":
            return [_filled(schema.get("items", {}), name, defs)]
        case "integer" | "number":
            return 7
        case "boolean":
            return True
    return name


def canonical(text: str) -> str:
    """The same JSON, however it was spaced and ordered."""
    return msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
