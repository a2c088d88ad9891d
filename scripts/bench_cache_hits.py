"""Hit rates, all in virtual time through the real classes: orders of eviction, the ladder of parts, cold starts."""

from __future__ import annotations

import asyncio
from typing import Any

import bench_cache_traces as traces
from bench_cache_cold import cold, cold_table
from bench_cache_ladder import ladder, ladder_table
from bench_cache_orders import SHARES, orders, orders_table
from bench_cache_simulated import DEFAULTS, LASTING, Sizes
from bench_cache_traces import DATA, Trace

RECORDED = {"mtragun": traces.questions, "coding": traces.coding, "mooncake": traces.mooncake}


PAUSE = 18 * 3600.0
"""Seconds from noon of the second day, when the process ends, to the morning of the third: other hours, other keys."""


def generated(count: int) -> list[Trace]:
    """Of about so many accesses."""
    return [
        *[traces.zipf(count, 10_000, exponent, rate=1.0) for exponent in (0.8, 1.0, 1.2)],
        traces.diurnal(3, count // 3, 7_000, 1.0, drift=0.1),
        traces.flows(count, 300, 10, 1.0, astray=0.05, pause=2.0),
    ]


def recorded(count: int) -> list[Trace]:
    """As far as they are there."""
    return [trace for read in RECORDED.values() if (trace := read(count)) is not None]


def hits(*, quick: bool) -> dict[str, Any]:
    """Rows of three tables; the traces of each, and which are missing."""
    long, short = (2_500, 1_000) if quick else (20_000, 6_000)
    there = recorded(long)
    many, few = [*generated(long), *there], [*generated(short), *[trace.cut(short) for trace in there]]
    restarted, daily = few[1], few[3]
    climbed = [restarted, *few[3:]] if quick else few
    starts: list[tuple[Trace, Sizes, float]] = [(restarted, LASTING, 0.0)]
    if not quick:
        starts += [(restarted, DEFAULTS, 0.0), (daily, LASTING, PAUSE)]
    return {
        "orders": orders(many, SHARES[1:2] if quick else SHARES),
        "ladder": ladder(climbed, DEFAULTS) + ([] if quick else ladder(generated(short), LASTING)),
        "cold": [row for start in starts for row in asyncio.run(cold(*start))],
        "workloads": {
            "orders": [trace.told() for trace in many],
            "ladder": [trace.told() for trace in climbed],
            "cold": list(dict.fromkeys(trace.told() for trace, _, _ in starts)),
        },
        "sizes": [each._asdict() for each in (DEFAULTS, LASTING)],
        "missing": sorted(set(RECORDED) - {trace.name for trace in many}),
    }


def hits_text(figures: dict[str, Any]) -> str:
    parts = []
    if figures["missing"]:
        parts.append(f"Not measured: {', '.join(figures['missing'])}: there are no such recordings at {DATA}.")
    for name, lines in figures["workloads"].items():
        parts.append("\n".join([f"workloads of {name}", *[f"  {line}" for line in lines]]))
    for each in figures["sizes"]:
        levels = f"L1 {each['l1']:,} entries for {each['l1_ttl']:g} s, L2 {each['l2']:,} for {each['l2_ttl']:g} s"
        parts.append(f"sizes `{each['name']}`: {levels}; promoted after 3 reads")
    tables = {"orders": orders_table, "ladder": ladder_table, "cold": cold_table}
    return "\n\n".join([*parts, *[f"{name}\n{told(figures[name])}" for name, told in tables.items()]])
