import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from proxy.replay_report import reading, write_table


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


def table(more: Mapping[str, Any] = MappingProxyType({}), **strategies: dict[str, Any]) -> str:
    out = io.StringIO()
    write_table(
        {
            "files": ["a"],
            "requests": 2000,
            "skipped_lines": 1,
            "prices": {"table": "prices 1.0", "as_of": "2026-01-01"},
            "strategies": strategies,
            "notes": ["[bold]Mind[/bold] this."],
            **more,
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


def test_many_strategies_take_several_tables() -> None:
    text = table(**{f"strategy_{number}": strategy() for number in range(8)})
    assert max(map(len, text.splitlines())) <= 80
    assert sum(line.split()[:2] == ["hit", "rate"] for line in text.splitlines()) == 0  # nothing in any cell
    assert sum("dollars" in line.split() for line in text.splitlines()) == 3
    assert "…" not in text


def test_what_warming_did_is_told() -> None:
    warm = strategy(
        extra_requests=3,
        hit_rate_real=0.9,
        hit_rate_warm=0.25,
        unread_writes={"tokens": 1200, "dollars": 0.5},
        waited=7,
        net=-1.5,
        range={"hit": [1.0, 0.5], "dollars": [12.5, 20.0]},
    )
    lines = [line.split() for line in table(none=strategy(net=0.0, hit_rate_real=0.0), call=warm).splitlines()]
    assert ["warm", "calls", "0", "3"] in lines
    assert ["read", "from", "provider's", "cache", "0.0%", "90.0%"] in lines
    assert ["...", "by", "warm", "calls", "-", "25.0%"] in lines
    assert ["written,", "never", "read", "0", "1,200"] in lines
    assert ["requests", "that", "waited", "0", "7"] in lines
    assert ["less", "than", "none", "$0.00", "-$1.50"] in lines
    assert ["dollars", "$12.50", "$12.50", "to", "$20.00"] in lines


def test_the_lower_bound_and_the_sessions() -> None:
    report = {
        "lower_bound": {"dollars": 6.25},
        "branches": 8,
        "sessions": {"[b]s1": {"none": 1.0}, "s2": {"none": 0.5}},
    }
    text = table(report, none=strategy())
    assert "each as 8 branches" in text
    assert [line.count("█") for line in text.splitlines() if "█" in line] == [32, 16]
    assert "lower bound" in text
    assert ["[b]s1", "$1.00"] in [line.split() for line in text.splitlines()]


def test_a_bar_only_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)
    for err, wanted, drawn in ((io.StringIO(), True, False), (Terminal(), False, False), (Terminal(), True, True)):
        with reading([path, tmp_path / "absent"], err, wanted) as advance:
            advance(path, 500)
            advance(path, 1000)
        assert bool(err.getvalue()) is drawn
