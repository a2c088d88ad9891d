"""What the benchmark prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COLUMNS = (
    "contestant",
    "body",
    "at once",
    "req/s",
    "ratio",
    "p50 ms",
    "p99 ms",
    "CPU us",
    "per core",
    "CPU ratio",
    "core",
    "others",
)
NOTE = (
    "ratio: req/s against the yardstick (hit: ideal-hit; forwarded and stream: relay), median over rounds. CPU us:\n"
    "CPU time of the contestant's process per request. core: how busy the contestant's core was; others:\n"
    "load generator and upstream together. Where `others` is the busier of the two, the contestant was waiting:\n"
    "read CPU us, not req/s. per core: the requests that a core of its own would do in a second, 1 / CPU us."
)
CROWDED = (
    "WARNING: the machine was not ours alone: with 64 calls at once neither core was busy with the benchmark for more\n"
    "than {busiest:.0%} of the time. Others took the rest; req/s and latencies say little; read CPU us."
)
IDLE = 0.85
"""Below this the contestant's core and that of the load were both waiting, which only other processes explain."""


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One block per scenario."""
    blocks = []
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        lines = [_line(row) for row in rows if row["scenario"] == scenario]
        blocks.append(f"\n{scenario}\n{aligned([COLUMNS, *lines])}")
    return "\n".join([*blocks, "", NOTE, *crowded(rows)])


def crowded(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A warning where other processes took part in the measurement."""
    busy = sorted(max(row["busy"], row["others_busy"]) for row in rows if row["concurrency"] == 64)
    middle = busy[len(busy) // 2] if busy else 1.0
    return [CROWDED.format(busiest=middle)] if middle < IDLE else []


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["contestant"],
        f"{row['size'] // 1000} kB",
        str(row["concurrency"]),
        f"{row['rate']:,.0f}",
        f"{row['ratio']:.2f}",
        f"{row['p50'] * 1e3:.2f}",
        f"{row['p99'] * 1e3:.2f}",
        f"{row['cpu'] * 1e6:.0f}",
        f"{1 / row['cpu']:,.0f}" if row["cpu"] else "",
        f"{row['cpu_ratio']:.2f}",
        f"{row['busy']:.0%}",
        f"{row['others_busy']:.0%}",
    )


def first_byte_table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        (
            row["contestant"],
            f"{row['size'] // 1000} kB",
            f"{row['relay'] * 1e3:.3f}",
            f"{row['ours'] * 1e3:.3f}",
            f"{row['added'] * 1e3:+.3f}",
        )
        for row in rows
    ]
    head = ("contestant", "body", "relay ms", "ours ms", "added ms")
    return f"\ntime to the first byte of a stream, one call at a time, in turns\n{aligned([head, *lines])}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
