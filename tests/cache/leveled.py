"""Levels with scripted ones below memory, for the tests of what holds them together."""

from __future__ import annotations

from typing import Any

from adapters.tasks import Tasks
from cache.invalidation import Alone
from cache.level import Share
from cache.memory import Memory
from cache.tiers import Options, Tiers
from tests.cache.contract import Clock
from tests.cache.scripted_level import Gate, ScriptedLevel, Shelf
from tests.cache.scripted_replicas import Member


class Leveled:
    """`l1`, `l2`, `l3`: entries that each takes; 0: there is none. What moves in the background does so in `settle`."""

    def __init__(
        self,
        l1: int = 10,
        l2: int = 100,
        l3: int = 0,
        *,
        clock: Clock | None = None,
        log: Alone | None = None,
        replicas: Member | None = None,
        shelf: Shelf | None = None,
        shared: Shelf | None = None,
        grace: float = 0.0,
        shares: dict[str, Share] | None = None,
        **options: Any,
    ) -> None:
        self.clock = clock = clock or Clock()
        self.gate2, self.gate3 = Gate(), Gate()
        self.memory = Memory(l1, 1 << 20, 10, clock, grace=grace, shares=shares)
        self.l2 = ScriptedLevel("l2", 100, clock, max_size=l2, shelf=shelf, turn=self.gate2, grace=grace)
        self.l3 = ScriptedLevel("l3", 1000, clock, max_size=l3, shelf=shared, turn=self.gate3, grace=grace, remote=True)
        self.tasks = Tasks()
        self.tiers = Tiers(
            self.memory if l1 else None,
            self.l2 if l2 else None,
            self.l3 if l3 else None,
            Options(grace=grace, **options),
            clock=clock,
            log=log,
            replicas=replicas,
            tasks=self.tasks,
        )

    async def settle(self) -> None:
        await self.tasks.drain(5)

    def where(self, key: bytes) -> str:
        """The levels that have it, as `l1 l3`; what is on its way counts for none."""
        has = {"l1": self.memory.holds(key), "l2": self.l2.might_have(key), "l3": self.l3.might_have(key)}
        return " ".join(name for name, there in has.items() if there)
