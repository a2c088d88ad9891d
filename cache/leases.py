"""Who does something that several replicas are about to do: one of them, the others wait for it."""

from __future__ import annotations

from typing import Protocol


class Leases(Protocol):
    """Nothing here raises, and where nobody can be asked everybody may go ahead at once."""

    async def acquire(self, name: bytes, seconds: float) -> bytes | None:
        """A token for `release`; None where another has it. It ends by itself after so many seconds."""

    async def release(self, name: bytes, token: bytes) -> None:
        """Wakes all who wait. A lease that another has by now stays as it is."""

    async def ended(self, name: bytes, seconds: float) -> bool:
        """Waits until nobody has it any more, at most so long; whether that is so."""


class Free:
    """Of a process that has nobody beside it."""

    async def acquire(self, name: bytes, seconds: float) -> bytes | None:
        return b"-"

    async def release(self, name: bytes, token: bytes) -> None:
        return

    async def ended(self, name: bytes, seconds: float) -> bool:
        return True
