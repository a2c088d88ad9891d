from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.anthropic_fold import fold
from adapters.anthropic_unfold import unfold
from adapters.anthropic_usage import stream_usage, usage
from adapters.sse import Frame, Splitter, frame_of
from adapters.usage import MOST, Usage

DATA = Path(__file__).parent / "data" / "anthropic"
PAIRS = sorted(path.stem for path in DATA.glob("*.sse"))


def frames_of(name: str) -> list[Frame]:
    splitter = Splitter()
    frames = splitter.feed((DATA / f"{name}.sse").read_bytes())
    rest = splitter.rest()
    return frames + ([Frame(rest)] if rest else [])


def counted(**counters: Any) -> Usage | None:
    return usage({"type": "message", "usage": counters})


def started(**counters: Any) -> Frame:
    return frame_of(json.dumps({"type": "message_start", "message": {"usage": counters}}).encode(), "message_start")


def ended(**counters: Any) -> Frame:
    return frame_of(json.dumps({"type": "message_delta", "delta": {}, "usage": counters}).encode(), "message_delta")


def written(total: Any, five: Any = None, hour: Any = None) -> dict[str, Any]:
    classes = {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}
    return {"cache_creation_input_tokens": total, "cache_creation": classes if (five, hour) != (None, None) else None}


# ---------------------------------------------------------------- whole messages


def test_cached_tokens_are_counted_beside_the_input() -> None:
    told = counted(input_tokens=50, cache_read_input_tokens=100_000, output_tokens=503, **written(248, 148, 100))
    assert told == Usage(uncached=50, read=100_000, write_5m=148, write_1h=100, output=503)
    assert told is not None
    assert told.prompt == 100_298


@pytest.mark.parametrize(
    ("counters", "write_5m", "write_1h"),
    [
        (written(100), 100, 0),
        (written(100, 0, 100), 0, 100),
        (written(100, 100, 0), 100, 0),
        (written(100, 30, 70), 30, 70),
        (written(150, 30, 70), 80, 70),  # the total went on growing: what was not told is of the default class
        (written(100, None, 70), 30, 70),
        (written(100, "30", 70), 30, 70),
        (written(None, 30, 70), 30, 70),
        (written(0, 30, 70), 30, 70),
        ({"cache_creation_input_tokens": 5, "cache_creation": [1]}, 5, 0),
        ({}, 0, 0),
    ],
)
def test_writes_are_of_two_classes(counters: dict[str, Any], write_5m: int, write_1h: int) -> None:
    assert counted(input_tokens=1, **counters) == Usage(uncached=1, write_5m=write_5m, write_1h=write_1h)


@pytest.mark.parametrize(("thought", "reasoning"), [(0, 0), (7, 7), (10, 10), (11, 10), (None, 0), ("7", 0), (-1, 0)])
def test_thinking_is_a_part_of_the_output(thought: Any, reasoning: int) -> None:
    told = counted(output_tokens=10, output_tokens_details={"thinking_tokens": thought})
    assert told == Usage(output=10, reasoning=reasoning)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"usage": None},
        {"usage": []},
        {"usage": {}},
        {"usage": {"input_tokens": None, "output_tokens": "7"}},
        {"usage": {"service_tier": "standard"}},
        {"message": None},
        {"message": {"usage": "none"}},
    ],
)
def test_nothing_is_counted(message: dict[str, Any]) -> None:
    assert usage(message) is None


def test_no_output_is_counted_too() -> None:
    assert counted(input_tokens=7, output_tokens=0) == Usage(uncached=7)


def test_counts_that_are_none_are_nothing() -> None:
    odd = {"input_tokens": 5, "cache_read_input_tokens": True, "cache_creation_input_tokens": -3}
    assert counted(**odd, output_tokens=2**70) == Usage(uncached=5)
    assert counted(input_tokens=MOST, output_tokens=MOST + 1) == Usage(uncached=MOST)


def test_events_that_carry_usage_are_read_like_messages() -> None:
    assert usage(started(input_tokens=3, output_tokens=1).json()) == Usage(uncached=3, output=1)
    assert usage(ended(output_tokens=9).json()) == Usage(output=9)
    assert usage({"type": "content_block_stop", "index": 0}) is None


# ---------------------------------------------------------------- iterations


def iteration(kind: str, tokens: int, **more: Any) -> dict[str, Any]:
    counters = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    return {"type": kind, **{name: tokens * 10**place for place, name in enumerate(counters)}, **more}


def test_the_bill_is_the_sum_over_iterations() -> None:
    told = counted(input_tokens=1, output_tokens=1, iterations=[iteration("compaction", 2), iteration("message", 3)])
    assert told == Usage(uncached=5, write_5m=50, read=500, output=5000)


