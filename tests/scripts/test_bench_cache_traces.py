import gzip
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scripts import bench_cache_traces as traces
from scripts.bench_cache_traces import DAY, Trace

MADE = [
    traces.zipf(5000, 1000, 1.0, 2.0),
    traces.diurnal(3, 2000, 700, 0.9, 0.1),
    traces.flows(5000, 50, 8, 0.8, 0.05, 20.0),
]


@pytest.mark.parametrize("trace", MADE, ids=lambda trace: trace.name)
def test_a_generated_trace_has_a_time_for_each_key_and_time_does_not_go_back(trace: Trace) -> None:
    assert len(trace.keys) == len(trace.times) in (5000, 6000)
    assert all(one <= other for one, other in pairwise(trace.times))


def test_a_seed_says_all() -> None:
    assert traces.zipf(100, 50, 1.0, 1.0) == traces.zipf(100, 50, 1.0, 1.0)
    assert traces.zipf(100, 50, 1.0, 1.0).keys != traces.zipf(100, 50, 1.0, 1.0, seed=9).keys


def test_zipf_has_its_shares_and_its_rate() -> None:
    trace = traces.zipf(50_000, 100, 1.0, 4.0)
    count, harmonic = Counter(trace.keys), sum(1 / rank for rank in range(1, 101))
    for rank in (1, 2, 10):
        assert count[rank - 1] / 50_000 == pytest.approx(1 / rank / harmonic, rel=0.1)
    assert set(trace.keys) <= set(range(100))
    assert trace.times[-1] == pytest.approx(12_500, rel=0.03)


def test_days_are_busy_in_the_afternoon_and_have_hours_of_their_own() -> None:
    trace = traces.diurnal(4, 5000, 700, 0.9, 0.0)
    hours = Counter(int(time % DAY // 3600) for time in trace.times)
    assert hours[15] > 5 * hours[3]
    slots = [key // 5 for key in trace.keys]  # without drift each slot has one key
    blocks = {(slot // 100, int(time % DAY // 14_400)) for slot, time in zip(slots, trace.times, strict=True)}
    assert blocks == {(0, hour) for hour in range(6)} | {(1 + hour, hour) for hour in range(6)}


def test_drift_brings_new_keys_each_day() -> None:
    same, other = (traces.diurnal(3, 5000, 700, 0.9, drift) for drift in (0.0, 0.2))
    first, last = (
        {key for key, time in zip(other.keys, other.times, strict=True) if time // DAY == day} for day in (0, 2)
    )
    assert len(set(other.keys)) > len(set(same.keys))
    assert any(key % 4 == 0 for key in first)
    assert all(key % 4 == 0 for key in first)
    replaced = sum(key % 4 != 0 for key in last) / len(last)
    assert replaced == pytest.approx(1 - 0.8**2, abs=0.08)


def test_flows_go_step_by_step_unless_they_are_left() -> None:
    trace = traces.flows(20_000, 50, 8, 0.8, 0.05, 20.0)
    follows = sum(other == one + 1 for one, other in pairwise(trace.keys) if one % 8 != 7)
    inside = sum(one % 8 != 7 for one in trace.keys[:-1])
    assert follows / inside == pytest.approx(0.95, abs=0.01)
    assert all(other % 8 == 0 for one, other in pairwise(trace.keys) if other != one + 1)


def test_repeats_bound_what_a_cache_can_do() -> None:
    trace = Trace("t", [1, 2, 1, 1], [0.0, 1.0, 2.0, 3600.0], "by hand")
    assert trace.repeats == 0.5
    assert trace.told() == "t: 4 accesses to 2 keys in 1.0 h, 50.0% repeats; by hand"
    assert trace.cut(2).keys == [1, 2]
    assert trace.cut(2).times == [0.0, 1.0]
    assert trace.cut(9) is trace
    assert Trace("t", [], [], "").repeats == 0.0


def kept(folder: Path, name: str, lines: list[dict[str, Any]]) -> Path:
    (folder / "sessions").mkdir(exist_ok=True)
    with gzip.open(folder / "sessions" / name, "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return folder


def test_recorded_questions_are_keys_by_their_text(tmp_path: Path) -> None:
    lines = [{"request": {"messages": [{"role": "user", "content": text}]}} for text in ("a", "b", "a", "c")]
    trace = traces.questions(3, kept(tmp_path, "mtragun.jsonl.gz", lines))
    assert trace is not None
    assert (trace.keys, trace.times) == ([0, 1, 0], [0.0, 1.0, 2.0])


def test_coding_sessions_are_merged_by_time_and_share_no_blocks(tmp_path: Path) -> None:
    part = {"t": 5.0, "requests": [{"t": 1.0, "hash_rle": [[1, 33]]}]}
    first = {"requests": [{"t": 0.0, "hash_rle": [[1, 64]]}, part]}
    second = {"requests": [{"t": 2.0, "hash_rle": [[1, 31], [90, 40]]}]}
    trace = traces.coding(100, kept(tmp_path, "claudecode_trace_rle.jsonl.gz", [first, second]))
    assert trace is not None
    assert trace.keys == [0, 1, 2, 3, 4, 0, 1]  # blocks 1, 33; of the other 1, 91, 123; again 1, 33
    assert trace.times == [0.0, 0.0, 2.0, 2.0, 2.0, 6.0, 6.0]


def test_mooncake_has_times_in_milliseconds(tmp_path: Path) -> None:
    lines = [{"timestamp": 0, "hash_ids": [0, 1]}, {"timestamp": 1500, "hash_ids": [0, 2]}]
    trace = traces.mooncake(3, kept(tmp_path, "mooncake_conversation_0-30min.jsonl.gz", lines))
    assert trace is not None
    assert (trace.keys, trace.times) == ([0, 1, 0], [0.0, 0.0, 1.5])


@pytest.mark.parametrize("read", [traces.questions, traces.coding, traces.mooncake])
def test_what_is_not_there_is_none(read: Any, tmp_path: Path) -> None:
    assert read(10, tmp_path) is None


@pytest.mark.parametrize("read", [traces.questions, traces.coding, traces.mooncake])
def test_the_recorded_files_as_they_are(read: Any) -> None:
    trace = read(2000)
    if trace is None:
        pytest.skip(f"measurement data is not at {traces.DATA}")
    assert len(trace.keys) == len(trace.times) == 2000
    assert all(one <= other for one, other in pairwise(trace.times))
    assert 0 < trace.repeats < 1
