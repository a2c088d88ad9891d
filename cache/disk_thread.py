"""The one thread that owns a store: a queue, and turns in which everything that waits is done together.

All puts and deletes of a turn are one transaction, all gets one query, and one call wakes the event loop for all of
them: with 64 callers in flight a turn hands the interpreter lock over a few times instead of a few hundred.

Waking a thread costs more than the rows it writes. Writes that come while others are being written therefore wait
together for `GATHER` seconds more; one that comes alone is written at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

from adapters.vocabulary import Clock
from cache.disk_store import Store

TURN_OPS = 64
TURN_BYTES = 8 * 1024 * 1024
"""What one transaction takes at most; the last body may exceed it."""


GATHER = 0.004
"""Seconds; far less than the call to a provider that each write comes after."""


GATHERING = frozenset({"put", "delete", "write"})
"""Verbs of those that wait for others."""


WRITES = frozenset({"put", "delete"})
"""Those of a disk store."""


class Op(NamedTuple):
    """One thing to do, by a verb that the turns of the store know; `stop` ends the thread. Of a disk store: `get` and
    `look` (a key), `put` (a `Put`), `delete` (a key), `call` (a function of the store)."""

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
    """Writes first, in their order, so that the last one of a key holds; what is read meanwhile may see them."""
    done: Done = []
    writes = [op for op in ops if op.verb in WRITES]
    if writes:
        done += zip(writes, store.write([op.what for op in writes]), strict=True)
    reads = [op for op in ops if op.verb not in WRITES]
    if reads:
        used = {op.what for op in reads if op.verb == "get"}
        found = store.read([op.what for op in reads], used)
        done += [(op, found.get(op.what)) for op in reads]
    return done


class Owned(Protocol):
    """What an owner does with a store beside the turns."""

    clock: Clock

    def begin(self) -> None:
        """First of all."""

    def notice(self) -> None:
        """From time to time."""

    def work(self) -> bool:
        """A little of what nobody waits for; whether there is more of it."""

    def close(self) -> None: ...


class Owner:
    """Runs the turns. `settle` is called on the loop with what each turn has done."""

    def __init__(
        self,
        store: Owned,
        turn: Callable[[list[Op]], Done],
        loop: asyncio.AbstractEventLoop,
        settle: Callable[[Done], None],
        *,
        poll: float,
        name: str = "warmgate-disk",
    ) -> None:
        self._store, self._turn, self._loop, self._settle, self._poll = store, turn, loop, settle, poll
        self._queue: SimpleQueue[list[Op]] = SimpleQueue()
        self._gathered: list[Op] = []
        self._turns = 0
        """Lists that were handed over and are not settled yet."""
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, op: Op) -> bool:
        """False where the thread has ended and may never look at it. Called on the loop."""
        self._gathered.append(op)
        if op.verb not in GATHERING or (self._timer is None and not self._turns):
            self._hand_over()
        return not self._ended  # asked last: it ends first and empties the queue then

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ops, self._gathered = self._gathered, []
        self._turns += 1
        self._queue.put(ops)

    def _settled(self, done: Done, lists: int) -> None:
        self._turns -= lists
        self._settle(done)
        if self._gathered and self._timer is None and not self._turns:
            self._timer = self._loop.call_later(GATHER, self._hand_over)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        ops: list[Op] = []
        busy = False
        try:
            self._store.begin()
            noticed = self._store.clock()
            while not ops:
                ops, lists = self._waiting(0.0 if busy else self._poll)
                if not (ops or busy) or abs(self._store.clock() - noticed) >= self._poll:
                    self._store.notice()
                    noticed = self._store.clock()
                stop = next((at for at, op in enumerate(ops) if op.verb == "stop"), len(ops))
                for at in range(0, stop, TURN_OPS):
                    end = min(at + TURN_OPS, stop)
                    self._tell(self._turn(ops[at:end]), lists if end == stop else 0)
                ops = ops[stop:]
                busy = self._store.work()
        finally:
            self._ended = True
            self._store.close()
            # Also after an error of our own nobody may wait for ever.
            self._tell([(op, op.otherwise) for op in ops + self._rest()], 0)

    def _waiting(self, patience: float) -> tuple[list[Op], int]:
        """Everything that waits, up to the bounds of a turn or a `stop`, and in how many lists it came; nothing when
        nothing came for so many seconds."""
        ops: list[Op] = []
        lists = 0
        try:
            ops += self._queue.get(timeout=patience) if patience else self._queue.get_nowait()
            lists = 1
            while ops[-1].verb != "stop" and len(ops) < TURN_OPS and sum(op.size for op in ops) < TURN_BYTES:
                ops += self._queue.get_nowait()
                lists += 1
        except Empty:
            pass
        return ops, lists

    def _rest(self) -> list[Op]:
        return [op for _ in range(self._queue.qsize()) for op in self._queue.get_nowait()]

    def _tell(self, done: Done, lists: int) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settled, done, lists)
        except RuntimeError:  # the loop is closed: nobody is waiting any more
            return
