"""How `warmgate savings` tells what it found: tables on a terminal or in Markdown, and the notes below them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

# rich is imported where something is drawn: the command line imports this module for every command.

NOTHING = "–"
"""Where there is nothing to tell: a strategy that is not possible, tokens that cost no money."""

CASES = ("one came", "nobody came", "below minimum", "warm already")
GAP = 2


class Table(NamedTuple):
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_table(report: Mapping[str, Any], out: TextIO) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out, highlight=False, emoji=False, markup=False)
    console.print(_asked(report))
    for table in tables(report):
        for part in fitting(table, console.width):
            console.print()
            console.print(Text(part.title, style="bold"))
            for line in _lines(part):
                console.print(line, no_wrap=True, overflow="ignore", crop=False)
    console.print()
    for note in notes(report):
        console.print("* " + note)


def write_markdown(report: Mapping[str, Any], out: TextIO) -> None:
    out.write(_asked(report) + "\n")
    for table in tables(report):
        rules = ("---", *["--:"] * (len(table.head) - 1))
        lines = ["| " + " | ".join(row) + " |" for row in (table.head, rules, *table.rows)]
        out.write(f"\n{table.title}:\n\n" + "\n".join(lines) + "\n")
    out.write("\n" + "".join(f"* {note}\n" for note in notes(report)))


def tables(report: Mapping[str, Any]) -> list[Table]:
    """Each cell holds what a leader comes to and, behind a stroke, a warm call."""
    models: Sequence[Mapping[str, Any]] = report["models"]
    head = ("", *(f"N={fanout['n']}" for fanout in models[0]["fanouts"]))
    against = (("naive", "firing all at once"), ("none", "not caching at all"))
    saved = [
        Table(
            f"Saved against {told}, percent of the whole bill, leader/warm call",
            head,
            [(model["model"], *(_percents(fanout["saved"], name) for fanout in model["fanouts"])) for model in models],
        )
        for name, told in against
    ]
    lost = [(model["model"], *(_cents(model["losses"].get(case, {})) for case in CASES)) for model in models]
    return [
        *saved,
        Table("Lost where warming does not pay, US cents a fan-out, leader/warm call", ("", *CASES), lost),
    ]


def fitting(table: Table, width: int) -> Iterator[Table]:
    """The same as tables that are no wider, as far as one column beside the first can be."""
    widths = _widths(table)
    first, start = widths[0], 1
    while start < len(widths):
        end, taken = start + 1, first + GAP + widths[start]
        while end < len(widths) and taken + GAP + widths[end] <= width:
            taken, end = taken + GAP + widths[end], end + 1
        rows = [(row[0], *row[start:end]) for row in table.rows]
        yield Table(table.title, (table.head[0], *table.head[start:end]), rows)
        start = end


def notes(report: Mapping[str, Any]) -> list[str]:
    """What a reader of the figures has to know, the general first."""
    return list(_notes(report["models"], report))


def _asked(report: Mapping[str, Any]) -> str:
    return (
        f"N requests at once that share {report['prefix']:,} tokens, cold, each with {report['suffix']:,} of its own "
        f"and an answer of {report['output']:,}."
    )


def _notes(models: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "leader: the others wait for the first content of the first. warm call: a request of ten tokens of output (16 "
        "where fewer are refused) before all of them. Firing all at once has each write the prefix where writing is "
        "paid."
    )
    yield (
        "Lost is what a forced strategy costs more than plain forwarding: one request came (N=1, or more were "
        "announced), or none; a prefix one token short of the minimum; one that could be read already. `auto` lets "
        "requests go at once where it knows of these, and for local engines: it loses only where N was over-estimated."
    )
    yield from _break_even({m["model"]: m["break_even"]["call"]["none"] for m in models if "call" in m["break_even"]})
    yield from _of_some(models, report["prefix"])
    yield f"Prices: {report['prices']['table']}, {report['prices']['as_of']}."


def _break_even(calls: Mapping[str, int | None]) -> Iterator[str]:
    """`calls`: from which N on a warm call pays, by model."""
    usual = min((n for n in calls.values() if n is not None), default=None)
    others = [f"{name}: {'never' if n is None else f'N={n}'}" for name, n in calls.items() if n != usual]
    if usual is not None:
        yield f"Against not caching a warm call pays from N={usual} on{'; ' + ', '.join(others) if others else ''}."
    elif calls:
        yield "Against not caching a warm call never pays here."


def _of_some(models: Sequence[Mapping[str, Any]], prefix: int) -> Iterator[str]:
    for told, names in (
        ("Best effort, so this is the most that is saved", [m["model"] for m in models if m["best_effort"]]),
        ("Local engines, where tokens cost time and no money", [m["model"] for m in models if m["local"]]),
        (
            f"The prefix is too short to be cached with, so warming never pays for {prefix:,} tokens",
            [m["model"] for m in models if not m["local"] and prefix < max(m["minimum"], m["granularity"])],
        ),
        (
            "Nothing is known of the cache of",
            [m["model"] for m in models if not m["local"] and not any(f["dollars"] for f in m["fanouts"])],
        ),
    ):
        if names:
            yield f"{told}: {', '.join(names)}."
    for model in models:
        grain, known = model["granularity"], any(fanout["dollars"] for fanout in model["fanouts"])
        if known and prefix > grain and prefix % grain:
            read = prefix - prefix % grain
            yield f"{model['model']}: entries end at every {grain:,} tokens, so {read:,} can be read."
        if model["why_no_leader"]:
            yield f"{model['model']}: {model['why_no_leader']}, so there a leader warms nothing."


def _percents(saved: Mapping[str, Mapping[str, float]], against: str) -> str:
    return _pair([_number(100 * saved[name][against], 0) if name in saved else NOTHING for name in ("leader", "call")])


def _cents(lost: Mapping[str, float]) -> str:
    return _pair([_number(100 * lost[name], 2) if name in lost else NOTHING for name in ("leader", "call")])


def _pair(cells: Sequence[str]) -> str:
    return NOTHING if set(cells) == {NOTHING} else "/".join(cells)


def _number(number: float, digits: int) -> str:
    return f"{round(number, digits) + 0.0:.{digits}f}"  # + 0.0: no "-0"


def _widths(table: Table) -> list[int]:
    return [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]


def _lines(table: Table) -> Iterator[str]:
    widths = _widths(table)
    for row in (table.head, *table.rows):
        first, *others = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield (" " * GAP).join((first, *others)).rstrip()
