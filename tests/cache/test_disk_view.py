from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cache.disk_view import Slot, View


def filled(*ends: float) -> View:
    view = View()
    for seq, end in enumerate(ends, 1):
        view.add(b"%d" % seq, Slot(seq, end, 10))
    return view


def test_expired_rows_go_up_to_their_number_and_others_while_there_are_too_many() -> None:
    view = filled(5, 1, 3, 2, 4)
    chosen = view.victims(2.5, entries=0, size=0, expired=1, most=9)
    assert [seq for _, seq, _ in chosen] == [2]
    view.back(chosen)
    assert [seq for _, seq, _ in view.victims(2.5, entries=0, size=0, expired=9, most=9)] == [2, 4]
    assert [seq for _, seq, _ in view.victims(2.5, entries=0, size=11, expired=9, most=9)] == [3, 5]


def test_never_more_than_the_most() -> None:
    assert len(filled(*range(20)).victims(0.0, entries=15, size=0, expired=0, most=4)) == 4


def test_an_older_row_of_a_key_is_ignored_and_a_replaced_one_is_no_victim() -> None:
    view = View()
    view.add(b"a", Slot(2, 50, 7))
    view.add(b"a", Slot(1, 10, 5))
    assert view.slots == {b"a": Slot(2, 50, 7)}
    view.add(b"a", Slot(3, 90, 9))
    assert view.bytes == 9
    assert view.drop(b"a", 2) is None
    assert [seq for _, seq, _ in view.victims(100, entries=0, size=0, expired=9, most=9)] == [3]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 100), st.booleans()), max_size=150))
def test_bytes_and_order_follow_the_rows(changes: list[tuple[int, int, bool]]) -> None:
    view, model = View(), {}
    for seq, (number, end, keep) in enumerate(changes):
        key = b"%d" % number
        if keep:
            view.add(key, Slot(seq, end, number))
            model[key] = Slot(seq, end, number)
        else:
            assert view.drop(key) == model.pop(key, None)
    assert view.slots == model
    assert view.bytes == sum(slot.size for slot in model.values())
    order = [(end, seq) for end, seq, _ in view.victims(0, entries=1000, size=0, expired=0, most=1000)]
    assert order == sorted((slot.expires_at, slot.seq) for slot in model.values())
