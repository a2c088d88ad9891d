"""How `warmgate semantic` tells its figures on a terminal, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from proxy.semantic_calibrate import WHOLE, Calibration
from proxy.semantic_calibration import Made
from proxy.semantic_figures import Figures
from proxy.semantic_vectors import Progress, silent

if TYPE_CHECKING:
    from rich.console import Console

# rich is imported where something is drawn: the command line imports this module for every command.

NOTHING = "–"
WIDTH = 100
"""Columns that a table has at least: figures that are cut off are worse than lines that wrap."""
GAP = 2
OF_ALL = ("hits", "wrong", "hit rate", "of all wrong", "at most", "precision", "recall")
OF_GROUP = ("n", "hits", "wrong", "precision", "recall")


def progress_on(err: TextIO) -> Progress:
    """One line that is written over, if it is a terminal; nothing otherwise."""
    if not err.isatty():
        return silent

    def told(doing: str, done: int, of: int) -> None:
        err.write(f"\r\x1b[K{doing}: {done:,} of {of:,}" if done < of else "\r\x1b[K")
        err.flush()

    return told


def write_evaluation(title: str, report: Figures, out: TextIO) -> None:
    """A report of `proxy.semantic_evaluate`."""
    console = _console(out)
    console.print(f"{title}: {report['n']:,} requests")
    console.print()
    rows = [("configured", report), *report.get("baselines", {}).items()]
    _table(console, "", OF_ALL, [(name, *_of_all(each)) for name, each in rows])
    for name, told in (("by_kind", "kind"), ("by_source", "source"), ("by_source_and_kind", "source/kind")):
        if groups := report.get(name):
            _table(console, told, OF_GROUP, [(group, *_of_group(each)) for group, each in groups.items()])
    if bonus := report.get("bonus"):
        _table(console, "bonus, in no other figure", OF_GROUP, [("other history", *_of_group(bonus))])
    if points := report.get("curve"):
        _curve(console, "over the stream", [f"after {each['n']:,}" for each in points], points)
    if points := report.get("tradeoff"):
        _curve(console, "at another threshold", [f"{each['threshold']:.4g}" for each in points], points)
    console.print(f"* In the best case {report['oracle_hit_rate']:.1%} are hits: so many answers were there.")
    console.print("* At most: the upper end of Wilson's two-sided 95% interval.")


def write_calibration(found: Calibration, made: Made, out: TextIO) -> None:
    """The trade-offs with either folds side by side, and the weights."""
    console = _console(out)
    points = found.tradeoffs[made.folds]
    console.print(f"{made.embedder}: {found.examples:,} examples, {points[0]['n']:,} requests in streams")
    console.print()
    for folds, told in (("class", "folds by class"), ("source", "folds by source"), (WHOLE, "as written")):
        tried = [point for point in found.tradeoffs.get(folds, []) if point["hits"]]
        names = [f"{each['threshold']:.6f}{' *' * (each['threshold'] == found.threshold)}" for each in tried]
        if tried:
            _curve(console, told, names, tried)
    _table(console, "source, at *", OF_GROUP, [(name, *_of_group(each)) for name, each in found.by_source.items()])
    for source, each in found.held_out.items():
        _table(console, "held out, at *", ("n", *OF_ALL), [(source, f"{each['n']:,}", *_of_all(each))])
    weights = zip(found.names, found.fit.weights.tolist(), strict=True)
    _table(console, "feature", ("weight",), [(name, f"{weight:.4f}") for name, weight in weights])
    if found.threshold is None:
        console.print(
            f"* No threshold keeps wrong answers to {made.max_error:.2%} of all requests. Nothing is written."
        )
    else:
        console.print(f"* The lowest threshold with at most {made.max_error:.2%} wrong, folds by {made.folds}.")
    console.print("* Each question is scored by a model that has seen nothing of its class, or of its source.")


def write_report(report: Mapping[str, Any], out: TextIO) -> None:
    """A report of `proxy.semantic_report`."""
    console = _console(out)
    routes: Mapping[str, Mapping[str, Any]] = report["routes"]
    if not routes:
        console.print("Nothing was looked up yet.")
        return
    head = ("lookups", "hits", "rate", "judged", "wrong", "of these", "at most", "of all", "told")
    rows = []
    for name, route in routes.items():
        whole = _whole(route, "lookups", "hits", "judged", "wrong", "reported")
        rates = _shares(route, "hit_rate", "false_hit_rate", "false_hit_rate_upper95", "error_rate_upper95")
        rows.append((name, *whole[:2], rates[0], *whole[2:4], *rates[1:], whole[4]))
    _table(console, "route", head, rows)
    for name, route in routes.items():
        console.print(f"* {name}: {_judged(route, report['max_error'])}")
    console.print("* Of all: at most so many of all requests. Told: entries that somebody reported to be wrong.")
    console.print("* At most: the upper end of Wilson's two-sided 95% interval.")


def _judged(route: Mapping[str, Any], max_error: float) -> str:
    if route["holds"]:
        proved = f"at most {max_error:.2%} of all requests are answered wrong"
    elif route["broken"]:
        proved = f"more than {max_error:.2%} of all requests are answered wrong"
    elif route["needed"] is None:
        proved = "no hits, so nothing is known"
    else:
        proved = f"not enough judged for {max_error:.2%} of all requests: {route['needed']:,} more, if none is wrong"
    if route["threshold"] is None:
        return f"{proved}. No threshold can be proposed."
    kept = f"{route['hits_at_threshold']:.0%} of the judged hits"
    return f"{proved}. Proposed threshold: {route['threshold_on']} {route['threshold']:.4f}, which keeps {kept}."


def _curve(console: Console, title: str, names: Sequence[str], points: Sequence[Figures]) -> None:
    _table(console, title, OF_ALL[:5], [(name, *_point(each)) for name, each in zip(names, points, strict=True)])


def _point(each: Figures) -> Iterable[str]:
    yield from _whole(each, "hits", "errors")
    yield from _shares(each, "hit_rate", "error_rate", "error_rate_upper95")


def _of_all(each: Figures) -> Iterable[str]:
    yield from _whole(each, "hits", "errors")
    yield from _shares(each, "hit_rate", "error_rate", "error_rate_upper95", "precision", "recall")


def _of_group(each: Figures) -> Iterable[str]:
    yield from _whole(each, "n", "hits", "errors")
    yield from _shares(each, "precision", "recall")


def _whole(each: Mapping[str, Any], *names: str) -> list[str]:
    return [f"{each[name]:,}" for name in names]


def _shares(each: Mapping[str, Any], *names: str) -> list[str]:
    return [percent(each[name], 2 if name.startswith(("error", "false")) else 1) for name in names]


def percent(value: float | None, digits: int = 1) -> str:
    return NOTHING if value is None else f"{value:.{digits}%}"


def _console(out: TextIO) -> Console:
    from rich.console import Console

    console = Console(file=out, highlight=False, emoji=False, markup=False)
    console.width = max(console.width, WIDTH)
    return console


def _table(console: Console, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column(title, no_wrap=True)
    for name in head:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table, no_wrap=True, crop=False)
    console.print()
