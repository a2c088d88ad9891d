from typing import Any

import pytest

from adapters.prices import Prices, Rates
from adapters.usage import Usage
from proxy.explain_cause import CAUSES, Lost, lost, price
from proxy.explain_walk import Walk
from proxy.importers import Recorded
from tests.proxy.recordings import CLAUDE, DEEPSEEK, LONG, WORDS, ask, say, talk

PRICES = Prices(
    {name: {"input": 1.0, "cache_read": 0.1, "cache_write": 1.25, "cache_write_1h": 2.0} for name in (CLAUDE, "x")}
)
WROTE, LOST = Usage(3, 0, 5000), Usage(3, 0, 5100)
"""Of a first request, and of one that follows and reads nothing."""


def misses(*requests: Recorded) -> list[Lost | None]:
    walk = Walk()
    looks = [walk.look(recorded) for recorded in requests]
    return [lost(look, PRICES) if look is not None else None for look in looks]


def second(then: dict[str, Any] | None = None, now: dict[str, Any] | None = None, **more: Any) -> Lost | None:
    """The miss of the second request of a conversation; `then` and `now` are members of the two."""
    (first, start), (following, end) = talk(2, **more)
    return misses(ask(first, WROTE, ts=start, **(then or {})), ask(following, LOST, ts=end, **(now or {})))[1]


def cause(miss: Lost | None) -> str:
    return miss.cause if miss is not None else ""


def test_a_read_is_no_miss() -> None:
    (first, start), (following, end) = talk(2)
    assert misses(ask(first, WROTE, ts=start), ask(following, Usage(3, 4950, 150), ts=end)) == [None, None]


def test_all_is_lost_though_nothing_differs() -> None:
    miss = second()
    assert miss is not None
    assert (miss.cause, miss.tokens) == ("volatile_unseen", 5000)
    assert miss.dollars == pytest.approx(5000 * 1.15e-6)


def test_a_cache_that_promises_nothing() -> None:
    (first, start), (following, end) = talk(2)
    requests = ask(first, Usage(5000), ts=start, model=DEEPSEEK), ask(following, Usage(5100), ts=end, model=DEEPSEEK)
    assert cause(misses(*requests)[1]) == "best_effort"


def test_the_life_lapsed() -> None:
    assert cause(second(gap=299.0)) == "volatile_unseen"
    assert cause(second(gap=300.0)) == "ttl"
    assert cause(second(gap=300.0, now={"model": "x"})) == "ttl"  # it would have been lost anyway


def test_below_the_minimum() -> None:
    (first, start), (following, end) = talk(2, first=WORDS)
    assert cause(misses(ask(first, Usage(900), ts=start), ask(following, Usage(960), ts=end))[1]) == "below_minimum"


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({}, {"model": "x"}, "model"),
        ({"tools": [{"name": "a"}]}, {"tools": [{"name": "a"}, {"name": "b"}]}, "tools"),
        ({}, {"reasoning_effort": "high"}, "effort"),
        ({"tool_choice": "auto"}, {"tool_choice": "none"}, "tool_choice"),
        ({}, {"thinking": {"type": "enabled"}}, "parameter"),
        ({"temperature": 0}, {"temperature": 1}, "volatile_unseen"),
    ],
)
def test_what_was_asked_otherwise(then: dict[str, Any], now: dict[str, Any], expected: str) -> None:
    assert cause(second(then, now)) == expected


def test_another_choice_of_tools_loses_the_messages_alone() -> None:
    first = [say("system", LONG), say("user", LONG)]
    more = [*first, say("assistant", "a"), say("user", "b")]
    requests = ask(first, WROTE), ask(more, Usage(3, 2500, 2600), tool_choice="any")
    miss = misses(*requests)[1]
    assert miss is not None
    assert miss.cause == "tool_choice"
    assert miss.tokens == pytest.approx(2500, rel=0.02)


def test_a_time_stamp_and_a_rewritten_message() -> None:
    for stamps, expected in ((("10:00:00", "10:05:00"), "volatile"), (("early", "late"), "rewritten")):
        first, following = ([say("system", f"It is {stamp}. {LONG}"), say("user", "u")] for stamp in stamps)
        assert cause(misses(ask(first, WROTE), ask(following, LOST))[1]) == expected


