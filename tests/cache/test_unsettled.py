from __future__ import annotations

from typing import Any

import pytest

from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.unsettled import Unsettled
from tests.cache.contract import Clock, entry_of, key_of

CLOCK = Clock()


def kept(name: int = 1, **other: Any) -> Entry:
    return entry_of(name, CLOCK, **({"tenant": "t", "namespace": "n", "labels": ("a", "b")} | other))


WHAT = [
    Invalidation(keys=(key_of(1),)),
    Invalidation("t", keys=(key_of(1),)),
    Invalidation(labels=("x", "b")),
    Invalidation("t", labels=("a",)),
    Invalidation(namespaces=("n",)),
    Invalidation("t", everything=True),
    Invalidation(everything=True),
    Invalidation("other", everything=True),
    Invalidation("other", keys=(key_of(1),)),
    Invalidation(keys=(key_of(2),), labels=("c",), namespaces=("m",)),
    Invalidation(),
]


@pytest.mark.parametrize("what", WHAT)
def test_what_an_invalidation_covers_waits_so_long_and_nothing_else(what: Invalidation) -> None:
    unsettled = Unsettled(30)
    unsettled.note(what, 100)
    assert unsettled.covers(kept(), 129.9) is what.covers(kept())
    assert unsettled.covers(kept(), 130) is False
    assert len(unsettled) == 0


def test_the_latest_of_equal_ones_counts() -> None:
    unsettled = Unsettled(30)
    for now in (100, 120):
        unsettled.note(Invalidation(labels=("a",)), now)
        unsettled.note(Invalidation(labels=("z",)), now)
    assert unsettled.covers(kept(), 149) is True
    assert len(unsettled) == 2


def test_what_this_process_put_there_since_is_taken_from_there() -> None:
    unsettled = Unsettled(30)
    mine, others = kept(body=b"mine"), kept(body=b"others")
    unsettled.note(Invalidation(labels=("a",)), 100)
    unsettled.put(mine)
    assert unsettled.covers(mine, 101) is False
    assert unsettled.covers(others, 101) is True
    unsettled.note(Invalidation(labels=("b",)), 102)
    assert unsettled.covers(mine, 103) is True


def test_what_has_no_end_waits_until_somebody_says_so() -> None:
    unsettled = Unsettled(float("inf"))
    what = Invalidation("t", labels=("a",), keys=(key_of(5),))
    unsettled.note(what, 0)
    assert unsettled.covers(kept(), 1e12) is True
    unsettled.settled(what)
    assert unsettled.covers(kept(), 0) is False


def test_of_too_many_everything_waits() -> None:
    unsettled = Unsettled(30, most=10)
    for number in range(10):
        unsettled.note(Invalidation(labels=(f"{number}",)), 100)
    assert unsettled.covers(kept(), 101) is False
    unsettled.note(Invalidation(labels=("one more",)), 100)
    assert unsettled.covers(kept(), 101) is True
    assert len(unsettled) == 1
