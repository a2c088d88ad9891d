"""Why the exact cache does not answer. Hits and misses are tested over HTTP, in `test_cache_desk`."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.vocabulary import Call, Controls, Sent
from cache.memory import Memory
from cache.recent import Recent
from cache.tiers import Tiers
from proxy.cache_exact import LOOKED, bypassed, closest_told, exact_told, items_told
from tests.fakes import CHAT, Clock


def call(sent: Sent | None = None, **members: Any) -> Call:
    body = CHAT | members
    return Call("POST", "/chat/completions", {}, b"{}", OPENAI_CHAT, body, "t", sent=sent)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (call(store=True), "the provider keeps or does something: store"),
        (call(Sent("/x", b"", {}, stateful="server tools")), "the provider keeps or does something: server tools"),
        (call(), "no temperature is set"),
        (call(temperature=0.5), "the temperature is not 0"),
        (call(temperature=[{}]), "the temperature is not 0"),
        (call(Sent("/x", b"", {"temperature": 1}), temperature=0), "the temperature is not 0"),
    ],
)
def test_why_a_request_passes_by(asked: Call, why: str) -> None:
    assert bypassed(asked).startswith(why)


async def test_where_caches_are_off() -> None:
    assert (await exact_told(None, call(), Recent()))["outcome"] == "off"
    assert (await items_told(None, call()))["outcome"] == "off"


async def test_the_nearest_of_the_tenants_own() -> None:
    clock, recent = Clock(), Recent()
    levels = Tiers(Memory(10, 1 << 20, 100, clock), None)
    assert await closest_told(levels, call(), recent, clock) is None
    recent.note(call(seed=1), clock(), "length")
    recent.note(call(seed=1, **{f"x{i}": i for i in range(40)}), clock())
    clock.tick(90)
    told = await closest_told(levels, call(seed=2), recent, clock)
    assert told is not None
    assert told.pop("key")
    assert told == {
        "identical": False,
        "not_kept": "length",
        "differences": [{"path": "seed", "kind": "changed", "there": "1", "here": "2"}],
        "more": False,
        "seconds_ago": 90.0,
        "cached": False,
    }


class Held:
    """What of `Items` is looked at."""

    def __init__(self) -> None:
        self.levels = Tiers(None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", {"outcome": "miss", "items": 1, "held": 0, "missing": [0]}),
        (["a"] * 1000, {"items": 1000, "looked": LOOKED, "missing": list(range(20))}),
        ({"a": 1}, {"outcome": "bypass", "cacheable": False}),
        (None, {"outcome": "bypass"}),
    ],
)
async def test_batches_of_embeddings(value: Any, expected: dict[str, Any]) -> None:
    items: Any = Held()
    body = {"model": "m", "input": value}
    told = await items_told(items, Call("POST", "/embeddings", {}, b"{}", OPENAI_EMBEDDINGS, body, "t"))
    assert told | expected == told


async def test_embeddings_that_are_wanted_anew() -> None:
    items: Any = Held()
    asked = Call("POST", "/embeddings", {}, b"{}", OPENAI_EMBEDDINGS, {"model": "m", "input": "a"}, "t")
    asked.controls = Controls(no_cache=True)
    assert (await items_told(items, asked))["why"] == "no-cache was asked"
