import pytest

from adapters.prompt import Billed, Point, Prompt
from adapters.unit_cache import UnitCache


def prompt(*blocks: str, minimum: int = 0) -> Prompt:
    """Blocks of 1,000 tokens; digests are the texts so far."""
    return Prompt(tuple(Point("/".join(blocks[: n + 1]).encode(), 1000 * (n + 1)) for n in range(len(blocks))), minimum)


def read(cache: UnitCache, asked: Prompt, now: float, *, readable: float | None = None) -> int:
    looked = cache.lookup(asked, now)
    billed = cache.lookup_and_store(asked, now, now if readable is None else readable)
    assert billed == looked == Billed(read=billed.read, uncached=asked.tokens - billed.read)
    return billed.read


def test_a_unit_ends_where_an_input_ends_and_is_read_in_full() -> None:
    cache = UnitCache()
    assert read(cache, prompt("a", "b"), 0) == 0
    assert read(cache, prompt("a", "b", "c"), 1) == 2000
    assert read(cache, prompt("a", "b", "c", "d"), 2) == 3000
    assert read(cache, prompt("b"), 3) == 0


def test_a_common_prefix_is_a_unit_only_once_it_was_seen_twice() -> None:
    """DeepSeek's own example: A+B and A+C read nothing of each other, and A+D reads A."""
    cache = UnitCache()
    assert read(cache, prompt("a", "b"), 0) == 0
    assert read(cache, prompt("a", "c"), 1) == 0
    assert read(cache, prompt("a", "d"), 2) == 1000


def test_a_warm_call_that_ends_where_the_prefix_ends_makes_the_unit() -> None:
    cache = UnitCache()
    read(cache, prompt("s", "a"), 0)
    assert [read(cache, prompt("s", "a", text), 1) for text in "bcd"] == [2000] * 3


def test_the_longest_common_prefix_counts_and_that_of_others_stays() -> None:
    cache = UnitCache()
    read(cache, prompt("s", "t", "a"), 0)
    assert read(cache, prompt("s", "t", "b"), 1) == 0
    assert read(cache, prompt("s", "x"), 2) == 0
    assert read(cache, prompt("s", "t", "c"), 3) == 2000
    assert read(cache, prompt("s", "y"), 4) == 1000


def test_a_unit_is_found_when_it_can_be_read() -> None:
    cache = UnitCache()
    read(cache, prompt("a"), 0, readable=5)
    assert read(cache, prompt("a", "b"), 4.9, readable=9) == 0
    assert read(cache, prompt("a", "c"), 5, readable=9) == 1000


def test_what_is_common_to_requests_in_flight_is_a_unit_when_the_second_is_kept() -> None:
    cache = UnitCache()
    for text in "bc":
        assert read(cache, prompt("a", text), 0, readable=5) == 0
    assert cache.lookup(prompt("a", "d"), 4).read == 0
    assert cache.lookup(prompt("a", "d"), 5).read == 1000


def test_an_answer_ends_a_unit_if_its_end_is_told() -> None:
    cache = UnitCache()
    read(cache, prompt("q"), 0)
    cache.end(prompt("q", "answer").points[-1], 0, 3)
    assert cache.lookup(prompt("q", "answer", "r"), 2).read == 1000
    assert cache.lookup(prompt("q", "answer", "r"), 3).read == 2000
    silent = UnitCache()
    read(silent, prompt("q"), 0)
    assert silent.lookup(prompt("q", "answer", "r"), 3).read == 1000


@pytest.mark.parametrize(("interval", "expected"), [(0, 0), (1500, 1500), (1000, 2000), (4000, 0)])
def test_intervals_give_credit_for_a_part(interval: int, expected: int) -> None:
    cache = UnitCache(interval=interval)
    read(cache, prompt("s", "t", "a"), 0, readable=2)
    assert cache.lookup(prompt("s", "t", "b"), 1).read == 0
    assert read(cache, prompt("s", "t", "b"), 2) == expected


def test_use_keeps_a_unit_and_silence_forgets() -> None:
    cache = UnitCache(ttl=100)
    read(cache, prompt("a"), 0)
    assert [read(cache, prompt("a", "b"), now) for now in (99, 198)] == [1000, 2000]
    assert read(cache, prompt("a"), 297) == 1000
    assert read(cache, prompt("a"), 397) == 0
    read(cache, prompt("b"), 5000)
    assert len(cache) == 1
    forgotten = UnitCache(ttl=100)
    read(forgotten, prompt("a", "b"), 0)
    read(forgotten, prompt("a", "c"), 100)
    assert forgotten.lookup(prompt("a", "d"), 101).read == 0  # nothing was left that it could have in common


def test_nothing_is_kept_below_a_minimum() -> None:
    cache = UnitCache()
    read(cache, prompt("a", minimum=1001), 0)
    assert len(cache) == 0
    assert read(cache, prompt("a", "b", minimum=1001), 1) == 0
    assert read(cache, prompt("a", "b", minimum=1001), 2) == 2000


def test_memory_is_bounded_and_an_empty_prompt_costs_nothing() -> None:
    cache = UnitCache(max_entries=5)
    for n in range(30):
        read(cache, prompt("s", str(n)), n)
        assert len(cache) <= 5
    assert cache.lookup_and_store(Prompt((), 0), 30, 30) == Billed()
