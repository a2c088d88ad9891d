"""A replay as one page: plots, table and notes, without scripts and with nothing to load.

Bars are boxes with a width, lines are inline SVG that stretches with the page while its labels stay text, so that the
page can be read on a phone, in the dark, and on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from proxy.replay_html_style import STYLE
from proxy.replay_outcome import CAUSES, Outcome, course
from proxy.replay_report import NOTHING, ROWS, dollars_of, money

CLASS_NAMES = {
    "read": "cache read",
    "uncached": "uncached",
    "write_5m": "write, 5 min",
    "write_1h": "write, 1 h",
    "write_30m": "write, 30 min",
    "write_12h": "write, 12 h",
    "output": "output",
}
"""Classes of tokens in the order of the bars; that of the colours is the same."""

CAUSE_NAMES = {
    "new": "new in this request",
    "cold": "first of its session",
    "in_flight": "just being written",
    "unmarked": "no breakpoint there",
    "lapsed": "life had ended",
    "changed": "prompt changed",
    "below_minimum": "below the minimum",
    "evicted": "not found (best effort)",
}

Pieces = Sequence[tuple[str, float, str]]
"""Of a bar: the name of the piece, its size, and what is told of it."""


def page(report: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> str:
    """The whole page. `outcomes`: by name of the strategy, for what the report has only sums of."""
    strategies: Mapping[str, Mapping[str, Any]] = report["strategies"]
    bound = (report.get("lower_bound") or {}).get("dollars")
    priced = all(strategy["dollars"] is not None for strategy in strategies.values())
    sections = [
        _head(report),
        _tiles(strategies, bound) if priced else "",
        _section("Cost by strategy", _costs(strategies, bound), "US dollars, by class of tokens.") if priced else "",
        _section("Cost over time", _courses(outcomes), "US dollars spent so far.") if priced else "",
        _section("Why prompts were not read from the cache", _misses(strategies), "Tokens, by cause."),
        _section("All figures", _table(strategies)),
        _section("What these figures do not know", _list([*report["notes"], _prices(report)])),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Warmgate replay</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{''.join(sections)}</main></body></html>\n"
    )


def _head(report: Mapping[str, Any]) -> str:
    branches = f", each as {report['branches']} branches" if report["branches"] > 1 else ""
    files = ", ".join(path.rsplit("/", 1)[-1] for path in report["files"])
    what = f"{report['requests']:,} requests{branches} from {files}; arrivals {report['arrivals']}"
    return f"<header><h1>Warmgate replay</h1><p>{escape(what)}</p></header>"


def _prices(report: Mapping[str, Any]) -> str:
    return f"Prices: {report['prices']['table']}, {report['prices']['as_of']}."


def _section(title: str, body: str, told: str = "") -> str:
    return f"<section><h2>{escape(title)}</h2>{f'<p class=sub>{escape(told)}</p>' if told else ''}{body}</section>"


def _tiles(strategies: Mapping[str, Mapping[str, Any]], bound: float | None) -> str:
    cheapest = min(strategies, key=lambda name: strategies[name]["dollars"], default=None)
    if cheapest is None:
        return ""
    best, tiles = strategies[cheapest], [("cheapest", cheapest, dollars_of(strategies[cheapest]))]
    if best["net"] is not None:
        share = best["net"] / strategies["none"]["dollars"] if strategies["none"]["dollars"] else 0.0
        tiles.append(("less than plain forwarding", money(best["net"]), f"{share:.1%}"))
    if bound:
        tiles.append(("lower bound", money(bound), f"{best['dollars'] / bound - 1:+.1%} for {cheapest}"))
    losing = [name for name, strategy in strategies.items() if (strategy["net"] or 0.0) < 0]
    if losing:
        tiles.append(("loses money", ", ".join(losing), "costs more than plain forwarding"))
    return '<div class="tiles">{}</div>'.format(
        "".join(
            f"<div><span>{escape(label)}</span><b>{escape(value)}</b><span>{escape(more)}</span></div>"
            for label, value, more in tiles
        )
    )


def _costs(strategies: Mapping[str, Mapping[str, Any]], bound: float | None) -> str:
    rows: list[tuple[str, Pieces, str]] = []
    for name, strategy in strategies.items():
        split, tokens = strategy["dollars_by_class"], strategy["tokens"]
        pieces = [(kind, split[kind], f"{money(split[kind])}, {tokens[kind]:,} tokens") for kind in CLASS_NAMES]
        rows.append((name, pieces, dollars_of(strategy)))
    if bound is not None:
        rows.append(("lower bound", [("bound", bound, money(bound))], money(bound)))
    return _bars(rows, CLASS_NAMES)


def _misses(strategies: Mapping[str, Mapping[str, Any]]) -> str:
    rows: list[tuple[str, Pieces, str]] = []
    for name, strategy in strategies.items():
        misses = strategy["misses"]
        pieces = [(cause, float(misses[cause]), f"{misses[cause]:,} tokens") for cause in CAUSE_NAMES]
        rows.append((name, pieces, _short(sum(misses.values()))))
    return _bars(rows, CAUSE_NAMES)


def _bars(rows: Sequence[tuple[str, Pieces, str]], names: Mapping[str, str]) -> str:
    """Rows of stacked bars on one scale, with a legend of the pieces that are there."""
    longest = max((sum(size for _, size, _ in pieces) for _, pieces, _ in rows), default=0.0) or 1.0
    colours = {name: number for number, name in enumerate(names)}
    present = [name for name in names if any(size for _, pieces, _ in rows for kind, size, _ in pieces if kind == name)]
    legend = "".join(f'<li><i class="c{colours[name]}"></i>{escape(names[name])}</li>' for name in present)
    lines = []
    for label, pieces, told in rows:
        parts = "".join(
            f'<i class="{f"c{colours[kind]}" if kind in colours else "ideal"}" '
            f'style="width:{100 * size / longest:.3f}%" '
            f'title="{escape(f"{label}, {names.get(kind, kind)}: {said}")}"></i>'
            for kind, size, said in pieces
            if size > 0
        )
        lines.append(f'<div class="row"><b>{escape(label)}</b><div>{parts}</div><span>{escape(told)}</span></div>')
    return f'<ul class="legend">{legend}</ul><div class="bars">{"".join(lines)}</div>'


def _courses(outcomes: Mapping[str, Outcome]) -> str:
    """Cumulative dollars over the time of the replay, a line for each strategy."""
    times = [at for outcome in outcomes.values() for at in (min(outcome.when, default=0.0), outcome.latest)]
    begin, end = min(times, default=0.0), max(times, default=0.0)
    lines = {name: course(outcome, begin, end) for name, outcome in outcomes.items()}
    top = max((line[-1] for line in lines.values()), default=0.0)
    if end <= begin or top <= 0:
        return "<p>Nothing was spent, or all at once.</p>"
    step = _step(top)
    ticks = [step * number for number in range(int(top / step) + 1)]
    grid = "".join(f'<line x1="0" x2="100" y1="{_y(tick, top)}" y2="{_y(tick, top)}"/>' for tick in ticks)
    drawn = "".join(
        f'<path class="l{number}" d="{_path(line, top)}"><title>{escape(name)}: {money(line[-1])}</title></path>'
        for number, (name, line) in enumerate(lines.items())
    )
    marks = "".join(f'<span style="top:{_y(tick, top)}%">{escape(_tick(tick, step))}</span>' for tick in ticks)
    legend = "".join(
        f'<li><i class="s{number}"></i>{escape(name)} <span>{money(line[-1])}</span></li>'
        for number, (name, line) in enumerate(lines.items())
    )
    return (
        f'<ul class="legend">{legend}</ul><div class="plot"><div class="ticks">{marks}</div>'
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="cost over time">'
        f'<g class="grid">{grid}</g>{drawn}</svg></div>'
        f'<div class="axis"><span>start</span><span>{_span((end - begin) / 2)}</span>'
        f"<span>{_span(end - begin)}</span></div>"
    )


def _y(value: float, top: float) -> str:
    return f"{100 - 96 * value / top:.2f}"


def _path(line: Sequence[float], top: float) -> str:
    points = [(0.0, 0.0), *((100 * (number + 1) / len(line), value) for number, value in enumerate(line))]
    return "M" + " L".join(f"{x:.2f} {_y(value, top)}" for x, value in points)


def _step(top: float) -> float:
    """A round distance of ticks, of which there are two to five up to `top`."""
    size = 10.0 ** (len(f"{top:.0f}") - 1) if top >= 1 else 0.1
    while size > top:
        size /= 10
    return next((step for step in (size / 2, size, 2 * size) if top / step <= 5), 5 * size)


def _tick(value: float, step: float) -> str:
    return f"${value:,.0f}" if step >= 1 or not value else f"${value:.2g}"


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"


def _short(tokens: int) -> str:
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if tokens >= size:
            return f"{tokens / size:.2f} {unit}"
    return str(tokens)


def _table(strategies: Mapping[str, Mapping[str, Any]]) -> str:
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in strategies)
    return f'<div class="wide"><table><thead><tr><td></td>{head}</tr></thead>{"".join(_rows(strategies))}</table></div>'


def _rows(strategies: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for label, cell in ROWS:
        cells = [cell(strategy) for strategy in strategies.values()]
        if not NOTHING.issuperset(cells):
            yield _row(label, cells)
    for cause in CAUSES:
        cells = [f"{strategy['misses'][cause]:,}" for strategy in strategies.values()]
        if not NOTHING.issuperset(cells):
            yield _row(f"not read: {CAUSE_NAMES[cause]}", cells)


def _row(label: str, cells: Iterable[str]) -> str:
    values = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr><th scope=row>{escape(label)}</th>{values}</tr>"


def _list(notes: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"
