from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.disk_view import View
from cache.eviction import ORDERS
from cache.invalidation import Invalidation
from cache.level import Eviction, Share
from cache.room import Room


def view_of(max_size: int = 1000, max_bytes: int = 1 << 20, eviction: Eviction = "ttl", **more: Any) -> View:
    return View(Room(max_size, max_bytes, eviction, more.pop("shares", None)), **more)


def filled(*ends: float, **more: Any) -> View:
    view = view_of(**more)
    for seq, end in enumerate(ends, 1):
        view.add(b"%d" % seq, seq, end, 10, "t", "")
    return view


def victims(view: View, now: float, **more: Any) -> list[int]:
    return [row.seq for row in view.victims(now, **({"expired": 9, "most": 9} | more))]


def test_expired_rows_go_up_to_their_number_and_others_while_there_are_too_many() -> None:
    view = filled(5, 1, 3, 2, 4)
    assert victims(view, 2.5, expired=1) == [2]
    view.back()
    assert victims(view, 2.5) == [2, 4]
    view.back()
    view.room.max_bytes = 20
    assert victims(view, 2.5, coming=[(view.room.part(""), 1)]) == [2, 4, 3, 5]


def test_never_more_than_the_most() -> None:
    assert victims(filled(*range(1, 21), max_size=5), 0.0, most=4) == [1, 2, 3, 4]


def test_what_is_over_goes_before_what_is_first() -> None:
    view = filled(50, 40, 30, 2, 1, max_size=3, eviction="lru")
    assert victims(view, 2.0, expired=0) == [5, 4]
    view.back()
    view.touch(b"1")
    assert victims(view, 0.0, expired=0) == [2, 3]


def test_what_leaves_anyway_makes_room_and_is_no_victim() -> None:
    view = filled(1, 2, 3, max_size=3)
    leaving = {view.slots[b"1"]}
    part = view.room.part("")
    assert victims(view, 0.0, leaving=leaving, coming=[(part, 10)]) == []
    assert victims(view, 0.0, leaving=leaving, coming=[(part, 10)] * 2) == [2]
    view.back()
    assert victims(view, 0.0, coming=[(part, 10)]) == [1]


def test_a_share_is_kept_within_before_the_whole() -> None:
    view = view_of(4, shares={"tool": Share(2)}, eviction="fifo")
    for seq, namespace in enumerate(("", "tool", "tool", ""), 1):
        view.add(b"%d" % seq, seq, 99, 10, "t", namespace)
    tool, other = view.room.part("tool"), view.room.part("")
    assert victims(view, 0.0, coming=[(tool, 10)]) == [2]
    view.back()
    assert victims(view, 0.0, coming=[(other, 10)]) == [1]
    view.back()
    assert victims(view, 0.0, coming=[(tool, 10), (other, 10), (tool, 10)]) == [2, 3, 1]


def test_an_older_row_of_a_key_is_ignored_and_a_replaced_one_is_no_victim() -> None:
    view = view_of()
    view.add(b"a", 2, 50, 7, "t", "")
    view.add(b"a", 1, 10, 5, "t", "")
    assert (view.slots[b"a"].seq, view.room.bytes) == (2, 7)
    view.add(b"a", 3, 90, 9, "t", "")
    assert view.room.bytes == 9
    assert view.drop(b"a", 2) is None
    assert victims(view, 100) == [3]
    assert [row.seq for row in view.gone([view.slots[b"a"]])] == [3]
    assert (len(view), view.room.bytes) == (0, 0)


def test_a_row_is_of_use_until_its_grace_is_over() -> None:
    view = filled(5, grace=3.0)
    assert victims(view, 7.9) == []
    assert victims(view, 8.0) == [1]


def test_what_an_invalidation_covers() -> None:
    view = view_of()
    for number, (tenant, namespace) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]):
        view.add(b"%d" % number, number, 9, 1, tenant, namespace)

    def covered(labelled: list[bytes] | None = None, **more: Any) -> list[bytes]:
        return sorted(view.covered(Invalidation(**more), labelled or []))

    assert covered(tenant="a") == []
    assert covered(tenant="a", everything=True) == [b"0", b"1"]
    assert covered(everything=True) == [b"0", b"1", b"2", b"3"]
    assert covered(namespaces=("x", "nobody's")) == [b"0", b"2"]
    assert covered(namespaces=("x",), keys=(b"3", b"9"), tenant="b") == [b"2", b"3"]
    assert covered(keys=(b"0", b"3", b"9")) == [b"0", b"3"]
    assert covered([b"1", b"2", b"9"], tenant="a") == [b"1"]


CHANGES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 100), st.sampled_from(["put", "drop", "read", "back"])), max_size=100
)


@pytest.mark.parametrize("eviction", ORDERS)
@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 100), st.sampled_from(["put", "drop", "read", "back"]))
    )
)
def test_sums_and_order_follow_the_rows(eviction: Eviction, changes: list[tuple[int, int, str]]) -> None:
    view, twin = view_of(eviction=eviction), view_of(eviction=eviction)
    model: dict[bytes, tuple[int, int]] = {}
    for seq, (number, end, verb) in enumerate(changes):
        key = b"%d" % number
        if verb == "put":
            for each in (view, twin):
                each.add(key, seq, end, number, "t", "")
            model[key] = seq, number
        elif verb == "drop":
            known = view.drop(key)
            twin.drop(key)
            assert (known and (known.seq, known.size)) == model.pop(key, None)
        elif verb == "read":
            view.touch(key)
            twin.touch(key)
        elif eviction != "lfu":  # there a victim that stays has aged the others
            view.room.max_size = number
            view.victims(end, expired=number, most=end)
            view.back()
            view.room.max_size = 1000
    assert {key: (row.seq, row.size) for key, row in view.slots.items()} == model
    assert view.room.bytes == sum(size for _, size in model.values())
    for each in (view, twin):
        each.room.max_size = 0
    order = [victims(each, -1, expired=0, most=1000) for each in (view, twin)]
    assert order[0] == order[1]
    assert sorted(order[0]) == sorted(seq for seq, _ in model.values())
