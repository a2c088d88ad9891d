from __future__ import annotations

import pytest

from cache import dependents
from cache.dependents import Dependents
from cache.invalidation import Invalidation
from cache.labels import entry_label
from tests.cache.contract import Clock, entry_of, key_of

ON_1 = entry_of("x", Clock(), labels=("tag", entry_label(key_of(1))))


def test_nothing_is_asked_about_what_nobody_depends_on() -> None:
    known = Dependents(strangers=False)
    known.note(ON_1)
    known.note(entry_of("y", Clock(), labels=("tag",)))
    assert [known.any_of(key_of(number)) for number in (1, 2)] == [True, False]
    what = Invalidation("t", keys=(key_of(1), key_of(2)))
    assert known.included(what).labels == (entry_label(key_of(1)), entry_label(key_of(2))), "also what is being made"
    assert known.below(known.included(what)) == what._replace(labels=(entry_label(key_of(1)),))
    assert known.below(Invalidation(labels=(entry_label(key_of(2)),))) is None
    assert known.included(known.included(what)) == known.included(what)
    tagged = Invalidation("t", labels=("tag",))
    assert list(known.of([key_of(2)], tagged)) == []
    assert list(known.of([key_of(2), key_of(1)], tagged)) == [Invalidation("t", labels=(entry_label(key_of(1)),))]
    assert list(known.of([key_of(1)], known.included(what))) == [], "said already"
    assert list(known.of([key_of(1)], Invalidation("t", everything=True))) == []


def test_where_strangers_may_depend_on_it_all_is_asked() -> None:
    known = Dependents(strangers=True)
    assert known.any_of(key_of(5))
    other = Invalidation(labels=(entry_label(key_of(5)),))
    assert known.below(other) == other
    keys = [key_of(number) for number in range(dependents.AT_ONCE + 1)]
    parts = list(known.of(keys, Invalidation(namespaces=("n",))))
    assert [len(part.labels) for part in parts] == [dependents.AT_ONCE, 1]


def test_memory_is_only_searched_for_labels_that_it_has_seen() -> None:
    known = Dependents(strangers=True)
    known.note(ON_1)
    one, two = entry_label(key_of(1)), entry_label(key_of(2))
    assert known.in_memory(Invalidation(labels=(one, two, "tag"))) == Invalidation(labels=(one, "tag"))
    assert known.in_memory(Invalidation(labels=(two,))) is None
    assert known.in_memory(Invalidation(keys=(key_of(2),), labels=(two,))) == Invalidation(keys=(key_of(2),))
    everything = Invalidation(everything=True)
    assert known.in_memory(everything) == everything


def test_of_too_many_labels_none_is_remembered_and_all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependents, "NAMED", 2)
    known = Dependents(strangers=False)
    for number in range(3):
        known.note(entry_of("x", Clock(), labels=(entry_label(key_of(number)),)))
    assert known.any_of(key_of(9))
    what = Invalidation(labels=(entry_label(key_of(9)),))
    assert known.in_memory(what) == what
    known.note(ON_1)
