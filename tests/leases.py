"""Leases of replicas that are in one process, in virtual time."""

from __future__ import annotations

import asyncio

from tests.fakes import Time


class Table:
    """`cache.leases.Leases` as a dictionary. `seen`: the names that were asked for."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.held: dict[bytes, tuple[bytes, float]] = {}
        self.seen: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []

    async def acquire(self, name: bytes, seconds: float) -> bytes | None:
        self.seen.append(name)
        await asyncio.sleep(0)
        if name in self.held and self._time.now < self.held[name][1]:
            return None
        token = str(len(self.seen)).encode()
        self.held[name] = token, self._time.now + seconds
        return token

    async def release(self, name: bytes, token: bytes) -> None:
        await asyncio.sleep(0)
        if self.held.get(name, (b"", 0.0))[0] == token:
            del self.held[name]
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def ended(self, name: bytes, seconds: float) -> bool:
        until = self._time.now + seconds
        while name in self.held and self._time.now < min(self.held[name][1], until):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            alarm = asyncio.ensure_future(self._time.sleep(max(0.0, min(self.held[name][1], until) - self._time.now)))
            await asyncio.wait([future, alarm], return_when=asyncio.FIRST_COMPLETED)
            alarm.cancel()
        return name not in self.held
