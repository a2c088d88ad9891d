"""The cache that is warmed, as its warmers see it, and the two that there are: levels of answers, and an application's.

This is the warming of *answers*; `warming.calls` and `warming.warm` warm the prompt caches of providers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from adapters.vocabulary import Clock
from cache.entry import Entry
from cache.tiers import Tiers
from cache.value_key import value_key
from warming.access_rows import Ident, Key


class Loaded(NamedTuple):
    """What a loader may return in place of a value, to say more of it."""

    value: Any
    """None: there is nothing to keep."""
    dollars: float | None = None
    """That it cost; None: nobody knows, the estimate counts."""
    ttl: float | None = None
    """Seconds."""
    tags: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    """As an application's cache takes them; an entry has its own. What has none any more is not found by its tags."""
    kept: bool = False
    """The loader itself has kept it."""


@runtime_checkable
class Warmable(Protocol):
    """Nothing here raises what a level does; what is not there is False."""

    apart: bool
    """Whether the key of one user never names what another has. Then nothing is ever warmed for all of them."""

    def mark(self) -> int:
        """Noted before the making of a value begins, so that one that is invalidated meanwhile is not kept."""

    def key(self, ident: Ident) -> Key:
        """By which the cache tells what it removed."""

    def held(self, ident: Ident) -> bool:
        """Whether it lies in the first level, fresh. A few microseconds; counts as no access."""

    async def promote(self, ident: Ident) -> bool:
        """Into the first level, from one below that has it fresh; counts as no access."""

    async def fresh(self, ident: Ident) -> bool:
        """Whether any level has it, fresh."""

    async def keep(self, ident: Ident, loaded: Loaded, since: int) -> bool:
        """False where it is not kept, also because it was invalidated since. Raises TypeError or ValueError for a value
        of a kind that is not kept here."""


class OfTiers:
    """The levels of the proxy: keys are of 32 bytes and belong to one tenant, values are entries."""

    apart = True

    def __init__(self, tiers: Tiers) -> None:
        self._tiers = tiers

    def mark(self) -> int:
        return self._tiers.mark()

    def key(self, ident: Ident) -> Key:
        return ident.key

    def held(self, ident: Ident) -> bool:
        return isinstance(ident.key, bytes) and self._tiers.holds(ident.key)

    async def promote(self, ident: Ident) -> bool:
        return isinstance(ident.key, bytes) and await self._tiers.promote(ident.key)

    async def fresh(self, ident: Ident) -> bool:
        return isinstance(ident.key, bytes) and await self._tiers.look(ident.key) is not None

    async def keep(self, ident: Ident, loaded: Loaded, since: int) -> bool:
        value = loaded.value
        if not isinstance(value, Entry):
            raise TypeError(f"an entry is kept here, and no {type(value).__name__}")
        if value.key != ident.key or (ident.user and value.tenant != ident.user):
            raise ValueError("the entry is another one than was asked for")
        return await self._tiers.put(value, since)


class Levels(Protocol):
    """`cache.levels.MultiLevelCache`, as far as it is used."""

    @property
    def tiers(self) -> Tiers: ...

    @property
    def tenant(self) -> str: ...

    def set(
        self,
        key: str,
        value: Any,
        namespace: str = ...,
        ttl: float | None = ...,
        tags: Iterable[str] = ...,
        depends: Iterable[str] = ...,
        *,
        since: int | None = ...,
    ) -> Awaitable[bool]: ...


class OfLevels:
    """An application's own cache: keys are texts, values are its own, and what one user asks for serves all."""

    apart = False

    def __init__(self, levels: Levels) -> None:
        self._levels = levels

    def mark(self) -> int:
        return self._levels.tiers.mark()

    def key(self, ident: Ident) -> bytes:
        return value_key(self._levels.tenant, ident.namespace, _name(ident))

    def held(self, ident: Ident) -> bool:
        return self._levels.tiers.holds(self.key(ident))

    async def promote(self, ident: Ident) -> bool:
        return await self._levels.tiers.promote(self.key(ident))

    async def fresh(self, ident: Ident) -> bool:
        return await self._levels.tiers.look(self.key(ident)) is not None

    async def keep(self, ident: Ident, loaded: Loaded, since: int) -> bool:
        value, _, ttl, tags, depends, _ = loaded
        return await self._levels.set(_name(ident), value, ident.namespace, ttl, tags, depends, since=since)


def _name(ident: Ident) -> str:
    return ident.key if isinstance(ident.key, str) else ident.key.hex()


def warmable(cache: Warmable | Tiers | Levels) -> Warmable:
    """The cache as warmers see it. Raises TypeError."""
    if isinstance(cache, Warmable):
        return cache
    if isinstance(cache, Tiers):
        return OfTiers(cache)
    if isinstance(getattr(cache, "tiers", None), Tiers):
        return OfLevels(cache)
    raise TypeError(f"{type(cache).__name__} is no cache that can be warmed")


def clock_of(cache: object, clock: Clock | None) -> Clock:
    """The one that is given, or else the cache's own. Raises ValueError where it has none."""
    own = clock if clock is not None else getattr(cache, "clock", None)
    if not callable(own):
        raise ValueError(f"{type(cache).__name__} has no clock: give one")
    return own
