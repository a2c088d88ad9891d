"""The rows of a semantic store in memory: a slot for each, and an index of vectors for each scope.

Changed and searched by the thread that owns the store, and only once a change of the rows is committed; the event loop
asks it how many there are of a scope, one look-up that is atomic under the interpreter lock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from adapters.embedder import Matrix
from cache.slot import Slot
from cache.vectors import MANY, Found, Vectors


class View:
    def __init__(self, dimension: int, many: int = MANY) -> None:
        self.slots: OrderedDict[int, Slot] = OrderedDict()
        """By id, the longest unused first."""
        self.scopes: dict[bytes, Vectors] = {}
        self.foreign: dict[int, None] = {}
        """Rows with the vector of another embedder: known and counted, and never found."""
        self.approximate: set[bytes] = set()
        """Scopes whose index is an approximate one."""
        self.bytes = 0
        self._dimension, self._many = dimension, many
        self._busy: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self.slots)

    def holds(self, scope: bytes) -> int:
        vectors = self.scopes.get(scope)
        return 0 if vectors is None else len(vectors)

    def add(self, scope: bytes, sizes: Sequence[tuple[int, int]], rows: Matrix) -> None:
        """Rows of one scope: id and bytes of each, and their vectors (rows, dimension). None is known yet."""
        vectors = self.scopes.get(scope)
        if vectors is None:
            vectors = self.scopes[scope] = Vectors(scope, self._dimension, self._many)
        slots = [Slot(id, vectors.scope, size) for id, size in sizes]
        for slot in slots:
            self._note(slot)
        vectors.add(slots, rows)
        self._look_after(vectors)

    def note(self, id: int, size: int, *, foreign: bool) -> None:
        """A row that is not searched for."""
        self._note(Slot(id, b"", size))
        if foreign:
            self.foreign[id] = None

    def drop(self, id: int) -> Slot | None:
        """Forget a row; what was known, None where nothing was."""
        slot = self.slots.pop(id, None)
        if slot is not None:
            self.bytes -= slot.size
            self.foreign.pop(id, None)
            self._take_out(slot)
        return slot

    def hide(self, id: int) -> None:
        """It stays known and is never found again."""
        slot = self.slots.get(id)
        if slot is not None:
            self.foreign.pop(id, None)
            self._take_out(slot)

    def use(self, id: int) -> None:
        if id in self.slots:
            self.slots.move_to_end(id)

    def order(self, ids: Iterable[int]) -> None:
        """The order in which they were used, the longest unused first."""
        for id in ids:
            self.use(id)

    def search(self, scope: bytes, queries: Matrix, k: int) -> list[Found]:
        vectors = self.scopes.get(scope)
        return [[] for _ in queries] if vectors is None else vectors.search(queries, k)

    def work(self) -> bool:
        """A step towards indexes that fit; whether there is more to do."""
        for scope in self._busy:
            vectors = self.scopes[scope]
            vectors.work()
            self._look_after(vectors)
            break
        return bool(self._busy)

    def idle(self) -> None:
        """Leave indexes as they are, until rows are added: there is no memory to make others."""
        self._busy.clear()

    def clear(self) -> None:
        self.slots.clear()
        self.scopes.clear()
        self.foreign.clear()
        self._busy.clear()
        self.approximate.clear()
        self.bytes = 0

    def making(self) -> int:
        """Scopes whose index is to be made anew."""
        return len(self._busy)

    def _note(self, slot: Slot) -> None:
        self.slots[slot.id] = slot
        self.bytes += slot.size

    def _take_out(self, slot: Slot) -> None:
        if slot.place < 0:
            return
        vectors = self.scopes[slot.scope]
        vectors.remove(slot)
        if vectors:
            self._look_after(vectors)
        else:
            del self.scopes[slot.scope]
            self._busy.pop(slot.scope, None)
            self.approximate.discard(slot.scope)

    def _look_after(self, vectors: Vectors) -> None:
        if vectors.wants_work:
            self._busy[vectors.scope] = None
        else:
            self._busy.pop(vectors.scope, None)
        if vectors.approximate:
            self.approximate.add(vectors.scope)
        else:
            self.approximate.discard(vectors.scope)
