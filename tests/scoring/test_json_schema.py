"""Whether a text is valid under a schema, and what a hostile schema can't do."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.scoring.json_schema import MAX_BYTES, SchemaInvalid, check_json, compiled

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
ROUND_AND_ROUND = {"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}


def schema(document):
    return compiled(json.dumps(document).encode())


def test_a_valid_text_has_no_problem():
    assert schema(PERSON).check(' {"name": "Ada", "age": 36}\n') is None
    assert schema(True).check("5") is None
    assert schema({"enum": ["a", "b"]}).check('"a"') is None


@pytest.mark.parametrize(
    ("text", "rule", "where"),
    [
        ('{"age": 5}', "required", "required"),
        ('{"name": 5}', "type", "properties.name.type"),
        ('{"name": "Ada", "age": -1}', "minimum", "properties.age.minimum"),
        ('{"name": "Ada", "x": 1}', "additionalProperties", "additionalProperties"),
        ("", "json", ""),
        ("Here it is: {}", "json", ""),
        ('{"name": "Ada"} {"name": "Bob"}', "json", ""),
        ('```json\n{"name": "Ada"}\n```', "json", ""),
        ('{"name": NaN}', "json", ""),
        ("[" * 100_000, "json", ""),
    ],
)
def test_a_problem_names_the_rule_and_where_it_stands(text, rule, where):
    problem = schema(PERSON).check(text)
    assert problem is not None
    assert (problem.rule, problem.where) == (rule, where)
    assert problem.words
    assert len(problem.words) < 1000


def test_a_deep_value_is_checked_and_not_explained():
    chain = schema({"type": "object", "properties": {"n": {"$ref": "#"}}})
    assert chain.check(nested(300, "{}")) is None
    problem = chain.check(nested(300, "1"))
    assert problem is not None
    assert problem.rule == "schema"


def test_any_json_is_a_separate_question():
    assert check_json('{"a": [1, 2]}') is None
    problem = check_json("{a: 1}")
    assert problem is not None
    assert problem.rule == "json"


def test_the_same_schema_is_compiled_once():
    assert compiled(b'{"type":"string"}') is compiled(b'{"type":"string"}')


def test_recursion_into_the_value_is_allowed():
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "v": {"type": "integer"}}}
    assert schema(tree).check('{"left": {"left": {"v": 1}}, "right": {}}') is None
    problem = schema(tree).check('{"left": {"left": {"v": "x"}}}')
    assert problem is not None
    assert problem.rule == "type"


@pytest.mark.parametrize(
    ("document", "word", "where"),
    [
        (5, "object", ""),
        ({"type": "objekt"}, "anyOf", "type"),
        ({"properties": {"a": {"minLength": "5"}}}, "integer", "properties.a.minLength"),
        ({"pattern": "("}, "regex", "pattern"),
        ({"$ref": "#/$defs/none"}, "there is no", ""),
        ({"$ref": "https://example.com/schema.json"}, "may only refer", ""),
        ({"properties": {"a": {"$ref": "file:///etc/hostname"}}}, "may only refer", ".properties.a"),
        ({"$schema": "https://example.com/meta", "type": "object"}, "meta-schema", ""),
        ({"items": {"$id": "https://example.com/", "$ref": "#"}}, "$id", ".items"),
        ({"$dynamicRef": "#a"}, "$dynamicRef", ""),
        ({"$ref": "#"}, "leads back", ""),
        (ROUND_AND_ROUND, "leads back", ""),
        ({"description": "x" * MAX_BYTES}, "bytes", ""),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_used_says_why(document, word, where):
    with pytest.raises(SchemaInvalid) as caught:
        schema(document)
    assert word in caught.value.message
    assert caught.value.where == where


def test_a_property_may_have_any_name():
    assert schema({"properties": {"$ref": {"type": "string"}, "$anchor": {"type": "string"}}}).check("{}") is None


def deep(document, levels):
    for _ in range(levels):
        document = {"properties": {"a": document}}
    return document


def doubling(levels, last):
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**twice, f"d{levels}": last}, "$ref": "#/$defs/d0"}


def nested(levels, leaf):
    return '{"n":' * levels + leaf + "}" * levels


ROUND = {"type": "object", "required": ["n"], "additionalProperties": False}
START = {"$ref": "#/$defs/d0"}
CIRCLE = [{"$ref": f"#/$defs/d{n}"} for n in range(5)]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (doubling(60, {}), "{}"),
        (deep({}, 2000), "{}"),
        (deep({}, 100_000), "{}"),
        ({"pattern": "((a{1,500}){1,500}){1,500}"}, '"a"'),
        ({"pattern": "^(a+)+$"}, '"' + "a" * 100_000 + 'b"'),
        ({"pattern": r"^(?=(a+)+b)(a|a)*c\1$"}, '"' + "a" * 5000 + '"'),
        ({**ROUND, "properties": {"n": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}}, nested(60, '"x"')),
        ({**ROUND, "properties": {"n": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}, nested(60, '"x"')),
        ({"$defs": {f"d{n}": {"properties": {"n": {"oneOf": CIRCLE}}} for n in range(5)}, **START}, nested(40, "1")),
        ({"$defs": {f"d{n}": {"anyOf": CIRCLE} for n in range(5)}, **START}, "{}"),
        ({"multipleOf": 1e-300}, "1e300"),
        ({"uniqueItems": True}, json.dumps([{"a": n} for n in range(20_000)])),
    ],
)  # fmt: skip
def test_a_hostile_schema_is_refused_or_done_with_at_once(document, text):
    try:
        body = json.dumps(document).encode()
    except RecursionError:
        body = b'{"properties":{"a":' * 100_000 + b"{}" + b"}}" * 100_000
    begun = time.perf_counter()
    with contextlib.suppress(SchemaInvalid):
        compiled(body).check(text)
    assert time.perf_counter() - begun < 2


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_a_value_is_valid_under_itself(value):
    assert schema({"const": value}).check(json.dumps(value)) is None


@given(st.text(max_size=30))
def test_no_text_and_no_schema_raises_anything_else(text):
    assert schema(PERSON).check(text) is None or schema(PERSON).check(text) is not None
    try:
        compiled(text.encode("utf-8", "surrogatepass"))
    except SchemaInvalid as error:
        assert error.message
