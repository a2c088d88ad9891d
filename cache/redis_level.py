"""L3: answers in a Redis or Valkey that replicas share. What it does not answer in time is a miss."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from adapters.vocabulary import Clock
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.level import Eviction, Share, Valid, always
from cache.redis_asking import Client, Command, Overtaken, Part, Refused, Run, Unavailable
from cache.redis_entry import VERSION, Damaged, Foreign, decode, encode, mark
from cache.redis_index import PUT, READ
from cache.redis_names import BUCKETS, Names
from cache.redis_sweep import Sweep

LARGEST = 16 * 1024 * 1024
"""Bytes of an entry's body; longer ones are not sent, because everybody waits while the server swallows one."""

LONG = 64 * 1024
"""Bytes from which on compressing happens in a thread: it takes more than a millisecond."""

TRIES = 3
"""Of a put that others' invalidations overtake."""


class RedisLevel:
    """A `cache.level.Level`. Each entry is one string, ended by the server; the parts of its name are in
    `cache.redis_names`, what stands beside it in `cache.redis_index`.

    Budgets (`max_size`, `max_bytes`, those of shares) are kept by an index at the server, of which all replicas need
    the same settings; where there is none, the server's own `maxmemory` decides who goes. In a cluster each bucket
    keeps its part of them. `entries` and `bytes` in `stats` are what this process last heard of the index: 0 without.
    """

    name = "l3"

    def __init__(
        self,
        client: Client,
        prefix: str,
        ttl: float,
        clock: Clock,
        *,
        max_size: int | None = None,
        max_bytes: int | None = None,
        eviction: Eviction = "lru",
        shares: Mapping[str, Share] | None = None,
        grace: float = 0.0,
        compress_over: int = 32 * 1024,
        largest: int = LARGEST,
        buckets: int | None = None,
    ) -> None:
        """`clock`: a wall clock. `compress_over`: bytes. Raises `ValueError` for a prefix that can't be one."""
        self.ttl = ttl
        self._client, self._clock, self._grace = client, clock, grace
        self._names = Names(prefix, buckets or (BUCKETS if client.cluster else 1))
        self._max_size, self._max_bytes, self._shares = max_size, max_bytes, dict(shares or {})
        budgets = [max_size, max_bytes, *[part for each in self._shares.values() for part in each[:2]]]
        self._eviction = eviction if any(budget is not None for budget in budgets) else ""
        self._compress_over, self._largest = compress_over, largest
        self._generations: dict[int, bytes] = {}
        self._known: dict[int, tuple[int, int]] = {}
        names = ("hits", "misses", "evictions", "expirations", "refused", "overtaken", "foreign", "damaged")
        self._counts = dict.fromkeys(names, 0)

    async def open(self) -> None:
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    def might_have(self, key: bytes) -> bool:
        """Whether Redis is asked at all at the moment."""
        return self._client.up

    async def get(self, key: bytes) -> Entry | None:
        command: Command = ("GET", self._names.entry(key))
        if self._eviction in ("lru", "lfu"):
            command = self._read(key)
        return self._counted(await self._found(key, command))

    async def look(self, key: bytes) -> Entry | None:
        return await self._found(key, ("GET", self._names.entry(key)))

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, Entry]:
        """Those that there are, as `get` finds them, all in one round trip."""
        asked = list(dict.fromkeys(keys))
        marks_reads = self._eviction in ("lru", "lfu")
        commands = [self._read(key) if marks_reads else ("GET", self._names.entry(key)) for key in asked]
        try:
            values = await self._client.ask_all(commands)
        except Unavailable:
            values = [None] * len(asked)
        found = [self._counted(await self._read_from(key, value)) for key, value in zip(asked, values, strict=True)]
        return {entry.key: entry for entry in found if entry is not None}

    def _read(self, key: bytes) -> Run:
        return READ.of([self._names.entry(key)], self._base(key), key.hex(), self._eviction)

    async def _found(self, key: bytes, command: Command) -> Entry | None:
        try:
            value = await self._client.ask(command)
        except (Unavailable, Refused):
            return None
        return await self._read_from(key, value)

    async def _read_from(self, key: bytes, value: object) -> Entry | None:
        if not isinstance(value, bytes):
            return None
        try:
            if len(value) > LONG:
                kept = await asyncio.to_thread(decode, key, value, 2 * self._largest)
            else:
                kept = decode(key, value, 2 * self._largest)
        except Foreign:
            self._counts["foreign"] += 1
            return None
        except Damaged:
            self._counts["damaged"] += 1
            return None
        return kept.entry if self._clock() < kept.until else None

    def _counted(self, entry: Entry | None) -> Entry | None:
        self._counts["misses" if entry is None else "hits"] += 1
        return entry

    async def put(self, entry: Entry, valid: Valid = always, *, only_new: bool = False) -> bool:
        if not self._client.up:
            return False
        value = await self._told(entry)
        if value is None:
            self._counts["refused"] += 1
            if not only_new:
                await self.delete(entry.key)
            return False
        bucket = self._names.bucket(entry.key)
        for _ in range(TRIES):
            run = self._put(entry, value, self._generations.get(bucket, b""), only_new)
            try:
                answer = await self._client.ask(run, valid)
            except (Unavailable, Refused):
                return False
            except Overtaken:
                break
            if answer[0] != b"generation":
                self._counts["evictions"] += answer[2]
                self._counts["expirations"] += answer[3]
                self._known[bucket] = answer[4], answer[5]
                return True
            self._generations[bucket] = answer[1]
        self._counts["overtaken"] += 1
        return False

    async def _told(self, entry: Entry) -> tuple[bytes, int] | None:
        """The entry as bytes and milliseconds to keep it; None where it is not kept at all."""
        now = self._clock()
        until = min(now + self._ttl_of(entry.namespace), entry.expires_at) + self._grace
        if until <= now or len(entry.body) > self._largest or not self._fits(entry):
            return None
        try:
            if len(entry.body) > max(LONG, self._compress_over):
                value = await asyncio.to_thread(encode, entry, until, self._compress_over)
            else:
                value = encode(entry, until, self._compress_over)
            return value, max(1, int((until - now) * 1000))
        except (ValueError, OverflowError):
            return None

    def _ttl_of(self, namespace: str) -> float:
        share = self._shares.get(namespace)
        return self.ttl if share is None or share.ttl is None else share.ttl

    def _fits(self, entry: Entry) -> bool:
        share = self._shares.get(entry.namespace, Share())
        sizes = [self._part(most) for most in (self._max_bytes, share.max_bytes) if most is not None]
        counts = [most for most in (self._max_size, share.max_size) if most is not None]
        return all(count > 0 for count in counts) and all(entry.size <= size for size in sizes)

    def _part(self, budget: int | None) -> int:
        """What each bucket keeps of it; -1: there is none."""
        return -1 if budget is None else -(-budget // len(self._names.buckets))

    def _put(self, entry: Entry, value: tuple[bytes, int], generation: bytes, only_new: bool) -> Run:
        bytes_of, span = value
        share = self._shares.get(entry.namespace, Share())
        budgeted = share.max_size is not None or share.max_bytes is not None
        horizon = int((max(self.ttl, self._ttl_of(entry.namespace)) + self._grace) * 1000) + 60_000
        values: list[Part] = [self._base(entry.key), entry.key.hex(), generation, bytes_of, span]
        values += [int(only_new), VERSION, mark(entry.tenant).hex() + entry.key.hex(), max(horizon, span)]
        values += [self._eviction, entry.size, self._part(self._max_size), self._part(self._max_bytes)]
        values += [mark(entry.namespace).hex() if budgeted else ""]
        values += [self._part(share.max_size), self._part(share.max_bytes)]
        return PUT.of([self._names.entry(entry.key)], *values, *[mark(label).hex() for label in entry.labels])

    def _base(self, key: bytes) -> str:
        return self._names.base(self._names.bucket(key))

    async def delete(self, key: bytes) -> bool:
        return key in (await self.invalidate(Invalidation(keys=(key,))) or ())

    async def invalidate(self, what: Invalidation) -> set[bytes] | None:
        sweep = Sweep(self._client, self._names, what, self._heard)
        try:
            await sweep.run()
        except (Unavailable, Refused):
            return None
        return sweep.gone

    async def clear(self) -> int | None:
        """How many there were; None where it could not be done."""
        gone = await self.invalidate(Invalidation(everything=True))
        return None if gone is None else len(gone)

    async def make_room(self) -> None:
        """Removes some entries, any: for a server that is full, and has to take something more important."""
        sweep = Sweep(self._client, self._names, Invalidation(everything=True), self._heard)
        try:
            await sweep.some()
        except (Unavailable, Refused):
            return
        self._counts["evictions"] += len(sweep.gone)

    def _heard(self, bucket: int, entries: int, size: int) -> None:
        self._known[bucket] = entries, size

    def stats(self) -> dict[str, int]:
        entries, size = (sum(each) for each in zip(*self._known.values(), strict=True)) if self._known else (0, 0)
        return {"entries": entries, "bytes": size, **self._counts, **self._client.stats()}
