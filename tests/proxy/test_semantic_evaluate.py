from typing import Any

import pytest

from proxy import semantic_sets as sets
from proxy.semantic_evaluate import Bench, multiturn, pairs, stream
from proxy.semantic_sets import Pair, Prompt, Requests, SetError
from tests.proxy.recordings import DATA
from tests.proxy.semantics import Words, deciding

TEN = {"n", "hits", "errors", "hit_rate", "error_rate", "error_rate_upper95", "precision", "recall"} | {
    "by_kind",
    "by_source",
}

STREAM = [
    Prompt("the red house", "1", "s"),
    Prompt("red the house", "1", "s"),
    Prompt("house the red", "2", "t"),
    Prompt("the red house 5", "3", "t"),
    Prompt("a green boat", "4", "t"),
    Prompt("a green boat now", "4", "s"),
]
"""Hits: the second, rightly, and the third, wrongly. The last would have been one at a lower threshold."""


def bench(threshold: float | None = 0.95, **more: Any) -> Bench:
    return Bench(Words(), deciding, threshold, **more)


async def test_a_stream_goes_through_once() -> None:
    report = await stream(STREAM, bench())
    assert set(report) == TEN | {"oracle_hit_rate", "curve", "tradeoff"}
    assert (report["n"], report["hits"], report["errors"]) == (6, 2, 1)
    assert report["recall"] == 0.5
    assert report["oracle_hit_rate"] == pytest.approx(2 / 6)
    assert report["by_kind"] == {}
    assert {name: (each["n"], each["hits"], each["errors"]) for name, each in report["by_source"].items()} == {
        "s": (3, 1, 0),
        "t": (3, 1, 1),
    }
    assert [(each["n"], each["hits"]) for each in report["curve"]] == [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2)]


async def test_each_point_of_the_trade_off_is_what_that_threshold_gives() -> None:
    report = await stream(STREAM, bench())
    for each in report["tradeoff"]:
        alone = await stream(STREAM, bench(each["threshold"]))
        assert {name: alone[name] for name in each if name != "threshold"} == {
            name: each[name] for name in each if name != "threshold"
        }
    assert {each["hits"] for each in report["tradeoff"]} == {2, 3}


async def test_without_a_threshold_the_configured_one_counts() -> None:
    assert await stream(STREAM, bench(None)) == await stream(STREAM, bench(0.9))
    assert await stream(STREAM, bench(None)) != await stream(STREAM, bench(0.8))


async def test_guards_keep_from_what_baselines_serve() -> None:
    report = await stream(STREAM, bench(0.8, baselines=True))
    assert (report["hits"], report["errors"]) == (3, 1)
    assert list(report["baselines"])[-1] == "gptcache 0.80"
    static = report["baselines"]["static 0.80"]
    assert set(static) == TEN
    assert (static["hits"], static["errors"]) == (4, 2)
    assert report["baselines"]["static 0.97"]["hits"] == 2


PAIRS = [
    Pair("red house", "house red", True, "s", "order"),
    Pair("red house 5", "red house 6", False, "s", "number"),
    Pair("red house", "red", True, "t", "order"),
    Pair("!", "red", True, "t", ""),
]


async def test_pairs_stand_each_for_itself() -> None:
    asked = bench(0.9, baselines=True)
    notes: list[str] = []
    report = await pairs(PAIRS, asked._replace(note=notes.append))
    assert set(report) == TEN | {"oracle_hit_rate", "by_source_and_kind", "tradeoff", "baselines"}
    assert (report["n"], report["hits"], report["errors"], report["recall"]) == (4, 1, 0, pytest.approx(1 / 3))
    assert set(report["by_source_and_kind"]) == {"s/order", "s/number", "t/order"}
    assert report["by_kind"]["number"] == {"n": 1, "hits": 0, "errors": 0, "precision": None, "recall": None}
    # The third is at 0.71; what was vetoed comes back at no threshold.
    assert [each["hits"] for each in report["tradeoff"]] == [1] * len(report["tradeoff"])
    assert (await pairs(PAIRS, bench(0.7)))["hits"] == 2
    assert (await pairs(PAIRS, bench(0.0)))["errors"] == 0
    assert len(notes) == 1
    assert notes[0].startswith("1 texts have no vector")
    assert isinstance(asked.embedder, Words)
    assert len(asked.embedder.asked) == len(set(asked.embedder.asked)) == 5


def request(*texts: str, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)], **more}


def asked(a: dict[str, Any], b: dict[str, Any], right: bool, kind: str) -> Requests:
    return Requests(a, b, right, "s", kind, "FILE:7")


TURNS = [
    asked(request("red house"), request("house red"), True, "wrapper"),
    asked(request("boat", "yes", "why so"), request("car", "yes", "why so"), False, "other_context"),
    asked(request("boat", "yes", "why so"), request("boat", "yes", "so why"), True, "wrapper"),
    asked(request("why so"), request("why so", temperature=1), False, "parameters"),
    asked(request("why so"), request("why so", tools=[]), False, "parameters"),
    asked(request("boat", "yes", "boat so"), request("boat so"), True, "standalone_equivalent_optional"),
]


async def test_only_requests_that_are_equal_in_everything_else_are_compared() -> None:
    report = await multiturn(TURNS, bench(0.9, baselines=True))
    assert set(report) == TEN | {"oracle_hit_rate", "bonus", "baselines"}
    assert (report["n"], report["hits"], report["errors"], report["recall"]) == (5, 2, 0, 1.0)
    assert report["bonus"] == {"n": 1, "hits": 0, "errors": 0, "precision": None, "recall": 0.0}
    assert "standalone_equivalent_optional" not in report["by_kind"]
    assert report["baselines"]["static 0.80"]["errors"] == 0
    gptcache = report["baselines"]["gptcache 0.80"]
    assert (gptcache["hits"], gptcache["errors"], gptcache["bonus"]["hits"]) == (5, 3, 1)


@pytest.mark.parametrize("given", [{}, {"messages": "x"}, {"messages": [{"role": "user"}], "model": 5}])
async def test_what_is_no_request_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(SetError, match="FILE:7: no chat request"):
        await multiturn([asked(given, request("x"), True, "k")], bench())


@pytest.mark.parametrize("content", [None, 5, [], [{"type": "image_url"}], {"text": "x"}, ""])
async def test_what_asks_nothing_is_no_hit(content: Any) -> None:
    odd = {"messages": [{"role": "user", "content": content}]}
    report = await multiturn([*TURNS[:1], asked(odd, odd, True, "odd")], bench(0.0))
    assert report["by_kind"]["odd"]["hits"] == 0


async def test_the_given_sets_are_read_and_measured() -> None:
    if not (DATA / "semantic").is_dir():
        pytest.skip(f"measurement data is not at {DATA}")
    told = await stream(sets.stream(DATA / "semantic" / "stream.jsonl.gz", 600), bench(0.99))
    assert (told["n"], len(told["curve"])) == (600, 10)
    told = await pairs(sets.pairs(DATA / "semantic" / "pairs.jsonl.gz", 300), bench(0.9, baselines=True))
    # The small decision here knows of digits, and the pairs of such kinds differ in theirs.
    assert told["by_kind"]["number_swap"]["errors"] == 0
    told = await multiturn(sets.multiturn(DATA / "semantic" / "multiturn_pairs.jsonl.gz", 600), bench(0.8))
    assert told["by_kind"]["same_followup_other_context"]["errors"] == 0
    assert told["by_kind"]["wrapper_same_system"]["hits"] > 0
