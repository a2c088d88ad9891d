"""What replicas tell each other through a Redis: each invalidation reaches all, or it is known whom it did not reach.

Theory of operation. Everybody who takes part renews that every quarter of a lease, and reads one stream of
invalidations from where it stopped. Who publishes appends, and waits until everybody who takes part has confirmed, or
has not renewed for longer than a lease. Everybody, for its part, serves nothing of its own (`trusted` is False) once a
lease has passed since it was known to have heard everything: it counts from before it asked, by its own clock, and its
part lasts a quarter longer at the server. So whoever is not waited for does not serve. Nobody renews while he hears:
one that is stuck is not waited for, nor trusted, for longer than that.

Whoever finds that it missed a message (`cache.redis_stream`) hears `everything`. At the start that is so where a local
store was left behind, and it is not known, or too long ago, up to where this process had heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf

from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Sleep
from cache.invalidation import Invalidation
from cache.redis_asking import Client, Message, Refused, Unavailable
from cache.redis_leases import fresh_token
from cache.redis_members import Members
from cache.redis_names import Names
from cache.redis_place import Place
from cache.redis_stream import BEAT, BEGIN, CONFIRM, LEAVE, order
from cache.redis_telling import PAUSE, MakeRoom, Sweep, Telling
from cache.replicas import Reached

log = logging.getLogger("warmgate.cache")

Hear = Callable[[Invalidation], Awaitable[None]]

PART = 1.25
"""Leases for which the server keeps somebody's part: longer than anybody trusts himself."""

BLOCK = 5.0
"""Seconds of one wait for messages at most."""


