from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.profiles import profile_of
from adapters.tokens import estimate
from proxy.explain_prompt import (
    Shape,
    agreeing,
    front_of,
    life_of,
    marked_turns,
    points_of,
    shape_of,
)
from tests.proxy.recordings import CLAUDE, GPT, ask, say

ANTHROPIC, OPENAI = profile_of("maker", CLAUDE), profile_of("maker", GPT)

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def shape(*turns: Any, **members: Any) -> Shape:
    return shape_of(ask(list(turns), **members), ANTHROPIC)


def digests(of: Shape) -> list[bytes]:
    return [point.digest for point in points_of(of, ANTHROPIC, b"", estimate)]


def test_each_api_has_its_turns_in_the_order_of_the_prompt() -> None:
    own = shape(say("user", "hi"), route="messages", system="be kind")
    assert (own.turns, own.lead) == ([say("system", "be kind"), say("user", "hi")], 1)
    recorded = ask([], route="responses", instructions="be kind", input="hi")
    del recorded.body["messages"]  # type: ignore[union-attr]
    assert shape_of(recorded, OPENAI).turns == own.turns
    chat = shape(say("system", "be kind"), say("user", "hi"))
    assert (chat.turns, chat.lead, front_of(chat)) == (own.turns, 0, 1)


def test_only_settings_that_break_a_prefix_there_are_kept() -> None:
    recorded = ask([say("user", "hi")], temperature=0.5, tool_choice="auto", reasoning_effort="low", verbosity="low")
    assert shape_of(recorded, ANTHROPIC).settings == {"tool_choice": "auto", "effort": "low"}
    assert shape_of(recorded, OPENAI).settings == {"effort": "low", "verbosity": "low"}


def test_what_breaks_the_messages_leaves_the_system_prompt() -> None:
    plain = digests(shape(say("system", "s"), say("user", "u")))
    forced = digests(shape(say("system", "s"), say("user", "u"), tool_choice="any"))
    assert plain[:2] == forced[:2]
    assert plain[2] != forced[2]
    effort = digests(shape(say("system", "s"), say("user", "u"), reasoning_effort="low"))
    assert not set(plain) & set(effort)
    image = [{"type": "image_url", "image_url": {"url": "data:"}}]
    drawn = digests(shape(say("system", "s"), say("user", "u"), {"role": "user", "content": image}))
    assert plain[:2] == drawn[:2]
    assert plain[2] != drawn[2]


def test_a_grown_conversation_is_extended_to_the_same_points() -> None:
    first = shape(say("system", "s"), say("user", "u"), tool_choice="any")
    more = first._replace(turns=[*first.turns, say("assistant", "a"), say("user", "v")])
    points = points_of(first, ANTHROPIC, b"", estimate)
    assert points_of(more, ANTHROPIC, b"", estimate, (first, points)) == points_of(more, ANTHROPIC, b"", estimate)
    shorter = first._replace(turns=first.turns[:1])
    assert points_of(shorter, ANTHROPIC, b"", estimate, (first, points)) == points_of(shorter, ANTHROPIC, b"", estimate)


def test_results_of_parallel_calls_share_a_place() -> None:
    made = shape(say("user", "u"), say("assistant", "a"), *[say("tool", str(n)) for n in range(5)], say("user", "v"))
    assert [point.place for point in points_of(made, ANTHROPIC, b"", estimate)] == [0, 1, 2, 3, 3, 3, 3, 3, 4]


@given(st.lists(JSON, max_size=4), JSON, JSON)
def test_any_json_has_points(turns: list[Any], tools: Any, system: Any) -> None:
    for route in ("chat", "messages", "responses"):
        made = shape_of(ask(turns, route=route, tools=tools, system=system, instructions=system), ANTHROPIC)
        assert len(points_of(made, ANTHROPIC, b"", estimate)) == 1 + len(made.turns)
        assert agreeing(made.turns, made.turns) == len(made.turns)
        marked_turns(made)


def test_marks_of_the_request() -> None:
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    made = shape(
        {"role": "system", "content": [part]},
        say("user", "u"),
        tools=[{"name": "a"}, {"name": "b", "cache_control": {"type": "ephemeral"}}],
    )
    assert marked_turns(made) == {1: "1h", 0: "default"}
    assert (life_of(None), life_of({"ttl": 3}), life_of("5m")) == ("", "default", "")
