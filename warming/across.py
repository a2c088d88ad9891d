"""Which replica warms a prefix: requests that share one, and meet different replicas, pay for it once all the same.

Whoever is about to lead takes a lease on places of its prompt, the deepest first, and gives them back when the prefix
can be read. Whoever finds one taken waits for it, as it would for a leader of its own, and then sends. A replica knows
of the prompts of others nothing but these digests.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.tasks import Tasks
from cache.leases import Leases
from warming.plan import Flight, Plan

PLACES = 3
"""At either end of what others may wait for, in points of the prompt: siblings part near its end, agents after their
system prompt. Each takes an exchange with Redis, before a request that costs hundreds of milliseconds at least."""

NAME = b"warm:"


class Across:
    def __init__(self, leases: Leases, tasks: Tasks) -> None:
        self._leases, self._tasks = leases, tasks
        self._held: dict[Flight, list[tuple[bytes, bytes]]] = {}

    async def lead(self, plan: Plan, patience: float) -> bool:
        """Takes the leases of a plan that leads, for `patience` seconds at most; True where another replica had one,
        and was waited for."""
        if plan.flight is None or patience <= 0:
            return False
        held = self._held.setdefault(plan.flight, [])
        for digest in places(plan.flight.digests):
            name = NAME + digest
            token = await self._leases.acquire(name, patience)
            if token is None:
                await self._leases.ended(name, patience)
                return True
            held.append((name, token))
        return False

    def over(self, flight: Flight) -> None:
        """The prefix can be read, or will not be."""
        held = self._held.pop(flight, [])
        if held:
            self._tasks.spawn(self._release(held))

    async def _release(self, held: Sequence[tuple[bytes, bytes]]) -> None:
        for name, token in held:
            await self._leases.release(name, token)


def places(digests: Sequence[bytes]) -> list[bytes]:
    """Those that are asked for, the deepest first."""
    ends = digests if len(digests) <= 2 * PLACES else (*digests[:PLACES], *digests[-PLACES:])
    return list(reversed(ends))
