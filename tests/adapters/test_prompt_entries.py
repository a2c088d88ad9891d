from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prompt import Point
from adapters.prompt_entries import (
    LIVES,
    LONG_AGO,
    Entries,
    Entry,
    Scan,
    digest_at,
    edge_at,
    mark_at,
    place_at,
    tokens_at,
)

TTL = 100.0
NAMES = [b"a", b"b", b"c", b"d"]


def filled(most: int = 100, **entries: Entry) -> Entries:
    made = Entries(TTL, most)
    made.update({name.encode(): entry for name, entry in entries.items()})
    return made


def test_members_of_a_point() -> None:
    point = Point(b"d", 5, 7, "5m", "tools", False)
    assert [get(point) for get in (digest_at, tokens_at, place_at, mark_at, edge_at)] == [b"d", 5, 7, "5m", "tools"]


def test_the_longest_that_can_be_read_and_what_stands_behind_it() -> None:
    entries = filled(a=Entry(0, 50), b=Entry(0, 50), c=Entry(20, 50), d=Entry(0, 10))
    assert entries.scan(NAMES, 10) == Scan(2, [b"d", b"c"])
    assert entries.scan(NAMES, 20) == Scan(3, [b"d"])
    assert entries.scan(NAMES, 9.9) == Scan(4, [])
    assert entries.scan(NAMES, 50) == Scan(0, NAMES[::-1])
    assert entries.scan([b"x", b"a", b"y"], 10) == Scan(2, [])
    assert entries.scan([], 10) == Scan(0, [])


def test_of_two_writers_the_first_makes_it_readable_and_the_last_gives_it_its_life() -> None:
    entries = filled(a=Entry(5, 100), b=Entry(90, 100), c=Entry(5, 7))
    entries.write([b"a", b"b", b"c", b"d"], [b"a", b"b", b"c"], 10, Entry(20, 110))
    assert entries == {b"a": Entry(5, 110), b"b": Entry(20, 110), b"c": Entry(20, 110), b"d": Entry(20, 110)}


def test_storing_refreshes_what_was_found_and_writes_the_rest() -> None:
    entries = filled(a=Entry(0, 50), b=Entry(30, 60))
    entries.store(NAMES[:3], entries.scan(NAMES[:3], 10), 10, 40, TTL)
    assert entries == {b"a": Entry(LONG_AGO, 110), b"b": Entry(30, 110), b"c": Entry(40, 110)}


def test_what_has_expired_is_dropped_once_in_a_while() -> None:
    entries = filled(a=Entry(0, 50), b=Entry(0, 51))
    entries.forget(50)
    assert set(entries) == {b"b"}
    entries.forget(50 + LIVES * TTL - 0.1)
    assert set(entries) == {b"b"}
    entries.forget(50 + LIVES * TTL)
    assert not entries


def test_a_full_memory_drops_what_expires_first_and_of_that_the_longest() -> None:
    entries = filled(most=3)
    entries.write([b"x"], [], 0, Entry(0, 300))
    entries.write(NAMES, [], 0, Entry(0, 200))
    assert set(entries) == {b"x", b"a", b"b"}


def test_a_large_memory_makes_room_for_more_than_one() -> None:
    entries = filled(most=640)
    entries.write([b"%d" % n for n in range(640)], [], 0, Entry(0, 300))
    assert len(entries) == 640
    entries.write([b"new"], [], 1, Entry(0, 301))
    assert len(entries) == 620
    assert b"new" in entries


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(NAMES), st.tuples(st.integers(0, 9), st.integers(0, 9))),
    st.lists(st.sampled_from(NAMES), unique=True),
    st.integers(0, 9),
)
def test_a_scan_is_what_one_look_at_each_would_find(
    kept: dict[bytes, tuple[int, int]], digests: list[bytes], now: int
) -> None:
    entries = Entries(TTL, 100)
    entries.update({digest: Entry(*times) for digest, times in kept.items()})
    found = [n for n, digest in enumerate(digests, 1) if digest in kept and kept[digest][0] <= now < kept[digest][1]]
    longest = max(found, default=0)
    assert entries.scan(digests, now) == Scan(longest, [each for each in digests[longest:][::-1] if each in kept])
