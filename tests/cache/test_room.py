from __future__ import annotations

import pytest

from cache.eviction import ORDERS, Slot
from cache.level import Share
from cache.room import EMPTY, Room


def put(room: Room[Slot], name: int, namespace: str = "", *, size: int = 10, ends: float = 100.0) -> list[int]:
    """Keeps one; the names of those that had to go."""
    part = room.part(namespace)
    gone = []
    while (first := room.first_out(part, size)) is not None:
        room.drop(first)
        gone.append(int(first.key))
    room.add(Slot(b"%d" % name, size, ends, part))
    return gone


def told(room: Room[Slot]) -> dict[str, tuple[int, int]]:
    return {part.name: (part.entries, part.bytes) for part in room.parts()}


def test_both_budgets_of_the_whole_hold() -> None:
    room: Room[Slot] = Room(3, 50)
    assert [put(room, name) for name in range(1, 5)] == [[], [], [], [1]]
    assert put(room, 5, size=31) == [2, 3]
    assert (room.entries, room.bytes) == (2, 41)
    assert put(room, 6, size=50) == [4, 5]


def test_a_namespace_with_a_share_is_evicted_within_it_first() -> None:
    room: Room[Slot] = Room(5, 1000, "lru", {"tool": Share(2), "file": Share(max_bytes=25)})
    for name in (1, 2):
        assert put(room, name) == []
    assert [put(room, name, "tool") for name in (3, 4, 5)] == [[], [], [3]]
    assert told(room) == {"tool": (2, 20), "file": (0, 0), "": (2, 20)}
    assert [put(room, name, "file") for name in (6, 7, 8)] == [[], [1], [6]]
    assert put(room, 9) == [2], "the whole is full: who is the first of all goes, and a share reserves nothing"
    assert put(room, 10) == [4]
    assert told(room) == {"tool": (1, 10), "file": (2, 20), "": (2, 20)}


def test_what_is_read_is_later_in_both_orders() -> None:
    room: Room[Slot] = Room(3, 1000, "lru", {"tool": Share(2)})
    part = room.part("tool")
    one, two = (Slot(b"%d" % name, 1, 9, part) for name in (1, 2))
    room.add(one)
    room.add(two)
    room.touch(one)
    assert put(room, 3, "tool") == [2]
    put(room, 4)
    room.touch(one)
    assert put(room, 5) == [3]


def test_what_can_be_kept_at_all() -> None:
    room: Room[Slot] = Room(3, 50, "lru", {"none": Share(0), "small": Share(max_bytes=10)})
    fits = {(name, size): room.fits(room.part(name), size) for name in ("", "none", "small") for size in (10, 11, 51)}
    assert [where for where, fine in fits.items() if fine] == [("", 10), ("", 11), ("small", 10)]
    assert not Room[Slot](0, 50).fits(room.part(""), 1)


@pytest.mark.parametrize("eviction", ORDERS)
def test_clear_leaves_nothing_to_go(eviction: str) -> None:
    room: Room[Slot] = Room(3, 50, eviction, {"tool": Share(2)})
    for name in range(3):
        put(room, name, "tool")
    room.part("tool").hits = 7
    room.clear()
    assert (room.entries, room.bytes, told(room)) == (0, 0, {"tool": (0, 0)})
    assert room.part("tool").hits == 7
    assert room.order.pop() is None
    assert room.due.due(1e9) is None
    assert [put(room, name, "tool") for name in (4, 5, 6)] == [[], [], [4]]


def test_namespaces_that_clients_name_at_will_do_not_pile_up() -> None:
    room: Room[Slot] = Room(5, 1000, "lru", {"tool": Share(2)})
    put(room, 0, "tool")
    for name in range(1000):
        put(room, name, f"n{name}")
    parts = told(room)
    assert len(parts) <= EMPTY + 6
    assert "tool" in parts
    assert [name for name, (entries, _) in parts.items() if entries] == [f"n{name}" for name in range(995, 1000)]
    for name in range(1000):
        room.part(f"m{name}")
    assert len(room.parts()) <= EMPTY + 6


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((-1, 1), "max_size has to be 0 or more, not -1"),
        ((1, -1), "max_bytes has to be 0 or more, not -1"),
        ((1, 1, "lru", {"tool": Share(-1)}), "max_size of 'tool'"),
        ((1, 1, "lru", {"tool": Share(max_bytes=-5)}), "max_bytes of 'tool'"),
        ((1, 1, "lru", {"tool": Share(ttl=float("nan"))}), "ttl of 'tool'"),
        ((1, 1, "mru"), "no order of eviction is called 'mru': there are lru, lfu, fifo, ttl"),
    ],
)
def test_what_makes_no_sense_is_said_at_the_start(arguments: tuple, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Room(*arguments)
