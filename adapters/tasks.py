"""One owner for all background tasks, which drains them at shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Keeps a reference to every task it spawned (the event loop keeps none) and waits for them in `drain`."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._endless: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], *, endless: bool = False) -> asyncio.Task[Any]:
        """`endless`: work that nobody waits for at the end; it is cancelled when draining begins."""
        task = asyncio.get_running_loop().create_task(work)
        kept = self._endless if endless else self._running
        kept.add(task)
        task.add_done_callback(kept.discard)
        return task

    def __len__(self) -> int:
        return len(self._running)

    async def drain(self, deadline: float) -> int:
        """Waits up to `deadline` seconds for the tasks to end, then cancels the rest; returns how many it cancelled."""
        for task in self._endless:
            task.cancel()
        if self._endless:
            await asyncio.wait(self._endless)
        loop = asyncio.get_running_loop()
        until, cancelled = loop.time() + deadline, 0
        while self._running:  # again: the last thing a task does may be to spawn another one
            _, late = await asyncio.wait(self._running, timeout=max(0.0, until - loop.time()))
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
            cancelled += len(late)
        return cancelled
