from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.chain import chain
from adapters.prompt import Point
from adapters.tokens import estimate
from proxy.replay_points import Talk, before_last, laid_out, mark_of, points_of

TOOLS = [{"type": "function", "function": {"name": "f", "description": "does a thing"}}]
TEXTS = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}, {"type": "text", "text": "three"}]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def points(body: Any, prompt: int | None = None, talk: Talk | None = None) -> list[Point]:
    return points_of(body, b"", talk or Talk(0), estimate, prompt)


def test_ends_of_messages_are_those_of_the_chain() -> None:
    body = {"model": "m", "tools": TOOLS, "messages": [{"role": "system", "content": "s"}, user(TEXTS), user("b")]}
    found = points(body)
    assert [point.edge for point in found] == ["tools", "system", "block", "block", "message", "message"]
    ends = [point for point in found if point.edge != "block"]
    assert [point[:2] for point in ends] == [point[:2] for point in chain(body)]
    assert [point.tokens for point in found] == sorted(point.tokens for point in found)


def test_parts_are_shared_up_to_the_first_that_differs() -> None:
    one, two = (points({"messages": [user([*TEXTS[:2], {"type": "text", "text": text}])]}) for text in "ab")
    assert [a.digest == b.digest for a, b in zip(one, two, strict=True)] == [True, True, True, False]


def test_a_system_prompt_that_is_no_message() -> None:
    body = {"model": "m", "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]}
    found = points({**body, "messages": [user("x")]})
    assert [(point.edge, point.mark) for point in found] == [("tools", ""), ("system", "5m"), ("message", "")]
    other = points({"model": "m", "instructions": "other", "input": "x"})
    assert [point.edge for point in other] == ["tools", "system", "message"]


def test_breakpoints_of_the_client() -> None:
    long = {"type": "ephemeral", "ttl": "1h"}
    body = {
        "tools": [{**TOOLS[0], "cache_control": long}],
        "messages": [
            user([{**TEXTS[0], "cache_control": {"type": "ephemeral"}}, TEXTS[1]]),
            user([{**TEXTS[1], "prompt_cache_breakpoint": {"mode": "explicit"}}]),
        ],
    }
    found = points(body)
    assert [point.mark for point in found] == ["1h", "5m", "", "30m"]
    plain = {"tools": TOOLS, "messages": [user(TEXTS[:2]), user([TEXTS[1]])]}
    assert [point.digest for point in found] == [point.digest for point in points(plain)]
    assert [mark_of(junk) for junk in (None, [], "x", {"cache_control": 5})] == [""] * 4


def test_positions_of_the_lookback() -> None:
    call = {"role": "assistant", "content": "I look", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    result = {"role": "tool", "content": "r"}
    found = points({"messages": [user("x"), call, result, result, user(TEXTS)]})
    assert [point.place for point in found] == [0, 1, 3, 4, 4, 5, 6, 7]


def test_a_session_that_goes_on_keeps_its_points() -> None:
    talk, messages = Talk(0), [user("1"), user("2")]
    first = points({"model": "m", "messages": messages}, talk=talk)
    assert not talk.grew
    second = points({"model": "m", "messages": [*messages, user("3")]}, talk=talk)
    assert talk.grew
    assert all(a is b for a, b in zip(first, second, strict=False))
    third = points({"model": "m", "messages": [messages[0], user("4")]}, talk=talk)
    assert not talk.grew
    assert third == points({"model": "m", "messages": [user("1"), user("4")]})


def test_lengths_are_the_reported_ones() -> None:
    talk, messages = Talk(0), [user("one " * 40), user("two")]
    first = points({"messages": messages}, 1000, talk)
    second = points({"messages": [*messages, user("three"), user("four")]}, 1600, talk)
    assert [first[-1].tokens, second[-1].tokens] == [1000, 1600]
    assert second[: len(first)] == first
    assert 1000 < second[-2].tokens < 1600
    again = points({"messages": [*messages, user("three"), user("four")]}, 1700, talk)
    assert again[-1].tokens == 1700
    shorter = points({"messages": [*messages, user("three"), user("four"), user("5")]}, 900, talk)
    assert [point.tokens for point in shorter] == sorted(point.tokens for point in shorter)
    assert shorter[-1].tokens == 900


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(0, 400), st.integers(0, 8))
def test_laid_out_points_ascend_to_the_length(sizes: list[int], prompt: int, begin: int) -> None:
    total, made = 0, []
    for size in sizes:
        total += size
        made.append(Point(b"%d" % len(made), total))
    found = [point.tokens for point in laid_out(made, min(begin, len(made)), prompt)]
    assert found == sorted(found)
    assert found[-1] == (prompt if total else 0)


def test_before_the_last_message() -> None:
    body = {"messages": [{"role": "system", "content": "s"}, user(TEXTS)]}
    found = points(body)
    assert before_last(found) == found[1]
    assert before_last(found[:1]) is None
    assert before_last([]) is None
    assert before_last([Point(b"1", 512), Point(b"2", 1024)]) is None


JUNK: list[Any] = [None, True, 5, "x", [], {}, [None, 5, "x", [], {}], {"role": [], "content": {}}]
JUNK += [[{"role": 5, "content": [[], 5, {"type": []}], "tool_calls": 5}] * 2, [user([None, {"type": None}, "x"])] * 3]


@pytest.mark.parametrize("name", ["messages", "input", "tools", "system", "instructions", "model"])
@pytest.mark.parametrize("value", JUNK)
def test_anything_may_stand_anywhere(name: str, value: Any) -> None:
    for more in ({}, {"messages": [user("x")]}, {"tools": TOOLS, "system": "s"}):
        found = points({**more, name: value}, 100)
        assert [point.tokens for point in found] == sorted(point.tokens for point in found)


@pytest.mark.parametrize("content", [None, [], "", 5, {"a": 1}, [None, 5, "x"]])
def test_contents_of_every_type(content: Any) -> None:
    assert len(points({"messages": [user(content), user("x")]})) >= 3
