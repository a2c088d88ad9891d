from adapters.prefix_cache import PrefixCache
from adapters.prompt import Point


def links(*tokens: int, name: str = "a") -> list[Point]:
    return [Point(f"{name}{n}".encode(), n) for n in tokens]


def test_cold_then_warm_in_steps_of_128_from_1024() -> None:
    cache = PrefixCache()
    assert cache.lookup_and_store(links(500, 1000, 1500), 0.0) == 0
    assert cache.lookup_and_store(links(500, 1000, 1500), 1.0) == 1408
    assert cache.lookup_and_store(links(500, 1000), 2.0) == 0  # below the minimum nothing is ever read
    assert cache.lookup_and_store(links(1023), 3.0) == cache.lookup_and_store(links(1023), 3.0) == 0
    assert cache.lookup_and_store(links(1024), 3.0) == 0
    assert cache.lookup_and_store(links(1024), 3.0) == 1024


def test_the_longest_common_prefix_counts() -> None:
    cache = PrefixCache()
    cache.lookup_and_store(links(2000, 3000), 0.0)
    other = [*links(2000), *links(3000, 4000, name="b")]
    assert cache.lookup_and_store(other, 1.0) == 1920
    assert cache.lookup_and_store(other, 2.0) == 3968
    assert cache.lookup_and_store(links(2000, name="c"), 2.0) == 0


def test_use_refreshes_and_silence_forgets() -> None:
    cache = PrefixCache()
    cache.lookup_and_store(links(2048), 0.0)
    assert cache.lookup_and_store(links(2048), 299.0) == 2048
    assert cache.lookup_and_store(links(2048), 598.0) == 2048
    assert cache.lookup_and_store(links(2048), 898.0) == 0
    cache.lookup_and_store(links(2048, name="b"), 10_000.0)
    assert len(cache) == 1


def test_bounded_and_the_shared_beginning_stays_longest() -> None:
    cache = PrefixCache(max_entries=3)
    for turn in range(20):
        cache.lookup_and_store([*links(1100), *links(2000 + turn, name="tail")], float(turn))
        assert len(cache) <= 3
    assert cache.lookup_and_store(links(1100), 20.0) == 1024


def test_equal_moments_forget_nothing() -> None:
    cache = PrefixCache()
    cache.lookup_and_store(links(2048), 0.0)
    cache.lookup_and_store(links(4096, name="b"), 0.0)
    assert cache.lookup_and_store(links(2048), 0.0) == 2048