def test_a_compacted_history_loses_only_what_it_keeps() -> None:
    first = [say("system", "s"), *[say("user", f"{n} {LONG}") for n in range(4)]]
    following = [say("system", "s"), say("user", "A summary."), first[4]]
    miss = misses(ask(first, Usage(3, 0, 20_000)), ask(following, Usage(3, 0, 5000)))[1]
    assert miss is not None
    assert miss.cause == "rewritten"
    assert 4500 < miss.tokens < 5000


def test_a_time_stamp_between_sessions() -> None:
    requests = [
        ask(
            [say("system", f"Today is 2026-11-{day}. {LONG}"), say("user", f"Q{day}")],
            WROTE,
            session=str(day),
            ts=float(day),
        )
        for day in (20, 21)
    ]
    miss = misses(*requests)[1]
    assert miss is not None
    assert miss.cause == "volatile"
    assert miss.tokens > 4500


def test_sessions_of_which_each_has_its_own_document_miss_nothing() -> None:
    documents = [
        ask([say("system", f"{word} {LONG}"), say("user", "Q")], WROTE, session=word) for word in ("apples", "pears")
    ]
    assert misses(*documents) == [None, None]


def test_nothing_was_ever_written() -> None:
    (first, start), (following, end) = talk(2)
    assert cause(misses(ask(first, Usage(5000), ts=start), ask(following, Usage(5100), ts=end))[1]) == "unmarked"


def test_the_lookback_was_too_short() -> None:
    """More than 20 positions between two breakpoints; the system prompt has its own, which is read."""
    first = [say("system", LONG), say("user", "Q")]
    more = [*first, *[say(("assistant", "user")[n % 2], f"{n} {WORDS * 9}") for n in range(30)]]
    requests = [
        ask([*first, say("user", LONG)], Usage(3, 0, 6000)),
        ask([*first, say("user", LONG), *more[2:]], Usage(3, 2900, 9000)),
    ]
    assert cause(misses(*requests)[1]) == "lookback"


def test_a_sibling_that_came_too_soon() -> None:
    siblings = [ask([say("system", LONG), say("user", f"Q{n}")], WROTE, session=str(n), ts=n * 0.5) for n in range(2)]
    assert cause(misses(*siblings)[1]) == "in_flight"
    late = [ask([say("system", LONG), say("user", f"Q{n}")], WROTE, session=str(n), ts=n * 5.0) for n in range(2)]
    assert cause(misses(*late)[1]) == "volatile_unseen"


def test_a_part_that_was_read_is_not_paid_again() -> None:
    (first, start), (following, end) = talk(2)
    miss = misses(ask(first, WROTE, ts=start), ask(following, Usage(3, 4000, 1100), ts=end))[1]
    assert miss is not None
    assert (miss.cause, miss.tokens) == ("unknown", 1000)


def test_the_price_is_that_of_the_class_each_token_was_paid_in() -> None:
    rates = Rates(-1, 1.0, 0.1, 1.25, 2.0, 1.25, 2.5, 5.0, 5.0)
    usage = Usage(uncached=30, read=100, write_5m=20, write_1h=10)
    assert price(10, usage, rates) == pytest.approx(10 * 1.9)
    assert price(25, usage, rates) == pytest.approx(10 * 1.9 + 15 * 1.15)
    assert price(60, usage, rates) == pytest.approx(10 * 1.9 + 20 * 1.15 + 30 * 0.9)
    assert price(0, usage, rates) == 0.0


def test_a_model_without_a_price_has_a_miss_all_the_same() -> None:
    walk = Walk()
    (first, start), (following, end) = talk(2)
    walk.look(ask(first, Usage(5000), ts=start, model="nobody-knows"))
    look = walk.look(ask(following, Usage(5100), ts=end, model="nobody-knows"))
    assert look is not None
    assert lost(look, PRICES) == Lost("best_effort", 4992, None)  # in steps of 128, as OpenAI has them
    priced = lost(look, PRICES, "x")
    assert priced is not None
    assert priced.dollars == pytest.approx(4992 * 0.9e-6)


def test_every_cause_is_in_words() -> None:
    assert all(text and text[0].islower() for text in CAUSES.values())
