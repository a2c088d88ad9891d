"""Puts answers into a disk store and tells every key that is committed, until it is killed. Run by `test_disk`."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from pathlib import Path

from cache.disk import Disk
from cache.entry import Entry, Shape


def numbered(number: int, now: float) -> Entry:
    key = number.to_bytes(32, "big")
    body = key * (number % 700)
    return Entry(key, "t", "", "m", Shape.MESSAGE, 200, (), body, True, None, None, now, now + 3600)


async def main(path: Path, start: int) -> None:
    disk = Disk(path, 1_000_000, 1 << 40, 3600, time.time, patience=30)  # noqa: TID251 - a process of its own
    await disk.open()
    numbers = itertools.count(start)

    async def work() -> None:
        for number in numbers:
            if await disk.put(numbered(number, time.time())):  # noqa: TID251
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()

    await asyncio.gather(*[work() for _ in range(16)])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
