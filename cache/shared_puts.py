"""Entries that are on their way into the level which replicas share.

Who confirms an invalidation says that nothing of what it covers will come from here any more. So each such write runs
to its end even if nobody waits for it, and those that are covered are waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from adapters.tasks import Tasks
from cache.entry import Entry
from cache.invalidation import Invalidation


class SharedPuts:
    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._under_way: dict[asyncio.Task[bool], Entry] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, entry: Entry, work: Coroutine[Any, Any, bool]) -> asyncio.Future[bool]:
        """To be awaited for whether it is there; who gives up waiting does not stop it."""
        task: asyncio.Task[bool] = self._tasks.spawn(work)
        self._under_way[task] = entry
        task.add_done_callback(self._ended)
        return asyncio.shield(task)

    def _ended(self, task: asyncio.Task[bool]) -> None:
        self._under_way.pop(task, None)

    async def passed(self, what: Invalidation) -> None:
        """Until none is under way of those that are now and that this covers."""
        covered = [task for task, entry in self._under_way.items() if what.covers(entry)]
        if covered:
            await asyncio.wait(covered)
