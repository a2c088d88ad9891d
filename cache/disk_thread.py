"""The one thread that owns a store: a queue, and turns in which everything that waits is done together.

All puts and deletes of a turn are one transaction, all gets one query, and one call wakes the event loop for all of
them: with 64 callers in flight a turn hands the interpreter lock over a few times instead of a few hundred.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from cache.disk_store import Store
from cache.entry import Entry

TURN_OPS = 64
TURN_BYTES = 8 * 1024 * 1024
"""What one transaction takes at most; the last body may exceed it."""


class Op(NamedTuple):
    """One thing to do: `get` (a key), `put` (an entry), `delete` (a key), `call` (a function of the store), `stop`."""

    verb: str
    what: Any
    future: asyncio.Future[Any] | None = None
    otherwise: Any = None
    """The result if it is not done at all."""
    size: int = 0


Done = list[tuple[Op, Any]]


def turn(store: Store, ops: list[Op]) -> Done:
    """Do them, each with its result. A `call` sees everything before it done, and nothing after it."""
    done: Done = []
    group: list[Op] = []
    for op in ops:
        if op.verb == "call":
            done += _group(store, group)
            done.append((op, op.what(store)))
            group = []
        else:
            group.append(op)
    return done + _group(store, group)


def _group(store: Store, ops: list[Op]) -> Done:
    """Writes first, the last one of a key holds; a get that was asked for meanwhile may see them."""
    done: Done = []
    puts = [op for op in ops if op.verb == "put"]
    deletes = [op for op in ops if op.verb == "delete"]
    if puts or deletes:
        changes: dict[bytes, Entry | None] = {}
        for op in ops:
            if op.verb == "put":
                changes[op.what.key] = op.what
            elif op.verb == "delete":
                changes[op.what] = None
        kept = store.write(changes)
        done += [(op, kept[op.what.key]) for op in puts]
        done += [(op, kept[op.what]) for op in deletes]
    gets = [op for op in ops if op.verb == "get"]
    if gets:
        found = store.read(op.what for op in gets)
        done += [(op, found.get(op.what)) for op in gets]
    return done


class Owner:
    """Runs the turns. `settle` is called on the loop with what each turn has done."""

    def __init__(
        self, store: Store, loop: asyncio.AbstractEventLoop, settle: Callable[[Done], None], *, poll: float
    ) -> None:
        self._store, self._loop, self._settle, self._poll = store, loop, settle, poll
        self._queue: SimpleQueue[Op] = SimpleQueue()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="warmgate-disk", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, op: Op) -> bool:
        """False where the thread has ended and may never look at it."""
        self._queue.put(op)
        return not self._ended  # asked last: it ends first and empties the queue then

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        ops: list[Op] = []
        noticed = self._store.clock()
        try:
            while not ops:
                ops = self._waiting()
                if not ops or abs(self._store.clock() - noticed) >= self._poll:
                    self._store.notice()
                    noticed = self._store.clock()
                work = [op for op in ops if op.verb != "stop"]
                if work:
                    self._tell(turn(self._store, work))
                ops = ops[len(work) :]
        finally:
            self._ended = True
            self._store.close()
            # Also after an error of our own nobody may wait for ever.
            self._tell([(op, op.otherwise) for op in ops + self._rest()])

    def _waiting(self) -> list[Op]:
        """Everything that waits, up to the bounds of a turn or a `stop`; empty when nothing came for `poll` seconds."""
        ops: list[Op] = []
        size = 0
        try:
            ops.append(self._queue.get(timeout=self._poll))
            while ops[-1].verb != "stop" and len(ops) < TURN_OPS and size < TURN_BYTES:
                size += ops[-1].size
                ops.append(self._queue.get_nowait())
        except Empty:
            pass
        return ops

    def _rest(self) -> list[Op]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def _tell(self, done: Done) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, done)
        except RuntimeError:  # the loop is closed: nobody is waiting any more
            return
