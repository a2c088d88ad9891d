from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.breakpoint_cache import BreakpointCache
from adapters.prompt import Billed, Point, Prompt

MINIMUM = 1000


def prompt(*blocks: tuple[str, int] | tuple[str, int, str], minimum: int = MINIMUM) -> Prompt:
    """Blocks of (text, tokens, mark); digests are the texts so far."""
    texts = accumulate((block[0] for block in blocks), lambda a, b: f"{a}/{b}")
    totals = accumulate(block[1] for block in blocks)
    marks = [block[2] if len(block) == 3 else "" for block in blocks]
    points = [
        Point(text.encode(), total, place, mark)
        for place, (text, total, mark) in enumerate(zip(texts, totals, marks, strict=True))
    ]
    return Prompt(tuple(points), minimum)


def ask(cache: BreakpointCache, asked: Prompt, now: float, *, first: float | None = None) -> Billed:
    return cache.lookup_and_store(asked, now, now if first is None else first)


def turns(count: int, *marked: int) -> Prompt:
    """A conversation of blocks of 1,000 tokens, five-minute marks at some of them."""
    return prompt(*((str(n), 1000, "5m" if n in marked else "") for n in range(count)))


def test_the_first_request_writes_up_to_its_breakpoint_and_the_second_reads_that() -> None:
    cache = BreakpointCache()
    assert ask(cache, prompt(("system", 3000, "5m"), ("a", 500)), 0) == Billed(write_5m=3000, uncached=500)
    assert ask(cache, prompt(("system", 3000, "5m"), ("b", 700)), 1) == Billed(read=3000, uncached=700)


def test_nothing_is_written_without_a_breakpoint() -> None:
    cache = BreakpointCache()
    assert ask(cache, prompt(("system", 3000), ("a", 500)), 0) == Billed(uncached=3500)
    assert len(cache) == 0
    assert ask(cache, prompt(("system", 3000, "5m"), ("a", 500)), 1).read == 0


def test_an_entry_is_found_only_at_the_very_end_of_a_block_where_one_was_written() -> None:
    cache = BreakpointCache()
    ask(cache, prompt(("tools", 2000), ("system", 3000, "5m"), ("a", 500)), 0)
    assert ask(cache, prompt(("tools", 2000, "5m"), ("other", 3000), ("a", 500)), 1).read == 0
    assert ask(cache, prompt(("tools", 2000), ("system", 3000), ("a", 500, "5m")), 1).read == 5000


# Positions A, B and C on one prompt of 1,000 + 2,000 + 4,000 + 8,000 tokens.
@pytest.mark.parametrize(
    ("marks", "read_before", "expected"),
    [
        (("", "", "", ""), 0, Billed(uncached=15_000)),
        (("1h", "", "", ""), 0, Billed(write_1h=1000, uncached=14_000)),
        (("", "", "5m", ""), 0, Billed(write_5m=7000, uncached=8000)),
        (("1h", "", "5m", ""), 0, Billed(write_1h=1000, write_5m=6000, uncached=8000)),
        (("1h", "1h", "5m", "5m"), 0, Billed(write_1h=3000, write_5m=12_000)),
        (("1h", "", "5m", ""), 1, Billed(read=1000, write_5m=6000, uncached=8000)),
        (("1h", "1h", "5m", ""), 1, Billed(read=1000, write_1h=2000, write_5m=4000, uncached=8000)),
        (("1h", "1h", "5m", "5m"), 2, Billed(read=3000, write_5m=12_000)),
        (("1h", "1h", "5m", "5m"), 3, Billed(read=7000, write_5m=8000)),
        (("1h", "1h", "", "1h"), 3, Billed(read=7000, write_1h=8000)),
        (("5m", "", "", "5m"), 4, Billed(read=15_000)),
    ],
)
def test_money_by_positions(marks: tuple[str, ...], read_before: int, expected: Billed) -> None:
    blocks = [(name, tokens) for name, tokens in zip("abcd", (1000, 2000, 4000, 8000), strict=True)]
    cache = BreakpointCache()
    if read_before:
        before = [(*block, "1h" if place == read_before - 1 else "") for place, block in enumerate(blocks)]
        ask(cache, prompt(*before[:read_before]), 0)
    asked = prompt(*((*block, mark) for block, mark in zip(blocks, marks, strict=True)))
    assert cache.lookup(asked, 10) == expected
    assert ask(cache, asked, 10) == expected


