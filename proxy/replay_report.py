"""How a replay is told on a terminal: the table, the bars, and the bar of its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.table import Table

# rich is imported where something is drawn: the command line imports this module for every command.

BAR = 32
"""Characters of the longest bar."""


GAP = 2
"""Spaces between columns."""


@contextmanager
def reading(files: Sequence[Path], err: TextIO, wanted: bool) -> Iterator[Callable[[Path, int], None]]:
    """A bar over the bytes of all files, if `err` is a terminal; yields what is to be told of bytes read."""
    if not wanted or not err.isatty():
        yield _untold
        return
    from rich.console import Console
    from rich.progress import Progress

    sizes = {path: path.stat().st_size if path.is_file() else 0 for path in files}
    done = dict.fromkeys(sizes, 0)
    with Progress(console=Console(file=err), transient=True) as bar:
        task = bar.add_task("reading", total=sum(sizes.values()) or None)

        def advance(path: Path, read: int) -> None:
            done[path] = read
            bar.update(task, completed=sum(done.values()))

        yield advance


def _untold(path: Path, read: int) -> None:
    pass


def write_table(report: Mapping[str, Any], out: TextIO) -> None:
    from rich.console import Console

    console = Console(file=out, highlight=False, emoji=False, markup=False)
    strategies: Mapping[str, Mapping[str, Any]] = report["strategies"]
    requests, skipped = report["requests"], report["skipped_lines"]
    branches = report.get("branches", 1)
    sent = f", each as {branches} branches" if branches > 1 else ""
    console.print(f"{requests:,} requests from {len(report['files'])} file(s){sent}, {skipped:,} lines skipped\n")
    for table in _tables(strategies, console.width):
        console.print(table)
        console.print()
    bound = report.get("lower_bound") or {}
    for line in _bars(strategies, bound.get("dollars")):
        console.print(line)
    console.print()
    if report.get("sessions"):
        console.print(_sessions(report["sessions"], strategies))
        console.print()
    prices = report["prices"]
    for note in (*report["notes"], f"Prices: {prices['table']}, {prices['as_of']}."):
        console.print("* " + note)


def _tables(strategies: Mapping[str, Mapping[str, Any]], width: int) -> Iterator[Table]:
    """All figures, in as many tables as it takes to have each cell in one line."""
    from rich.table import Table

    rows = [(label, [cell(strategy) for strategy in strategies.values()]) for label, cell in ROWS]
    rows = [(label, cells) for label, cells in rows if label not in IF_ANY or not NOTHING.issuperset(cells)]
    names = list(strategies)
    widths = [max(len(name), *(len(cells[place]) for _, cells in rows)) + GAP for place, name in enumerate(names)]
    room = width - max(len(label) for label, _ in rows) - GAP
    begin = 0
    while begin < len(names):
        end, left = begin + 1, room - widths[begin]
        while end < len(names) and widths[end] <= left:
            left -= widths[end]
            end += 1
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        table.add_column("", no_wrap=True)
        for name in names[begin:end]:
            table.add_column(name, justify="right", no_wrap=True)
        for label, cells in rows:
            table.add_row(label, *cells[begin:end])
        yield table
        begin = end


def _sessions(sessions: Mapping[str, Mapping[str, float]], strategies: Iterable[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column("dollars by session", overflow="fold")
    for name in strategies:
        table.add_column(name, justify="right")
    for session, dollars in sessions.items():
        table.add_row(session, *(money(each) for each in dollars.values()))
    return table


def _bars(strategies: Mapping[str, Mapping[str, Any]], bound: float | None) -> Iterator[str]:
    """Dollars side by side, or tokens where a price is missing."""
    priced = all(strategy["dollars"] is not None for strategy in strategies.values())
    values = {
        name: strategy["dollars"] if priced else sum(strategy["tokens"].values())
        for name, strategy in strategies.items()
    }
    told = {name: dollars_of(strategies[name]) if priced else f"{value:,} tokens" for name, value in values.items()}
    if priced and bound is not None:
        values["lower bound"], told["lower bound"] = bound, money(bound)
    longest = max(values.values()) or 1
    width = max(map(len, values))
    for name, value in values.items():
        bar = "█" * round(BAR * value / longest)
        yield f"{name:<{width}}  {bar:<{BAR}}  {told[name]}"


def money(dollars: float) -> str:
    sign, size = "-" if dollars < 0 else "", abs(dollars)
    return f"{sign}${size:,.2f}" if size >= 1 or not size else f"{sign}${size:.4f}"


def dollars_of(strategy: Mapping[str, Any]) -> str:
    dollars, missing = strategy["dollars"], strategy["unpriced_requests"]
    if dollars is None:
        return "unknown"
    span = strategy.get("range")
    amount = " to ".join(map(money, span["dollars"])) if span else money(dollars)
    return f"{amount} + {missing:,} unpriced" if missing else amount


def _net(strategy: Mapping[str, Any]) -> str:
    return "unknown" if strategy.get("net") is None else money(strategy["net"])


def _share(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda strategy: "-" if strategy.get(name) is None else f"{strategy[name]:.1%}"


def _number(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda strategy: f"{strategy.get(name, 0):,}"


def _unread(strategy: Mapping[str, Any]) -> str:
    return f"{strategy.get('unread_writes', {}).get('tokens', 0):,}"


def _tokens(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda strategy: f"{strategy['tokens'][name]:,}"


def _seconds(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda strategy: " / ".join(f"{strategy[name][rank] / 1000:.2f}" for rank in ("p50", "p95")) + " s"


ROWS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("hits", lambda strategy: f"{strategy['hits']:,}"),
    ("hit rate", lambda strategy: f"{strategy['hit_rate']:.1%}"),
    ("uncertain hits, not counted", lambda strategy: f"{strategy['uncertain_hits']:,}"),
    ("tokens: uncached", _tokens("uncached")),
    ("tokens: cache read", _tokens("read")),
    ("tokens: cache write, 5 min", _tokens("write_5m")),
    ("tokens: cache write, 1 h", _tokens("write_1h")),
    ("tokens: cache write, 30 min", _tokens("write_30m")),
    ("tokens: cache write, 12 h", _tokens("write_12h")),
    ("tokens: output", _tokens("output")),
    ("warm calls", _number("extra_requests")),
    ("read from provider's cache", _share("hit_rate_real")),
    ("... by warm calls", _share("hit_rate_warm")),
    ("written, never read", _unread),
    ("requests that waited", _number("waited")),
    ("tokens taken out by hooks", _number("pruned_tokens")),
    ("dollars", dollars_of),
    ("less than none", _net),
    ("first token, p50 / p95", _seconds("ttft_ms")),
    ("whole answer, p50 / p95", _seconds("latency_ms")),
)
"""The rows of the table: label, and the cell of a strategy."""

IF_ANY = frozenset(
    {
        "hits",
        "hit rate",
        "uncertain hits, not counted",
        "tokens: cache write, 5 min",
        "tokens: cache write, 1 h",
        "tokens: cache write, 30 min",
        "tokens: cache write, 12 h",
        "warm calls",
        "... by warm calls",
        "written, never read",
        "requests that waited",
        "tokens taken out by hooks",
    }
)
"""Rows left out where there is nothing in any of their cells. `--json` always has them."""

NOTHING = frozenset({"0", "0.0%", "-"})
