"""Waiting for flights, on an event loop: who waits wakes when the flight is over, or when its patience ends."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from adapters.tasks import Tasks
from adapters.vocabulary import Sleep


class Waits:
    """Callers wait in the order they came, and wake in it."""

    def __init__(self, tasks: Tasks, sleep: Sleep) -> None:
        self._tasks, self._sleep = tasks, sleep
        self._waiting: dict[Hashable, list[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def until(self, event: Hashable, patience: float) -> bool:
        """Waits for `over(event)`, at most that many seconds; whether it came."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(event, []).append(mine)
        alarm = self._tasks.spawn(self._give_up(mine, patience), endless=True)
        try:
            await mine
            return True
        except _Late:
            return False
        finally:
            alarm.cancel()
            waiting = self._waiting.get(event)
            if waiting is not None and mine in waiting:
                waiting.remove(mine)
                if not waiting:
                    del self._waiting[event]

    def over(self, event: Hashable) -> None:
        """Wakes all who wait for this."""
        for future in self._waiting.pop(event, ()):
            if not future.done():
                future.set_result(None)

    async def _give_up(self, future: asyncio.Future[None], patience: float) -> None:
        await self._sleep(max(0.0, patience))
        if not future.done():
            future.set_exception(_Late())


class _Late(Exception):
    pass
