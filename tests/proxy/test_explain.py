import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.prices import Prices
from proxy.explain import Options, add_parser, run
from proxy.explain_cause import CAUSES
from tests.proxy.recordings import CLAUDE, DATA, LONG, say
from tests.proxy.test_explain_prompt import JSON

PRICES = Prices({CLAUDE: {"input": 1.0, "cache_read": 0.1, "cache_write": 1.25}})


def line(seq: int, messages: list[Any], wrote: int, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "cache_creation_input_tokens": wrote, "cache_read_input_tokens": 0, "output_tokens": 5}
    return {
        "session": more.get("session", "s"),
        "seq": seq,
        "ts": more.get("ts", 10.0 * seq),
        "request": {"model": CLAUDE, "messages": messages},
        "response": {"message": say("assistant", "ok")},
        "usage": more.get("usage", usage),
    }


def stamped(day: int) -> list[Any]:
    return [say("system", f"Today is 2026-11-{day}. {LONG}"), say("user", "u")]


def explained(path: Path, *lines: Any, **options: Any) -> tuple[int, str, str]:
    path = path / "r.jsonl"
    path.write_text("".join((text if isinstance(text, str) else json.dumps(text)) + "\n" for text in lines))
    out, err = io.StringIO(), io.StringIO()
    code = run(Options([path], **{"prices": PRICES, **options}), out, err)
    return code, out.getvalue(), err.getvalue()


def test_the_report_for_machines_is_what_the_documentation_says(tmp_path: Path) -> None:
    code, out, err = explained(tmp_path, line(0, stamped(21), 5000), line(1, stamped(22), 5000), json=True)
    report = json.loads(out)
    assert (code, err) == (0, "")
    tokens = report["misses"]["tokens"]
    assert tokens == pytest.approx(4990, abs=10)
    price = round(tokens * 1.15e-6, 9)
    one = {"requests": 1, "tokens": tokens, "dollars": pytest.approx(price)}
    assert report == {
        "files": [str(tmp_path / "r.jsonl")],
        "requests": 2,
        "recorded": 2,
        "skipped_lines": 0,
        "prices": {"table": PRICES.table, "as_of": PRICES.as_of},
        "prompt_tokens": 10_006,
        "read_tokens": 0,
        "misses": one,
        "causes": {"volatile": one},
        "dearest": [
            {
                "session": "s",
                "request": 1,
                "model": CLAUDE,
                "cause": "volatile",
                "tokens": tokens,
                "read_tokens": 0,
                "prompt_tokens": 5003,
                "dollars": pytest.approx(price),
                "gap_seconds": 10.0,
                "where": {
                    "what": "system",
                    "name": "changed",
                    "message": 0,
                    "part": None,
                    "role": "system",
                    "character": 18,
                    "before": f"Today is 2026-11-21. {LONG}"[:60],
                    "now": f"Today is 2026-11-22. {LONG}"[:60],
                    "kind": "time",
                },
            }
        ],
        "reordering": {
            "volatile": one,
            "volatile_unseen": {"requests": 0, "tokens": 0, "dollars": 0.0},
            "static_text": [],
        },
        "notes": ["A price is what the tokens cost more than reading them would have."],
    }


def test_the_table_is_for_people(tmp_path: Path) -> None:
    code, out, _ = explained(tmp_path, line(0, stamped(21), 5000), line(1, stamped(22), 5000))
    assert code == 0
    assert CAUSES["volatile"] in out
    assert "+ Today is 2026-11-22." in out


def test_without_usage_the_misses_are_those_of_the_simulated_cache(tmp_path: Path) -> None:
    lines = [line(n, stamped(21), 0, usage=None, ts=ts) for n, ts in enumerate((0.0, 10.0, 400.0))]
    _, out, _ = explained(tmp_path, *lines, json=True)
    report = json.loads(out)
    assert report["recorded"] == 0
    assert list(report["causes"]) == ["ttl"]
    assert any("3 of 3 requests carry no usage" in note for note in report["notes"])


