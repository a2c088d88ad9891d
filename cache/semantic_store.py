"""Questions, their vectors and their answers: what the semantic cache searches. The event loop never touches SQLite or
an index, nor waits for long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from adapters.embedder import Matrix
from adapters.vocabulary import Clock
from cache import disk_files as files
from cache import semantic_schema as schema
from cache.disk_asking import Asking
from cache.disk_thread import Op
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.level import Valid, always
from cache.near import Judgement, Kept, Near, Tally
from cache.semantic_rows import Ask, Deed, Rows
from cache.semantic_thread import turn
from cache.semantic_writing import Writing
from cache.vectors import MANY, sound

BACKLOG = 64 * 1024 * 1024
"""Bytes of answers that may wait for a slow disk; more are not kept."""


class SemanticStore(Asking):
    """Entries in one SQLite file (without a path: in memory), within two budgets, the longest unused first out.

    `embedder` is the identity of the one whose vectors are given, `dimension` their length: rows with vectors of
    another are kept for `stale`, and never found. Without FAISS there is none (`ImportError`); whatever the disk does,
    nothing is raised: what can't be done is a counted miss, after `patience` seconds at most. Workers may share a file:
    rows of others are noticed within about `poll` seconds.
    """

    def __init__(
        self,
        path: Path | None,
        embedder: str,
        dimension: int,
        *,
        max_size: int,
        max_bytes: int,
        clock: Clock,
        patience: float = 0.25,
        retry_after: float = 5.0,
        poll: float = 0.25,
        busy: float = 0.25,
        backlog: int = BACKLOG,
        many: int = MANY,
        pragmas: files.Pragmas = schema.PRAGMAS,
    ) -> None:
        import faiss  # noqa: F401 - without it there is no store, which is better known now than by its thread

        self.lookups = self.found = self.refused = 0
        self._dimension, self._backlog = dimension, backlog
        self._rows = Rows(
            path,
            embedder,
            dimension,
            max_size,
            max_bytes,
            clock,
            retry_after=retry_after,
            busy=busy,
            many=many,
            pragmas=pragmas,
        )
        super().__init__(self._rows, partial(turn, self._rows), patience=patience, poll=poll)

    async def open(self) -> None:
        """Start the thread and build the view from the rows. A file that can't be opened now is tried again later."""
        if self._begin("warmgate-semantic"):
            await self.refresh()

    async def close(self) -> None:
        """Write what waits, then close the file. Afterwards there is nothing in it for anybody."""
        await self._call(Rows.settle, None)
        await super().close()

    def holds(self, scope: bytes) -> int:
        """How many entries of a scope there are, as far as this process knows, without waiting: 0 spares a lookup."""
        return self._rows.view.holds(scope)

    async def near(self, scope: bytes, vector: Matrix, k: int) -> list[Near]:
        """Entries that may be served, at most `k`, the most similar first. `vector`: (dimension,), of length 1."""
        self.lookups += 1
        if k < 1 or not self.holds(scope):
            return []
        query = sound(vector, self._dimension)
        if query is None:
            self.refused += 1
            return []
        found: list[Near] = await self._soon(Op("near", Ask(scope, query, k), otherwise=[]))
        self.found += bool(found)
        return found

    async def entry(self, id: int) -> Entry | None:
        """The answer of a `Near` that is about to be served, which counts as a use of it; None where it has gone
        meanwhile."""
        entry: Entry | None = await self._soon(Op("entry", id)) if _is_id(id) else None
        return entry

    async def put(self, kept: Kept, valid: Valid = always) -> int:
        """Its id, once it is committed: from then on a `kill -9` of this process does not lose it. One of the same
        scope and key is replaced. 0: it is not kept, and an older one stays. `valid` is asked by the thread of the
        store, in the transaction."""
        size = kept.entry.size + len(kept.text)
        if self._pending + size > self._backlog or sound(kept.vector, self._dimension) is None:
            self.refused += 1
            return 0
        id: int = await self._soon(Op("put", (kept, valid), otherwise=0, size=size))
        return id

    async def observe(self, id: int, similarity: float, correct: bool) -> None:
        """Note whether its answer was right for a question so near to it. The last 64 are kept."""
        if _is_id(id) and isfinite(similarity):
            await self._write(lambda writing: writing.observe(id, float(similarity), bool(correct)))

    async def quarantine(self, id: int) -> bool:
        """Whether there was one. It is never near to anything again, and kept for the record until it expires. Where
        the disk fails it is forgotten."""
        if not _is_id(id):
            return False
        done: bool = await self._write(lambda writing: writing.quarantine(id), otherwise=False, hide=id)
        return done

    async def delete(self, id: int, tenant: str | None) -> bool:
        """Whether there was one, of this tenant or, with None, of anybody. Where the disk fails an operator's is not
        found again and deleted later; a tenant's stays, because nobody can say whose it is."""
        if not _is_id(id) or not _is_text(tenant):
            return False
        hide = id if tenant is None else 0
        done: bool = await self._write(lambda writing: writing.delete_one(id, tenant), otherwise=False, hide=hide)
        return done

    async def purge(self, *, scope: bytes | None, tenant: str | None) -> int:
        """Delete all of a scope, of a tenant, of both, or with None and None everything; how many there were. Waits
        for as long as it takes; 0 also where the disk failed."""
        if not _is_text(tenant):
            return 0
        deed = Deed(lambda writing: writing.purge(scope, tenant), 0)
        count: int = (await self._call(lambda rows: rows.write([deed]), [0]))[0]
        return count

    async def invalidate(self, what: Invalidation) -> int | None:
        """Delete all that it covers, also what other processes wrote; how many. None where that failed: then nothing of
        it is served by this process, and it is deleted before anything else is written. Takes as long as it takes."""
        if not _is_text(what.tenant):
            return 0
        known = what._replace(namespaces=tuple(filter(_is_text, what.namespaces)))
        nothing: int | None = None
        return await self._call(lambda rows: rows.invalidate(known), nothing)

    async def judged(self, judgement: Judgement) -> None:
        """Kept among the last 50,000."""
        try:
            row = schema.judgement_row(judgement)
        except (TypeError, ValueError):
            self.refused += 1
            return
        await self._write(lambda writing: writing.judge(row))

    async def judgements(self, since: float) -> list[Judgement]:
        """Those from this Unix time on, in the order in which they came."""
        nothing: list[Judgement] = []
        return await self._call(lambda rows: rows.judgements(float(since)), nothing)

    async def tally(self, route: str, lookups: int, hits: int) -> None:
        """Add to what is counted of a route. Written with the next other write, or at the end."""
        self._rows.counting.append((route.encode(errors="replace").decode(), Tally(lookups, hits)))

    async def tallies(self) -> dict[str, Tally]:
        """What was counted by all processes, so far as it is written, and by this one."""
        nothing: dict[str, Tally] = {}
        return await self._call(Rows.tallies, nothing)

    async def stale(self, limit: int) -> list[tuple[int, str]]:
        """Id and text of rows with the vector of another embedder."""
        nothing: list[tuple[int, str]] = []
        return await self._call(lambda rows: rows.stale(limit), nothing)

    async def reembed(self, vectors: Mapping[int, Matrix]) -> int:
        """Give rows the vectors of this embedder, by id; how many. They get new ids, and lose what was observed with
        the old vectors."""
        fine = {id: row for id, vector in vectors.items() if (row := sound(vector, self._dimension)) is not None}
        self.refused += len(vectors) - len(fine)
        deed = Deed(lambda writing: writing.reembed(fine), 0)
        count: int = (await self._call(lambda rows: rows.write([deed]), [0]))[0]
        return count

    async def check(self, *, mend: bool = False) -> list[str]:
        """What is wrong with the store, verified against itself: pages, checksums, vectors, the view, its indexes. With
        `mend` it is put right: damaged rows are deleted, the view is built anew from the others.

        Reads the whole file; other operations give up meanwhile.
        """
        return await self._call(lambda rows: rows.check(mend=mend), ["the store is not open"])

    async def refresh(self) -> None:
        """Look now for what other processes wrote, and open the file where that is due."""
        await self._call(Rows.notice, None)

    def stats(self) -> dict[str, int]:
        rows, view = self._rows, self._rows.view
        return {
            "entries": len(view),
            "scopes": len(view.scopes),
            "bytes": view.bytes,
            "approximate": len(view.approximate),
            "making": view.making(),
            "stale": len(view.foreign),
            "lookups": self.lookups,
            "found": self.found,
            "evictions": rows.evictions,
            "expirations": rows.expirations,
            "errors": rows.faults + rows.damaged_rows + self.timeouts,
            "timeouts": self.timeouts,
            "skipped": rows.skipped,
            "refused": self.refused,
            "late": rows.late,
            "damaged_rows": rows.damaged_rows,
            "set_aside": rows.set_aside,
        }

    async def _write(self, do: Callable[[Writing], Any], *, otherwise: Any = None, hide: int = 0) -> Any:
        return await self._soon(Op("write", Deed(do, otherwise, hide), otherwise=otherwise))


def _is_id(id: object) -> bool:
    return isinstance(id, int) and 0 < id < 2**63


def _is_text(tenant: str | None) -> bool:
    """What SQLite can't hold belongs to nobody."""
    try:
        (tenant or "").encode()
    except UnicodeEncodeError:
        return False
    return True
