"""Code and data in answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.agreement_code import codes_agree, data_agrees, split

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def test_blocks_are_taken_out_of_what_is_said_around_them():
    text = "Do this:\n```python\na = `1`\n```\nand then\n~~~~\nb\n```\nc\n~~~~\nwith `os.path` it works"
    said, blocks = split(text)
    assert blocks == ["a = `1`\n", "b\n```\nc\n"]
    assert said.split() == ["Do", "this:", "and", "then", "with", "os.path", "it", "works"]


def test_a_block_that_never_ends_goes_to_the_end():
    assert split("x\n```\na\nb") == ("x\n\n", ["a\nb"])


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("a = 1\n", "a   =   1\n\n", True),
        ("a = 1 # one\n", "a = 1\n", True),
        ("int a; // one\n", "int a;\n", True),
        ("#include <x.h>\n", "#include <y.h>\n", None),
        ("#include <x.h>\n", "\n", None),
        ("#!/bin/sh\n", "#!/bin/bash\n", None),
        ("select 1 -- one\n", "select 1\n", True),
        ("a--\n", "a++\n", False),
        ("a < b", "a > b", False),
        ("f(1)", "f(2)", False),
        ("f('x')", "f('y')", False),
        ("f('x')", 'f("x")', None),
        ("f(x)", "f(y)", None),
        ("f(x, 1)", "f(y, 2)", None),
        ("f(x)", "f(x, y)", None),
        ("if a:\n\tb\n\tc\n", "if a:\n  b\n  c\n", True),
        ("if a:\n  b\n  c\n", "if a:\n  b\nc\n", None),
    ],
)
def test_code(one, other, told):
    assert codes_agree([one], [other]) is told
    assert codes_agree([other], [one]) is told


def test_all_blocks_count():
    assert codes_agree(["a", "b = 1"], ["a", "b = 1"]) is True
    assert codes_agree(["a", "b = 1"], ["a", "b = 2"]) is False
    assert codes_agree(["x", "b = 1"], ["y", "b = 1"]) is None
    assert codes_agree(["a"], ["a", "b"]) is None
    assert codes_agree(["a"], []) is None


@given(JSON.filter(lambda value: isinstance(value, dict | list)))
def test_the_same_data_written_in_another_way(value):
    text = json.dumps(value, indent=3, sort_keys=True)
    assert data_agrees(json.dumps(value), f"```json\n{text}\n```") is True


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ('{"a": 1}', '{"a": 2}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": null}', '{"a": 0}', False),
        ('{"a": "x"}', '{"a": "y"}', None),
        ('{"a": "x", "b": [1]}', '{"a": "y", "b": [2]}', False),
        ("[1]", "[1, 2]", None),
        ("[1]", '{"a": 1}', False),
        ("[1]", "1", None),
        ("{broken", '{"a": 1}', None),
        ("[" * 5000 + "]" * 5000, "[" * 5000 + "]" * 5000, None),
        ("[" * 200 + "]" * 200, "[" * 200 + "]" * 200 + " ", None),
        ("[" + "9" * 5000 + "]", "[1]", None),
    ],
)
def test_data(one, other, told):
    assert data_agrees(one, other) is told
    assert data_agrees(other, one) is told
