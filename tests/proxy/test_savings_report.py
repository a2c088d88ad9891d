from __future__ import annotations

import argparse
import io
from typing import Any

import pytest

from adapters.prices import Prices
from proxy import savings
from proxy.savings_report import Table, fitting, notes, tables, write_markdown, write_table


def fanout(n: int, **saved: tuple[float, float]) -> dict[str, Any]:
    return {
        "n": n,
        "dollars": dict.fromkeys(saved, 1.0),
        "saved": {name: {"naive": naive, "none": none} for name, (naive, none) in saved.items()},
    }


def model(name: str, *fanouts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "model": name,
        "local": False,
        "best_effort": False,
        "minimum": 512,
        "granularity": 1,
        "break_even": {},
        "fanouts": fanouts,
        "losses": {},
        "why_no_leader": "",
        **more,
    }


def report(*models: dict[str, Any], prefix: int = 20_000) -> dict[str, Any]:
    prices = {"table": "prices 1.0", "as_of": "2026-01-01"}
    return {"prefix": prefix, "suffix": 500, "output": 800, "prices": prices, "models": models}


SOME = report(
    model(
        "[bold]a",
        fanout(1, leader=(-0.0001, -0.204), call=(-0.036, -0.247)),
        fanout(8, leader=(0.71, 0.655), call=(0.7084, 0.6475)),
        losses={"one came": {"leader": 0.02, "call": 0.02424}, "warm already": {"call": 0.0042}},
        break_even={"call": {"naive": 2, "none": 2}},
    ),
    model("b", fanout(1, call=(-0.03, -0.03)), fanout(8, call=(0.73, 0.73)), why_no_leader="units are whole"),
    model("c", fanout(1), fanout(8), local=True),
)


def test_a_cell_holds_a_leader_and_a_call() -> None:
    naive, none, lost = tables(SOME)
    assert naive.head == ("", "N=1", "N=8")
    assert naive.rows == [("[bold]a", "0/-4", "71/71"), ("b", "–/-3", "–/73"), ("c", "–", "–")]
    assert none.rows == [("[bold]a", "-20/-25", "66/65"), ("b", "–/-3", "–/73"), ("c", "–", "–")]
    assert lost.rows[0] == ("[bold]a", "2.00/2.42", "–", "–", "–/0.42")
    assert lost.rows[2] == ("c", "–", "–", "–", "–")


def test_notes_say_what_the_figures_do_not_know() -> None:
    text = "\n".join(notes(SOME))
    assert "a warm call pays from N=2 on." in text
    assert "tokens cost time and no money: c." in text
    assert "b: units are whole, so there a leader warms nothing." in text
    assert "Prices: prices 1.0, 2026-01-01." in text
    assert "Best effort" not in text
    assert "too short" not in text
    assert "Nothing is known" not in text


def test_notes_of_some_models_only() -> None:
    rough = model("r", fanout(8, call=(0.1, 0.1)), granularity=2048, minimum=1024, best_effort=True)
    late = [
        model(name, fanout(8, call=(0.1, 0.1)), break_even={"call": {"naive": n, "none": n}})
        for name, n in (("two", 2), ("three", 3), ("never", None))
    ]
    text = "\n".join(notes(report(rough, *late, model("dark", fanout(8)))))
    assert "Best effort, so this is the most that is saved: r." in text
    assert "r: entries end at every 2,048 tokens, so 18,432 can be read." in text
    assert "pays from N=2 on; three: N=3, never: never." in text
    assert "Nothing is known of the cache of: dark." in text
    short = "\n".join(notes(report(rough, late[2], prefix=1500)))
    assert "too short to be cached with, so warming never pays for 1,500 tokens: r." in short
    assert "entries end" not in short
    assert "a warm call never pays here." in short


def test_a_table_that_is_too_wide_goes_on_below() -> None:
    table = Table("t", ("", "N=1", "N=22"), [("name", "1/2", "333/444"), ("longer", "–", "5/6")])
    whole = len("longer") + 2 + len("1/2") + 2 + len("333/444")
    assert list(fitting(table, whole)) == [
        Table("t", ("", "N=1", "N=22"), [("name", "1/2", "333/444"), ("longer", "–", "5/6")])
    ]
    first, second = fitting(table, whole - 1)
    assert first == Table("t", ("", "N=1"), [("name", "1/2"), ("longer", "–")])
    assert second == Table("t", ("", "N=22"), [("name", "333/444"), ("longer", "5/6")])
    assert len(list(fitting(table, 1))) == 2


def test_markdown_is_made_of_whole_rows() -> None:
    out = io.StringIO()
    write_markdown(SOME, out)
    rows = [line for line in out.getvalue().splitlines() if line.startswith("|")]
    assert "| [bold]a | 0/-4 | 71/71 |" in rows
    assert "| --- | --: | --: |" in rows
    assert [row.count("|") for row in rows] == [4] * 10 + [6] * 5
    assert "\n* Prices: prices 1.0, 2026-01-01.\n" in out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_of_a_table_is_cut_or_wrapped(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    write_table(SOME, out)
    lines = out.getvalue().splitlines()
    assert "[bold]a  0/-4  71/71" in lines
    assert "c           –      –" in lines
    assert "\x1b" not in out.getvalue()


def test_a_line_that_can_be_no_narrower_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    out = io.StringIO()
    write_table(SOME, out)
    assert {"[bold]a  0/-4", "[bold]a  71/71", "[bold]a  2.00/2.42"} <= set(out.getvalue().splitlines())


def test_what_is_shown_by_default_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighty columns: three tables, none of which goes on below."""
    monkeypatch.setenv("COLUMNS", "80")
    parser, out = argparse.ArgumentParser(), io.StringIO()
    savings.add_parser(parser)
    assert savings.run(parser.parse_args([]), out, io.StringIO(), Prices()) == 0
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith(("Saved", "Lost where")) for line in lines) == 3
    assert sum(line.startswith("vllm/any-model") for line in lines) == 3