def test_lines_that_cannot_be_read_are_said_and_passed_over(tmp_path: Path) -> None:
    cut = json.dumps(line(1, stamped(22), 5000))[:300]
    code, out, err = explained(tmp_path, line(0, stamped(21), 5000), cut, '{"foreign": 1}', json=True)
    assert code == 0
    assert json.loads(out)["skipped_lines"] == 2
    assert err.count("(skipped)") == 2
    many = [line(0, stamped(21), 5000), *["{"] * 50]
    assert "... and 30 more lines skipped" in explained(tmp_path, *many, json=True)[2]


@pytest.mark.parametrize("lines", [(), ("not json",), ('{"a": 1}',), ("TIMESTAMP,ContextTokens,GeneratedTokens", "x")])
def test_a_file_in_which_nothing_can_be_read(tmp_path: Path, lines: tuple[str, ...]) -> None:
    code, out, err = explained(tmp_path, *lines)
    assert (code, out) == (2, "")
    assert err.startswith("warmgate explain: ")


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(JSON, JSON, JSON, JSON, JSON), min_size=1, max_size=4))
def test_whatever_is_recorded_ends_in_a_report_or_in_a_message(tmp_path: Path, values: list[tuple[Any, ...]]) -> None:
    lines = [
        {"session": "s", "seq": n, "ts": ts, "usage": usage, "route": ("chat", "messages", "responses")[n % 3]}
        | {"request": {"model": model, "messages": [{"role": role, "content": content}], "tools": content}}
        for n, (ts, usage, model, role, content) in enumerate(values)
    ]
    for as_json in (True, False):
        code, out, err = explained(tmp_path, *lines, json=as_json)
        assert (code, bool(out)) == (0, True) or (code == 2 and err)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert run(Options([tmp_path / "absent"], prices=PRICES), out, err) == 2
    assert "No such file" in err.getvalue()


def test_lengths_alone_can_not_be_compared(tmp_path: Path) -> None:
    lines = ("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:17:03.9799600,4808,10")
    code, _, err = explained(tmp_path, *lines)
    assert code == 2
    assert "nothing can be compared" in err


def test_sessions_of_two_files_are_two(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    for day, path in enumerate(paths):
        path.write_text(json.dumps(line(0, stamped(20 + day), 5000)))
    out = io.StringIO()
    assert run(Options(paths, json=True, prices=PRICES), out, io.StringIO()) == 0
    assert json.loads(out.getvalue())["misses"]["requests"] == 0


def test_arguments(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(line(n, stamped(21 + n), 5000)) + "\n" for n in range(3)))
    parser = argparse.ArgumentParser()
    add_parser(parser)
    options = parser.parse_args([str(path), "--json", "--limit", "1", "--model", "claude-opus-4-5"])
    assert options.run(options) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["dearest"]) == 1
    assert report["misses"]["requests"] == 2
    assert any("Priced as claude-opus-4-5" in note for note in report["notes"])
    with pytest.raises(SystemExit):
        parser.parse_args([str(path), "--limit", "-1"])


def real(name: str) -> dict[str, Any]:
    path = DATA / "sessions" / name
    if not path.is_file():
        pytest.skip(f"measurement data is not at {DATA}")
    out = io.StringIO()
    assert run(Options([path], json=True), out, io.StringIO()) == 0
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def test_a_coding_session_whose_system_prompt_was_not_recorded_as_it_was_sent() -> None:
    report = real("pi.delta.jsonl.gz")
    assert 25 <= report["causes"]["volatile_unseen"]["requests"] <= 35
    assert report["causes"]["volatile_unseen"]["dollars"] == pytest.approx(11.5, rel=0.1)
    assert report["causes"]["ttl"]["requests"] == 4


def test_instructions_behind_each_task() -> None:
    report = real("mini_swe.delta.jsonl.gz")
    assert list(report["causes"]) == ["best_effort"]
    (found,) = report["reordering"]["static_text"]
    assert found["sessions"] >= 95
    assert found["tokens"] == pytest.approx(1_100 * found["sessions"], rel=0.1)
    assert found["begins"] == "</pr_description>"
