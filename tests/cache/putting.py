"""Puts answers into a disk store and tells every key that is committed, until it is killed. Run by `test_disk`.

Every third has labels, and every fourth asks in the transaction whether it may be kept, which each seventh may not.
"""

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
    labels = () if number % 3 else (f"n:{number}", "all")
    return Entry(key, "t", "", "m", Shape.MESSAGE, 200, (), body, True, None, None, now, now + 3600, labels, 0.5)


def allowed(number: int) -> bool:
    return number % 4 > 0 or number % 7 > 0


async def main(path: Path, start: int) -> None:
    disk = Disk(path, 1_000_000, 1 << 40, 3600, time.time, patience=30)  # noqa: TID251 - a process of its own
    await disk.open()
    numbers = itertools.count(start)

    async def work() -> None:
        for number in numbers:
            entry = numbered(number, time.time())  # noqa: TID251
            if await (disk.put(entry) if number % 4 else disk.put(entry, lambda: allowed(number))):  # noqa: B023
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()

    await asyncio.gather(*[work() for _ in range(16)])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
