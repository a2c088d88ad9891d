from __future__ import annotations

from cache.tallies import Tallies, rate


def test_hits_and_misses_are_counted_in_all_and_apart() -> None:
    tallies = Tallies()
    assert (tallies.hit_rate, tallies.namespaces()) == (0.0, {})
    for namespace, hit in (("a", True), ("a", False), ("a", True), ("b", False)):
        tallies.count(namespace, hit=hit)
    assert (tallies.hits, tallies.misses, tallies.hit_rate) == (2, 2, 0.5)
    assert tallies.namespaces() == {
        "a": {"hits": 2, "misses": 1, "hit_rate": 2 / 3},
        "b": {"hits": 0, "misses": 1, "hit_rate": 0.0},
    }


def test_only_so_many_namespaces_are_told_apart() -> None:
    tallies = Tallies(counted=2)
    for name in "abca":
        tallies.count(name, hit=True)
    assert set(tallies.namespaces()) == {"c", "a"}
    assert tallies.hits == 4
    assert rate(0, 0) == 0.0