def test_classes_of_writes_are_summed_where_an_iteration_tells_them_and_else_those_of_the_whole_hold() -> None:
    classes = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15}
    each = [iteration("message", 2, cache_creation=classes), iteration("message", 3, cache_creation=None)]
    assert counted(input_tokens=1, iterations=each) == Usage(
        uncached=5, write_5m=35, write_1h=15, read=500, output=5000
    )
    bare = [iteration("message", 2), iteration("message", 3)]
    told = counted(input_tokens=1, cache_creation=classes, iterations=bare)
    assert told == Usage(uncached=5, write_5m=35, write_1h=15, read=500, output=5000)


def test_thinking_stays_within_the_output_of_all_iterations() -> None:
    details = {"thinking_tokens": 1500}
    told = counted(output_tokens=1000, output_tokens_details=details, iterations=[iteration("message", 2)])
    assert told is not None
    assert (told.output, told.reasoning) == (2000, 1500)


@pytest.mark.parametrize("iterations", [None, [], {}, "none", [None], [{}], [iteration("message", 2), {"type": "new"}]])
def test_iterations_that_cannot_be_read_do_not_count(iterations: Any) -> None:
    assert counted(input_tokens=4, output_tokens=5, iterations=iterations) == Usage(uncached=4, output=5)


# ---------------------------------------------------------------- streams


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_tells_what_the_whole_message_tells(name: str) -> None:
    whole = json.loads((DATA / f"{name}.json").read_bytes())
    assert stream_usage(frames_of(name)) == usage(whole) == stream_usage(unfold(whole, usage=True))
    assert usage(whole) is not None


def test_totals_are_never_added() -> None:
    frames = [started(input_tokens=10, cache_read_input_tokens=5, output_tokens=1)]
    frames += [ended(input_tokens=10, cache_read_input_tokens=5, output_tokens=tokens) for tokens in (3, 8)]
    assert stream_usage(frames) == Usage(uncached=10, read=5, output=8)


def test_what_the_end_leaves_out_or_has_null_is_what_the_start_said() -> None:
    start = started(input_tokens=10, cache_read_input_tokens=5, output_tokens=1, **written(100, 30, 70))
    known = Usage(uncached=10, read=5, write_5m=30, write_1h=70, output=9)
    assert stream_usage([start, ended(output_tokens=9)]) == known
    assert stream_usage([start, ended(input_tokens=None, cache_creation=None, output_tokens=9)]) == known
    assert stream_usage([start, ended(cache_creation_input_tokens=100, output_tokens=9)]) == known
    grown = stream_usage([start, ended(cache_creation_input_tokens=160, output_tokens=9)])
    assert grown == known._replace(write_5m=90)


def test_a_stream_that_broke_off_tells_what_it_told() -> None:
    start = started(input_tokens=10, output_tokens=1)
    assert stream_usage([start]) == Usage(uncached=10, output=1)
    assert stream_usage([ended(output_tokens=4)]) == Usage(output=4)
    assert stream_usage([]) is None


def test_usage_elsewhere_is_none() -> None:
    rubbish = [
        frame_of(
            b'{"type":"content_block_start","content_block":{"usage":{"input_tokens":9}},"usage":{"output_tokens":9}}'
        ),
        Frame(b'data: {"usage"\n\n'),
        Frame(b'data: ["usage"]\n\n'),
        Frame(b': "usage"\n\n'),
        frame_of(b'{"type":["message_delta"],"usage":{"output_tokens":9}}'),
        frame_of(b'{"type":"message_delta","usage":[9]}'),
    ]
    assert stream_usage(rubbish) is None
    assert stream_usage([*rubbish, ended(output_tokens=2), *rubbish]) == Usage(output=2)


numbers = st.none() | st.integers(-1, 2**60) | st.text(max_size=2) | st.floats(allow_nan=False, allow_infinity=False)
names = ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "thinking_tokens"]
names += ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]
flat = st.dictionaries(st.sampled_from(names), numbers, max_size=5)
counters = st.builds(
    lambda plain, nested: plain | nested,
    flat,
    st.dictionaries(st.sampled_from(["cache_creation", "output_tokens_details", "iterations"]), flat | st.lists(flat)),
)


@settings(max_examples=200, deadline=None)
@given(counters, counters)
def test_whatever_is_there_gives_counts_or_nothing(first: dict[str, Any], second: dict[str, Any]) -> None:
    for told in (usage({"usage": first}), stream_usage([started(**first), ended(**second)])):
        assert told is None or (min(told[:6]) >= 0 and told.reasoning <= told.output)


@settings(max_examples=100, deadline=None)
@given(counters, st.lists(counters, max_size=3))
def test_a_stream_counts_like_its_fold(first: dict[str, Any], rest: list[dict[str, Any]]) -> None:
    message = {"type": "message", "content": [], "stop_reason": "end_turn", "usage": first}
    start = frame_of(json.dumps({"type": "message_start", "message": message}).encode())
    frames = [start, *(ended(**each) for each in rest), frame_of(b'{"type":"message_stop"}')]
    assert stream_usage(frames) == usage(fold(frames))
