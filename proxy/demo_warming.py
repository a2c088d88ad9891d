"""The part of the demo in which questions on one document are asked at the same moment: it is written once.

Nobody announces the first burst, the second is declared by a header. What plain forwarding would have cost is what the
proxy's own ledger says was saved, on top of what was spent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from rich.table import Table

from proxy.demo_ledger import Ledger

AT_ONCE = 8
DOCUMENT = "The harbour master shall enter each vessel, its draught and its hour of arrival in the book. " * 300
MODELS = ("claude-sonnet-5-5", "gpt-6-sol")


class Burst(NamedTuple):
    """What one burst of questions came to."""

    model: str
    way: str
    writes: int
    reads: int
    calls: int
    """That nobody asked for."""
    spent: float
    plain: float
    """What it would have cost without."""


Figures = Callable[[], Awaitable[dict[tuple[str, ...], float]]]
"""Of the proxy's metrics: dollars `spent`, `saved` and spent on `warm` calls; `calls`."""


async def bursts(client: Any, ledger: Ledger, figures: Figures) -> list[Burst]:
    """`client`: an `openai.AsyncOpenAI`."""
    rows = []
    for model in MODELS:
        for way in ("unannounced", "declared"):
            before = await figures()
            written, read = await _ask(client, model, way)
            after = await figures()
            spent, saved, warm, calls = (after[name,] - before[name,] for name in ("spent", "saved", "warm", "calls"))
            rows.append(Burst(model, way, written, read, round(calls), spent + warm, spent + saved))
            name = f"{AT_ONCE} questions at once, {way}, to {model}"
            # A warm call writes what all of them read.
            once = (0, AT_ONCE) if way == "declared" else (1, AT_ONCE - 1)
            ledger.expect((written, read) == once, f"{name}: {written} wrote and {read} read")
            ledger.expect(round(calls) == (way == "declared"), f"{name}: {calls:g} warm calls")
            ledger.expect(rows[-1].spent < rows[-1].plain / 2, f"{name}: did not cost half as much")
    return rows


async def _ask(client: Any, model: str, way: str) -> tuple[int, int]:
    """How many of the requests wrote the document, and how many read it."""
    system = f"Answer from this {way} document.\n{DOCUMENT}"
    group = {"X-Warmgate-Fanout": f"demo-{way}-{model}; n={AT_ONCE}"} if way == "declared" else {}

    async def one(number: int) -> tuple[bool, bool]:
        answer = await client.chat.completions.create(
            model=model,
            messages=[
                {"role": "system", "content": system},
                {"role": "user", "content": f"What of paragraph {number}?"},
            ],
            extra_headers=group,
        )
        details = answer.usage.prompt_tokens_details
        return (details.cache_write_tokens or 0) > 1000, (details.cached_tokens or 0) > 1000

    found = await asyncio.gather(*map(one, range(AT_ONCE)))
    return sum(wrote for wrote, _ in found), sum(read for _, read in found)


def table(rows: list[Burst]) -> Table:
    title = f"{AT_ONCE} questions on one document at once, and what plain forwarding would have cost"
    told = Table(title=title, title_justify="left")
    for name in ("model", "fan-out", "wrote", "read", "warms", "spent $", "plain $"):
        told.add_column(name, justify="left" if name in ("model", "fan-out") else "right")
    for row in rows:
        counts = map(str, (row.writes, row.reads, row.calls))
        told.add_row(row.model, row.way, *counts, f"{row.spent:.6f}", f"{row.plain:.6f}")
    return told
