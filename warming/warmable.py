"""The cache that is warmed, as its warmers see it, and the two that there are: levels of answers, and an application's.

This is the warming of *answers*; `warming.calls` and `warming.warm` warm the prompt caches of providers.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, runtime_checkable

from cache.entry import Entry
from cache.tiers import Tiers
from cache.value_key import value_key
from warming.access_rows import Ident, Key


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

    async def keep(self, ident: Ident, value: Any, ttl: float | None, since: int) -> bool:
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

    async def keep(self, ident: Ident, value: Any, ttl: float | None, since: int) -> bool:
        if not isinstance(value, Entry):
            raise TypeError(f"an entry is kept here, and no {type(value).__name__}")
        if value.key != ident.key or (ident.user and value.tenant != ident.user):
            raise ValueError("the entry is another one than was asked for")
        return await self._tiers.put(value, since)


class Levels(Protocol):
    """`cache.levels.MultiLevelCache`, as far as it is used."""

    @property
    def tiers(self) -> Tiers: ...

    def set(
        self, key: str, value: Any, namespace: str = ..., ttl: float | None = ..., *, tenant: str = ...
    ) -> Awaitable[Any]: ...


class OfLevels:
    """An application's own cache: names are texts, values are its own, and what one user asks for serves all."""

    apart = False

    def __init__(self, levels: Levels, tenant: str = "local") -> None:
        self._levels, self._tenant = levels, tenant

    def mark(self) -> int:
        return self._levels.tiers.mark()

    def key(self, ident: Ident) -> bytes:
        return value_key(self._tenant, ident.namespace, _name(ident))

    def held(self, ident: Ident) -> bool:
        return self._levels.tiers.holds(self.key(ident))

    async def promote(self, ident: Ident) -> bool:
        return await self._levels.tiers.promote(self.key(ident))

    async def fresh(self, ident: Ident) -> bool:
        return await self._levels.tiers.look(self.key(ident)) is not None

    async def keep(self, ident: Ident, value: Any, ttl: float | None, since: int) -> bool:
        if self.mark() != since:  # something was invalidated meanwhile, be it this or not
            return False
        return bool(await self._levels.set(_name(ident), value, ident.namespace, ttl, tenant=self._tenant))


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
