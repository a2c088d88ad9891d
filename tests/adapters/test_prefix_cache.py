from adapters.prefix_cache import PrefixCache
from adapters.prompt import Billed, Point, Prompt

MINIMUM = 1024


def prompt(*tokens: int, name: str = "a", before: tuple[int, ...] = ()) -> Prompt:
    """Points at these lengths, by name; `before` them those of the name `a`."""
    points = [Point(f"a{n}".encode(), n) for n in before] + [Point(f"{name}{n}".encode(), n) for n in tokens]
    return Prompt(tuple(points), MINIMUM)


def read(cache: PrefixCache, asked: Prompt, now: float, *, first: float | None = None) -> int:
    billed = cache.lookup_and_store(asked, now, now if first is None else first)
    assert billed == Billed(read=billed.read, uncached=asked.tokens - billed.read)
    return billed.read


def test_cold_then_warm_in_steps_of_128_from_1024() -> None:
    cache = PrefixCache()
    assert read(cache, prompt(500, 1000, 1500), 0.0) == 0
    assert read(cache, prompt(500, 1000, 1500), 1.0) == 1408
    assert read(cache, prompt(500, 1000), 2.0) == 0  # below the minimum nothing is ever read
    assert read(cache, prompt(1023), 3.0) == read(cache, prompt(1023), 3.0) == 0
    assert read(cache, prompt(1024), 3.0) == 0
    assert read(cache, prompt(1024), 3.0) == 1024


def test_the_granularity_and_the_life_are_arguments() -> None:
    cache = PrefixCache(granularity=2048, ttl=86_400.0)
    assert [read(cache, prompt(1500, 5000), now) for now in (0.0, 86_399.0)] == [0, 4096]
    assert read(cache, prompt(1500), 86_400.0) == 0
    assert read(cache, prompt(1500, 5000), 3 * 86_400.0) == 0
    exact = PrefixCache(granularity=1)
    assert [read(exact, prompt(1025), now) for now in (0.0, 1.0)] == [0, 1025]


def test_the_longest_common_prefix_counts() -> None:
    cache = PrefixCache()
    read(cache, prompt(2000, 3000), 0.0)
    other = prompt(3000, 4000, name="b", before=(2000,))
    assert read(cache, other, 1.0) == 1920
    assert read(cache, other, 2.0) == 3968
    assert read(cache, prompt(2000, name="c"), 2.0) == 0


def test_use_refreshes_all_that_it_reads_and_silence_forgets() -> None:
    cache = PrefixCache()
    long = prompt(4096, before=(2048,))
    read(cache, long, 0.0)
    assert read(cache, prompt(2048), 299.0) == 2048
    assert cache.lookup(long, 300.0).read == 2048
    assert read(cache, prompt(2048), 598.0) == 2048
    assert read(cache, prompt(2048), 898.0) == 0
    read(cache, prompt(2048, name="b"), 10_000.0)
    assert len(cache) == 1
    again = PrefixCache()
    read(again, long, 0.0)
    read(again, long, 200.0)
    assert again.lookup(prompt(2048), 499.0).read == 2048


def test_looking_changes_nothing() -> None:
    cache = PrefixCache()
    assert cache.lookup(prompt(2048), 0.0) == Billed(uncached=2048)
    read(cache, prompt(2048), 0.0)
    assert cache.lookup(prompt(2048), 299.0) == Billed(read=2048)
    assert cache.lookup(prompt(2048), 300.0) == Billed(uncached=2048)


def test_what_is_being_written_can_not_be_read() -> None:
    cache = PrefixCache()
    assert read(cache, prompt(2048), 0.0, first=5.0) == 0
    assert read(cache, prompt(2048), 4.0, first=9.0) == 0
    assert cache.lookup(prompt(2048), 4.9).read == 0
    assert cache.lookup(prompt(2048), 5.0).read == 2048  # the first of two writers
    early = PrefixCache()
    read(early, prompt(2048), 0.0, first=9.0)
    read(early, prompt(2048), 1.0, first=3.0)
    assert early.lookup(prompt(2048), 3.0).read == 2048


def test_what_goes_on_reads_what_is_there_and_waits_for_the_rest() -> None:
    cache = PrefixCache()
    read(cache, prompt(2048), 0.0, first=1.0)
    grown = prompt(4096, before=(2048,))
    assert read(cache, grown, 2.0, first=6.0) == 2048
    assert read(cache, grown, 3.0, first=7.0) == 2048
    assert cache.lookup(grown, 6.0).read == 4096


def test_a_prefix_that_expired_while_it_was_written_is_written_anew() -> None:
    cache = PrefixCache()
    read(cache, prompt(2048), 0.0, first=100.0)
    assert read(cache, prompt(2048), 301.0, first=400.0) == 0
    assert cache.lookup(prompt(2048), 399.0).read == 0
    assert cache.lookup(prompt(2048), 400.0).read == 2048


def test_bounded_and_the_shared_beginning_stays_longest() -> None:
    cache = PrefixCache(max_entries=3)
    for turn in range(20):
        read(cache, prompt(2000 + turn, name="tail", before=(1100,)), float(turn))
        assert len(cache) <= 3
    assert read(cache, prompt(1100), 20.0) == 1024


def test_equal_moments_forget_nothing() -> None:
    cache = PrefixCache()
    read(cache, prompt(2048), 0.0)
    read(cache, prompt(4096, name="b"), 0.0)
    assert read(cache, prompt(2048), 0.0) == 2048


def test_an_empty_prompt_costs_nothing() -> None:
    assert PrefixCache().lookup_and_store(Prompt((), MINIMUM), 0.0, 0.0) == Billed()
