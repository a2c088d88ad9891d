import io
from pathlib import Path
from typing import Any

from proxy.replay_facts import Survey
from proxy.replay_report import notes, reading, write_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def strategy(**more: Any) -> dict[str, Any]:
    tokens = {"uncached": 1234, "read": 5, "write_5m": 6, "write_1h": 7, "write_30m": 0, "write_12h": 0, "output": 8}
    times = {"p50": 1500.0, "p95": 2500.0}
    return {
        "hits": 0,
        "hit_rate": 0.0,
        "uncertain_hits": 0,
        "tokens": tokens,
        "dollars": 12.5,
        "unpriced_requests": 0,
        "latency_ms": times,
        "ttft_ms": times,
        **more,
    }


def table(**strategies: dict[str, Any]) -> str:
    out = io.StringIO()
    write_table(
        {
            "files": ["a"],
            "requests": 2000,
            "skipped_lines": 1,
            "prices": {"table": "prices 1.0", "as_of": "2026-01-01"},
            "strategies": strategies,
            "notes": ["[bold]Mind[/bold] this."],
        },
        out,
    )
    return out.getvalue()


def test_the_table_has_a_column_for_each_strategy_and_a_bar_below() -> None:
    text = table(none=strategy(), exact=strategy(dollars=6.25, hits=1000, hit_rate=0.5))
    assert "2,000 requests from 1 file(s), 1 lines skipped" in text
    assert ["dollars", "$12.50", "$6.25"] in [line.split() for line in text.splitlines()]
    assert ["hit", "rate", "0.0%", "50.0%"] in [line.split() for line in text.splitlines()]
    bars = [line.count("█") for line in text.splitlines() if "█" in line]
    assert bars == [32, 16]
    assert "* [bold]Mind[/bold] this." in text
    assert "* Prices: prices 1.0, 2026-01-01." in text
    assert "\x1b" not in text


def test_unknown_dollars_are_told_and_tokens_drawn_instead() -> None:
    text = table(none=strategy(dollars=None, unpriced_requests=9), exact=strategy(dollars=1.0, unpriced_requests=3))
    assert "unknown" in text
    assert "$1.00 + 3 unpriced" in text
    assert "1,260 tokens" in text


def test_rows_of_one_provider_only_where_there_is_something_in_them() -> None:
    assert "30 min" not in table(none=strategy(), exact=strategy())
    some = strategy(tokens=strategy()["tokens"] | {"write_30m": 1500})
    text = table(none=strategy(), exact=some)
    assert ["tokens:", "cache", "write,", "30", "min", "0", "1,500"] in [line.split() for line in text.splitlines()]
    assert "12 h" not in text


def test_nothing_costs_nothing() -> None:
    assert "$0.00" in table(none=strategy(dollars=0.0, tokens=dict.fromkeys(strategy()["tokens"], 0)))


def test_notes_say_what_the_figures_do_not_know() -> None:
    found = Survey(facts=[], untimed=3, estimated=4, simulated=5, blind=6, unanswered=7, wordless=8)
    found.with_dollars, found.dollars = 9, 10.0
    both = {"none": strategy(), "exact": strategy(hits=2, uncertain_hits=1)}
    text = "\n".join(notes(found, both, unpriced={"", "x"}, ttl=60.0, model="gpt-4o"))
    for part in (
        "Siblings",
        "1 later hits",
        "kept for 60 s",
        "3 of 0 requests have no time",
        "4 of 0 requests carry no usage",
        "5 of 0 requests carry no cached tokens",
        "6 of 0 requests are recorded by their lengths",
        "7 of 0 requests have no recorded answer",
        "8 of 0 answers",
        "$10.00 for 9 requests",
        "Priced as gpt-4o",
        "(no name), x",
    ):
        assert part in text
    alone = notes(Survey(), {"none": strategy()}, unpriced=set(), ttl=None, model=None)
    assert len(alone) == 1
    assert "for ever" in "\n".join(notes(Survey(), both, unpriced=set(), ttl=None, model=None))


def test_a_bar_only_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)
    for err, wanted, drawn in ((io.StringIO(), True, False), (Terminal(), False, False), (Terminal(), True, True)):
        with reading([path, tmp_path / "absent"], err, wanted) as advance:
            advance(path, 500)
            advance(path, 1000)
        assert bool(err.getvalue()) is drawn
