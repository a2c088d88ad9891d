import re
from typing import Any

import pytest

from adapters.schema_example import example

NOTHING: list[Any] = []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "some words"),
        ({"type": "string", "maxLength": 4}, "some"),
        ({"type": "string", "minLength": 12}, "some words.."),
        ({"type": "string", "enum": ["celsius", "kelvin"]}, "celsius"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"const": 7}, 7),
        ({"type": "integer", "default": 3}, 3),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "array", "items": {"type": "integer"}}, NOTHING),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"oneOf": [{"type": "integer"}]}, 1),
        ({"type": "object"}, {}),
        ({}, {}),
        (True, None),
    ],
)
def test_values_of_simple_schemas(schema: Any, value: Any) -> None:
    assert example(schema, "some words") == value


def test_an_object_has_its_required_properties_and_no_others() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string"}},
        "required": ["city", "days"],
    }
    assert example(schema, "Paris") == {"city": "Paris", "days": 1}


@pytest.mark.parametrize(
    ("bounds", "value"),
    [
        ({}, 1),
        ({"minimum": 5}, 5),
        ({"exclusiveMinimum": 5}, 6),
        ({"maximum": -3}, -3),
        ({"exclusiveMaximum": -3}, -4),
        ({"minimum": 10, "maximum": 20, "multipleOf": 7}, 14),
        ({"maximum": 0.5}, 0),
    ],
)
def test_numbers_stay_within_their_bounds(bounds: dict[str, Any], value: int) -> None:
    got = example({"type": "integer", **bounds}, "")
    assert (got, type(got)) == (value, int)


def test_a_number_between_two_close_bounds() -> None:
    assert example({"type": "number", "exclusiveMinimum": 0.25, "exclusiveMaximum": 0.75}, "") == 0.5


def test_references_within_the_document_are_followed_and_recursion_ends() -> None:
    schema = {
        "type": "object",
        "properties": {"point": {"$ref": "#/$defs/point"}, "lost": {"$ref": "#/$defs/nowhere"}},
        "required": ["point", "lost"],
        "$defs": {"point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
    }
    assert example(schema, "") == {"point": {"x": 1}, "lost": None}
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    depth = len(re.findall("next", str(example(endless, ""))))
    assert 1 <= depth <= 16


def test_all_of_joins_its_parts() -> None:
    schema = {
        "allOf": [
            {"$ref": "#/$defs/named"},
            {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]},
        ],
        "$defs": {"named": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
    }
    assert example(schema, "x") == {"name": "x", "size": 1}
