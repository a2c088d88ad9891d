"""What was asked lately: within its room, fair between tenants, and the nearest of it is found."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.openai_chat import OPENAI_CHAT
from adapters.vocabulary import Call, Controls, Route
from cache.key import key_of
from cache.recent import LARGEST, OVERHEAD, TIMES, Recent, closest, differing, distance, seen_of


def call(
    *said: str,
    tenant: str = "t",
    headers: dict[str, str] | None = None,
    target: str = "/chat/completions",
    namespace: str = "",
    mark: str = "",
    **members: Any,
) -> Call:
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": text} for text in said]} | members
    return Call(
        "POST", target, CIMultiDict(headers or {}), json.dumps(body).encode(), OPENAI_CHAT, body, tenant,
        controls=Controls(namespace=namespace), route=Route((), mark),
    )  # fmt: skip


def told(asked: Call, *others: Call) -> list[tuple[str, str]]:
    seen = seen_of(asked, 0.0)
    near = closest(seen, [seen_of(other, 0.0) for other in others])
    assert near is not None
    return [(each.path, each.kind) for each in differing(seen, near).differences]


def test_the_latest_come_first_and_each_once() -> None:
    recent = Recent()
    for at, text in enumerate(["a", "b", "a"]):
        recent.note(call(text), float(at), f"refused {at}")
    assert [(seen.body["messages"][0]["content"], seen.at, seen.refused) for seen in recent.of("t")] == [
        ("a", 2.0, "refused 2"),
        ("b", 1.0, "refused 1"),
    ]
    assert recent.of("other") == []
    assert len(recent) == 2


def test_a_body_is_remembered_as_it_is_and_not_copied() -> None:
    recent, asked = Recent(), call("a")
    recent.note(asked, 0.0)
    assert recent.of("t")[0].body is asked.parsed


def test_entries_and_bytes_are_bounded() -> None:
    recent = Recent(max_entries=10, max_bytes=1_000_000)
    for i in range(100):
        recent.note(call(str(i)), float(i))
    assert [seen.body["messages"][0]["content"] for seen in recent.of("t")] == [str(i) for i in range(99, 89, -1)]
    large = Recent(max_entries=1000, max_bytes=1_000_000)
    for i in range(100):
        large.note(call(str(i) + "x" * 20_000), float(i))
    assert large.bytes <= 1_000_000
    assert 10 <= len(large) <= 12


def test_one_that_would_take_all_room_is_not_remembered() -> None:
    recent = Recent(max_bytes=1_000_000)
    recent.note(call("small"), 0.0)
    recent.note(call("x" * (1_000_000 // LARGEST // TIMES)), 1.0)
    assert len(recent) == 1


def test_a_busy_tenant_pushes_out_nobody_but_himself() -> None:
    recent = Recent(max_entries=50)
    for i in range(5):
        recent.note(call(f"quiet {i}", tenant="quiet"), float(i))
    for i in range(1000):
        recent.note(call(f"busy {i}", tenant="busy"), float(i))
    assert len(recent.of("quiet")) == 5
    assert len(recent.of("busy")) == 45
    for i in range(1000):
        recent.note(call("once", tenant=f"new {i}"), float(i))
    assert len(recent) == 50
    assert 0 < len(recent.of("quiet")) <= 5
    recent.forget("quiet")
    assert recent.of("quiet") == []
    recent.forget("nobody")


def test_who_had_much_once_gives_up_nothing_now() -> None:
    recent = Recent(max_entries=20)
    for i in range(20):
        recent.note(call(str(i), tenant="and"), float(i))
    recent.forget("and")
    recent.note(call("again", tenant="and"), 20.0)
    for i in range(40):
        recent.note(call(str(i), tenant="busy"), float(i))
    assert (len(recent.of("and")), len(recent.of("busy"))) == (1, 19)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 2000)), max_size=60),
    st.integers(1, 12),
)
def test_the_books_are_right_whatever_comes(notes: list[tuple[str, int, int]], entries: int) -> None:
    recent = Recent(max_entries=entries, max_bytes=60_000)
    for at, (tenant, number, size) in enumerate(notes):
        recent.note(call(f"{number}" + "x" * size, tenant=tenant), float(at))
        if number == 30:
            recent.forget(tenant)
        held = [seen for name in "abc" for seen in recent.of(name)]
        assert recent.bytes == sum(seen.weight for seen in held) <= 60_000
        assert len(held) == len(recent) <= entries


def test_the_largest_are_kept_in_sight_without_a_growing_list() -> None:
    recent = Recent(max_entries=20)
    tenants = itertools.cycle("0123456700112233")
    for i in range(5000):
        recent.note(call(str(i), tenant=next(tenants)), float(i))
    assert len(recent._largest) <= 4 * 8 + 65
    assert {len(recent.of(str(tenant))) for tenant in range(8)} <= {2, 3}


@pytest.mark.parametrize(
    ("asked", "others", "expected"),
    [
        (call("a", temperature=0), [call("a"), call("b", temperature=0)], [("temperature", "added")]),
        (
            call("What is the capital of France?"),
            [call("Write a poem"), call("What is the capital of Spain?"), call("List ten birds")],
            [("messages[0].content", "changed")],
        ),
        (call("a", "b", "c", "d"), [call("x", "y", "c", "z"), call("a", "b", "c")], [("messages[3]", "added")]),
        (call("a", headers={"OpenAI-Beta": "x"}), [call("a"), call("b")], [("headers.openai-beta", "added")]),
        (call("a"), [call("a", headers={"openai-beta": "x"})], [("headers.openai-beta", "removed")]),
        (call("a", namespace="n"), [call("a")], [("namespace", "changed")]),
        (call("a", target="/chat/completions?x=1"), [call("a")], [("route", "changed")]),
        (call("a", mark="u2"), [call("a", mark="u1")], [("upstream", "changed")]),
        (call("a", stream=True, cache={"ttl": 5}), [call("a")], []),
        (call("a", temperature=1.0), [call("a", temperature=1)], [("temperature", "changed")]),
    ],
)
def test_the_nearest_and_what_differs(asked: Call, others: list[Call], expected: list[tuple[str, str]]) -> None:
    assert told(asked, *others) == expected


def test_the_same_request_is_the_nearest_and_of_equals_the_latest() -> None:
    asked = seen_of(call("a"), 5.0)
    others = [seen_of(call("b"), 4.0), seen_of(call("c"), 3.0), seen_of(call("a"), 2.0)]
    near = closest(asked, others)
    assert near is not None
    assert near.key == asked.key == key_of(call("a"))
    near = closest(asked, others[:2])
    assert near is not None
    assert near.at == 4.0
    assert closest(asked, []) is None


def test_no_more_differences_than_asked_for() -> None:
    here = seen_of(call("a", headers={"openai-beta": "x"}, **{f"p{i}": i for i in range(30)}), 0.0)
    found = differing(here, seen_of(call("a"), 0.0), most=5)
    assert (len(found.differences), found.complete) == (5, False)
    assert found.differences[0].path == "headers.openai-beta"


def test_long_conversations_are_held_against_each_other() -> None:
    turns = [f"turn {i}" for i in range(3000)]
    one, other = call(*turns), call(*turns[:2000], "else", *turns[2001:], "more")
    assert 1.0 < distance(seen_of(one, 0.0), seen_of(other, 0.0)) <= 2.0
    assert told(one, other, call("x")) == [("messages[2000].content", "changed"), ("messages[3000]", "removed")]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
        max_leaves=10,
    )
)
def test_bodies_of_any_kind(value: Any) -> None:
    one = replace(seen_of(call("a"), 0.0), body={"messages": value, "x": value})
    other = seen_of(call("a"), 0.0)
    assert distance(one, one) == 0.0
    assert distance(one, other) > 0.0
    assert differing(one, other).differences


def test_weights_are_estimates_of_what_it_takes() -> None:
    recent, asked = Recent(max_entries=10**9), call("x" * 10_000)
    recent.note(asked, 0.0)
    assert isinstance(asked.body, bytes)
    assert recent.of("t")[0].weight == TIMES * len(asked.body) + OVERHEAD