class RedisReplicas:
    """A `cache.replicas.Replicas`. Its loops survive `Unavailable` and `Refused`, which is all that Redis does to them;
    a bug in `hear` ends them, and then this process is not trusted any more."""

    def __init__(
        self,
        client: Client,
        prefix: str,
        name: str,
        hear: Hear,
        *,
        clock: Clock,
        lease: float = 60.0,
        patience: float = 5.0,
        place: Place | None = None,
        sweep: Sweep | None = None,
        make_room: MakeRoom | None = None,
        recent: float = 30.0,
        keep: int = 10_000,
        token: Callable[[], bytes] = fresh_token,
    ) -> None:
        """`name`: for people; several processes may have the same. `clock`: monotonic. `place`: None where nothing that
        this process serves of its own outlives it. `sweep`: as `Tiers.sweep`, for what is completed later. `make_room`:
        for a Redis that is too full to take an invalidation. `recent`: seconds for which an invalidation may be on its
        way (`Options.settle`); who is new hears those of that long ago. `keep`: messages of the stream."""
        self._client, self._hear, self._clock = client, hear, clock
        self._lease, self._recent, self._keep, self._place = lease, recent, keep, place
        self._base = Names(prefix).base("r")
        self._me = f"{name}/{token().hex()}"
        self._members = Members(self._me, clock)
        self._telling = Telling(
            client,
            self._base,
            self._me,
            self._members,
            patience=patience,
            keep=keep,
            sweep=sweep,
            make_room=make_room,
        )
        self._started, self._until, self._over = clock(), -inf, False
        self._position: str | None = None
        self._chained = True
        """Whether the next message has to name `_position`: not where that is a time, and no message."""
        self._inbox = BEGIN
        self._beats: deque[tuple[float, str]] = deque(maxlen=64)
        """When one was sent, and the last message of then."""
        self._turn = asyncio.Lock()
        self._owed: set[str] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._counts = dict.fromkeys(("published", "heard", "lost"), 0)

    @property
    def trusted(self) -> bool:
        return self._clock() < self._until

    async def open(self, tasks: Tasks, sleep: Sleep) -> None:
        """Takes part and catches up; where Redis can't be reached that is tried for ever."""
        with suppress(Unavailable, Refused):
            await self._beat()
            while not self.trusted and await self._step(0.01):
                pass
        for loop in (self._listen(sleep), self._renew(sleep), self._telling.complete_for_ever(sleep)):
            task = tasks.spawn(loop, endless=True)
            task.add_done_callback(self._ended)
            self._loops.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._until, self._over = -inf, True
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("hearing of invalidations has ended; nothing of its own is served", exc_info=error)

    async def close(self) -> None:
        """Takes part no more, and is not trusted from here on."""
        for task in self._loops:
            task.cancel()
        if self._loops:
            await asyncio.wait(self._loops)
        self._until, self._over = -inf, True
        with suppress(Unavailable, Refused):
            await self._telling.run(LEAVE, self._keep)

    async def publish(self, what: Invalidation) -> Reached:
        self._counts["published"] += 1
        return await self._telling.publish(what)

    # Taking part

    async def _renew(self, sleep: Sleep) -> None:
        while True:
            pause = min(self._lease / 4, 1.0)
            with suppress(Unavailable, Refused):
                await self._telling.say_unsaid()
                await self._beat()
                pause = self._lease / 4
            await sleep(pause)

    async def _beat(self) -> None:
        sent, before = self._clock(), self._position
        answer = await self._telling.run(BEAT, int(self._lease * PART * 1000), self._keep)
        last, (rows, now, first, whole) = answer[0].decode(), answer[1:]
        self._members.told(rows)
        async with self._turn:
            if self._position is None:
                await self._begin(last, now, BEGIN if whole else first.decode())
            elif self._position == before and order(last) < order(before):
                await self._lose(last)
            if not self._telling.owes:
                self._beats.append((sent, last))
            self._trust()

    async def _begin(self, last: str, now: int, first: str) -> None:
        """Where to begin to listen. `now`: the server's time in milliseconds, as ids count it. `first`: the message
        before which others were cut off."""
        if self._place is not None:
            self._position = await asyncio.to_thread(self._place.read)
            if self._position is None or order(self._position) > order(last):
                await self._lose(last)
            return
        # Nothing is here that is older than this process. What was published before it began, but may not have reached
        # everybody yet, concerns it all the same: others may have put such an entry into the shared level.
        since = f"{max(0, now - int((self._clock() - self._started + self._recent) * 1000))}-0"
        if order(first) > order(since):
            await self._lose(last)
        elif order(since) >= order(last):
            self._position = last
        else:
            self._position, self._chained = since, False

    async def _lose(self, last: str) -> None:
        """There were messages that nobody knows any more."""
        self._counts["lost"] += 1
        self._members.begin_anew()
        self._beats.clear()
        await self._hear(Invalidation(everything=True))
        self._position, self._inbox, self._chained = last, BEGIN, True
        await self._note()

    async def _note(self) -> None:
        if self._place is not None and self._position is not None:
            await asyncio.to_thread(self._place.write, self._position)

    def _trust(self) -> None:
        position = order(self._position or BEGIN)
        while self._beats and order(self._beats[0][1]) <= position:
            sent, _ = self._beats.popleft()
            self._until = max(self._until, sent + self._lease) if not self._over else -inf

    # Hearing

    async def _listen(self, sleep: Sleep) -> None:
        while True:
            try:
                await self._step(min(BLOCK, self._lease / 4))
            except (Unavailable, Refused):
                await sleep(PAUSE)

    async def _step(self, seconds: float) -> bool:
        """Hears what there is, and confirms it; whether there was anything. Waits for it at most so long."""
        if self._position is None:
            await self._beat()
        stream, inbox = self._base + "s", f"{self._base}in:{self._me}"
        places = {stream: self._position or BEGIN, inbox: self._inbox}
        messages = await self._client.listen(places, min(seconds, PAUSE) if self._owed else seconds)
        for message in messages:
            if message.stream == inbox:
                self._inbox = message.id
                self._members.confirmed(_text(message, b"from"), _text(message, b"heard"))
        async with self._turn:
            lost = await self._take([message for message in messages if message.stream == stream])
        if self._owed:
            await self._telling.run(CONFIRM, self._position or BEGIN, *sorted(self._owed))
            self._owed.clear()
        if lost:
            await self._beat()  # Redis may not know any more that this one takes part
        return bool(messages)

    async def _take(self, messages: Sequence[Message]) -> bool:
        """Hears them, in order; whether others were lost."""
        lost = False
        for message in messages:
            if order(message.id) <= order(self._position or BEGIN):
                continue
            sender = _text(message, b"from")
            if self._chained and _text(message, b"after") != self._position:
                lost = True
                await self._lose(message.id)
            elif sender != self._me and not message.fields.keys() & {b"joined", b"left"}:
                self._counts["heard"] += 1
                await self._hear(_told(message))
            if b"left" in message.fields:
                self._members.left(sender)
            elif b"joined" in message.fields:
                self._members.joined(sender, int(self._lease * PART * 1000))
            elif sender != self._me:
                self._owed.add(sender)
            self._position, self._chained = message.id, True
        if messages:
            await self._note()
            self._trust()
        return lost

    def stats(self) -> dict[str, int]:
        """`published`, `heard`, `lost` (how often messages were), `incomplete` (not confirmed in time), `waiting` (not
        by now), `members` (this one included)."""
        telling = {"incomplete": self._telling.incomplete, "waiting": len(self._telling)}
        return {**self._counts, **telling, "members": len(self._members.others()) + 1}


def _text(message: Message, field: bytes) -> str:
    return message.fields.get(field, b"").decode("utf-8", "replace")


def _told(message: Message) -> Invalidation:
    """What it says; everything where nobody understands it."""
    try:
        return Invalidation.heard(message.fields.get(b"what", b""))
    except (ValueError, TypeError):
        return Invalidation(everything=True)
