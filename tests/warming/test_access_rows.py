"""The rows of tracked keys: found again, bounded, the least valuable out, and nothing of who went before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warming.access_rows import GROWTH, LONGEST, Ident, Rows


def rows(most=8, half_life=100.0, *, hourly=True):
    return Rows(most, half_life, hourly=hourly)


def access(table, key, now, user="", namespace="n"):
    slot = table.slot(user, namespace, key, now)
    table.weight[slot] += 1
    table.last[slot] = now
    return slot


def test_a_key_is_of_one_user_and_one_namespace():
    table = rows()
    slots = {
        table.slot(user, namespace, key, 0.0) for user in ("", "u") for namespace in ("m", "n") for key in ("k", b"k")
    }
    assert len(slots) == len(table) == 8
    assert table.slot("u", "n", b"k", 1.0) == table.find(Ident("u", "n", b"k"))
    assert table.ident(table.find(Ident("u", "m", "k"))) == Ident("u", "m", "k")
    assert table.find(Ident("u", "x", "k")) == table.find(Ident("u", "m", "x")) == -1


@pytest.mark.parametrize("most", [1, 2, 63, 64, 65, GROWTH, GROWTH + 1])
def test_there_are_never_more(most):
    table = rows(most)
    for number in range(2 * most + 10):
        access(table, f"k{number}", float(number))
        assert len(table) <= most
    assert table.find(Ident("", "n", f"k{2 * most + 9}")) >= 0
    assert table.dropped + len(table) == 2 * most + 10
    assert sum(len(group.slots) for group in table.groups.values()) == len(table)


def test_the_least_valuable_goes_first():
    table = rows(4, half_life=100.0)
    for _ in range(8):
        access(table, "often long ago", 0.0)
    access(table, "once long ago", 0.0)
    for _ in range(2):
        access(table, "twice", 200.0)
    access(table, "once", 210.0)
    access(table, "new", 300.0)
    assert table.find(Ident("", "n", "once long ago")) == -1
    # Now 8 / 2**3 = 1, 2 / 2 = 1 and 1 / 2**0.9: that one goes.
    access(table, "newer", 300.0)
    assert table.find(Ident("", "n", "once")) == -1
    assert len(table) == 4


def test_a_row_that_is_given_again_is_empty():
    table = rows(1)
    slot = access(table, "old", 0.0, user="u")
    table.unsaved[slot], table.warmed[slot] = 7, 1
    for _ in range(9):
        table.count(slot, 3)
    assert table.slot("v", "n", "new", 5.0) == slot
    assert (table.weight[slot], table.unsaved[slot], table.warmed[slot], table.last[slot]) == (0, 0, 0, 5.0)
    assert table.hours(np.array([slot])).sum() == 0
    assert set(table.groups) == {("v", "n")}
    assert table.ident(slot) == Ident("v", "n", "new")


@pytest.mark.parametrize(
    ("user", "namespace", "key"),
    [
        ("", "n", 7),
        ("", "n", None),
        ("", "n", ["k"]),
        ("", "n", {"k": 1}),
        ("", "n", "k" * (LONGEST + 1)),
        (7, "n", "k"),
        (["u"], "n", "k"),
        ("u" * (LONGEST + 1), "n", "k"),
        ("", None, "k"),
        ("", {}, "k"),
        ("", "n" * (LONGEST + 1), "k"),
    ],
)
def test_what_can_not_be_tracked_is_counted(user, namespace, key):
    table = rows()
    assert table.slot(user, namespace, key, 0.0) == -1
    assert table.refused == 1
    assert len(table) == 0
    assert not table.groups


def test_hours_are_kept_apart_and_halved_together():
    table = rows()
    slot, other = table.slot("", "n", "a", 0.0), table.slot("", "n", "b", 0.0)
    for hour, times in ((0, 15), (1, 6), (23, 1)):
        for _ in range(times):
            table.count(slot, hour)
    assert table.hours(np.array([slot]))[0].tolist() == [15, 6, *[0] * 21, 1]
    table.count(slot, 0)
    assert table.hours(np.array([other, slot]))[1].tolist() == [8, 3, *[0] * 22]
    assert table.hours(np.array([other])).sum() == 0
    table.set_hours(slot, [255, 0, 64, *[0] * 20, 16])
    assert table.hours(np.array([slot]))[0].tolist() == [15, 0, 4, *[0] * 20, 1]
    assert rows(hourly=False).hours(np.array([0, 1])).shape == (2, 24)


@settings(max_examples=50)
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), max_size=120))
def test_what_is_found_is_what_was_put(most, accesses):
    table = rows(most)
    for now, (user, key) in enumerate(accesses):
        slot = access(table, f"k{key}", float(now), user=f"u{user}")
        assert table.ident(slot) == Ident(f"u{user}", "n", f"k{key}")
        named = {(name[0], each): place for name, group in table.groups.items() for each, place in group.slots.items()}
        assert len(set(named.values())) == len(named) == len(table) <= most
        assert all(table.ident(place) == Ident(user, "n", each) for (user, each), place in named.items())
        assert all(group.slots for group in table.groups.values())
