"""Puts answers into a disk store as long as they are valid, until its input ends. Run by `test_disk_writing`.

How often there was an invalidation is the length of a file. An answer holds that number of the moment in which its
making began, and is kept only if it is the same still.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from pathlib import Path

from cache.disk import Disk
from cache.entry import Entry, Shape


def made(number: int, mark: int, now: float) -> Entry:
    key = number.to_bytes(32, "big")
    return Entry(
        key, "t", "n", "m", Shape.MESSAGE, 200, (), b"%d" % mark, True, None, None, now, now + 3600, ("all",)
    )  # fmt: skip


async def main(path: Path, log: Path) -> None:
    disk = Disk(path, 1_000_000, 1 << 40, 3600, time.time, patience=30, busy=30)  # noqa: TID251
    await disk.open()
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    numbers = itertools.count(1)

    def count() -> int:
        return log.stat().st_size

    async def work() -> None:
        for number in numbers:
            if ended.done():
                return
            mark = count()
            entry = made(number % 500, mark, time.time())  # noqa: TID251
            await disk.put(entry, lambda: count() == mark)  # noqa: B023
            if number == 50:
                sys.stdout.write("going\n")
                sys.stdout.flush()

    await asyncio.gather(*[work() for _ in range(8)])
    await disk.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
