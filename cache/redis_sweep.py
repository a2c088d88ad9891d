"""Removing from a Redis what an invalidation covers, in pieces of bounded work.

By key: those entries. By label: those in the label's sets, so the work is that of what goes. By namespace, tenant and
all: the names of all entries are walked through, and the server looks into each. An entry that is put meanwhile may
stay: who invalidates sees to it that nobody puts such a one any more, and sweeps again (`cache.redis_replicas`).

A Redis that evicts (`maxmemory-policy` other than `noeviction`) may drop a label's set while its entries stay. So where
any node has evicted anything since it was started, labels are looked for in all entries, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cache.invalidation import Invalidation
from cache.redis_asking import Client, Refused, Run
from cache.redis_entry import VERSION, mark
from cache.redis_index import SIFT
from cache.redis_names import Names

AT_ONCE = 200
"""Entries that one script looks at: well under a millisecond of the server's time."""

Known = Callable[[int, int, int], None]
"""Is told bucket, entries and bytes, as the server's index has them."""


class Sweep:
    """One invalidation at work. Its methods raise `Unavailable` and `Refused`."""

    def __init__(self, client: Client, names: Names, what: Invalidation, known: Known) -> None:
        self.gone: set[bytes] = set()
        self._client, self._names, self._what, self._known = client, names, what, known

    async def run(self) -> None:
        what = self._what
        widely = what.everything or bool(what.namespaces)
        if widely or what.labels:
            await self._anew(self._names.buckets)
        if what.keys and not widely:
            await self._remove(map(self._names.entry, what.keys), anew=not what.labels, listed=True)
        if what.labels and not widely:
            for label in what.labels:
                await self._labelled(mark(label))
            widely = await self._evicted()
        if widely:
            if what.keys:
                await self._remove(map(self._names.entry, what.keys), listed=True)
            async for names in self._client.scan(self._names.entries):
                await self._remove(_texts(names))

    async def some(self) -> None:
        """As `run`, of the first entries that come along."""
        async for names in self._client.scan(self._names.entries):
            await self._remove(_texts(names)[:AT_ONCE])
            break

    async def _anew(self, buckets: Iterable[int]) -> None:
        """Puts that are on their way, and were sent before this, will do nothing."""
        _checked(await self._client.ask_all([("DEL", self._names.base(bucket) + "g") for bucket in buckets]))

    async def _labelled(self, label: bytes) -> None:
        """Those in the label's sets, one of each bucket."""
        tenant = "" if self._what.tenant is None else mark(self._what.tenant).hex()
        cursors = dict.fromkeys(self._names.buckets, 0)
        while cursors:
            sets = {bucket: self._names.label(bucket, label) for bucket in cursors}
            walks = [("ZSCAN", sets[bucket], cursor, "COUNT", AT_ONCE) for bucket, cursor in cursors.items()]
            answers = _checked(await self._client.ask_all(walks))
            for bucket, (cursor, members) in zip(list(cursors), answers, strict=True):
                found = [text for text in _texts(member for member, _ in members) if text.startswith(tenant)]
                base = self._names.base(bucket)
                await self._remove(f"{base}e:{text[-64:]}" for text in found)
                if found:
                    _checked(await self._client.ask_all([("ZREM", sets[bucket], *found)]))
                if int(cursor):
                    cursors[bucket] = int(cursor)
                else:
                    del cursors[bucket]

    async def _evicted(self) -> bool:
        """Whether Redis may have dropped sets of labels. Asked after they were read: what was not evicted by then was
        there. Where nobody may ask, it may have."""
        try:
            told = await self._client.everywhere("INFO", "stats")
        except Refused:
            return True
        return any(not isinstance(each, dict) or each.get("evicted_keys") != 0 for each in told)

    async def _remove(self, entries: Iterable[str], *, anew: bool = False, listed: bool = False) -> None:
        """Those of them that are covered; all that are of the tenant where they are `listed`."""
        by_bucket: dict[str, list[str]] = defaultdict(list)
        for name in entries:
            by_bucket[name.rpartition("e:")[0]].append(name)
        runs = [
            self._sift(base, names[start : start + AT_ONCE], anew, listed)
            for base, names in by_bucket.items()
            for start in range(0, len(names), AT_ONCE)
        ]
        answers = _checked(await self._client.ask_all(runs))
        for run, (places, count, size) in zip(runs, answers, strict=True):
            self.gone.update(self._names.key(run.keys[place]) for place in places)
            self._known(int(run.keys[0].partition("#")[2].partition("}")[0]), count, size)

    def _sift(self, base: str, names: Sequence[str], anew: bool, listed: bool) -> Run:
        what = self._what
        tenant = b"" if what.tenant is None else mark(what.tenant)
        everything = "1" if what.everything or listed else "0"
        marks = [mark(text) for text in (*what.namespaces, *what.labels)]
        return SIFT.of(names, base, VERSION, tenant, everything, "1" if anew else "0", len(what.namespaces), *marks)


def _texts(names: Iterable[bytes]) -> list[str]:
    """Those that this program may have written."""
    return [text for name in names if (text := name.decode("ascii", "replace")) and _hex(text[-64:])]


def _hex(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _checked(answers: list[Any]) -> list[Any]:
    """Raises the first refusal among them."""
    for answer in answers:
        if isinstance(answer, Refused):
            raise answer
    return answers
