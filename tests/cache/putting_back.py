"""Puts values into memory that go down with the next flush, and tells which were put and which are safe, until it is
killed. Run by `test_write_back`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cache.disk import Disk
from cache.entry import Entry
from cache.memory import Memory
from cache.tiers import Options, Tiers
from tests.cache.contract import Clock, entry_of

EVERY = 64
"""Values between two flushes."""


def numbered(number: int, clock: Clock) -> Entry:
    return entry_of(number, clock, body=b"%d" % number * (number % 50), ttl=3600)


async def main(path: Path) -> None:
    clock = Clock()
    disk = Disk(path, 1_000_000, 1 << 40, 3600, clock, patience=30)
    tiers = Tiers(Memory(100_000, 1 << 40, 3600, clock), disk, options=Options("write_back"))
    await tiers.open()
    number = 0
    while True:
        assert await tiers.put(numbered(number, clock))
        sys.stdout.write(f"put {number}\n")
        if number % EVERY == EVERY - 1:
            await tiers.flush()
            sys.stdout.write(f"flushed {number}\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
