"""The semantic part of the demo: one question is asked, then others that look like it, and why each hits or misses."""

from __future__ import annotations

import asyncio
import os
from typing import Any, NamedTuple

import aiohttp
from rich.table import Table

from adapters.embedder import EmbedderUnavailable
from adapters.model_files import DEFAULT_MODEL, find
from proxy.demo_ledger import Ledger

FIRST = "How do I cancel my booking for 2 adults to Vienna?"
OTHERS: tuple[tuple[str, str], ...] = (
    ("How can I cancel my booking to Vienna for two adults?", ""),
    ("How do I cancel my booking for 3 adults to Vienna?", "numbers"),
    ("How do I not cancel my booking for 2 adults to Vienna?", "negation"),
    ("How do I cancel my booking for 2 adults to Vienna? Answer in French.", "constraints"),
)
"""Each with the guard that has to refuse it; empty where it has to be answered from memory."""

PATIENCE, PAUSE = 100, 0.05
"""Looks, and seconds between them, until the first answer is kept: that is done when it has been sent."""


class Tried(NamedTuple):
    question: str
    answered: str
    """By whom: `semantic` or `upstream`."""
    similarity: float
    score: float | None
    why: str


def missing() -> str:
    """Why this part can't be shown here; empty where it can."""
    try:
        find(DEFAULT_MODEL, model_dir=None, fetch=False, environ=os.environ)
    except EmbedderUnavailable as error:
        return str(error)
    return ""


async def questions(client: Any, ledger: Ledger, base_url: str, model: str) -> list[Tried]:
    """`client`: an `openai.AsyncOpenAI` of the proxy at `base_url`."""
    tried = []
    root, named = base_url.removesuffix("/v1"), {"Authorization": f"Bearer {client.api_key}"}
    async with aiohttp.ClientSession(root, headers=named) as session:
        await _asked(client, model, FIRST)
        for _ in range(PATIENCE):
            if (await _explained(session, model, FIRST))["in_scope"]:
                break
            await asyncio.sleep(PAUSE)
        for question, guard in OTHERS:
            look = await _explained(session, model, question)
            near: dict[str, Any] = next(iter(look["neighbours"]), {"vetoes": [], "similarity": 0.0, "score": None})
            vetoes = [veto["guard"] for veto in near["vetoes"]]
            answered = await _asked(client, model, question)
            held = answered == "upstream" and guard in vetoes if guard else answered == "semantic"
            ledger.expect(held, f"{question!r} was answered by {answered}; guards: {vetoes}")
            why = look["why"] or "equivalent"
            tried.append(Tried(question, answered, near["similarity"], near["score"], why))
    return tried


async def _asked(client: Any, model: str, question: str) -> str:
    create = client.chat.completions.with_raw_response.create
    raw = await create(model=model, messages=[{"role": "user", "content": question}])
    return "semantic" if "detail=semantic" in raw.headers["Cache-Status"] else "upstream"


async def _explained(session: aiohttp.ClientSession, model: str, question: str) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    async with session.post("/cache/explain", json=body) as response:
        told: dict[str, Any] = (await response.json())["semantic"]
        return told


def table(rows: list[Tried]) -> Table:
    told = Table(title=f"After “{FIRST}” was answered", title_justify="left")
    for name in ("question", "answered by", "similarity", "score", "why"):
        told.add_column(name, justify="right" if name in ("similarity", "score") else "left")
    for row in rows:
        score = "" if row.score is None else f"{row.score:.3f}"
        told.add_row(row.question, row.answered, f"{row.similarity:.3f}", score, row.why)
    return told
