from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cache.bounds import upper
from proxy.semantic_calibrate import NEVER, Calibration, Wish, calibrate, lowest
from proxy.semantic_sets import Pair, Prompt, SetError
from tests.proxy.semantics import READING, Words

COLOURS = ["red", "green", "blue", "white", "black", "brown", "grey", "pink"]
THINGS = ["house", "boat", "tree", "river", "cloud", "stone", "apple", "horse"]
PLACES = ["rome", "paris", "oslo", "lima", "cairo", "delhi", "tokyo", "quito"]


def traffic(n: int, seed: int = 0, source: str = "s") -> list[Prompt]:
    """Questions of three words in any order, now and then with an idle one or another place: 512 classes."""
    chance = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        words = [str(chance.choice(each)) for each in (COLOURS, THINGS, PLACES)]
        cls = " ".join(words)
        chance.shuffle(words)
        made.append(Prompt(" ".join(words + ["please"] * (chance.random() < 0.3)), cls, source))
    return made


def pairs(n: int, source: str = "p") -> list[Pair]:
    first, second = traffic(n, 1), traffic(n, 2)
    return [Pair(a.query, b.query, a.cls == b.cls, source, "k") for a, b in zip(first, second, strict=True)]


async def calibrated(streams: list[list[Prompt]], more: Sequence[Pair] = (), **wish: Any) -> Calibration:
    return await calibrate([*pairs(50), *more], streams, Words(), READING, Wish(max_error=0.02, **wish))


async def test_the_threshold_is_the_lowest_that_keeps_the_bound() -> None:
    found = await calibrated([traffic(700, 3), traffic(500, 4, "t")])
    assert found.threshold is not None
    assert found.names == ("similarity", "differing")
    assert found.fit.weights[0] >= 0 >= found.fit.weights[1]
    assert set(found.tradeoffs) == {"class", "source", "whole"}
    points = found.tradeoffs["class"]
    assert [each["threshold"] for each in points] == [each["threshold"] for each in found.tradeoffs["source"]]
    assert [each["threshold"] for each in points] == sorted((each["threshold"] for each in points), reverse=True)
    assert all(each["n"] == 1200 for each in points)
    for each in points:
        assert each["error_rate_upper95"] == upper(each["errors"], 1200)
        if each["threshold"] >= found.threshold:
            assert each["error_rate_upper95"] <= 0.02
    at = next(each for each in points if each["threshold"] == found.threshold)
    assert at["hits"] > 300
    assert sum(each["hits"] for each in found.by_source.values()) == at["hits"]
    below = [each for each in points if each["threshold"] < found.threshold]
    assert not below or below[0]["error_rate_upper95"] > 0.02


async def test_equal_input_gives_equal_output() -> None:
    streams = [traffic(300, 3), traffic(200, 4, "t")]
    one, other = await calibrated(streams), await calibrated(streams)
    assert one.fit.weights.tobytes() == other.fit.weights.tobytes()
    assert one[2:] == other[2:]


async def test_the_threshold_may_be_set_on_unseen_sources() -> None:
    streams = [traffic(300, 3), traffic(200, 4, "t")]
    by_class, by_source = await calibrated(streams), await calibrated(streams, folds="source")
    assert by_source.threshold == lowest([by_source.tradeoffs["source"], by_source.tradeoffs["whole"]], 0.02)
    assert by_class.fit.weights.tobytes() == by_source.fit.weights.tobytes()
    same = {each["threshold"]: each for each in by_class.tradeoffs["source"]}
    assert all(same[each["threshold"]] == each for each in by_source.tradeoffs["source"] if each["threshold"] in same)


async def test_what_is_held_out_is_not_learned_from() -> None:
    strange = [Prompt(each.query, f"{place % 7}", "odd") for place, each in enumerate(traffic(200, 5))]
    usual = [traffic(300, 3)]
    without = await calibrated(usual)
    mixed = [[*usual[0][:100], *strange, *usual[0][100:]]]
    held = await calibrated(mixed, pairs(30, "odd"), held_out=frozenset({"odd"}))
    assert (await calibrated(usual, pairs(30, "odd"))).fit.weights.tobytes() != without.fit.weights.tobytes()
    assert held.fit.weights.tobytes() == without.fit.weights.tobytes()
    assert held.threshold == without.threshold
    assert held.tradeoffs == without.tradeoffs
    assert without.held_out == {}
    assert set(held.held_out) == {"odd"}
    told = held.held_out["odd"]
    assert told["n"] == 200
    assert told["errors"] > told["hits"] / 2 > 0
    assert "source" not in held.tradeoffs


async def test_no_threshold_keeps_what_can_not_be_shown() -> None:
    found = await calibrate(pairs(50), [traffic(150, 3)], Words(), READING, Wish(max_error=0.001))
    assert found.threshold is None
    assert found.by_source["s"]["hits"] == 0
    assert NEVER > 1


@pytest.mark.parametrize(
    ("streams", "wish", "why"),
    [
        ([], {}, "needs a stream"),
        ([traffic(50)], {"held_out": frozenset({"s"})}, "needs a stream"),
        ([traffic(200)], {"held_out": frozenset({"absent"})}, "`absent`"),
        ([[Prompt("one two", "1", "s"), Prompt("three", "2", "s")]], {"held_out": frozenset({"p"})}, "too little"),
    ],
)
async def test_sets_that_are_too_small_say_so(streams: list[list[Prompt]], wish: dict[str, Any], why: str) -> None:
    with pytest.raises(SetError, match=why):
        await calibrated(streams, **wish)


def test_all_trade_offs_have_to_keep_the_bound() -> None:
    def points(*bounds: float) -> list[dict[str, Any]]:
        return [
            {"threshold": 0.9 - place / 10, "hits": 5, "error_rate_upper95": bound}
            for place, bound in enumerate(bounds)
        ]

    assert lowest([points(0.01, 0.01, 0.03), points(0.01, 0.03, 0.01)], 0.02) == 0.9
    assert lowest([points(0.03), points(0.01)], 0.02) is None


def test_the_lowest_is_the_last_before_the_first_that_fails() -> None:
    def point(threshold: float, hits: int, bound: float) -> dict[str, Any]:
        return {"threshold": threshold, "hits": hits, "error_rate_upper95": bound}

    points = [point(0.9, 0, 0.01), point(0.8, 5, 0.01), point(0.7, 6, 0.03), point(0.6, 9, 0.01)]
    assert lowest([points], 0.02) == 0.8
    assert lowest([points], 0.03) == 0.6
    assert lowest([points], 0.005) is None
    assert lowest([points[:1]], 0.02) is None
