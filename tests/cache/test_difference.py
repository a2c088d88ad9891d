"""Where two JSON values differ: paths, kinds, excerpts, and how much work it may be."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.difference import ABSENT, DEPTH, Difference, differences, excerpts, same
from cache.key import canonical

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, -0.0, 1.0, 2.5]) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
WILD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
CHAT: dict[str, Any] = {
    "model": "m",
    "temperature": 1,
    "messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}],
    "tools": [{"function": {"name": "f", "description": "d"}}, {"function": {"name": "g", "description": "e"}}],
}


def paths(here: Any, there: Any) -> list[tuple[str, str]]:
    return [(each.path, each.kind) for each in differences(here, there).differences]


def changed(**members: Any) -> dict[str, Any]:
    return copy.deepcopy(CHAT) | members


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (changed(), []),
        (dict(reversed(changed().items())), []),
        (changed(temperature=1.0), [("temperature", "changed")]),
        (changed(temperature=True), [("temperature", "changed")]),
        (changed(seed=7), [("seed", "added")]),
        (changed(seed=None), [("seed", "added")]),
        ({name: value for name, value in CHAT.items() if name != "tools"}, [("tools", "removed")]),
        (changed(messages=[CHAT["messages"][0]]), [("messages[1]", "removed")]),
        (changed(messages=[*CHAT["messages"], "x", "y", "z"]), [("messages[2-4]", "added")]),
        (changed(messages=["x", *CHAT["messages"]]), [("messages[0]", "added")]),
        (changed(messages=[CHAT["messages"][0], "x", CHAT["messages"][1]]), [("messages[1]", "added")]),
        (
            changed(messages=[{"role": "user", "content": "One"}, CHAT["messages"][1]]),
            [("messages[0].content", "changed")],
        ),
        (
            changed(messages=[CHAT["messages"][0], {"role": "assistant", "content": [{"type": "text", "text": "b"}]}]),
            [("messages[1].content[0].text", "changed")],
        ),
        (changed(messages=[{"role": "system"}, "x", CHAT["messages"][1]]), [
            ("messages[0].role", "changed"), ("messages[0].content", "removed"), ("messages[1]", "added"),
        ]),
        (changed(tools=CHAT["tools"][::-1]), [("tools", "order")]),
        (changed(tools={"a": 1}), [("tools", "changed")]),
        (changed(metadata={"a b": 1, 'q"': 2}), [("metadata", "added")]),
    ],
)  # fmt: skip
def test_paths(there: Any, expected: list[tuple[str, str]]) -> None:
    assert paths(CHAT, there) == expected


def test_names_that_are_no_identifiers_are_quoted_and_cut() -> None:
    assert paths({"x": {"a b": 1}}, {"x": {"a b": 2}}) == [('x["a b"]', "changed")]
    assert paths({"": 1}, {"": 2}) == [('[""]', "changed")]
    ((path, _),) = paths({"n" * 5000: 1}, {"n" * 5000: 2})
    assert len(path) < 70
    assert paths(1, "1") == [("", "changed")]


def test_no_more_than_asked_for() -> None:
    here, there = {str(i): 0 for i in range(30)}, {str(i): 1 for i in range(30)}
    found = differences(here, there)
    assert (len(found.differences), found.complete) == (20, False)
    assert differences(here, there, most=30).complete
    assert differences(here, there, most=0) == ((), False)
    assert differences(here, here, most=0) == ((), True)


def test_work_is_bounded() -> None:
    """A conversation of 20,000 turns of which the last differs is gone through, a million numbers that all do are not,
    and neither is one that is deeper than can be compared at once."""
    turns = [{"role": "user", "content": f"turn {i} " + "x" * 400} for i in range(20_000)]
    other = [*turns[:-1], {"role": "user", "content": "else"}]
    assert paths({"messages": turns}, {"messages": copy.deepcopy(other)}) == [("messages[19999].content", "changed")]
    found = differences(list(range(1_000_000)), list(range(1, 1_000_001)), most=10_000_000)
    assert not found.complete
    assert len(found.differences) < 100_000
    deep, deeper = "x", "y"
    for _ in range(20_000):
        deep, deeper = [deep], [deeper]  # type: ignore[assignment]
    found = differences(deep, deeper)
    assert [each.path for each in found.differences] == ["[0]" * DEPTH]
    assert excerpts(found.differences[0]) == ("(list)", "(list)")


@given(JSON, JSON)
def test_no_difference_is_the_same_canonical_form(here: Any, there: Any) -> None:
    equal = canonical(here) == canonical(there)
    assert same(here, there) is equal
    found = differences(here, there, most=1000)
    assert (found.differences == ()) is equal
    assert found.complete
    for each in found.differences:
        assert each.here is not ABSENT or each.there is not ABSENT


@given(JSON, st.data())
def test_a_value_that_was_changed_is_found_where_it_is(value: Any, data: st.DataObject) -> None:
    document = {"a": [value, {"b": value}], "c": value}
    place = data.draw(st.sampled_from(["a[0]", "a[1].b", "c"]))
    other = copy.deepcopy(document)
    target: Any = {"a[0]": other["a"], "a[1].b": other["a"][1], "c": other}[place]
    target[{"a[0]": 0, "a[1].b": "b", "c": "c"}[place]] = "something else"
    assert paths(document, other) == [(place, "changed")]


@given(WILD, WILD)
def test_any_values_can_be_compared_and_told(here: Any, there: Any) -> None:
    for each in differences(here, there).differences:
        for side in excerpts(each):
            assert side is None or len(side) <= 80
    assert differences(here, here).differences == ()


@pytest.mark.parametrize(
    ("here", "there", "told"),
    [
        ("one", "two", ("one", "two")),
        ("1", 1, ('"1"', "1")),
        (ABSENT, "x", (None, "x")),
        ({"a": 1}, ABSENT, ('{"a":1}', None)),
        ("a" * 500 + "b", "a" * 500 + "c", ("…" + "a" * 20 + "b", "…" + "a" * 20 + "c")),
        ("b" + "a" * 500, "c", ("b" + "a" * 78 + "…", "c")),
        ("x" * 100, "x" * 101, ("…" + "x" * 20, "…" + "x" * 21)),
    ],
)
def test_excerpts(here: Any, there: Any, told: tuple[str | None, str | None]) -> None:
    assert excerpts(Difference("p", "changed", here, there)) == told


def test_excerpts_are_cleaned_before_they_are_cut() -> None:
    secret = "KEY0123456789"
    here, there = "b" * 990 + secret + "one", "b" * 990 + secret + "two"
    told = excerpts(Difference("p", "changed", here, there), clean=lambda text: text.replace(secret, "[gone]"))
    assert told == ("…" + "b" * 14 + "[gone]one", "…" + "b" * 14 + "[gone]two")
    both = excerpts(Difference("p", "changed", "a KEY1", "a KEY2"), clean=lambda text: text[:2] + "[gone]")
    assert both == ("a [gone]", "a [gone]")
    long = "z" * 5000 + "1" + "z" * 5000
    assert all(
        side is not None and len(side) <= 80 and len(clean) <= 2000
        for side in excerpts(Difference("p", "changed", long, long[:5000] + "2"), clean=lambda text: text)
        for clean in [side]
    )


def test_what_json_was_decoded_to_is_what_is_compared() -> None:
    raw = json.dumps(CHAT)
    assert differences(json.loads(raw), json.loads(raw)).differences == ()
