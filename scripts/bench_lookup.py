"""What a whole lookup in the semantic cache costs: embedding, the four nearest, guards and verifier.

Part of `scripts/bench --semantic`, in a process of its own. Of 10,000 entries a tenth are questions with the default
model's vectors; the others are vectors that are near to none of them, for what they are is looked at only if they are
found. What is asked is a stored question in other words, with guards that object to some of its neighbours.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

from bench_semantic import DIMENSION, SCOPE, K, entry, vectors

from adapters.embedder import Embedder, EmbedderUnavailable
from adapters.embedders import Spec, embedder_of
from adapters.embedding_batches import Limits
from cache.decide import Decide, Terms
from cache.near import Kept
from cache.semantic_store import SemanticStore
from cache.verifier import packaged

ENTRIES = 10_000
TOGETHER = 32
MAX_ERROR = 0.005

ASKED = (
    ("How do I change the {a} of my {b}?", "How can I change my {b}'s {a}?"),
    ("What is the best {a} for a small {b}?", "Which {a} is the best one for a small {b}?"),
    ("Why does the {a} of a {b} break so often?", "What makes the {a} of a {b} break so often?"),
    ("How much does a new {a} for a {b} cost?", "What is the price of a new {a} for a {b}?"),
    ("Where can I buy a {a} for my old {b}?", "Where do they sell a {a} for my old {b}?"),
    ("Explain how the {a} of a {b} works.", "Can you explain how a {b}'s {a} works?"),
    ("Is it safe to paint the {a} of a {b}?", "Can I safely paint the {a} of a {b}?"),
)
"""As it is stored, and as it is asked."""
PARTS = ["handle", "cover", "battery", "mirror", "frame", "door", "filter", "belt", "screen", "pump", "lamp", "lock"]
THINGS = [
    "bicycle",
    "boat",
    "camera",
    "car",
    "computer",
    "dishwasher",
    "fridge",
    "mower",
    "phone",
    "piano",
    "printer",
    "tractor",
]


def questions() -> Iterator[tuple[str, str]]:
    """1,008 pairs; neighbours differ in kind, part or thing."""
    for (b, a), (stored, asked) in product(product(THINGS, PARTS), ASKED):
        yield stored.format(a=a, b=b), asked.format(a=a, b=b)


async def filled(embedder: Embedder) -> SemanticStore:
    store = SemanticStore(None, embedder.identity, DIMENSION, max_size=10**6, max_bytes=10**12, clock=time.time)  # noqa: TID251
    await store.open()
    now = time.time()  # noqa: TID251
    texts = [stored for stored, _ in questions()]
    rows = [*(await embedder.embed(texts)).vectors, *vectors(ENTRIES - len(texts), 0)]
    texts += [f"What is the answer to question number {number}?" for number in range(len(texts), ENTRIES)]
    kept = [
        Kept(SCOPE, "chat", text, row, entry(n, now)) for n, (text, row) in enumerate(zip(texts, rows, strict=True))
    ]
    for start in range(0, ENTRIES, 2000):
        await asyncio.gather(*[store.put(each) for each in kept[start : start + 2000]])
    while store.stats()["making"]:  # noqa: ASYNC110 - nobody is told when it is done
        await asyncio.sleep(0.01)
    return store


class Lookup:
    """One after the other, or many at once."""

    def __init__(self, embedder: Embedder, store: SemanticStore) -> None:
        verifier = packaged(embedder.identity)
        if verifier is None:
            raise SystemExit(f"there is no verifier for {embedder.identity}")
        terms = Terms("calibrated", 0.8, verifier.threshold(MAX_ERROR), MAX_ERROR)
        self.decide = Decide(verifier, embedder, terms, lambda: 1.0)
        self.embedder, self.store = embedder, store
        self.whole: list[float] = []
        self.deciding: list[float] = []
        self.served = 0

    async def __call__(self, text: str) -> None:
        began = time.perf_counter()
        vector = (await self.embedder.embed([text])).vectors[0]
        near = await self.store.near(SCOPE, vector, K)
        found = time.perf_counter()
        verdict = await self.decide(text, near)
        done = time.perf_counter()
        self.whole.append(done - began)
        self.deciding.append(done - found)
        self.served += verdict.served is not None


async def measure(rounds: int) -> dict[str, Any]:
    try:
        embedder = await asyncio.to_thread(embedder_of, Spec(limits=Limits(timeout=None, waiting=ENTRIES)))
    except EmbedderUnavailable as error:
        return {"missing": str(error)}
    store = await filled(embedder)
    alone, crowd, asked = Lookup(embedder, store), Lookup(embedder, store), iter(spread())
    for text in islice(asked, TOGETHER):  # the first ones of a process pay for what is remembered afterwards
        await crowd(text)
    gains = []
    for _ in range(rounds):
        began = time.perf_counter()
        for text in islice(asked, TOGETHER):
            await alone(text)
        between = time.perf_counter()
        await asyncio.gather(*[crowd(text) for text in islice(asked, TOGETHER)])
        gains.append((between - began) / (time.perf_counter() - between))
    await embedder.close()
    await store.close()
    told = {"gain": statistics.median(gains), "served": alone.served / len(alone.whole), "lookups": len(alone.whole)}
    for name, times in (("whole", sorted(alone.whole)), ("deciding", sorted(alone.deciding))):
        told |= {f"{name} p50": times[len(times) // 2], f"{name} p99": times[len(times) * 99 // 100]}
    return told


def spread() -> list[str]:
    """What is asked, in an order that mixes kinds, parts and things; each once, so that no vector is remembered."""
    texts = [asked for _, asked in questions()]
    return [texts[number * 599 % len(texts)] for number in range(len(texts))]


def lookup(rounds: int) -> None:
    """At most 15: there are no more questions."""
    command = [sys.executable, __file__, str(rounds)]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(line(told), flush=True)


def line(told: dict[str, Any]) -> str:
    if "missing" in told:
        return f"a whole lookup: {told['missing']}"
    whole, deciding = ([told[f"{name} {part}"] * 1e3 for part in ("p50", "p99")] for name in ("whole", "deciding"))
    return (
        f"a whole lookup, embedding included, among {ENTRIES:,} entries: p50 {whole[0]:.2f} ms, p99 {whole[1]:.2f} ms;"
        f" guards and verifier alone p50 {deciding[0]:.2f} ms, p99 {deciding[1]:.2f} ms ({told['lookups']} lookups,"
        f" {told['served']:.0%} served); {TOGETHER} in flight are {told['gain']:.2f} times as fast as one by one"
    )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