def test_below_the_minimum_nothing_is_kept_and_nothing_said() -> None:
    cache = BreakpointCache()
    for tokens, billed in ((999, Billed(uncached=999)), (1000, Billed(write_5m=1000))):
        assert ask(cache, prompt((str(tokens), tokens, "5m")), 0) == billed
    assert len(cache) == 1
    assert ask(cache, prompt(("999", 999, "5m")), 1) == Billed(uncached=999)
    # A short one-hour prefix does not make a one-hour write of what follows.
    assert ask(cache, prompt(("s", 500, "1h"), ("m", 900, "5m")), 2) == Billed(write_5m=1400)
    assert ask(cache, prompt(("x", 2000, "5m"), minimum=4096), 3) == Billed(uncached=2000)


@pytest.mark.parametrize(("grown", "read"), [(19, 1000), (20, 0)])
def test_a_breakpoint_looks_back_over_twenty_positions_its_own_among_them(grown: int, read: int) -> None:
    cache = BreakpointCache()
    ask(cache, turns(1, 0), 0)
    assert ask(cache, turns(1 + grown, grown), 1).read == read


def test_a_second_breakpoint_opens_a_window_of_its_own() -> None:
    cache = BreakpointCache()
    ask(cache, turns(1, 0), 0)
    assert ask(cache, turns(40, 15, 39), 1).read == 1000
    assert ask(cache, turns(60, 59), 2).read == 0


def test_the_longest_hit_of_all_breakpoints_counts() -> None:
    cache = BreakpointCache()
    ask(cache, turns(3, 0, 2), 0)
    assert ask(cache, turns(6, 0, 2, 5), 1).read == 3000
    assert ask(cache, turns(9, 8), 2).read == 6000


def test_blocks_of_one_position_are_looked_through_together() -> None:
    cache = BreakpointCache()
    run = [Point(str(n).encode(), 1000 * (n + 1), min(n, 1), "") for n in range(60)]
    ask(cache, Prompt((run[0]._replace(mark="5m"),), MINIMUM), 0)
    assert ask(cache, Prompt((*run[:-1], run[-1]._replace(mark="5m")), MINIMUM), 1).read == 1000


@pytest.mark.parametrize(("mark", "ttl"), [("5m", 300), ("1h", 3600)])
def test_an_entry_lives_from_the_start_of_who_wrote_or_last_read_it(mark: str, ttl: float) -> None:
    asked = prompt(("s", 2000, mark))
    for late, read in ((ttl - 1, 2000), (ttl, 0)):
        cache = BreakpointCache()
        ask(cache, asked, 0, first=100)
        assert ask(cache, asked, late).read == read
    cache = BreakpointCache()
    for now in range(0, int(ttl) * 4, int(ttl) - 1):
        assert ask(cache, asked, now).read == (2000 if now else 0)
    assert ask(cache, asked, now + ttl).read == 0


def test_looking_refreshes_nothing_and_reading_refreshes_all_that_it_reads() -> None:
    cache = BreakpointCache()
    both = prompt(("s", 2000, "5m"), ("m", 1000, "5m"))
    ask(cache, both, 0)
    cache.lookup(both, 299)
    assert cache.lookup(both, 300).read == 0
    cache = BreakpointCache()
    ask(cache, both, 0)
    ask(cache, prompt(("s", 2000), ("m", 1000, "5m")), 200)
    assert cache.lookup(prompt(("s", 2000, "5m"), ("x", 1000)), 499).read == 2000


def test_a_read_neither_revives_nor_hurries_what_lies_on_its_prefix() -> None:
    cache = BreakpointCache()
    ask(cache, prompt(("s", 2000, "5m"), ("m", 1000, "1h")), 0)
    assert ask(cache, prompt(("s", 2000), ("m", 1000, "1h")), 400).read == 3000
    assert cache.lookup(prompt(("s", 2000, "5m"), ("x", 1000)), 401).read == 0
    ask(cache, prompt(("s", 2000, "5m"), ("x", 1000)), 500, first=600)
    assert ask(cache, prompt(("s", 2000), ("m", 1000, "1h")), 550).read == 3000
    assert cache.lookup(prompt(("s", 2000, "5m"), ("x", 1000)), 599).read == 0
    assert cache.lookup(prompt(("s", 2000, "5m"), ("x", 1000)), 600).read == 2000


