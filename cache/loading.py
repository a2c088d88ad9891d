"""Values that are made when they are asked for: one making for all who want the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from adapters.tasks import Tasks


class Loading:
    """Who gives up waiting does not stop the others; when nobody waits any more the making goes on, for the next."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._under_way: dict[bytes, tuple[asyncio.Task[Any], Callable[[], bool]]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    async def __call__(self, key: bytes, make: Callable[[], Awaitable[Any]], late: Callable[[], bool]) -> Any:
        """`late`: whether what began now has been overtaken; then who comes later does not wait for it, but begins
        anew. Raises what `make` raises, for all who wait."""
        known = self._under_way.get(key)
        if known is None or known[1]():
            task = self._tasks.spawn(self._made(make))
            known = self._under_way[key] = task, late
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(known[0])

    async def _made(self, make: Callable[[], Awaitable[Any]]) -> Any:
        return await make()

    def _ended(self, key: bytes, task: asyncio.Task[Any]) -> None:
        if (known := self._under_way.get(key)) is not None and known[0] is task:
            del self._under_way[key]
        with suppress(asyncio.CancelledError):
            task.exception()  # seen, also where nobody waits any more
