"""The exact cache: identical requests are answered from memory, complete answers are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from adapters.errors import UpstreamError
from adapters.sse import Frame
from adapters.vocabulary import Answer, Call, Clock, Form, Frames, Handler, Reply
from cache.entry import Entry
from cache.keeping import Keeping, Labels, Made, begun, entry_of, namespace_of, own_labels
from cache.key import key_of
from cache.labels import FILE, BadLabel, distinct
from cache.leases import Free, Leases
from cache.policy import Policy
from cache.recall import Admission, admitted, recalled, suits, too_old
from cache.refresh import Refresh
from cache.tiers import Tiers

DOWN = frozenset({500, 502, 503, 504, 529})
"""Statuses that say that a provider fails: those of RFC 5861 §4, and a provider's own word for overload."""


class Stale(NamedTuple):
    """Seconds after its end that an answer still serves: where the provider fails, and while it is asked for anew."""

    if_error: float = 0.0
    while_revalidate: float = 0.0


NEVER = Stale()


NEVER = Stale()


class Shared(NamedTuple):
    """How replicas that are asked the same at once share one upstream call."""

    leases: Leases
    wait: float = 30.0
    """Seconds, at most, that one waits for the answer of another."""


ALONE = Shared(Free())


class Exact:
    """The levels in front of `inner`. Only answers of the upstream are recorded: never a guess of another layer.

    `clock` is Unix time. `refresh` is set once there is one: it asks through this layer.
    """

    def __init__(
        self,
        inner: Handler,
        levels: Tiers,
        policy: Policy,
        admission: Admission,
        clock: Clock,
        labels: Labels = own_labels,
        stale: Stale = NEVER,
        shared: Shared = ALONE,
    ) -> None:
        self.inner, self.levels, self.policy, self.admission, self.clock = inner, levels, policy, admission, clock
        self.labels, self.stale, self.shared = labels, stale, shared
        self.refresh: Refresh | None = None

    def holds(self, call: Call) -> bool:
        """Whether an answer lies in L1, for whoever plans ahead: whether it may be served is not asked."""
        return not call.controls.no_cache and self.policy.cacheable(call) and self.levels.holds(key_of(call))

    def peek(self, call: Call) -> Reply | None:
        """The answer if it lies in L1 and may be served at once, without a task or a thread."""
        if call.controls.no_cache or not self.policy.cacheable(call):
            return None
        entry = self.levels.peek(key_of(call))
        if entry is None or not suits(entry, call, self.clock()) or not self.admission.fresh(call, entry):
            return None
        if not _under(call, entry):
            return None  # it is labelled first, which takes a moment
        if self.refresh is not None:
            self.refresh.hit(call, entry)
        return recalled(call, entry, "l1", self.clock())

    async def __call__(self, call: Call) -> Reply:
        if call.dialect is None or not self.policy.cacheable(call):
            call.trace.why = "bypass"
            return await self.inner(call)
        key = key_of(call)
        call.trace.why = "request" if call.controls.no_cache else "miss"
        found: tuple[Entry, str] | None = None
        if not call.controls.no_cache:
            found = await self.levels.get(key, stale=any(self.stale))
            if found is not None and (reply := await self._recalled(call, *found)) is not None:
                return reply
        token: bytes | None = b""
        if self.shared is not ALONE and call.controls.shareable:
            token = await self.shared.leases.acquire(key, self.shared.wait)
            if token is None and (reply := await self._of_others(call, key)) is not None:
                return reply
        return await self._led(call, key, token, found[0] if found is not None else None)

    # -- from memory ---------------------------------------------------------------------------------------------

    async def _recalled(self, call: Call, entry: Entry, level: str) -> Reply | None:
        now = self.clock()
        if not suits(entry, call, now):
            if too_old(entry, call.controls, now):
                call.trace.why = "request"
            return None
        if not entry.fresh(now):
            return await self._while_revalidating(call, entry, level)
        if not _under(call, entry):
            labelled = await self._labelled(call, entry)
            if labelled is None:
                return None
            entry = labelled
        if self.refresh is not None:
            self.refresh.hit(call, entry)
        return await self._served(call, entry, level)

    async def _while_revalidating(self, call: Call, entry: Entry, level: str) -> Reply | None:
        if (
            self.refresh is None
            or not _under(call, entry)
            or self.clock() >= entry.expires_at + self.stale.while_revalidate
        ):
            return None
        if not self.refresh.begin(call, entry, "stale"):
            return None
        return await self._served(call, entry, level, "stale-while-revalidate")

    async def _served(self, call: Call, entry: Entry, level: str, detail: str = "") -> Reply | None:
        def hit() -> Reply:
            call.trace.detail = detail
            return recalled(call, entry, level, self.clock())

        return await admitted(self.admission, call, self.admission.fresh(call, entry), hit)

    async def _labelled(self, call: Call, entry: Entry) -> Entry | None:
        """The entry under further tags, so that it goes when these are invalidated. None where they may have been since
        it was made, or where files stand behind them, of which nobody knows what they were then."""
        mark = self.levels.mark()
        try:
            further = distinct((*entry.labels, *self.labels(call)))
        except BadLabel:
            return None
        more = replace(entry, labels=further)
        behind = any(label.startswith(FILE) for label in set(further) - set(entry.labels))
        if behind or self.levels.validity.heard.perhaps(more):
            return None
        await self.levels.put(more, mark)
        return more

    # -- from the upstream ---------------------------------------------------------------------------------------

    async def _of_others(self, call: Call, key: bytes) -> Reply | None:
        """What another replica is being answered."""
        await self.shared.leases.ended(key, self.shared.wait)
        found = await self.levels.get(key)
        reply = await self._recalled(call, *found) if found is not None else None
        if reply is not None:
            call.trace.detail = "asked by another replica"
        return reply

    async def _led(self, call: Call, key: bytes, token: bytes | None, entry: Entry | None) -> Reply:
        """`token`: of the lease, to be given back when the answer is there, or will not come."""
        held = bool(token)

        async def release() -> None:
            nonlocal held
            if held and token:
                held = False
                await self.shared.leases.release(key, token)

        try:
            reply = await self._asked(call, entry)
        except BaseException:
            await release()
            raise
        if reply.form is Form.EVENTS and held:
            reply.frames = Leased(reply.frames, release)
        else:
            await release()
        return reply

    async def _asked(self, call: Call, entry: Entry | None) -> Reply:
        """`entry`: one that is stale, for the case that the provider fails."""
        made = begun(call, self.labels, self.levels.mark(), self.clock())
        try:
            reply = await self.inner(call)
        except UpstreamError:
            instead = await self._instead(call, entry)
            if instead is None:
                raise
            return instead
        if reply.status in DOWN and (instead := await self._instead(call, entry)) is not None:
            await reply.frames.aclose()
            return instead
        kept = not call.controls.no_store and not call.trace.refused_to_store
        if kept and reply.source == "upstream" and reply.answer is not None:
            await self._keep(call, reply, reply.answer, made)
        return reply

    async def _instead(self, call: Call, entry: Entry | None) -> Reply | None:
        """The stale answer where the provider fails."""
        if entry is None or not suits(entry, call, self.clock()) or not _under(call, entry):
            return None
        asked = call.controls.stale_if_error
        longest = self.stale.if_error if asked is None else min(asked, self.stale.if_error)
        if self.clock() >= entry.expires_at + longest:
            return None
        # It was found before the provider was asked, and may have been invalidated since.
        found = await self.levels.get(entry.key, stale=True)
        return None if found is None else await self._served(call, *found, "stale-if-error")

    async def _keep(self, call: Call, reply: Reply, answer: Answer, made: Made) -> None:
        if not 200 <= reply.status < 300:
            call.trace.refused_to_store = f"status {reply.status}"
        elif reply.form is Form.EVENTS:
            keep = partial(self._store, call, reply, answer, made)
            reply.frames = Keeping(reply.frames, answer.dialect, keep, partial(_spoilt, call))
        else:
            await self._store(call, reply, answer, made)

    async def _store(self, call: Call, reply: Reply, answer: Answer, made: Made) -> None:
        """Keeps a complete answer, if the policy has nothing against it; returns when it is where it has to be."""
        trace = call.trace
        objection = trace.refused_to_store or made.objection or self.policy.objection(answer)
        longest, asked = self.levels.ttl_of(namespace_of(call)), call.controls.ttl
        ttl = longest if asked is None else min(asked, longest)
        if objection or ttl <= 0:
            trace.refused_to_store = objection or "ttl 0"
            return
        trace.stored = await self.levels.put(entry_of(call, reply, answer, self.clock(), ttl, made), made.mark)

    async def renew(self, call: Call) -> float | None:
        """Asks the upstream and keeps the answer: what that cost, in US dollars, None where nobody knows. Raises
        `UpstreamError` and `Torn`."""
        call.trace.why = "request"
        reply = await self._asked(call, None)
        async with aclosing(reply.frames):
            async for _ in reply.frames:
                pass
        return call.trace.cost


def _under(call: Call, entry: Entry) -> bool:
    """Whether an entry has all the tags that a call names."""
    return not call.controls.tags or set(call.controls.tags) <= set(entry.labels)


class Leased:
    """Frames at whose end a lease is given back, whatever that end is."""

    __slots__ = ("_frames", "_release")

    def __init__(self, frames: Frames, release: Callable[[], Awaitable[None]]) -> None:
        self._frames, self._release = frames, release

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        try:
            return await self._frames.__anext__()
        except BaseException:  # the end of it as well
            await self._release()
            raise

    def ready(self) -> list[Frame]:
        return self._frames.ready()

    async def aclose(self) -> None:
        await self._frames.aclose()
        await self._release()


def _spoilt(call: Call) -> None:
    call.trace.refused_to_store = "error event"
