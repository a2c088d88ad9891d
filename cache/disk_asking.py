"""The event loop's side of a store that a thread owns: what is asked of it, and how long for an answer is waited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from cache.disk_thread import Done, Op, Owned, Owner

T = TypeVar("T")


class Asking:
    """Whatever the disk does, who asks `_soon` waits for `patience` seconds at most: the thread goes on, and nobody
    hears of its late result."""

    def __init__(self, store: Owned, turn: Callable[[list[Op]], Done], *, patience: float, poll: float) -> None:
        self.timeouts = 0
        self._asked, self._turn, self._patience, self._poll = store, turn, patience, poll
        self._owner: Owner | None = None
        self._pending = 0
        """Bytes that wait to be written."""

    def _begin(self, name: str) -> bool:
        """Start the thread; False where it runs already."""
        if self._owner is not None:
            return False
        self._pending = 0
        loop = asyncio.get_running_loop()
        self._owner = Owner(self._asked, self._turn, loop, self._settle, poll=self._poll, name=name)
        self._owner.start()
        return True

    async def close(self) -> None:
        """Write what waits, then close the file. Afterwards there is nothing in it for anybody."""
        owner, self._owner = self._owner, None
        if owner is not None:
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if owner.submit(Op("stop", None, ended)):
                await ended
            owner.join()  # telling us was the last thing it did

    async def _soon(self, op: Op) -> Any:
        """The result, or `op.otherwise` when it does not come in time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._owner is None or not self._owner.submit(op._replace(future=future)):
            return op.otherwise
        self._pending += op.size
        # A bare timer: `asyncio.timeout` would cancel the caller's task, `wait_for` costs several times as much.
        timer = loop.call_later(self._patience, self._give_up, future, op.otherwise)
        try:
            return await future
        finally:
            timer.cancel()

    async def _call(self, function: Callable[[Any], T], otherwise: T) -> T:
        """What a function of the store says, however long it takes."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._owner is None or not self._owner.submit(Op("call", function, future, otherwise)):
            return otherwise
        return await future

    def _give_up(self, future: asyncio.Future[Any], otherwise: Any) -> None:
        if not future.done():
            self.timeouts += 1
            future.set_result(otherwise)

    def _settle(self, done: Done) -> None:
        for op, result in done:
            self._pending -= op.size
            if op.future is not None and not op.future.done():
                op.future.set_result(result)
