import pytest

from cache.bounds import upper
from proxy.semantic_figures import (
    Outcome,
    by_both,
    by_kind,
    by_source,
    counts,
    curve,
    figures,
    grouped,
    oracle_hit_rate,
    point,
)

SERVED, WRONG = Outcome(True, True, "a", "x"), Outcome(True, False, "a", "y")
MISSED, REFUSED = Outcome(False, True, "b", "x"), Outcome(False, False, "b")


def test_the_four_ways_a_request_can_end() -> None:
    assert figures([SERVED] * 6 + [WRONG] * 2 + [MISSED] * 4 + [REFUSED] * 8) == {
        "n": 20,
        "hits": 8,
        "errors": 2,
        "hit_rate": 0.4,
        "error_rate": 0.1,
        "error_rate_upper95": upper(2, 20),
        "precision": 0.75,
        "recall": 0.6,
    }


def test_nothing_is_divided_by_nothing() -> None:
    assert figures([]) | {"error_rate_upper95": 0} == {
        "n": 0,
        "hits": 0,
        "errors": 0,
        "hit_rate": 0.0,
        "error_rate": 0.0,
        "error_rate_upper95": 0,
        "precision": None,
        "recall": None,
    }
    assert counts([REFUSED])["precision"] is None
    assert counts([REFUSED])["recall"] is None
    assert counts([WRONG])["recall"] is None


def test_groups_have_names() -> None:
    outcomes = [SERVED, WRONG, MISSED, REFUSED]
    assert {name: each["n"] for name, each in grouped(outcomes, by_source).items()} == {"a": 2, "b": 2}
    assert {name: each["errors"] for name, each in grouped(outcomes, by_kind).items()} == {"x": 0, "y": 1}
    assert list(grouped(outcomes, by_both)) == ["a/x", "a/y", "b/x"]


@pytest.mark.parametrize(("n", "ends"), [(100, list(range(10, 101, 10))), (3, [1, 2, 3]), (1, [1]), (0, [])])
def test_the_curve_ends_with_the_whole(n: int, ends: list[int]) -> None:
    outcomes = [WRONG] + [SERVED] * (n - 1) if n else []
    points = curve(outcomes)
    assert [each["n"] for each in points] == ends
    assert all(each["errors"] == 1 for each in points)


def test_a_point_of_a_trade_off_has_its_threshold() -> None:
    told = point(0.5, [SERVED, WRONG, MISSED])
    assert (told["threshold"], told["hits"], told["errors"], told["precision"]) == (0.5, 2, 1, 0.5)


def test_an_oracle_misses_only_the_first_of_a_class() -> None:
    assert oracle_hit_rate(["a", "b", "a", "a", "c"]) == 0.4
    assert oracle_hit_rate([]) == 0.0
