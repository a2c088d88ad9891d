from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.bounds import needed, upper
from cache.near import Judgement, Tally
from proxy.semantic_report import report

CHAT = {"chat": Tally(1000, 100)}


def judged(
    count: int,
    correct: bool | None = True,
    *,
    score: float | None = 0.99,
    mode: str = "shadow",
    similarity: float = 0.9,
    route: str = "chat",
) -> list[Judgement]:
    return [Judgement(0.0, route, mode, 1, similarity, score, correct)] * count


def test_what_is_judged_is_a_sample_of_all_requests() -> None:
    told = report(judged(40) + judged(10, False) + judged(50, None), CHAT, 0.005)["routes"]["chat"]
    assert told == {
        "lookups": 1000,
        "hits": 100,
        "hit_rate": 0.1,
        "judged": 50,
        "wrong": 10,
        "false_hit_rate": 0.2,
        "false_hit_rate_upper95": upper(10, 50),
        "error_rate_upper95": upper(10, 500),
        "holds": False,
        "broken": True,
        "needed": pytest.approx((needed(10, 0.005) - 500) * 0.1, abs=1),
        "threshold": None,
        "threshold_on": "score",
        "hits_at_threshold": None,
        "reported": 0,
        "modes": {"shadow": 50},
    }


def test_as_many_as_are_said_to_be_needed_are_enough() -> None:
    many = {"chat": Tally(100_000, 20_000)}
    told = report(judged(30), many, 0.005)["routes"]["chat"]
    assert not told["holds"]
    assert not told["broken"]
    assert told["needed"] > 0
    enough = report(judged(30 + told["needed"]), many, 0.005)["routes"]["chat"]
    assert enough["holds"]
    assert enough["needed"] == 0
    assert not report(judged(30 + told["needed"] - 2), many, 0.005)["routes"]["chat"]["holds"]


def test_the_threshold_leaves_the_wrong_ones_out() -> None:
    seen = judged(300, score=0.99) + judged(50, score=0.97) + judged(20, False, score=0.96) + judged(50, score=0.95)
    told = report(seen, {"chat": Tally(4200, 420)}, 0.002)["routes"]["chat"]
    assert told["threshold"] == 0.97
    assert told["hits_at_threshold"] == pytest.approx(350 / 420)
    assert report(seen, {"chat": Tally(4200, 420)}, 0.02)["routes"]["chat"]["threshold"] == 0.95
    assert report(seen, {"chat": Tally(420, 420)}, 0.002)["routes"]["chat"]["threshold"] is None


def test_without_scores_the_threshold_is_one_of_similarity() -> None:
    seen = judged(400, score=None, similarity=0.95) + judged(9, False, score=None, similarity=0.91)
    told = report(seen, {"chat": Tally(40_900, 409)}, 0.0002)["routes"]["chat"]
    assert (told["threshold_on"], told["threshold"]) == ("similarity", 0.95)
    mixed = report([*seen, *judged(1, score=0.5)], {"chat": Tally(41_000, 410)}, 0.05)["routes"]["chat"]
    assert (mixed["threshold_on"], mixed["threshold"], mixed["hits_at_threshold"]) == ("score", 0.5, 1.0)


def test_what_people_told_is_no_sample() -> None:
    told = report(judged(50) + judged(3, False, mode="feedback"), CHAT, 0.5)["routes"]["chat"]
    assert (told["judged"], told["wrong"], told["reported"], told["modes"]) == (50, 0, 3, {"shadow": 50})
    both = report(judged(50) + judged(4, mode="audit"), CHAT, 0.5)["routes"]["chat"]
    assert both["modes"] == {"audit": 4, "shadow": 50}


def test_routes_stand_apart() -> None:
    told = report(judged(5, False, route="b"), {"a": Tally(10, 0), "b": Tally(10, 5)}, 0.5)["routes"]
    assert list(told) == ["a", "b"]
    assert (told["a"]["wrong"], told["a"]["needed"], told["a"]["error_rate_upper95"]) == (0, None, 1.0)
    assert told["b"]["wrong"] == 5


def test_counts_that_were_lost_are_no_less_than_what_is_there() -> None:
    told = report(judged(5), {}, 0.5)["routes"]["chat"]
    assert (told["lookups"], told["hits"], told["hit_rate"]) == (5, 5, 1.0)


def test_nothing_has_no_routes_and_no_bound_is_none() -> None:
    assert report([], {}, 0.5) == {"max_error": 0.5, "routes": {}}
    with pytest.raises(ValueError, match="no sample"):
        report([], {}, 0.0)


SCORES = st.one_of(st.none(), st.sampled_from([0.5, 0.9, 0.99, nan]))
JUDGED = st.builds(
    Judgement,
    st.just(0.0),
    st.sampled_from(["chat", "responses"]),
    st.sampled_from(["shadow", "audit", "feedback"]),
    st.just(1),
    st.sampled_from([0.8, 0.95, nan]),
    SCORES,
    st.sampled_from([True, False, None]),
)


@given(st.lists(JUDGED, max_size=40), st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0.0001, 0.9999))
def test_any_counts_make_a_report(seen: list[Judgement], lookups: int, hits: int, max_error: float) -> None:
    for route in report(seen, {"chat": Tally(lookups, hits)}, max_error)["routes"].values():
        assert route["holds"] == (route["error_rate_upper95"] <= max_error)
        assert not (route["holds"] and route["broken"])
        assert (route["needed"] == 0) == route["holds"] or route["needed"] is None
        assert route["threshold"] is None or route["hits_at_threshold"] > 0
