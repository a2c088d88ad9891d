"""Notices when files change that entries depend on, so that what depends on them goes before somebody asks for it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing

import watchfiles
from watchfiles._rust_notify import WatchfilesRustInternalError

from adapters.vocabulary import Sleep
from cache.file_signature import Signature
from cache.files import Files

Told = set[tuple[watchfiles.Change, str]]

log = logging.getLogger("warmgate.cache")

DEBOUNCE = 0.2
"""Seconds in which changes are gathered, from the first one on."""

STEP = 0.1
"""Seconds without a change that end the gathering before; also how long closing takes at most."""

AGAIN = 60.0
"""Seconds after which all files are looked at without a change having been told, for what the system does not tell."""

POLL = 2.0
"""Seconds from look to look at files of which the system does not tell."""

RETRY_AFTER = 5.0
"""Seconds until watching is tried again after it failed."""

AT_ONCE = 256
"""Files that are looked at before others have their turn."""


class Watch:
    """Of all files that `files` knows of; `changed` is called with those that have, by path, with what they were. The
    operating system tells of changes (a thread of `watchfiles` waits for it, and ends when `run` is cancelled);
    `force_polling` is for network file systems, which do not: then all are looked at from time to time.

    Directories are watched, not files: editors replace a file, and it may come and go. Of one that is not there the
    nearest above it is watched.
    """

    def __init__(
        self,
        files: Files,
        changed: Callable[[Mapping[str, Signature]], Awaitable[object]],
        sleep: Sleep,
        *,
        debounce: float = DEBOUNCE,
        force_polling: bool = False,
    ) -> None:
        self.faults = 0
        self._files, self._changed, self._sleep = files, changed, sleep
        self._debounce, self._polling = debounce, force_polling
        self._directories: set[str] = set()
        self._others = asyncio.Event()
        """Other directories have to be watched."""
        files.told = self._told

    async def run(self) -> None:
        """Until it is cancelled."""
        if self._polling:
            await self._poll()
        while True:
            self._others.clear()
            self._directories = _directories(self._files.paths)
            if not self._directories:
                await self._others.wait()
                continue
            try:
                await self._until_others()
            except (OSError, WatchfilesRustInternalError) as error:
                self.faults += 1
                if self.faults == 1:
                    log.warning("files can't be watched (%s): they are looked at when they count", error)
                await self._sleep(RETRY_AFTER)

    def _told(self, path: str) -> None:
        if os.path.dirname(path) not in self._directories:
            self._others.set()

    async def _until_others(self) -> None:
        changes = watchfiles.awatch(
            *self._directories,
            watch_filter=None,
            debounce=int(self._debounce * 1000),
            step=int(STEP * 1000),
            stop_event=self._others,
            rust_timeout=int(AGAIN * 1000),
            yield_on_timeout=True,
            force_polling=False,  # its own polling sees whole seconds only
            recursive=False,
        )
        async with aclosing(changes):
            # What changed before the system was asked to tell is looked for once it is: the first to run asks.
            told, failed = await asyncio.gather(_next(changes), self._at_first())
            if failed is not None:
                raise failed
            while told is not None:
                where = {path for _, path in told}
                where |= {os.path.dirname(path) for path in where}
                touched = [path for path in self._files.paths if not where or os.path.dirname(path) in where]
                await self._look(touched)
                if _directories(self._files.paths) != self._directories:
                    return
                told = await _next(changes)

    async def _at_first(self) -> OSError | None:
        """What failed; then the watching ends."""
        try:
            await self._look(self._files.paths)
        except OSError as error:
            self._others.set()
            return error
        return None

    async def _poll(self) -> None:
        while True:
            await self._sleep(POLL)
            try:
                await self._look(self._files.paths)
            except OSError:
                self.faults += 1

    async def _look(self, paths: Iterable[str]) -> None:
        waiting = list(paths)
        moved: dict[str, Signature] = {}
        for start in range(0, len(waiting), AT_ONCE):
            moved |= self._files.moved(waiting[start : start + AT_ONCE])
            await asyncio.sleep(0)
        if moved:
            await self._changed(moved)


async def _next(changes: AsyncGenerator[Told, None]) -> Told | None:
    """Empty where nothing was told for long; None at the end."""
    return await anext(changes, None)


def _directories(paths: Iterable[str]) -> set[str]:
    """Those in which the files lie, or the nearest above them that are there."""
    return {_nearest(directory) for directory in {os.path.dirname(path) for path in paths}}


def _nearest(directory: str) -> str:
    while directory != "/" and not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory
