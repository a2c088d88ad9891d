"""How a replay is told: the table, the bars, the notes that say what the figures do not know, and the progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from proxy.replay_facts import Survey

# rich is imported where something is drawn: the command line imports this module for every command.

BAR = 32
"""Characters of the longest bar."""


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


def _counted(found: Survey) -> str:
    if found.counter is not None and found.counter.vocabularies:
        return f"counted by tiktoken ({', '.join(found.counter.vocabularies)}), others' than OpenAI's by an estimate"
    return "estimated from the text, within about 20%"


def notes(
    found: Survey,
    strategies: Mapping[str, Mapping[str, Any]],
    *,
    unpriced: set[str],
    ttl: float | None,
    model: str | None,
) -> list[str]:
    """What a reader of the figures has to know, the general first."""
    return [text for text in _notes(found, strategies, unpriced, ttl, model) if text]


def _notes(
    found: Survey, strategies: Mapping[str, Mapping[str, Any]], unpriced: set[str], ttl: float | None, model: str | None
) -> Iterator[str]:
    total = len(found.facts)
    exact = strategies.get("exact")
    yield "Latency is a model: 0.3 s + uncached prompt / 10,000 per s + answer / 100 per s; a hit takes 0.5 ms."
    if exact is not None:
        yield (
            "Siblings: equal requests that ran side by side count as one request and hits (they would have shared one "
            "answer), although recorded answers to equal requests often differ."
        )
    if exact is not None and exact["hits"]:
        yield (
            "After a hit whose answer differs from the recorded one (or whose words are unknown) a session is taken to "
            f"have gone another way: {exact['uncertain_hits']} later hits of such sessions are not counted. Requests "
            "after a hit are billed as recorded."
        )
    if exact is not None:
        yield from _lifetime(found, ttl)
    if found.unanswered and exact is not None:
        yield f"{found.unanswered} of {total} requests have no recorded answer: nothing was stored for them."
    if found.wordless and exact is not None:
        yield (
            f"{found.wordless} of {total} answers are recorded by their length only: they may be stored, and a hit on "
            "one ends what is certain of its session."
        )
    if found.blind:
        yield f"{found.blind} of {total} requests are recorded by their lengths only: no hit and no shared prefix."
    if found.estimated:
        yield (
            f"{found.estimated} of {total} requests carry no usage: their tokens are {_counted(found)} (images by a "
            "constant)."
        )
    if found.simulated:
        yield (
            f"{found.simulated} of {total} requests carry no cached tokens: the provider's own prefix cache is "
            "simulated by the rules of OpenAI up to GPT-5.5 (from 1,024 tokens, steps of 128, 5 minutes after the last "
            "use, writes free), whatever the model. The real one is best effort and reads less."
        )
    if found.with_dollars:
        yield f"The recordings themselves say ${found.dollars:,.2f} for {found.with_dollars} requests."
    if model is not None:
        yield f"Priced as {model}, whatever the recorded model."
    if unpriced:
        names = ", ".join(sorted(name or "(no name)" for name in unpriced)[:5])
        yield f"No price for: {names}. Such requests are missing from the dollars, not free."


def _lifetime(found: Survey, ttl: float | None) -> Iterator[str]:
    if ttl is None:
        yield "Answers are kept for ever (no time to live was given), and the cache is large enough for all of them."
    else:
        yield f"Answers are kept for {ttl:g} s by the recorded times; the cache is large enough for all of them."
    if found.untimed:
        yield f"{found.untimed} of {len(found.facts)} requests have no time: they run last, and nothing expires there."


def write_table(report: Mapping[str, Any], out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(file=out, highlight=False, emoji=False, markup=False)
    strategies: Mapping[str, Mapping[str, Any]] = report["strategies"]
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("")
    for name in strategies:
        table.add_column(name, justify="right")
    for label, cell in ROWS:
        cells = [cell(strategy) for strategy in strategies.values()]
        if label not in IF_ANY or any(text != "0" for text in cells):
            table.add_row(label, *cells)
    requests, skipped = report["requests"], report["skipped_lines"]
    console.print(f"{requests:,} requests from {len(report['files'])} file(s), {skipped:,} lines skipped\n")
    console.print(table)
    console.print()
    for line in _bars(strategies):
        console.print(line)
    console.print()
    prices = report["prices"]
    for note in (*report["notes"], f"Prices: {prices['table']}, {prices['as_of']}."):
        console.print("* " + note)


def _bars(strategies: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Dollars side by side, or tokens where a price is missing."""
    priced = all(strategy["dollars"] is not None for strategy in strategies.values())
    values = {
        name: strategy["dollars"] if priced else sum(strategy["tokens"].values())
        for name, strategy in strategies.items()
    }
    longest = max(values.values()) or 1
    width = max(map(len, values))
    for name, value in values.items():
        bar = "█" * round(BAR * value / longest)
        yield f"{name:<{width}}  {bar:<{BAR}}  {_dollars(strategies[name]) if priced else f'{value:,} tokens'}"


def _dollars(strategy: Mapping[str, Any]) -> str:
    dollars, missing = strategy["dollars"], strategy["unpriced_requests"]
    if dollars is None:
        return "unknown"
    amount = f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:.4f}"
    return f"{amount} + {missing:,} unpriced" if missing else amount


def _tokens(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda strategy: f"{strategy['tokens'][name]:,}"


def _seconds(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda strategy: " / ".join(f"{strategy[name][rank] / 1000:.2f} s" for rank in ("p50", "p95"))


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
    ("dollars", _dollars),
    ("first token, p50 / p95 (model)", _seconds("ttft_ms")),
    ("whole answer, p50 / p95 (model)", _seconds("latency_ms")),
)
"""The rows of the table: label, and the cell of a strategy."""

IF_ANY = frozenset({"tokens: cache write, 30 min", "tokens: cache write, 12 h"})
"""Rows left out where all their cells are zero: one provider alone has these classes. `--json` always has them."""
