"""What is not true any more goes from every level, from the semantic store, here and at every replica.

The order is what makes it safe. The levels first, whose log tells the workers of this machine; then the semantic store,
which asks that log before it writes; then the replicas, which do the same for themselves and confirm it; then the
shared level once more, for what they had on its way. Only then it is acknowledged. Several at once do not wait for each
other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

from cache.dependencies import Dependencies
from cache.entry import Entry
from cache.file_signature import Signature
from cache.files import WITNESS, BadFile, Files
from cache.invalidation import Invalidation
from cache.invalidation_events import Events
from cache.labels import FILE, BadLabel, file_label
from cache.replicas import Reached, Replicas
from cache.wildcard import matcher

EXAMPLES = 10
"""Names that a dry run tells."""

TOGETHER = 64
"""Entries that a dry run looks at, and files that are invalidated, at the same time."""

NAME_LINE = "x-warmgate-key"
"""The header line of an entry that has its name, percent-encoded."""

UNSWEPT = "the shared level could not be emptied a second time; try again"


class Tiers(Protocol):
    """The levels, as far as they are used here (`cache.tiers`)."""

    cascade: Callable[[Invalidation], Awaitable[object]]

    async def invalidate(self, what: Invalidation) -> set[bytes] | None: ...
    async def hear(self, what: Invalidation) -> None: ...
    async def sweep(self, what: Invalidation) -> bool: ...
    async def look(self, key: bytes) -> tuple[Entry, str] | None: ...
    def starting(self, prefix: bytes) -> list[bytes]: ...


class Near(Protocol):
    """The semantic store, as far as it is used here (`cache.semantic_store`)."""

    async def invalidate(self, what: Invalidation) -> int | None: ...


class Outcome(NamedTuple):
    removed: int = 0
    """Entries that the levels had, those of this machine and the shared one."""
    semantic: int = 0
    reached: Reached = Reached(complete=True)
    failed: bool = False
    """A level could not remove what it has: what this process knows of it is not served, but some may be left."""


class Matching(NamedTuple):
    keys: tuple[bytes, ...]
    examples: tuple[str, ...]
    """`NAMESPACE/NAME` of some."""


class Hearing:
    """What a replica does that hears of an invalidation; when it is done, nothing of it is served here any more."""

    def __init__(self, tiers: Tiers, near: Near | None, dependencies: Dependencies) -> None:
        self._tiers, self._near, self._dependencies = tiers, near, dependencies

    async def __call__(self, what: Invalidation) -> None:
        for part in self._dependencies.downward(what):
            await self._tiers.hear(part)
            if self._near is not None:
                await self._near.invalidate(part)


class Invalidator:
    """`rewarm` is told the keys of what went, and chooses which to make anew. Replacing an entry on which others
    depend is an invalidation as well, so the levels are told to come here with it."""

    def __init__(
        self,
        tiers: Tiers,
        near: Near | None,
        replicas: Replicas,
        dependencies: Dependencies,
        files: Files | None = None,
        events: Events | None = None,
        rewarm: Callable[[set[bytes]], None] | None = None,
    ) -> None:
        self._tiers, self._near, self._replicas = tiers, near, replicas
        self._dependencies, self._files, self._events = dependencies, files, events or Events()
        self._rewarm = rewarm
        self._counts = dict.fromkeys(("told", "removed", "semantic", "incomplete", "failed"), 0)
        tiers.cascade = self.invalidate

    async def invalidate(self, what: Invalidation) -> Outcome:
        """Returns when nobody serves it any more, or says who may. Takes as long as it takes. Raises `BadLabel` for
        labels and namespaces that are no text."""
        _check(what)
        gone: set[bytes] = set()
        outcomes = [await self._part(part, gone) for part in self._dependencies.downward(what)]
        if gone and self._rewarm is not None:
            self._rewarm(gone)
        return self._counted(_sum(outcomes, len(gone)))

    def _counted(self, outcome: Outcome) -> Outcome:
        self._counts["told"] += 1
        self._counts["removed"] += outcome.removed
        self._counts["semantic"] += outcome.semantic
        self._counts["incomplete"] += not outcome.reached.complete
        self._counts["failed"] += outcome.failed
        return outcome

    def stats(self) -> dict[str, int]:
        """Invalidations and what they took out; how many did not reach all replicas, how many a level failed at."""
        return dict(self._counts)

    async def _part(self, what: Invalidation, gone: set[bytes]) -> Outcome:
        removed = await self._tiers.invalidate(what)
        rows = await self._near.invalidate(what) if self._near is not None else 0
        gone |= removed or set()
        reached = await self._replicas.publish(what)
        if not await self._tiers.sweep(what) and reached.complete:
            reached = Reached(complete=False, why=UNSWEPT)
        return Outcome(len(removed or ()), rows or 0, reached, removed is None or rows is None)

    async def event(self, kind: str, facts: Mapping[str, Any], tenant: str | None) -> Outcome:
        """Something has happened, told by this tenant (None: the operator), whose entries go that depend on it. Raises
        `UnknownEvent`, `BadEvent`."""
        meant = self._events.meant(kind, facts)
        labels = tuple(dict.fromkeys(each for label in meant.labels for each in self._names_of(label)))
        if not labels and not meant.everything:
            return Outcome()
        return await self.invalidate(Invalidation(tenant, labels=labels, everything=meant.everything))

    async def files_changed(self, moved: Mapping[str, Signature]) -> Outcome:
        """What `cache.files.Files.moved` says. Raises OSError where that has to be told again."""
        paths = list(moved)
        outcomes = []
        for start in range(0, len(paths), TOGETHER):
            some = paths[start : start + TOGETHER]
            outcome = await self.invalidate(Invalidation(labels=tuple(map(file_label, some))))
            if outcome.failed:
                raise OSError("what depends on changed files could not be removed")
            if self._files is not None:
                self._files.forget({path: moved[path] for path in some})
            outcomes.append(outcome)
        return _sum(outcomes, sum(outcome.removed for outcome in outcomes))

    async def matching(
        self,
        tenant: str | None,
        *,
        pattern: str = "",
        labels: Sequence[str] = (),
        namespaces: Sequence[str] = (),
    ) -> Matching:
        """What any of these takes of what lies in memory and on the disk of this machine; with None of all tenants.
        All may have `*` and `?` in them (`cache.wildcard`); `pattern` is of names, `NAMESPACE/NAME`, an answer of a
        model having its key in hexadecimal digits for a name. Raises `BadPattern`."""
        named = matcher(pattern) if pattern else None
        labelled, within = [matcher(each) for each in labels], [matcher(each) for each in namespaces]

        def meant(entry: Entry) -> bool:
            if tenant is not None and entry.tenant != tenant:
                return False
            if any(holds(entry.namespace) for holds in within) or (named is not None and named(name_of(entry))):
                return True
            return any(holds(label) for label in entry.labels if not label.startswith(WITNESS) for holds in labelled)

        keys = self._tiers.starting(b"")
        found: list[Entry] = []
        for start in range(0, len(keys), TOGETHER):
            some = await asyncio.gather(*map(self._tiers.look, keys[start : start + TOGETHER]))
            found += [each[0] for each in some if each is not None and meant(each[0])]
            await asyncio.sleep(0)  # others have their turn
        return Matching(tuple(entry.key for entry in found), tuple(map(name_of, found[:EXAMPLES])))

    def _names_of(self, label: str) -> Iterable[str]:
        """A file has those of the file behind it as well."""
        if self._files is None or not label.startswith(FILE):
            return (label,)
        try:
            return self._files.labels(label[len(FILE) :])
        except BadFile:  # nothing may depend on it, but what did may still be there
            return (label,)


def name_of(entry: Entry) -> str:
    """`NAMESPACE/NAME`; the key in hexadecimal digits where it has no name."""
    name = next((value for line, value in entry.headers if line.lower() == NAME_LINE), "")
    return f"{entry.namespace}/{unquote(name) or entry.key.hex()}"


def _check(what: Invalidation) -> None:
    try:
        "".join([what.tenant or "", *what.labels, *what.namespaces]).encode()
    except UnicodeEncodeError as error:
        raise BadLabel("a label, a namespace or a tenant is no text") from error


def _sum(outcomes: Sequence[Outcome], removed: int) -> Outcome:
    reached = [outcome.reached for outcome in outcomes]
    return Outcome(
        removed,
        sum(outcome.semantic for outcome in outcomes),
        Reached(
            all(each.complete for each in reached),
            tuple(dict.fromkeys(name for each in reached for name in each.missing)),
            next((each.why for each in reached if each.why), ""),
        ),
        any(outcome.failed for outcome in outcomes),
    )
