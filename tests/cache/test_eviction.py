from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.eviction import ORDERS, Fifo, Lfu, Lru, Order, Part, Slot, Ttl

PART = Part("n")


def slot(name: int, *, ends: float = 0.0, serial: int = 0) -> Slot:
    made = Slot(b"%d" % name, 1, ends, PART)
    made.there, made.serial = True, serial
    return made


def leaving(order: Order[Slot]) -> list[int]:
    """The names of all, as they leave."""
    names = []
    while (first := order.pop()) is not None:
        first.there = False
        order.discard(first)
        names.append(int(first.key))
    return names


def filled(order: Order[Slot], *ends: float) -> list[Slot]:
    slots = [slot(name, ends=end, serial=name) for name, end in enumerate(ends, 1)]
    for each in slots:
        order.add(each, 0)
    return slots


@pytest.mark.parametrize(
    ("order", "expected"),
    [(Fifo(), [1, 2, 3, 4]), (Lru(), [2, 3, 1, 4]), (Lfu(), [2, 3, 1, 4]), (Ttl(), [3, 1, 4, 2])],
)
def test_each_order_has_its_own_first(order: Order[Slot], expected: list[int]) -> None:
    one, _, _, four = filled(order, 5, 9, 1, 5)
    for _ in range(3):
        order.touch(one)
    order.touch(four)
    if isinstance(order, Lfu):
        expected = [2, 3, 4, 1]
    assert leaving(order) == expected
    assert order.pop() is None


@pytest.mark.parametrize("name", ORDERS)
def test_what_comes_back_is_the_first_again(name: str) -> None:
    order = ORDERS[name]()
    filled(order, 3, 3, 1, 2, 3)
    taken = [order.pop() for _ in range(3)]
    for each in reversed(taken):
        order.back(each)
    again = [order.pop() for _ in range(5)]
    assert again[:3] == taken
    assert len({each.key for each in again}) == 5


def test_an_entry_that_was_replaced_keeps_its_standing_where_uses_count() -> None:
    order: Lfu[Slot] = Lfu()
    hot, _ = filled(order, 1, 1)
    for _ in range(5):
        order.touch(hot)
    order.add(slot(3), order.discard(hot))
    order.add(slot(4), 0)
    assert leaving(order) == [2, 4, 3]


def test_yesterdays_favourite_goes_and_todays_stays() -> None:
    order: Lfu[Slot] = Lfu()
    old, today = filled(order, 1, 1)
    for _ in range(1000):
        order.touch(old)
    gone: set[int] = set()
    for name in range(10, 2000):  # a room for ten, and one that is read now and then among all that come once
        order.add(slot(name), 0)
        if name % 5 == 0:
            order.touch(today)
        if name >= 18:
            first = order.pop()
            order.discard(first)
            gone.add(int(first.key))
    assert 1 in gone
    assert 2 not in gone


def test_what_was_dropped_does_not_pile_up() -> None:
    by_end, by_use = Ttl[Slot](), Lfu[Slot]()
    hot = slot(0)
    by_use.add(hot, 0)
    for name in range(10_000):
        one = slot(name, ends=1e9 - name, serial=name)
        by_end.add(one, 0)
        one.there = False
        by_end.discard(one)
        by_use.touch(hot)
        by_use.add(one, 0)
        by_use.discard(one)
    assert len(by_end._heap) < 100
    assert len(by_use._lowest) < 100


def test_only_what_is_over_is_due() -> None:
    order: Ttl[Slot] = Ttl()
    one, two, _ = filled(order, 5, 3, 9)
    assert order.due(2.9) is None
    assert order.due(3) is two
    one.there = False
    order.discard(one)
    assert order.due(8.9) is None
    assert [order.due(9).key, order.due(99)] == [b"3", None]


class Model:
    """The orders as their definitions say it, with a look at everything each time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.facts: dict[Slot, list[int]] = {}
        """Moments of coming and of the last use, uses, rank."""
        self.age = self.turn = 0

    def add(self, each: Slot, uses: int) -> None:
        self.turn += 1
        uses = min(uses + 1, 16)
        self.facts[each] = [self.turn, self.turn, uses, uses + self.age]

    def touch(self, each: Slot) -> None:
        self.turn += 1
        facts = self.facts[each]
        uses = min(facts[2] + 1, 16)
        facts[1:] = [self.turn, uses, uses + self.age]

    def discard(self, each: Slot) -> int:
        return self.facts.pop(each)[2]

    def first(self) -> Slot | None:
        by: dict[str, Callable[[Slot], tuple[float, float]]] = {
            "fifo": lambda each: (self.facts[each][0], 0),
            "lru": lambda each: (self.facts[each][1], 0),
            "lfu": lambda each: (self.facts[each][3], self.facts[each][1]),
            "ttl": lambda each: (each.ends, self.facts[each][0]),
        }
        found = min(self.facts, key=by[self.name], default=None)
        if found is not None:
            self.age = max(self.age, self.facts[found][3])
        return found


@pytest.mark.parametrize("name", ORDERS)
@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "touch", "touch", "drop", "replace", "pop", "back"]), st.integers(0, 30))
    ),
)
def test_an_order_is_what_it_says(name: str, steps: list[tuple[str, int]]) -> None:
    order, model = ORDERS[name](), Model(name)
    there: list[Slot] = []
    for serial, (verb, number) in enumerate(steps):
        one = there[number % len(there)] if there else None
        if verb == "add" or one is None:
            one = slot(serial, ends=float(number), serial=serial)
            order.add(one, 0)
            model.add(one, 0)
            there.append(one)
        elif verb == "touch":
            order.touch(one)
            model.touch(one)
        elif verb in {"drop", "replace"}:
            one.there = False
            uses, expected = order.discard(one), model.discard(one)
            assert uses == (expected if name == "lfu" else 0)
            there.remove(one)
            if verb == "replace":
                new = slot(serial, ends=float(number), serial=serial)
                order.add(new, uses)
                model.add(new, expected)
                there.append(new)
        else:
            first = order.pop()
            assert first is model.first()
            if verb == "back":
                order.back(first)
            else:
                first.there = False
                order.discard(first)
                model.discard(first)
                there.remove(first)
    while (expected := model.first()) is not None:
        first = order.pop()
        assert first is expected
        first.there = False
        order.discard(first)
        model.discard(first)
    assert order.pop() is None
