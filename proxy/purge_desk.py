"""Taking out of the cache: one entry, what a purge names, what an event makes wrong. Always within one tenant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from adapters.errors import Refused
from adapters.vocabulary import Call
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.invalidation_events import BadEvent, UnknownEvent
from cache.invalidator import EXAMPLES, Matching, Outcome
from cache.key import key_of, scope_of
from cache.labels import scope_label
from cache.near import Judgement
from cache.value_key import value_key
from proxy.cache_notes import Notes
from proxy.purge_told import NOTHING, Answered, Invalidates, done, together, would_go
from proxy.purge_wish import Happened, Purge
from proxy.value_depends import label_of
from proxy.value_path import Place, shown

"""What stands before a scope in hexadecimal, in the label of what the semantic cache keeps in it."""

WHOLE = 64
"""Hexadecimal digits of a key."""

TOGETHER = 1000
"""Keys of one invalidation: each is a line that all replicas read."""


class Entries(Protocol):
    """The store of the semantic cache, as far as it is used here (`cache.semantic_store`)."""

    async def entry(self, id: int) -> Entry | None: ...
    async def delete(self, id: int, tenant: str | None) -> bool: ...
    async def quarantine(self, id: int) -> bool: ...
    async def purge(self, *, scope: bytes | None, tenant: str | None) -> int: ...
    async def observe(self, id: int, similarity: float, correct: bool) -> None: ...
    async def judged(self, judgement: Judgement) -> None: ...


class Levels(Protocol):
    """What of the levels is used here (`cache.tiers`)."""

    def starting(self, prefix: bytes) -> list[bytes]: ...
    async def look(self, key: bytes) -> tuple[Entry, str] | None: ...


class Purges:
    """`entries`: None where the semantic cache is off."""

    def __init__(self, levels: Levels, invalidator: Invalidates, entries: Entries | None, notes: Notes) -> None:
        self.levels, self.invalidator, self.entries, self.notes = levels, invalidator, entries, notes

    # -- one entry ---------------------------------------------------------------------------------------------------

    async def entry(self, call: Call, number: int) -> Answered:
        """Of the semantic cache, and the same answer where the exact one has it: who deletes an answer wants it
        gone."""
        store = known(self.entries)
        entry = await owned(store, call, number)
        if not await store.delete(number, call.tenant):
            raise no_entry("entry")
        outcome = await self.invalidator.invalidate(Invalidation(call.tenant, keys=(entry.key,)))
        answered = done(outcome, more_semantic=1)
        return answered._replace(told={"entry": number} | answered.told)

    async def key(self, call: Call, text: str) -> Answered:
        """Of the exact cache, by its key or the beginning of it."""
        keys = await self._keys(call, text)
        outcome = await self.invalidator.invalidate(Invalidation(call.tenant, keys=tuple(keys))) if keys else NOTHING
        answered = done(outcome)
        if outcome.reached.complete and not answered.told["deleted"]:
            raise no_entry("key")
        return answered._replace(told={"key": text} | answered.told)

    async def own(self, call: Call, text: str) -> list[Entry]:
        """Entries of the exact cache that are meant by a key or its beginning; those of other tenants are not there."""
        whole = bytes.fromhex(text[: len(text) // 2 * 2])
        keys = [whole] if len(text) == WHOLE else self.levels.starting(whole)
        found = [await self.levels.look(each) for each in keys if each.hex().startswith(text)]
        return [each[0] for each in found if each is not None and each[0].tenant == call.tenant]

    async def _keys(self, call: Call, text: str) -> list[bytes]:
        """A whole key goes also where nobody here has it: another process may. A beginning has to be known here."""
        return [bytes.fromhex(text)] if len(text) == WHOLE else [each.key for each in await self.own(call, text)]

    # -- what a purge names ------------------------------------------------------------------------------------------

    async def purge(self, call: Call, purge: Purge) -> Answered:
        if purge.scope is not None:
            return await self._scope(call.tenant, purge.scope, ())
        if purge.keys:
            return await self._listed(call, purge)
        if purge.pattern:
            return await self._pattern(call.tenant, purge)
        labels = (*purge.tags, *[label_of(each, call.tenant) for each in purge.depends])
        namespaces = () if purge.namespace is None else (purge.namespace,)
        what = Invalidation(call.tenant, labels=labels, namespaces=namespaces, everything=purge.everything)
        if purge.dry_run:
            pattern = "*" if purge.everything else ""
            found = await self.invalidator.matching(call.tenant, pattern=pattern, labels=labels, namespaces=namespaces)
            return would_go(found)
        if purge.everything:
            self.notes.recent.forget(call.tenant)
        return done(await self.invalidator.invalidate(what))

    async def around(self, about: Call) -> Answered:
        """Everything that was answered in the scope of this request, and the answer to itself."""
        scope = scope_of(about)
        if scope is None and self.entries is not None:
            raise Refused(400, "only an identical request shares its answers: delete it by its key", param="scope_of")
        return await self._scope(about.tenant, scope, (key_of(about),))

    async def _scope(self, tenant: str, scope: bytes | None, keys: tuple[bytes, ...]) -> Answered:
        rows = 0
        if scope is not None and (self.entries is not None or not keys):
            rows = await known(self.entries).purge(scope=scope, tenant=tenant)
        labels = (scope_label(scope),) if scope is not None else ()
        outcome = await self.invalidator.invalidate(Invalidation(tenant, keys=keys, labels=labels))
        return done(outcome, more_semantic=rows)

    async def _listed(self, call: Call, purge: Purge) -> Answered:
        keys: list[bytes] = []
        names: dict[bytes, str] = {}
        unknown = []
        for each in purge.keys:
            if isinstance(each, Place):
                found = [value_key(call.tenant, each.namespace, each.name or "")]
            else:
                found = await self._keys(call, each)
            names |= dict.fromkeys(found, shown(each) if isinstance(each, Place) else each)
            keys += found
            if not found:
                unknown.append(each)
        if purge.dry_run:
            answered = would_go(await self._held(call, names))
        else:
            answered = done(await self.invalidator.invalidate(Invalidation(call.tenant, keys=tuple(keys))))
        # Less than a whole key, of nothing that is known here: whether another process has it can't be said.
        return answered._replace(told=answered.told | ({"unknown": unknown} if unknown else {}))

    async def _held(self, call: Call, names: dict[bytes, str]) -> Matching:
        found = [await self.levels.look(key) for key in names]
        own = [each[0].key for each in found if each is not None and each[0].tenant == call.tenant]
        return Matching(tuple(own), tuple([names[key] for key in own[:EXAMPLES]]))

    async def _pattern(self, tenant: str, purge: Purge) -> Answered:
        found = await self.invalidator.matching(tenant, pattern=purge.pattern)
        if purge.dry_run:
            return would_go(found)
        return done(await removed(self.invalidator, tenant, found.keys))

    # -- what happened -----------------------------------------------------------------------------------------------

    async def events(self, tenant: str, events: Sequence[Happened]) -> Answered:
        """One after the other; where one can't be understood, those before it have happened."""
        outcomes: list[Outcome] = []
        for place, each in enumerate(events):
            where = f"[{place}]." if len(events) > 1 else ""
            try:
                outcomes.append(await self.invalidator.event(each.kind, each.facts, tenant))
            except UnknownEvent:
                raise Refused(
                    400, f"nothing is known of events of the kind `{each.kind}`", param=f"{where}kind"
                ) from None
            except BadEvent as error:
                raise Refused(400, f"the event `{each.kind}`: {error}", param=f"{where}kind") from None
        answered = done(together(outcomes))
        return answered._replace(told={"events": len(events)} | answered.told)


async def removed(invalidator: Invalidates, tenant: str | None, keys: Iterable[bytes]) -> Outcome:
    """What came of taking out all of these."""
    wanted = sorted(keys)
    parts = [tuple(wanted[at : at + TOGETHER]) for at in range(0, len(wanted), TOGETHER)]
    return together([await invalidator.invalidate(Invalidation(tenant, keys=part)) for part in parts])


def known(entries: Entries | None) -> Entries:
    if entries is None:
        raise Refused(404, "the semantic cache is off, so it has no entries", code="semantic_off")
    return entries


async def owned(entries: Entries, call: Call, number: int) -> Entry:
    """Of the semantic cache, if it is this tenant's. Raises `Refused` (404)."""
    entry = await entries.entry(number)
    if entry is None or entry.tenant != call.tenant:
        raise no_entry("entry")
    return entry


def no_entry(param: str) -> Refused:
    return Refused(404, "there is no such entry", param=param, code="no_entry")
