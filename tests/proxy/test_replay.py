import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.prices import Prices
from proxy.replay import ASSUMED_HIT, Options, run
from proxy.replay_outcome import CAUSES

DATA = Path(os.environ.get("WARMGATE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
PRICES = Prices({"m": {"input": 1.0, "output": 10.0, "cache_read": 0.1}})


def replayed(directory: Path, *lines: Any, **options: Any) -> dict[str, Any]:
    path = directory / "r.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out, err = io.StringIO(), io.StringIO()
    assert run(Options([path], json=True, prices=PRICES, **options), out, err) == 0
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def real(name: str, **options: Any) -> dict[str, Any]:
    path = DATA / "sessions" / name
    if not path.is_file():
        pytest.skip(f"measurement data is not at {DATA}")
    out = io.StringIO()
    assert run(Options([path], json=True, **options), out, io.StringIO()) == 0
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def line(session: str, text: str, **more: Any) -> dict[str, Any]:
    request = {"model": more.pop("model", "m"), "messages": [{"role": "user", "content": text}]}
    answer = {"message": {"role": "assistant", "content": "y"}, "finish_reason": "stop"}
    return {"session": session, "seq": 0, "ts": 1.0, "request": request, "response": answer, "usage": None, **more}


def tokens(**counted: int) -> dict[str, int]:
    names = ("uncached", "read", "write_5m", "write_1h", "write_30m", "write_12h", "output")
    return dict.fromkeys(names, 0) | counted


def test_every_class_of_tokens_is_in_the_report(tmp_path: Path) -> None:
    details = {"cached_tokens": 10, "cache_write_tokens": 50, "cache_write_tokens_details": {"ttl_12h_tokens": 20}}
    openai = {"input_tokens": 100, "input_tokens_details": details, "output_tokens": 7}
    lives = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    anthropic = {"input_tokens": 1, "cache_creation": lives, "cache_creation_input_tokens": 7}
    report = replayed(tmp_path, line("a", "x", usage=openai), line("b", "y", usage=anthropic))
    assert report["strategies"]["none"]["tokens"] == tokens(
        uncached=41, read=10, write_5m=3, write_1h=4, write_30m=30, write_12h=20, output=7
    )


def test_the_members_of_the_report_are_stable(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    report = replayed(tmp_path, line("a", "x", usage=usage), line("b", "x", usage=usage))
    members = "files requests skipped_lines prices arrivals branches strategies lower_bound calibration notes"
    assert list(report) == members.split()
    misses = dict.fromkeys(CAUSES, 0)
    assert report["strategies"] == {
        "none": {
            "requests": 2,
            "hits": 0,
            "hit_rate": 0.0,
            "uncertain_hits": 0,
            "extra_requests": 0,
            "tokens": tokens(uncached=2000, output=200),
            "dollars": 0.004,
            "dollars_by_class": tokens(uncached=0.002, output=0.002),
            "extra_dollars": 0.0,
            "unpriced_requests": 0,
            "latency_ms": {"p50": 1400.0, "p95": 1400.0},
            "ttft_ms": {"p50": 400.0, "p95": 400.0},
            "waited": 0,
            "pruned_tokens": 0,
            "hit_rate_real": 0.0,
            "hit_rate_warm": None,
            "unread_writes": {"tokens": 0, "dollars": 0.0},
            "misses": misses | {"cold": 1000, "in_flight": 1000},
            "above_minimum": {"requests": 0, "dollars": 0.0, "prompt_dollars": 0.0},
            "range": None,
            "net": 0.0,
        },
        "exact": {
            "requests": 2,
            "hits": 1,
            "hit_rate": 0.5,
            "uncertain_hits": 0,
            "extra_requests": 0,
            "tokens": tokens(uncached=1000, output=100),
            "dollars": 0.002,
            "dollars_by_class": tokens(uncached=0.001, output=0.001),
            "extra_dollars": 0.0,
            "unpriced_requests": 0,
            "latency_ms": {"p50": 0.5, "p95": 1400.0},
            "ttft_ms": {"p50": 0.5, "p95": 400.0},
            "waited": 0,
            "pruned_tokens": 0,
            "hit_rate_real": 0.0,
            "hit_rate_warm": None,
            "unread_writes": {"tokens": 0, "dollars": 0.0},
            "misses": misses | {"cold": 1000},
            "above_minimum": {"requests": 0, "dollars": 0.0, "prompt_dollars": 0.0},
            "range": None,
            "net": 0.002,
        },
    }
    assert report["lower_bound"] is None
    assert report["calibration"] == {"requests": None, "explained": None, "total_error": None, "causes": {}}
    assert report["prices"]["table"].startswith("genai-prices")


def test_strategies_that_warm_come_with_the_lower_bound(tmp_path: Path) -> None:
    long = "word " * 3000
    lines = [line(name, long, model="claude-sonnet-5") for name in "abcd"]
    report = replayed(tmp_path, *lines, strategies=["none", "naive", "leader"], model="claude-sonnet-5")
    strategies, bound = report["strategies"], report["lower_bound"]
    assert list(bound) == ["dollars", "prompt_dollars", "unpriced_requests", "above_minimum"]
    assert 0 < bound["dollars"] < strategies["leader"]["dollars"] * 1.000001
    assert strategies["leader"]["net"] > 0 > strategies["naive"]["net"]
    assert any("more than plain forwarding: naive." in note for note in report["notes"])


def test_branches_and_sessions(tmp_path: Path) -> None:
    lines = [line("a", "x"), line("b", "y")]
    report = replayed(tmp_path, *lines, strategies=["none", "leader"], branches=4, per_session=True)
    assert report["branches"] == 4
    assert report["strategies"]["none"]["requests"] == 8
    assert set(report["sessions"]) == {"a", "b"}
    total = sum(session["none"] for session in report["sessions"].values())
    assert total == pytest.approx(report["strategies"]["none"]["dollars"])


def test_a_best_effort_provider_gives_a_range(tmp_path: Path) -> None:
    words = "word " * 4000
    turns = [[words], [words, "more"], [words, "more", "and more"], [words, "more", "and more", "still"]]
    lines = [
        {**line("a", "", model="gpt-4o"), "seq": number, "ts": 60.0 * number}
        | {"request": {"model": "gpt-4o", "messages": [{"role": "user", "content": text} for text in texts]}}
        for number, texts in enumerate(turns)
    ]

    def asked(**options: Any) -> dict[str, Any]:
        strategy: dict[str, Any] = replayed(tmp_path, *lines, strategies=["none"], **options)["strategies"]["none"]
        return strategy

    sure = asked()
    assert sure["range"] is None
    spread = asked(chances=lambda: lambda: 0.5, hit=0.0)
    assert spread["range"] == {"hit": [1.0, 0.0], "dollars": [sure["dollars"], spread["dollars"]]}
    assert spread["dollars"] > sure["dollars"]
    assert spread["tokens"]["read"] == 0
    assert asked(chances=lambda: lambda: 0.5)["range"]["hit"] == [1.0, ASSUMED_HIT]


def test_calibration_comes_first_and_gives_the_probability(tmp_path: Path) -> None:
    words = "word " * 4000
    lines = []
    for number in range(6):
        texts = [words, *(f"more {turn}" for turn in range(number))]
        messages = [{"role": "user", "content": text} for text in texts]
        read = 4096 if number % 2 else 0
        usage = {"prompt_tokens": 4200 + 10 * number, "prompt_tokens_details": {"cached_tokens": read}}
        asked = {"request": {"model": "gpt-4o", "messages": messages}, "usage": {**usage, "completion_tokens": 5}}
        lines.append({**line("a", ""), "seq": number, "ts": 60.0 * number, **asked})
    options: dict[str, Any] = {"strategies": ["none", "auto"], "calibrate": True, "chances": lambda: lambda: 0.5}
    report = replayed(tmp_path, *lines, **options)
    calibration = report["calibration"]
    assert (calibration["requests"], calibration["explained"]) == (6, 4)
    assert sum(calibration["causes"].values()) == 2
    assert report["strategies"]["auto"]["range"]["hit"] == [1.0, pytest.approx(0.6, abs=0.01)]
    assert any("4 of 6 requests explained" in note for note in report["notes"])
    assert replayed(tmp_path, *lines, **options, hit=0.25)["strategies"]["auto"]["range"]["hit"] == [1.0, 0.25]


def test_calibration_without_anything_to_hold_it_against(tmp_path: Path) -> None:
    report = replayed(tmp_path, line("a", "x"), calibrate=True)
    assert report["calibration"]["requests"] == 0
    assert any("no request carries both usage" in note for note in report["notes"])


def test_a_page_is_written_or_it_is_said_why_not(tmp_path: Path) -> None:
    replayed(tmp_path, line("a", "x"), report=tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")
    out, err = io.StringIO(), io.StringIO()
    wrong = tmp_path / "absent" / "out.html"
    assert run(Options([tmp_path / "r.jsonl"], prices=PRICES, report=wrong), out, err) == 2
    assert str(wrong) in err.getvalue()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arrivals": "never"}, "no such arrivals: never; there are recorded, together"),
        ({"branches": 0}, "branches: must be"),
        ({"branches": 10**9}, "branches: must be"),
        ({"hit": 1.5}, "hit: must be"),
        ({"hit": float("nan")}, "hit: must be"),
    ],
)
def test_what_is_wrong_with_the_arguments(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    err = io.StringIO()
    assert run(Options([tmp_path / "x"], **options), io.StringIO(), err) == 2
    assert said in err.getvalue()


def test_an_unknown_price_is_null_and_never_zero(tmp_path: Path) -> None:
    unknown = replayed(tmp_path, line("a", "x", model="nobody's"))["strategies"]["none"]
    assert (unknown["dollars"], unknown["unpriced_requests"]) == (None, 1)
    part = replayed(tmp_path, line("a", "x", model="nobody's"), line("b", "x"))["strategies"]["none"]
    assert part["dollars"] > 0
    assert part["unpriced_requests"] == 1
    priced = replayed(tmp_path, line("a", "x", model="nobody's"), model="m", strategies=["none"])
    assert list(priced["strategies"]) == ["none"]
    assert priced["strategies"]["none"]["dollars"] > 0


def test_what_is_wrong_is_said_and_where(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(line("a", "x")) + "\nnonsense\n" * 30)
    out, err = io.StringIO(), io.StringIO()
    assert run(Options([path], prices=PRICES), out, err) == 0
    assert f"{path}:2: not JSON" in err.getvalue()
    assert "and 10 more lines skipped" in err.getvalue()
    assert "1 requests from 1 file(s), 30 lines skipped" in out.getvalue()


@pytest.mark.parametrize("strategies", [["none", "magic"], []])
def test_unknown_strategies(strategies: list[str], tmp_path: Path) -> None:
    err = io.StringIO()
    assert run(Options([tmp_path / "x"], strategies=strategies), io.StringIO(), err) == 2
    assert "there are none, exact" in err.getvalue()


def test_what_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("hello\n")
    for wrong in (path, tmp_path / "absent"):
        out, err = io.StringIO(), io.StringIO()
        assert run(Options([wrong]), out, err) == 2
        assert str(wrong) in err.getvalue()
        assert out.getvalue() == ""


def test_real_questions_with_repeats() -> None:
    """24 first questions are repeats: 23 of another day (one pair of them of one day), 23 with another answer."""
    report = real("mtragun.jsonl.gz")
    assert (report["strategies"]["exact"]["hits"], report["strategies"]["exact"]["uncertain_hits"]) == (24, 0)
    assert real("mtragun.jsonl.gz", ttl=3600.0)["strategies"]["exact"]["hits"] == 1


def test_real_questions_without_repeats() -> None:
    assert real("arena_v01.jsonl.gz")["strategies"]["exact"]["hits"] == 0


def test_a_real_bill() -> None:
    report = real("pi.delta.jsonl.gz")
    assert report["strategies"]["none"]["dollars"] == pytest.approx(30.33, rel=0.02)
    assert any("$30.33 for 439 requests" in note for note in report["notes"])
    tokens = report["strategies"]["none"]["tokens"]
    assert (tokens["read"], tokens["write_5m"]) == (43_229_469, 4_296_232)


def test_real_agents_that_share_a_prefix() -> None:
    report = real("tau_airline.delta.jsonl.gz")
    none, exact_ = report["strategies"]["none"], report["strategies"]["exact"]
    assert (exact_["hits"], exact_["uncertain_hits"]) == (3, 0)
    assert 0.8 < (none["tokens"]["uncached"] + none["tokens"]["read"]) / 6_900_000 < 1.2
    assert exact_["dollars"] < none["dollars"]


def test_real_lengths_are_never_hits() -> None:
    strategies = real("azure_llm_code_2023.csv.gz")["strategies"]
    assert strategies["exact"]["hits"] == strategies["none"]["tokens"]["read"] == 0
    assert strategies["exact"]["requests"] == 8_819


def test_trials_started_together() -> None:
    """Siblings share the static part only: breakpoints alone are nearly as good as it gets."""
    report = real(
        "tau_airline.delta.jsonl.gz",
        model="claude-sonnet-5",
        arrivals="together",
        strategies=["none", "naive", "leader", "call", "auto"],
    )
    dollars = {name: strategy["dollars"] for name, strategy in report["strategies"].items()}
    bound = report["lower_bound"]["dollars"]
    assert bound < dollars["leader"] < 1.005 * bound
    assert dollars["naive"] < 1.016 * bound
    assert dollars["auto"] <= min(dollars["naive"], dollars["leader"], dollars["call"])


def test_bursts_over_fresh_contexts() -> None:
    """Hours lie between the turns: each turn is a context of its own, where it is long enough to be cached."""
    report = real(
        "mtragun.jsonl.gz",
        model="claude-sonnet-5",
        branches=8,
        strategies=["none", "naive", "leader", "call"],
    )
    bound, strategies = report["lower_bound"], report["strategies"]
    assert strategies["leader"]["dollars"] < 1.01 * bound["dollars"]
    assert strategies["call"]["dollars"] < 1.01 * bound["dollars"] + strategies["call"]["extra_dollars"]
    large = bound["above_minimum"]["prompt_dollars"]
    assert strategies["naive"]["above_minimum"]["prompt_dollars"] > 4 * large
    assert strategies["leader"]["above_minimum"]["prompt_dollars"] < 1.01 * large


def test_real_agents_whose_prompts_are_pruned() -> None:
    strategies = real("pi.delta.jsonl.gz", strategies=["auto", "auto+prune"])["strategies"]
    assert strategies["auto+prune"]["dollars"] <= strategies["auto"]["dollars"]
    assert strategies["auto+prune"]["pruned_tokens"] > 0 == strategies["auto"]["pruned_tokens"]
