"""What a conversation has cost so far."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from adapters.vocabulary import Call, Extra, Trace, Warming
from proxy.conversations import Conversations
from proxy.events import Event

FIRST = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
LATER = [*FIRST, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "More"}]


def asked(messages: Any = FIRST, *, tenant: str = "t", cost: float | None = 0.5, source: str = "upstream",
          warming: Warming | None = None, **headers: str) -> Event:  # fmt: skip
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    call = Call("POST", "/chat/completions", named, b"", parsed={"model": "m", "messages": messages}, tenant=tenant)
    call.trace = Trace(cost=cost, warming=warming)
    return Event(0.0, "POST", "chat", 200, 1.0, source, call, call.trace, None, 0)


def noted(seen: Conversations, event: Event) -> Event:
    seen.note(event)
    return event


def test_the_turns_of_a_conversation_add_up():
    seen = Conversations()
    first, second = noted(seen, asked()), noted(seen, asked(LATER, cost=0.25))
    assert first.session is second.session is not None
    assert (second.session.requests, second.session.dollars) == (2, 0.75)


def test_and_the_calls_made_on_its_account():
    extra = Extra("warm", None, 0.1, 1.0)
    event = noted(Conversations(), asked(warming=Warming(saved=0.3, extra=[extra])))
    assert event.session is not None
    assert event.session.dollars == pytest.approx(0.6)
    assert event.session.saved == pytest.approx(0.2)


def test_conversations_of_two_tenants_are_two_also_where_they_begin_alike_or_have_one_name():
    seen = Conversations()
    names = {
        noted(seen, event).session.name  # type: ignore[union-attr]
        for event in (asked(tenant="a"), asked(tenant="b"), asked(tenant="a", x_session_id="s"),
                      asked(tenant="b", x_session_id="s"))
    }  # fmt: skip
    assert len(names) == 4


def test_a_name_goes_before_the_words():
    seen = Conversations()
    one, two = noted(seen, asked(x_session_id="s")), noted(seen, asked([FIRST[1]], x_session_id="s"))
    assert one.session is two.session
    assert one.session is not None
    assert one.session.name != "s"


@pytest.mark.parametrize("event", [asked(source="l1"), asked(source="proxy"),
                                   Event(0.0, "GET", "ops", 200, 0.0, "proxy", None, Trace(), None, 0)])  # fmt: skip
def test_what_costs_nothing_begins_no_conversation(event):
    seen = Conversations()
    assert noted(seen, event).session is None
    assert len(seen) == 0


def test_an_unknown_price_counts_as_a_request():
    event = noted(Conversations(), asked(cost=None))
    assert event.session is not None
    assert (event.session.requests, event.session.dollars) == (1, 0.0)


def test_it_is_bounded():
    seen = Conversations(kept=10)
    for number in range(100):
        noted(seen, asked(x_session_id=str(number)))
    assert len(seen) == 10
