"""Which requests are remembered."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.openai_chat import OPENAI_CHAT
from adapters.vocabulary import Call, Nearness, Trace, Warmup
from cache.key import key_of
from cache.recent import Recent
from proxy.cache_notes import Notes, Served
from proxy.events import Event
from tests.fakes import CHAT


def event(call: Call | None, *, status: int = 200, source: str = "upstream", **trace: Any) -> Event:
    return Event(5.0, "POST", "chat", status, 0.1, source, call, Trace(**trace), None, 0)


def call(**more: Any) -> Call:
    asked = Call("POST", "/chat/completions", {}, b"{}", OPENAI_CHAT, CHAT, "t", **more)
    key_of(asked)
    return asked


@pytest.mark.parametrize("source", ["upstream", "l1", "l2", "collapsed", "semantic"])
def test_what_was_answered_is_remembered(source: str) -> None:
    notes = Notes(Recent())
    notes.note(event(call(), source=source, refused_to_store="x"))
    (seen,) = notes.recent.of("t")
    assert (seen.key, seen.at, seen.refused) == (key_of(call()), 5.0, "x")


@pytest.mark.parametrize(
    "each",
    [
        event(None),
        event(Call("POST", "/models", {}, b"", tenant="t")),
        event(Call("POST", "/chat/completions", {}, b"{}", OPENAI_CHAT, CHAT, "t")),  # no key was ever asked for
        event(call(), status=401),
        event(call(), status=499),
        event(call(), source="proxy"),
        event(call(warmup=Warmup())),
    ],
)
def test_what_is_not(each: Event) -> None:
    notes = Notes(Recent())
    notes.note(each)
    assert notes.recent.of("t") == []
    assert len(notes.served) == 0


def test_how_entries_were_served() -> None:
    notes = Notes(Recent(), most=2)
    for number in (1, 2, 1, 3):
        near = Nearness("on", "hit", entry=number, similarity=number / 10, score=None)
        notes.note(event(call(), source="semantic", nearness=near))
    notes.note(event(call(), source="semantic", nearness=Nearness("on", "refused")))
    notes.note(event(call(), source="upstream", nearness=Nearness("shadow", "would hit", entry=9)))
    assert dict(notes.served) == {
        1: Served("chat/completions gpt-4o", 0.1, None),
        3: Served("chat/completions gpt-4o", 0.3, None),
    }
