"""Gemini's language: its own schemas and JSON schemas."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Raw, json

from fairlead.dialects.gemini.schema import read_schema, write_schema
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid


def inwards(schema: Any) -> Any:
    return json.decode(read_schema(Raw(json.encode(schema)), "p"))


def outwards(schema: Any, losses: Losses | None = None) -> Any:
    return write_schema(Raw(json.encode(schema)), "p", losses or Losses("Gemini's API"))


def test_every_word_of_its_own_has_one_in_json_schema():
    assert inwards(
        {
            "type": "OBJECT",
            "property_ordering": ["b", "a"],
            "properties": {
                "a": {"type": "STRING", "nullable": True, "enum": ["x"], "format": "enum"},
                "b": {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int32"}, "minItems": "2"},
                "c": {"any_of": [{"type": "NUMBER"}, {"type": "BOOLEAN"}], "nullable": True, "example": 1},
            },
            "required": ["a"],
        }
    ) == {
        "type": "object",
        "properties": {
            "b": {"type": "array", "items": {"type": "integer", "format": "int32"}, "minItems": 2},
            "a": {"type": ["string", "null"], "enum": ["x", None]},
            "c": {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "null"}], "examples": [1]},
        },
        "required": ["a"],
    }


def test_the_order_of_properties_is_kept():
    said = inwards({"properties": {"a": {}, "b": {}, "c": {}}, "propertyOrdering": ["c", "a", "unheard of"]})
    assert list(said["properties"]) == ["c", "a", "b"]


def test_a_json_schema_stays_one():
    schema = {
        "$defs": {"n": {"type": "string"}},
        "properties": {"type": {"$ref": "#/$defs/n"}},
        "additionalProperties": False,
    }
    assert inwards(schema) == schema


def test_references_are_put_in_their_places():
    schema = {
        "$defs": {"name": {"type": "string", "minLength": 1}},
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/name", "description": "who"}, "b": {"allOf": [{"$ref": "#/$defs/name"}]}},
        "additionalProperties": False,
    }
    assert outwards(schema) == {
        "type": "OBJECT",
        "properties": {
            "a": {"type": "STRING", "minLength": 1, "description": "who"},
            "b": {"type": "STRING", "minLength": 1},
        },
    }


def test_null_is_a_flag():
    assert outwards({"type": ["string", "null"]}) == {"type": "STRING", "nullable": True}
    assert outwards({"anyOf": [{"type": "integer"}, {"type": "null"}]}) == {"type": "INTEGER", "nullable": True}
    assert outwards({"enum": ["a", None]}) == {"type": "STRING", "enum": ["a"], "nullable": True}


def test_a_constant_is_a_list_of_one():
    assert outwards({"const": "a"}) == {"type": "STRING", "enum": ["a"]}


def test_several_types_are_alternatives():
    assert outwards({"type": ["string", "integer"]}) == {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"additionalProperties": {"type": "string"}}, "p.additionalProperties"),
        ({"properties": {"a": {"exclusiveMinimum": 1}}}, "p.properties.a.exclusiveMinimum"),
        ({"items": {"enum": [1, 2]}}, "p.items.enum"),
        ({"anyOf": [{"not": {}}, {"type": "string"}]}, "p.anyOf[0].not"),
        ({"$ref": "#/$defs/unheard"}, "p.$ref"),
        ({"allOf": [{}, {}]}, "p.allOf"),
    ],
)
def test_what_has_no_word_is_refused_or_lost(schema: Any, path: str):
    with pytest.raises(RequestInvalid) as caught:
        outwards(schema)
    assert caught.value.param == path
    losses = Losses("Gemini's API", lossy=True)
    outwards(schema, losses)
    assert losses.told == (path,)


def test_a_schema_that_contains_itself_is_cut():
    losses = Losses("Gemini's API", lossy=True)
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    assert outwards({"$defs": {"node": node}, "$ref": "#/$defs/node"}, losses)["type"] == "OBJECT"
    assert len(losses.told) == 1
    assert losses.told[0].endswith(".$ref")


_schemas = some.recursive(
    some.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": ["string", "null"]}, {"type": "boolean"}]),
    lambda inner: some.one_of(
        inner.map(lambda items: {"type": "array", "items": items}),
        some.dictionaries(some.sampled_from("abc"), inner, min_size=1).map(
            lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)[:1]}
        ),
    ),
    max_leaves=6,
)


@given(_schemas)
def test_schemas_of_the_usual_kind_come_back_as_they_went(schema: dict):
    assert inwards(outwards(schema)) == schema


def test_a_schema_that_doubles_at_every_level_is_cut_off_and_told_once():
    losses = Losses("Gemini's API", lossy=True)
    twice = {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}}}
    outwards({"$defs": {"n": twice}, "$ref": "#/$defs/n"}, losses)
    assert losses.told == ("p.$ref",)


@pytest.mark.parametrize("levels", [900, 990, 5000])
def test_a_schema_that_is_nested_without_end_is_refused(levels: int):
    deep = Raw(b'{"anyOf":[{"type":"null"},' * levels + b"{}" + b"]}" * levels)
    with pytest.raises(RequestInvalid) as caught:
        write_schema(deep, "p", Losses("Gemini's API"))
    assert caught.value.param == "p"
