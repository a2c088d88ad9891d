"""Edits that were made stay made: the same bytes on every later turn, also behind a restart, in all worker processes.

An edit is remembered by the digest of the conversation up to and including the message that it is in, so that nobody
has to name conversations. Memory first, then the file; without a file, memory alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from cachetools import LRUCache

from adapters.texts import common_prefix
from adapters.vocabulary import Clock
from warming.frozen_disk import FrozenDisk, Row

MEMORY = 32 * 1024 * 1024
"""Bytes of edits in memory, about."""

ROWS, SIZE = 200_000, 128 * 1024 * 1024
"""Of the file."""

LARGEST = 64 * 1024
"""Bytes of the edits of one message. Larger ones are not kept, and so not made."""

TOUCHED = 3600
"""Seconds after which a row that is of use is noted to be."""

BACKLOG = 1024
"""Writes that may wait for a slow disk; more are forgotten by the next process."""


class Standing(NamedTuple):
    """One edit that was made: the original text with something else between a beginning and an end of it."""

    place: int
    """Which piece of its message it is."""
    head: int
    tail: int
    """Characters of the original that stay in front and behind."""
    middle: str
    tokens: int
    """Of the piece with the edit, estimated."""
    because: bytes = b""
    """Digest of the conversation up to the message without which the edit does not apply; empty: it always does."""

    def text(self, original: str) -> str | None:
        """None where `original` is shorter than what this was made of."""
        if self.head + self.tail > len(original):
            return None
        return original[: self.head] + self.middle + original[len(original) - self.tail :]


def standing(place: int, original: str, text: str, tokens: int, because: bytes = b"") -> Standing:
    head = common_prefix(original, text)
    tail = common_prefix(original[head:][::-1], text[head:][::-1])
    return Standing(place, head, tail, text[head : len(text) - tail], tokens, because)


_decoder = msgspec.msgpack.Decoder(list[Standing])
_encode = msgspec.msgpack.Encoder().encode


class _Held(NamedTuple):
    edits: tuple[Standing, ...]
    used: float
    size: int


class Frozen:
    """`clock`: wall time. Whatever the disk does, `find` answers after `patience` seconds at most."""

    def __init__(
        self,
        path: Path | None,
        clock: Clock,
        *,
        memory: int = MEMORY,
        rows: int = ROWS,
        size: int = SIZE,
        patience: float = 0.25,
        busy: float = 0.1,
        retry_after: float = 5.0,
    ) -> None:
        self.timeouts = self.refused = 0
        self._clock, self._patience = clock, patience
        self._memory: LRUCache[bytes, _Held] = LRUCache(memory, getsizeof=_size)
        self._disk = None
        if path is not None:
            self._disk = FrozenDisk(path, clock, rows=rows, size=size, busy=busy, retry_after=retry_after)
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: set[Future[Any]] = set()

    @property
    def durable(self) -> bool:
        """Whether what is put now will be there after a restart, as far as is known."""
        return self._disk is not None and self._thread is not None and self._disk.sound

    async def open(self) -> None:
        """Starts the thread. A file that can't be opened now is tried again later."""
        if self._disk is not None and self._thread is None:
            self._thread = ThreadPoolExecutor(1, "warmgate-frozen")
            await asyncio.get_running_loop().run_in_executor(self._thread, self._disk.open)

    async def close(self) -> None:
        """Writes what waits, then closes the file."""
        thread, self._thread = self._thread, None
        if thread is not None and self._disk is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._disk.close)
            thread.shutdown()

    async def find(self, digests: Sequence[bytes]) -> dict[bytes, tuple[Standing, ...]]:
        """The edits by message, for those that have any."""
        found = {digest: held for digest in digests if (held := self._memory.get(digest)) is not None}
        missing = [digest for digest in digests if digest not in found]
        if missing and self._thread is not None:
            found |= self._read(await self._rows(missing))
        now = self._clock()
        old = [digest for digest, held in found.items() if abs(now - held.used) > TOUCHED]
        for digest in old:
            self._memory[digest] = found[digest] = found[digest]._replace(used=now)
        if old:
            self._submit_touch(old)
        return {digest: held.edits for digest, held in found.items()}

    def put(self, changes: Mapping[bytes, Iterable[Standing]]) -> None:
        """From now on these messages have these edits, and no others. Does not wait for the disk."""
        now = self._clock()
        rows: dict[bytes, bytes] = {}
        for digest, edits in changes.items():
            rows[digest] = data = _encode(list(edits))
            self._hold(digest, _Held(tuple(edits), now, len(data)))
        if rows and self._disk is not None and self._thread is not None:
            if len(self._waiting) >= BACKLOG:
                self.refused += 1
                return
            self._wait_for(self._thread.submit(self._disk.write, rows))

    @staticmethod
    def fits(edits: Iterable[Standing]) -> bool:
        """Whether the edits of one message are small enough to be kept."""
        return len(_encode(list(edits))) <= LARGEST

    def stats(self) -> dict[str, int]:
        disk = self._disk
        return {
            "messages": len(self._memory),
            "timeouts": self.timeouts,
            "refused": self.refused,
            "errors": disk.faults + disk.damaged_rows if disk else 0,
            "set_aside": disk.set_aside if disk else 0,
            "dropped": disk.dropped if disk else 0,
        }

    async def _rows(self, digests: Sequence[bytes]) -> dict[bytes, Row]:
        assert self._thread is not None
        assert self._disk is not None
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._disk.find, digests)
        try:
            return await asyncio.wait_for(asked, self._patience)
        except TimeoutError:
            self.timeouts += 1
            return {}

    def _read(self, rows: Mapping[bytes, Row]) -> dict[bytes, _Held]:
        found = {}
        for digest, row in rows.items():
            try:
                held = _Held(tuple(_decoder.decode(row.edits)), row.used, len(row.edits))
            except msgspec.DecodeError:
                continue  # of a version that wrote otherwise
            found[digest] = held
            self._hold(digest, held)
        return found

    def _hold(self, digest: bytes, held: _Held) -> None:
        if _size(held) <= self._memory.maxsize:
            self._memory[digest] = held

    def _submit_touch(self, digests: list[bytes]) -> None:
        if self._disk is not None and self._thread is not None and len(self._waiting) < BACKLOG:
            self._wait_for(self._thread.submit(self._disk.touch, digests))

    def _wait_for(self, written: Future[Any]) -> None:
        self._waiting.add(written)
        written.add_done_callback(self._waiting.discard)


def _size(held: _Held) -> int:
    return held.size + 400
