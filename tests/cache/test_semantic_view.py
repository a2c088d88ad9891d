from __future__ import annotations

import pytest

from cache.semantic_view import View
from cache.vectors import one_thread
from tests.cache.neighbours import scattered

ROWS = scattered(100, 8)


@pytest.fixture(autouse=True)
def _alone() -> None:
    one_thread()


def filled(many: int = 1000) -> View:
    """Ten rows in each of two scopes, of 100 bytes each."""
    view = View(8, many)
    view.add(b"one", [(id, 100) for id in range(1, 11)], ROWS[:10])
    view.add(b"two", [(id, 100) for id in range(11, 21)], ROWS[10:20])
    return view


def found(view: View, scope: bytes, row: int, k: int = 100) -> list[int]:
    return [id for _, id in view.search(scope, ROWS[row : row + 1], k)[0]]


def test_scopes_never_meet() -> None:
    view = filled()
    assert sorted(found(view, b"one", 0)) == list(range(1, 11))
    assert sorted(found(view, b"two", 0)) == list(range(11, 21))
    assert found(view, b"three", 0) == []
    assert [view.holds(scope) for scope in (b"one", b"two", b"three")] == [10, 10, 0]
    assert (len(view), view.bytes) == (20, 2000)


def test_what_is_dropped_is_neither_found_nor_counted() -> None:
    view = filled()
    slot = view.drop(3)
    assert slot is not None
    assert (slot.id, slot.size) == (3, 100)
    assert view.drop(3) is None
    assert 3 not in found(view, b"one", 2)
    assert (len(view), view.bytes, view.holds(b"one")) == (19, 1900, 9)


def test_what_is_hidden_is_counted_and_not_found() -> None:
    view = filled()
    view.hide(3)
    view.hide(3)
    view.hide(999)
    assert 3 not in found(view, b"one", 2)
    assert (len(view), view.bytes, view.holds(b"one")) == (20, 2000, 9)
    assert view.drop(3) is not None
    assert (len(view), view.bytes, view.holds(b"one")) == (19, 1900, 9)


def test_an_empty_scope_leaves_nothing_behind() -> None:
    view = filled(many=4)
    while view.work():
        pass
    assert view.approximate == {b"one", b"two"}
    view.add(b"two", [(21, 100)], ROWS[20:21])
    for id in range(11, 22):
        view.drop(id)
    assert list(view.scopes) == [b"one"]
    assert (view.approximate, view.making()) == ({b"one"}, 0)


def test_rows_of_another_embedder_are_known_and_never_found() -> None:
    view = filled()
    view.note(50, 70, foreign=True)
    view.note(51, 70, foreign=False)
    assert list(view.foreign) == [50]
    assert (len(view), view.bytes) == (22, 2140)
    view.hide(50)
    assert view.foreign == {}
    view.note(52, 70, foreign=True)
    view.drop(52)
    assert (view.foreign, len(view)) == ({}, 22)


def test_the_longest_unused_stands_first() -> None:
    view = filled()
    for id in (1, 2, 1, 999):
        view.use(id)
    assert list(view.slots)[:3] == [3, 4, 5]
    assert list(view.slots)[-2:] == [2, 1]
    view.order([20, 3])
    assert list(view.slots)[-2:] == [20, 3]


def test_every_scope_gets_its_index_a_step_at_a_time() -> None:
    view = filled(many=8)
    assert (view.making(), view.approximate) == (2, set())
    steps = 1
    while view.work():
        steps += 1
    assert steps > 4
    assert (view.making(), view.approximate) == (0, {b"one", b"two"})
    assert sorted(found(view, b"one", 0)) == list(range(1, 11))
    view.add(b"one", [(id, 100) for id in range(21, 31)], ROWS[20:30])
    assert view.making() == 1
    view.idle()
    assert not view.work()
    assert view.making() == 0
    view.add(b"one", [(31, 100)], ROWS[30:31])
    assert view.making() == 1, "tried again with the next row"


def test_cleared_it_is_as_new() -> None:
    view = filled(many=4)
    view.work()
    view.note(50, 70, foreign=True)
    view.clear()
    assert (len(view), view.bytes, view.scopes, view.foreign, view.approximate, view.making()) == (
        0,
        0,
        {},
        {},
        set(),
        0,
    )
