"""Schemas of tools become what every model's endpoint takes, or are refused with the place."""

import copy
import json
import pickle
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.tools.errors import ToolsError
from actors.tools.tool_schema import SchemaUnsupported, sanitize_schema

KINDS = ["object", "array", "string", "number", "integer", "boolean"]
STRING = {"type": "string"}
NUMBER = {"type": "number"}

TEXTS = st.text(st.characters(), max_size=8)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(["a", "b", "city", "", "x.y"])


def members_of(schemas):
    """Objects that look like schemas, with members left out, right and wrong."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from([*KINDS, "null", None, 5])
            | st.lists(st.sampled_from([*KINDS, "null"]), max_size=3),
            "description": st.none() | TEXTS,
            "properties": st.none() | st.dictionaries(NAMES, schemas, max_size=4),
            "required": st.none() | st.lists(NAMES, max_size=3),
            "additionalProperties": st.none() | schemas,
            "items": st.none() | schemas,
            "prefixItems": st.lists(schemas, max_size=2),
            "anyOf": st.lists(schemas, max_size=2),
            "enum": st.lists(TEXTS, max_size=2),
            "format": TEXTS,
            "minimum": st.integers(),
            "title": TEXTS,
        },
    )


SCHEMAS = st.recursive(st.booleans() | st.just({}), members_of, max_leaves=12)


def check_closed(schema: object) -> None:
    """Every form that there is, stated once more."""
    assert isinstance(schema, dict)
    kind, members = schema["type"], set(schema)
    if kind == "object":
        assert {"properties"} <= members <= {
            "type", "properties", "required", "additionalProperties"
        }  # fmt: skip
        assert list(schema["properties"]) == sorted(schema["properties"])
        for inner in schema["properties"].values():
            check_closed(inner)
        assert all(isinstance(name, str) for name in schema.get("required", ()))
        additional = schema.get("additionalProperties", True)
        if not isinstance(additional, bool):
            check_closed(additional)
        return
    assert kind in {"array", "string", "number", "boolean"}
    assert isinstance(schema.get("description", ""), str)
    assert members - {"type", "description"} == ({"items"} if kind == "array" else set())
    if kind == "array":
        check_closed(schema["items"])


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        # Schemas that are no objects, or say nothing.
        (True, STRING),
        (False, STRING),
        ({}, STRING),
        ({"title": "x"}, STRING),
        # Types.
        ({"type": "integer", "minimum": 1, "description": "d"}, {**NUMBER, "description": "d"}),
        ({"type": "boolean", "default": True}, {"type": "boolean"}),
        ({"type": "string", "enum": ["a"], "format": "date"}, STRING),
        ({"type": ["null", "integer", "string"]}, NUMBER),
        ({"type": ["null"]}, STRING),
        ({"type": [], "items": {}}, {"type": "array", "items": STRING}),
        ({"type": None, "minimum": 0}, NUMBER),
        # Types that are told by other members, in this order.
        ({"properties": {}, "items": {}}, {"type": "object", "properties": {}}),
        ({"required": ["a"]}, {"type": "object", "properties": {}, "required": ["a"]}),
        (
            {"additionalProperties": False},
            {"type": "object", "properties": {}, "additionalProperties": False},
        ),
        ({"prefixItems": [NUMBER]}, {"type": "array", "items": STRING}),
        ({"enum": [1, 2], "minimum": 1}, STRING),
        ({"const": "a"}, STRING),
        ({"exclusiveMaximum": 3}, NUMBER),
        ({"multipleOf": 3}, NUMBER),
        # What is null is not there.
        (
            {"type": "object", "properties": None, "required": None, "additionalProperties": None},
            {"type": "object", "properties": {}},
        ),
        (
            {"type": "array", "items": None, "description": None},
            {"type": "array", "items": STRING},
        ),
        # Inside.
        (
            {
                "type": "object",
                "description": "objects have none",
                "title": "x",
                "properties": {
                    "b": True,
                    "a": {"type": "array", "description": "d", "items": {"type": "integer"}},
                },
                "required": ["b"],
                "additionalProperties": {"type": ["integer", "null"]},
                "$defs": {"x": {}},
            },
            {
                "type": "object",
                "properties": {
                    "a": {"type": "array", "description": "d", "items": NUMBER},
                    "b": STRING,
                },
                "required": ["b"],
                "additionalProperties": NUMBER,
            },
        ),
        # Text that no request could carry.
        (
            {"properties": {"b": {}, "a\ud800": {"description": "ü\ud800"}}},
            {
                "type": "object",
                "properties": {"a?": {**STRING, "description": "ü?"}, "b": STRING},
            },
        ),
        # Combinations.
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, STRING),
        ({"type": "object", "anyOf": [{"type": "null"}]}, {"type": "object", "properties": {}}),
    ],
)
def test_schema_becomes_one_of_a_few_forms(schema, expected):
    """The table of what stays and what goes."""
    assert sanitize_schema(schema) == expected


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (None, "a schema is a JSON object, not NoneType"),
        ([1], "a schema is a JSON object, not list"),
        ({"type": "null"}, "type 'null' is none of object, array, string, number, integer, bool"),
        ({"type": {}}, "type {} is none of object"),
        ({"properties": []}, "properties: expected an object, got list"),
        ({"properties": {"a": None}}, "at properties.a: a schema is a JSON object, not NoneType"),
        ({"properties": {1: {}}}, "a name of properties: expected a string, got int"),
        (
            {"properties": {"a": {"items": {"type": "null"}}}},
            "at properties.a.items: type 'null' is none of",
        ),
        ({"items": [{}, {}]}, "at items: a schema is a JSON object, not list"),
        ({"additionalProperties": {"type": "x"}}, "at additionalProperties: type 'x' is none of"),
        ({"additionalProperties": "no"}, "at additionalProperties: a schema is a JSON object"),
        ({"required": True}, "required: expected a list, got bool"),
        ({"required": [1]}, "an entry of required: expected a string, got int"),
        ({"description": 1}, "description: expected a string, got int"),
        ({"type": "x" * 1000}, "is none of object"),
    ],
)
def test_schema_without_a_form_is_refused_with_the_place(schema, message):
    """Whoever wrote it can find it."""
    with pytest.raises(SchemaUnsupported) as caught:
        sanitize_schema(schema)

    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def nested(depth: int) -> object:
    schema: object = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def test_schema_may_be_nested_to_a_limit():
    """At it, above it, and far above it."""
    sanitize_schema(nested(64))

    for depth in (65, 10_000):
        with pytest.raises(SchemaUnsupported, match="nested deeper than 64 levels") as caught:
            sanitize_schema(nested(depth))
        assert caught.value.place.startswith("items.items.items")
        assert len(caught.value.place) <= 203


def test_schema_that_holds_itself_is_refused():
    """JSON cannot say so, but a program can."""
    schema: dict[str, object] = {"type": "array"}
    schema["items"] = schema

    with pytest.raises(SchemaUnsupported, match="nested deeper than 64 levels"):
        sanitize_schema(schema)


@pytest.mark.parametrize(
    "schema_of",
    [
        lambda count: {"properties": {f"p{number}": True for number in range(count)}},
        lambda count: {"required": ["a"] * count},
        lambda count: {"type": ["x"] * count},
        lambda count: {
            "properties": {"a": {"required": ["a"] * (count - 2)}, "b": {"type": "boolean"}}
        },
    ],
    ids=["properties", "required", "types", "together"],
)
def test_schema_may_have_entries_to_a_limit(schema_of):
    """All of them together, wherever they are."""
    sanitize_schema(schema_of(5_000))

    with pytest.raises(SchemaUnsupported, match="the schema has more than 5000 entries"):
        sanitize_schema(schema_of(5_001))


def test_schema_of_a_million_properties_is_refused_before_it_is_read():
    """The refusal costs nothing."""

    class Endless(Mapping):
        def __len__(self):
            return 1_000_000

        def __iter__(self):
            raise AssertionError("read")

        def __getitem__(self, key):
            raise AssertionError("read")

    with pytest.raises(SchemaUnsupported, match="more than 5000 entries"):
        sanitize_schema({"properties": Endless()})


def test_schema_may_have_text_to_a_limit():
    """Names and descriptions go along with every request to the model."""
    half = "x" * 100_000
    sanitize_schema({"properties": {half: {"description": half}}})

    with pytest.raises(SchemaUnsupported, match="longer than 200000 characters") as caught:
        sanitize_schema({"properties": {half: {"description": half + "x"}}})
    assert len(str(caught.value)) < 300


def test_equal_schemas_give_the_same_text():
    """Whatever the order of their members: requests with the same tools begin the same."""
    one = {"properties": {"a": {"type": "string"}, "b": {}}, "type": "object"}
    other = {"type": "object", "properties": {"b": {}, "a": {"type": "string"}}}

    assert json.dumps(sanitize_schema(one)) == json.dumps(sanitize_schema(other))


def test_schema_is_not_changed_nor_shared():
    """Any mapping will do."""
    required = ["a"]
    schema = MappingProxyType({"required": required})

    result = sanitize_schema(schema)
    required.append("b")

    assert result["required"] == ["a"]


def test_refusal_survives_pickle():
    """With its fields and its text."""
    error = SchemaUnsupported("items", "is bad")

    copied = pickle.loads(pickle.dumps(error))

    assert isinstance(copied, ToolsError)
    assert (vars(copied), str(copied)) == (vars(error), "at items: is bad")


@pytest.mark.slow
@given(ANY_JSON | SCHEMAS)
def test_result_is_always_of_the_closed_forms_and_its_own_result(schema):
    """Or there is none; the schema itself stays as it was in any case."""
    before = copy.deepcopy(schema)
    try:
        result = sanitize_schema(schema)
    except SchemaUnsupported:
        return
    finally:
        assert repr(schema) == repr(before)

    check_closed(result)
    assert json.dumps(sanitize_schema(result)) == json.dumps(result)
    assert json.dumps(sanitize_schema(before)) == json.dumps(result)
