"""The exact cache: identical requests are answered from memory, complete answers are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from adapters.errors import Unfoldable, UpstreamError
from adapters.sse import Frame, Splitter
from adapters.vocabulary import Answer, Call, Clock, Controls, Form, Frames, Handler, Reply
from cache.entry import KEPT_HEADERS, Entry, Shape
from cache.key import key_of
from cache.levels import Levels
from cache.policy import Policy


class Admission(Protocol):
    """Whether the credential of a call is still good, which a stored answer must not take for granted."""

    def fresh(self, call: Call, entry: Entry) -> bool:
        """True where the provider accepted this credential recently enough: lately, or when it gave this answer."""

    async def refusal(self, call: Call) -> Reply | None:
        """Asks the provider. None: accepted. A reply: refused, in the provider's words. Raises `UpstreamError` where
        it could not be asked."""


async def admitted(admission: Admission, call: Call, fresh: bool, hit: Callable[[], Reply]) -> Reply | None:
    """The stored answer, or the provider's refusal of this credential; None where nobody can say now: then the request
    itself goes upstream and is told there."""
    if not fresh:
        try:
            refusal = await admission.refusal(call)
        except UpstreamError:
            call.trace.detail = "key not verified"
            return None
        if refusal is not None:
            return refusal
    return hit()


class Replay:
    """The frames of a stored stream."""

    __slots__ = ("_frames",)

    def __init__(self, body: bytes) -> None:
        splitter = Splitter()
        frames = splitter.feed(body)
        rest = splitter.rest()  # a last event that ends in a bare CR: nothing follows here that could belong to it
        self._frames = iter([*frames, Frame(rest)] if rest else frames)

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        for frame in self._frames:
            return frame
        raise StopAsyncIteration

    def ready(self) -> list[Frame]:
        return list(self._frames)

    async def aclose(self) -> None:
        self._frames = iter(())


class Exact:
    """L1 and L2 in front of `inner`. Only answers of the upstream are recorded: never a guess of another layer."""

    def __init__(self, inner: Handler, levels: Levels, policy: Policy, admission: Admission, clock: Clock) -> None:
        self.inner, self.levels, self.policy, self.admission, self.clock = inner, levels, policy, admission, clock

    def holds(self, call: Call) -> bool:
        """Whether an answer lies in L1, for whoever plans ahead: whether it may be served is not asked."""
        return not call.controls.no_cache and self.policy.cacheable(call) and self.levels.holds(key_of(call))

    def peek(self, call: Call) -> Reply | None:
        """The answer if it lies in L1 and may be served at once, without a task or a thread."""
        if call.controls.no_cache or not self.policy.cacheable(call):
            return None
        entry = self.levels.peek(key_of(call))
        if entry is None or not self._suits(entry, call) or not self.admission.fresh(call, entry):
            return None
        return self._hit(call, entry, "l1")

    async def __call__(self, call: Call) -> Reply:
        if call.dialect is None or not self.policy.cacheable(call):
            call.trace.why = "bypass"
            return await self._fetch(call)
        key = key_of(call)
        call.trace.why = "request" if call.controls.no_cache else "miss"
        found = None if call.controls.no_cache else await self.levels.get(key)
        if found is not None:
            entry, level = found
            if self._suits(entry, call):
                fresh = self.admission.fresh(call, entry)
                reply = await admitted(self.admission, call, fresh, lambda: self._hit(call, entry, level))
                if reply is not None:
                    return reply
            elif self._too_old(entry, call.controls):
                call.trace.why = "request"
        reply = await self._fetch(call)
        kept = not call.controls.no_store and not call.trace.refused_to_store
        if kept and reply.source == "upstream" and reply.answer is not None:
            await self._keep(call, reply, reply.answer)
        return reply

    async def _fetch(self, call: Call) -> Reply:
        if call.controls.only_if_cached and call.dialect is not None:
            body = call.dialect.error("not in the cache, and only-if-cached was asked", kind="cache_miss")
            return Reply.whole(504, (("Content-Type", "application/json"),), body, source="proxy")
        return await self.inner(call)

    def _suits(self, entry: Entry, call: Call) -> bool:
        fits = entry.serves(stream=call.stream, wants_usage=call.wants_usage)
        return fits and not self._too_old(entry, call.controls)

    def _too_old(self, entry: Entry, controls: Controls) -> bool:
        return controls.max_age is not None and self.clock() - entry.stored_at > controls.max_age

    def _hit(self, call: Call, entry: Entry, level: str) -> Reply:
        now, trace = self.clock(), call.trace
        trace.source, trace.why, trace.usage = level, "", entry.usage
        trace.age, trace.ttl = max(0.0, now - entry.stored_at), max(0.0, entry.expires_at - now)
        trace.cost, trace.saved = 0.0, entry.cost
        assert call.dialect is not None
        if entry.shape is Shape.FRAMES:
            return Reply(entry.status, entry.headers, level, Form.EVENTS, Replay(entry.body))
        answer = Answer(call.dialect, body=entry.body)
        return Reply.whole(entry.status, entry.headers, entry.body, source=level, answer=answer)

    async def _keep(self, call: Call, reply: Reply, answer: Answer) -> None:
        if not 200 <= reply.status < 300:
            call.trace.refused_to_store = f"status {reply.status}"
        elif reply.form is Form.EVENTS:
            reply.frames = _Keeping(reply.frames, self, call, reply, answer)
        else:
            await self.store(call, reply, answer)

    async def store(self, call: Call, reply: Reply, answer: Answer) -> None:
        """Keeps a complete answer, if the policy has nothing against it; returns when it is in every level."""
        trace = call.trace
        objection = trace.refused_to_store or self.policy.objection(answer)
        longest, asked = self.levels.ttl, call.controls.ttl
        ttl = longest if asked is None else min(asked, longest)
        if objection or ttl <= 0:
            trace.refused_to_store = objection or "ttl 0"
            return
        shape, body = _stored_form(answer, call)
        trace.finish = trace.finish or (answer.dialect.finish(answer.message()) if shape is Shape.MESSAGE else "")
        told, now = answer.usage(), self.clock()
        entry = Entry(
            key=key_of(call),
            tenant=call.tenant,
            namespace=call.controls.namespace,
            model=call.model,
            shape=shape,
            status=reply.status,
            headers=_kept(reply, shape),
            body=body,
            with_usage=call.wants_usage or (shape is Shape.MESSAGE and told is not None),
            usage=trace.usage or told,  # the meter read it in the provider's own words, which say more
            cost=trace.cost,
            stored_at=now,
            expires_at=now + ttl,
        )
        trace.stored = await self.levels.put(entry)


def _stored_form(answer: Answer, call: Call) -> tuple[Shape, bytes]:
    try:
        return Shape.MESSAGE, answer.body()
    except Unfoldable:
        # A usage event that the client did not ask for was hidden from it, if the proxy asked; so it is on a replay.
        hidden = answer.dialect.is_usage_only
        return Shape.FRAMES, b"".join([f.raw for f in answer.frames if call.wants_usage or not hidden(f)])


def _kept(reply: Reply, shape: Shape) -> tuple[tuple[str, str], ...]:
    kind = "application/json" if shape is Shape.MESSAGE else "text/event-stream"
    kept = [(k, v) for k, v in reply.headers if k.lower() in KEPT_HEADERS and k.lower() != "content-type"]
    return (("Content-Type", kind), *kept)


class _Keeping:
    """Passes frames through and stores the answer before its terminal event leaves.

    Clients stop reading there, so that whatever came after it might never run; and whoever has seen the end of an
    answer finds it in the cache.
    """

    __slots__ = ("_answer", "_call", "_exact", "_frames", "_reply")

    def __init__(self, frames: Frames, exact: Exact, call: Call, reply: Reply, answer: Answer) -> None:
        self._frames, self._exact, self._call, self._reply, self._answer = frames, exact, call, reply, answer

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        frame = await self._frames.__anext__()
        if self._answer.dialect.is_end(frame):
            await self._exact.store(self._call, self._reply, self._answer)
        elif self._answer.dialect.is_error(frame):
            self._call.trace.refused_to_store = "error event"
        return frame

    def ready(self) -> list[Frame]:
        return self._frames.ready()

    async def aclose(self) -> None:
        await self._frames.aclose()
