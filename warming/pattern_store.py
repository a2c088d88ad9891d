"""Access patterns that outlive the process: the event loop's side of their file. All waiting is a thread's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adapters.tasks import Tasks
from adapters.vocabulary import Clock
from warming.access_patterns import AccessPatterns, Pattern
from warming.pattern_file import PatternFile

ROWS = 20_000
"""Of the file: about 3 MB."""

TOGETHER = 256
"""Patterns that are saved or heard between two turns of the event loop."""


class PatternStore:
    """Nothing here raises what a disk does: what can't be written now is to be given again later."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        half_life: float,
        *,
        rows: int = ROWS,
        busy: float = 1.0,
        retry_after: float = 5.0,
    ) -> None:
        """`clock`: wall time. `half_life`: seconds, that of the patterns. `busy`: seconds for which another process
        that writes is waited for; nobody else waits meanwhile."""
        self._file = PatternFile(path, clock, half_life, rows=rows, busy=busy, retry_after=retry_after)
        self._thread: ThreadPoolExecutor | None = None

    async def add(self, patterns: Sequence[Pattern]) -> bool:
        """Whether these accesses are in the file now, added to those of all others."""
        return await self._asked().run_in_executor(self._thread, self._file.add, patterns)

    async def best(self, most: int) -> list[Pattern] | None:
        """What all processes together know to be worth most; None where the file can't be read."""
        return await self._asked().run_in_executor(self._thread, self._file.best, most)

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._file.close)
            thread.shutdown()

    def stats(self) -> dict[str, int]:
        file = self._file
        return {
            "errors": file.faults + file.damaged_rows,
            "skipped": file.skipped,
            "set_aside": file.set_aside,
            "dropped": file.dropped,
        }

    def _asked(self) -> asyncio.AbstractEventLoop:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "warmgate-patterns")
        return asyncio.get_running_loop()


class History:
    """What patterns have seen goes into a store and comes back from it; without a store, nowhere."""

    def __init__(self, patterns: AccessPatterns, store: PatternStore | None, tasks: Tasks) -> None:
        self._patterns, self._store, self._tasks = patterns, store, tasks
        self._turn = asyncio.Lock()

    async def save(self) -> int:
        """Adds what was seen since the last time: how many keys. What could not be written is written the next time.
        Who is cancelled while he waits leaves it going on: what is written must be known to be."""
        return await asyncio.shield(self._tasks.spawn(self._save()))

    async def load(self) -> int:
        """What all that share the store have seen: how many keys. To load twice changes nothing."""
        heard = 0
        async with self._turn:
            told = await self._store.best(self._patterns.rows.most) if self._store is not None else None
            for start in range(0, len(told or ()), TOGETHER):
                heard += self._patterns.heard((told or [])[start : start + TOGETHER])
                await asyncio.sleep(0)  # others have a turn in between
        return heard

    async def close(self) -> None:
        """Saves, and closes the store."""
        if self._store is not None:
            await self.save()
            await self._store.close()

    def stats(self) -> dict[str, int]:
        return {} if self._store is None else self._store.stats()

    async def _save(self) -> int:
        saved = 0
        async with self._turn:
            slots = self._patterns.unsaved() if self._store is not None else []
            for start in range(0, len(slots), TOGETHER):
                some = self._patterns.told(slots[start : start + TOGETHER])
                if self._store is None or not await self._store.add(some):
                    break
                self._patterns.saved(some)
                saved += len(some)
        return saved
