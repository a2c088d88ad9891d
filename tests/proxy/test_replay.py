import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prices import Prices
from adapters.prompt import Point
from adapters.usage import Usage
from adapters.vocabulary import PLAIN, Controls
from proxy.replay import HIT, Options, Outcome, run, simulate
from proxy.replay_facts import Fact

DATA = Path(os.environ.get("WARMGATE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
PRICES = Prices({"m": {"input": 1.0, "output": 10.0, "cache_read": 0.1}})


def fact(session: int, key: str, answer: str | None = "a", *, ts: float | None = 0.0, **more: Any) -> Fact:
    return Fact(
        session=session,
        ts=ts,
        model=more.get("model", "m"),
        key=key.encode() if key else None,
        usage=more.get("usage", Usage(1_000_000)),
        links=more.get("links"),
        answer=answer.encode() if answer is not None else None,
        storable=more.get("storable", True),
        controls=more.get("controls", PLAIN),
    )


def exact(*facts: Fact, ttl: float | None = None) -> Outcome:
    return simulate(facts, "exact", PRICES, model=None, ttl=ttl)


def counts(outcome: Outcome) -> tuple[int, int]:
    return outcome.hits, outcome.uncertain


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


def test_a_repeat_is_a_hit_and_costs_nothing() -> None:
    facts = [fact(0, "k"), fact(1, "k"), fact(2, "l")]
    none = simulate(facts, "none", PRICES, model=None, ttl=None)
    assert (counts(none), none.dollars) == ((0, 0), pytest.approx(3))
    some = exact(*facts)
    assert (counts(some), some.dollars, some.tokens[0]) == ((1, 0), pytest.approx(2), 2_000_000)
    assert min(some.whole) == min(some.first) == HIT


def test_after_another_answer_the_session_is_uncertain() -> None:
    """b hit what a stored and got another answer than recorded: what b asked later would have been another thing."""
    facts = [fact(0, "k", "a"), fact(0, "l"), fact(1, "k", "b"), fact(1, "l"), fact(1, "l"), fact(2, "l")]
    outcome = exact(*facts)
    assert (counts(outcome), outcome.dollars) == ((2, 2), pytest.approx(4))


def test_after_the_same_answer_it_goes_on() -> None:
    assert counts(exact(fact(0, "k"), fact(0, "l"), fact(1, "k"), fact(1, "l"))) == (2, 0)


def test_an_answer_of_unknown_words_ends_what_is_certain() -> None:
    assert counts(exact(fact(0, "k", None), fact(0, "l"), fact(1, "k", None), fact(1, "l"))) == (1, 1)


def test_what_a_session_said_after_it_diverged_is_kept_for_nobody() -> None:
    facts = [fact(0, "k", "a"), fact(1, "k", "b"), fact(1, "new"), fact(2, "new"), fact(3, "new")]
    assert counts(exact(*facts)) == (2, 0)  # k for 1, and for 3 what 2 stored


def test_what_is_not_stored_never_hits() -> None:
    assert counts(exact(fact(0, "k", storable=False), fact(1, "k"), fact(2, "k"))) == (1, 0)
    assert counts(exact(fact(0, ""), fact(1, ""))) == (0, 0)


def test_time_to_live() -> None:
    facts = [fact(0, "k", ts=0.0), fact(1, "k", ts=59.0), fact(2, "k", ts=60.0), fact(3, "k", ts=119.0)]
    assert counts(exact(*facts, ttl=60.0)) == (2, 0)  # the third asks again and stores anew
    assert counts(exact(*facts)) == (3, 0)
    untimed = [fact(0, "k", ts=None), fact(1, "k", ts=None)]
    assert counts(exact(*untimed, ttl=0.001)) == (1, 0)


def test_controls_of_the_recorded_request() -> None:
    fresh = Controls(no_cache=True)
    assert counts(exact(fact(0, "k"), fact(1, "k", controls=fresh), fact(2, "k"))) == (1, 0)
    young = Controls(max_age=5.0)
    assert counts(exact(fact(0, "k", ts=0.0), fact(1, "k", ts=9.0, controls=young))) == (0, 0)
    brief = Controls(ttl=5.0)
    assert counts(exact(fact(0, "k", ts=0.0, controls=brief), fact(1, "k", ts=9.0), ttl=100.0)) == (0, 0)


def test_a_hit_does_not_warm_the_providers_cache() -> None:
    links = [Point(b"p", 2048)]
    usage = Usage(2048)

    def ask(session: int, key: str, ts: float) -> Fact:
        return fact(session, key, ts=ts, links=links, usage=usage)

    facts = [ask(0, "k", 0.0), ask(1, "k", 200.0), ask(2, "l", 400.0)]
    none = simulate(facts, "none", PRICES, model=None, ttl=None)
    assert none.tokens[:2] == [2048, 2 * 2048]
    # The second is a hit, so that at 400 s nobody has used the prefix for 400 s.
    assert exact(*facts).tokens[:2] == [2 * 2048, 0]


def test_latency_is_the_model_that_is_stated() -> None:
    outcome = simulate(
        [fact(0, "k", usage=Usage(10_000, 90_000, 5_000, 5_000, 100))], "none", PRICES, model=None, ttl=None
    )
    assert list(outcome.first) == [pytest.approx(0.3 + 2.0)]
    assert list(outcome.whole) == [pytest.approx(0.3 + 2.0 + 1.0)]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("kl"), st.sampled_from("ab"), st.booleans()), max_size=25))
def test_sums_hold(shape: list[tuple[int, str, str, bool]]) -> None:
    facts = [fact(s, k, a, ts=float(n), storable=keep) for n, (s, k, a, keep) in enumerate(shape)]
    none = simulate(facts, "none", PRICES, model=None, ttl=None)
    outcome = exact(*facts)
    assert outcome.requests == none.requests == len(facts)
    assert outcome.tokens[0] == 1_000_000 * (len(facts) - outcome.hits)
    assert outcome.dollars == pytest.approx(none.dollars - outcome.hits)
    repeats = len(facts) - len({one.key for one in facts})
    assert outcome.hits + outcome.uncertain <= repeats


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
    assert list(report) == ["files", "requests", "skipped_lines", "prices", "strategies", "notes"]
    assert report["strategies"] == {
        "none": {
            "requests": 2,
            "hits": 0,
            "hit_rate": 0.0,
            "uncertain_hits": 0,
            "extra_requests": 0,
            "tokens": tokens(uncached=2000, output=200),
            "dollars": 0.004,
            "unpriced_requests": 0,
            "latency_ms": {"p50": 1400.0, "p95": 1400.0},
            "ttft_ms": {"p50": 400.0, "p95": 400.0},
        },
        "exact": {
            "requests": 2,
            "hits": 1,
            "hit_rate": 0.5,
            "uncertain_hits": 0,
            "extra_requests": 0,
            "tokens": tokens(uncached=1000, output=100),
            "dollars": 0.002,
            "unpriced_requests": 0,
            "latency_ms": {"p50": 0.5, "p95": 1400.0},
            "ttft_ms": {"p50": 0.5, "p95": 400.0},
        },
    }
    assert report["prices"]["table"].startswith("genai-prices")


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
