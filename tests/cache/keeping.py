"""Puts questions into a semantic store and tells every id that is committed, until it is killed. Run by
`test_semantic_store`."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from adapters.embedder import Matrix
from cache.near import Kept
from cache.semantic_store import SemanticStore
from tests.cache.contract import Clock
from tests.cache.neighbours import kept, scattered

DIMENSION = 16
POOL = scattered(1000, DIMENSION)


def row(number: int) -> Matrix:
    return POOL[number % len(POOL)]


def numbered(number: int) -> Kept:
    return kept(number, Clock(), row(number), within=number % 3, body=b"x" * (number % 5000))


async def main(path: Path, start: int) -> None:
    store = SemanticStore(
        path, "e", DIMENSION, max_size=2000, max_bytes=1 << 40, clock=Clock(), patience=30, busy=30, many=64
    )
    await store.open()
    numbers = itertools.count(start)

    async def work() -> None:
        for number in numbers:
            one = numbered(number)
            if id := await store.put(one):
                sys.stdout.write(f"{number} {id}\n")
                sys.stdout.flush()
            if number % 7 == 0:
                await store.delete(id, None)
                sys.stdout.write(f"{number} gone\n")
                sys.stdout.flush()
            await store.near(one.scope, one.vector, 4)

    await asyncio.gather(*[work() for _ in range(16)])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
