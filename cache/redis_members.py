"""Who takes part, how long for certain, and how far each has heard, as one of them knows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.vocabulary import Clock
from cache.redis_stream import BEGIN, Id, order

BACK = 1000
"""Milliseconds by which an id may come before one that is known: those who publish are answered in any order."""

LEFT = 1000
"""Those who left, as far as that is remembered."""


class Members:
    """Somebody who is not among those that Redis tells of, because it was emptied, counts until the end that it had
    told before: it may still serve."""

    def __init__(self, me: str, clock: Clock) -> None:
        """`clock`: monotonic."""
        self._me, self._clock = me, clock
        self._until: dict[str, float] = {}
        self._heard: dict[str, Id] = {}
        self._gone: dict[str, None] = {}
        self._latest = order(BEGIN)
        self._changed = asyncio.Event()

    def others(self) -> dict[str, float]:
        """Those who may serve at the moment, and until when if they do not hear anything more, by the clock."""
        now = self._clock()
        self._until = {who: until for who, until in self._until.items() if until > now}
        return {who: until for who, until in self._until.items() if who != self._me}

    def told(self, rows: Sequence[Any], since: str = BEGIN) -> None:
        """What Redis says of its members: who, milliseconds left, the last message heard. `since`: the id of a message
        that it just took. Where that is long before others, Redis has lost those, and its clock was set back: ids come
        again, of which nobody has heard."""
        if since != BEGIN and order(since)[0] + BACK < self._latest[0]:
            self.begin_anew()
        self._latest = max(self._latest, order(since))
        now = self._clock()
        for who, left, heard in rows:
            name = who.decode("utf-8", "replace")
            self._until[name] = now + left / 1000
            self.confirmed(name, heard.decode("ascii", "replace"))
        self._heard = {who: heard for who, heard in self._heard.items() if who in self._until}

    def confirmed(self, who: str, id: str) -> None:
        self._heard[who] = max(self._heard.get(who, order(BEGIN)), order(id))
        self._stir()

    def joined(self, who: str, milliseconds: int) -> None:
        """It said so itself, with how long its part lasts."""
        self._until[who] = max(self._until.get(who, 0.0), self._clock() + milliseconds / 1000)

    def left(self, who: str) -> None:
        """It said so itself. (It has a new name if it comes back.)"""
        self._until.pop(who, None)
        self._gone[who] = None
        while len(self._gone) > LEFT:
            self._gone.pop(next(iter(self._gone)))
        self._stir()

    def begin_anew(self) -> None:
        """Redis has lost its messages."""
        self._heard.clear()
        self._latest = order(BEGIN)

    def behind(self, id: str, among: Mapping[str, float]) -> set[str]:
        """Those of them who have not heard that message, and may serve all the same. `among`: `others` as they were
        when it was said. That one has renewed its part since changes nothing: whoever does so later is not trusted
        before it has heard."""
        now, wanted = self._clock(), order(id)
        waited = {who for who, until in among.items() if until > now and who not in self._gone}
        return {who for who in waited if self._heard.get(who, order(BEGIN)) < wanted}

    async def changed(self, seconds: float) -> bool:
        """Whether anything did, within so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self._changed.wait()
        except TimeoutError:
            return False

    def _stir(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