def test_a_life_that_is_none_of_its_own_is_the_default() -> None:
    cache = BreakpointCache()
    assert ask(cache, prompt(("s", 2000, "30m")), 0) == Billed(write_5m=2000)
    assert cache.lookup(prompt(("s", 2000, "5m")), 300).read == 0


def test_a_prefix_for_an_hour_outlives_what_follows_for_five_minutes() -> None:
    cache = BreakpointCache()
    asked = prompt(("s", 2000, "1h"), ("m", 1000, "5m"))
    assert ask(cache, asked, 0) == Billed(write_1h=2000, write_5m=1000)
    assert ask(cache, asked, 1000) == Billed(read=2000, write_5m=1000)
    assert ask(cache, asked, 1001 + 3600) == Billed(write_1h=2000, write_5m=1000)


def test_an_hour_asked_for_where_five_minutes_are_kept_is_not_written() -> None:
    cache = BreakpointCache()
    ask(cache, prompt(("s", 2000, "5m")), 0)
    assert ask(cache, prompt(("s", 2000, "1h")), 1) == Billed(read=2000)
    assert cache.lookup(prompt(("s", 2000, "1h")), 302).read == 0


def test_siblings_pay_in_full_until_the_first_content_of_the_first() -> None:
    cache = BreakpointCache()
    asked = prompt(("s", 2000, "5m"), ("m", 10))
    assert ask(cache, asked, 0, first=5) == Billed(write_5m=2000, uncached=10)
    assert ask(cache, asked, 4, first=9) == Billed(write_5m=2000, uncached=10)
    assert ask(cache, asked, 4.9, first=1e9).read == 0
    assert ask(cache, asked, 5) == Billed(read=2000, uncached=10)


def test_two_writers_of_one_entry_leave_the_longer_life() -> None:
    cache = BreakpointCache()
    ask(cache, prompt(("s", 2000, "1h")), 0, first=5)
    ask(cache, prompt(("s", 2000, "5m")), 1, first=6)
    assert len(cache) == 1
    assert cache.lookup(prompt(("s", 2000, "5m")), 3600).read == 2000


def test_memory_is_bounded_and_what_expires_first_goes_first() -> None:
    cache = BreakpointCache(max_entries=3)
    for now, (name, mark) in enumerate([("a", "1h"), ("b", "5m"), ("c", "5m")]):
        ask(cache, prompt((name, 2000, mark)), now)
    ask(cache, prompt(("b", 2000, "5m")), 10)
    ask(cache, prompt(("d", 2000, "5m")), 11)
    assert len(cache) == 3
    kept = [name for name in "abcd" if cache.lookup(prompt((name, 2000, "5m")), 12).read]
    assert kept == ["a", "b", "d"]
    ask(cache, prompt(("e", 2000)), 3600)
    assert len(cache) == 0


BLOCKS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 900), st.sampled_from(["", "", "5m", "1h"])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=200)
@given(st.lists(st.tuples(BLOCKS, st.floats(0, 400), st.floats(0, 10)), max_size=8))
def test_every_token_is_billed_once_and_looking_tells_the_same(
    asked: list[tuple[list[tuple[str, int, str]], float, float]],
) -> None:
    cache, now = BreakpointCache(max_entries=20), 0.0
    for blocks, later, first in asked:
        now += later
        one = prompt(*blocks)
        expected = cache.lookup(one, now)
        assert cache.lookup_and_store(one, now, now + first) == expected
        assert expected.prompt == one.tokens
        assert min(expected) >= 0
        assert len(cache) <= 20
        again = cache.lookup(one, now + first)
        assert again.write_5m == again.write_1h == 0 or first >= 300 or len(cache) == 20
        now += first


def test_an_empty_prompt_costs_nothing() -> None:
    assert ask(BreakpointCache(), Prompt((), 1000), 0) == Billed()
