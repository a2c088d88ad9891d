"""Several streams read as one, each item as it comes, with the place of the stream that it came from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Generic, Protocol, TypeVar

from adapters.errors import Torn
from adapters.tasks import Tasks

Item = TypeVar("Item")
Given = TypeVar("Given", covariant=True)


class Source(Protocol[Given]):
    def __aiter__(self) -> AsyncIterator[Given]: ...
    async def __anext__(self) -> Given: ...
    async def aclose(self) -> None: ...


class Interleaved(Generic[Item]):
    """`sources` begin when the first item is asked for, all at once. Together they run at most `ahead` items in front
    of the reader (and one each that waits for its place), so that a slow reader slows all of them down.

    Ends when all of them have. The error of one is raised behind the items that came before it. Closing it closes all
    of them, also those that never began.
    """

    def __init__(self, sources: Sequence[Source[Item]], tasks: Tasks, ahead: int = 64) -> None:
        self._sources, self._tasks = sources, tasks
        self._pumps: list[asyncio.Task[None]] = []
        self._room = asyncio.Semaphore(ahead)
        self._arrived = asyncio.Event()
        self._items: deque[tuple[int, Item] | BaseException] = deque()
        self._left = len(sources)
        self._closed = False

    def __aiter__(self) -> AsyncIterator[tuple[int, Item]]:
        return self

    async def __anext__(self) -> tuple[int, Item]:
        if not self._pumps and not self._closed:
            for place, source in enumerate(self._sources):
                pump = self._tasks.spawn(self._pump(place, source))
                pump.add_done_callback(self._ended)
                self._pumps.append(pump)
        while not self._items:
            if not self._left or self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._take(self._items.popleft())

    def ready(self) -> list[tuple[int, Item]]:
        """Items that are at hand, up to the first error."""
        found = []
        while self._items and not isinstance(self._items[0], BaseException):
            found.append(self._take(self._items.popleft()))
        return found

    def _take(self, item: tuple[int, Item] | BaseException) -> tuple[int, Item]:
        if isinstance(item, BaseException):
            raise item
        self._room.release()
        return item

    async def _pump(self, place: int, source: Source[Item]) -> None:
        async with aclosing(source):
            async for item in source:
                await self._room.acquire()
                self._put((place, item))

    def _put(self, item: tuple[int, Item] | BaseException) -> None:
        self._items.append(item)
        self._arrived.set()

    def _ended(self, pump: asyncio.Task[None]) -> None:
        self._left -= 1
        # Whoever cancels a pump that is not closed ends all the work there is.
        error = Torn("the proxy is ending") if pump.cancelled() else pump.exception()
        if error is not None and not self._closed:
            self._put(error)
        self._arrived.set()

    async def aclose(self) -> None:
        self._closed = True
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)
        for source in self._sources:  # a task that was cancelled before its first step has closed nothing
            await source.aclose()
