"""The exact cache: identical requests are answered from memory, complete answers are kept."""

from __future__ import annotations

from functools import partial

from adapters.vocabulary import Answer, Call, Clock, Form, Handler, Reply
from cache.keeping import Keeping, entry_of
from cache.key import key_of
from cache.policy import Policy
from cache.recall import Admission, admitted, recalled, suits, too_old
from cache.tiers import Tiers


class Exact:
    """L1 and L2 in front of `inner`. Only answers of the upstream are recorded: never a guess of another layer."""

    def __init__(self, inner: Handler, levels: Tiers, policy: Policy, admission: Admission, clock: Clock) -> None:
        self.inner, self.levels, self.policy, self.admission, self.clock = inner, levels, policy, admission, clock

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
        return recalled(call, entry, "l1", self.clock())

    async def __call__(self, call: Call) -> Reply:
        if call.dialect is None or not self.policy.cacheable(call):
            call.trace.why = "bypass"
            return await self.inner(call)
        key = key_of(call)
        call.trace.why = "request" if call.controls.no_cache else "miss"
        found = None if call.controls.no_cache else await self.levels.get(key)
        if found is not None:
            entry, level = found
            if suits(entry, call, self.clock()):
                fresh = self.admission.fresh(call, entry)
                reply = await admitted(self.admission, call, fresh, partial(recalled, call, entry, level, self.clock()))
                if reply is not None:
                    return reply
            elif too_old(entry, call.controls, self.clock()):
                call.trace.why = "request"
        reply = await self.inner(call)
        kept = not call.controls.no_store and not call.trace.refused_to_store
        if kept and reply.source == "upstream" and reply.answer is not None:
            await self._keep(call, reply, reply.answer)
        return reply

    async def _keep(self, call: Call, reply: Reply, answer: Answer) -> None:
        if not 200 <= reply.status < 300:
            call.trace.refused_to_store = f"status {reply.status}"
        elif reply.form is Form.EVENTS:
            keep = partial(self.store, call, reply, answer)
            reply.frames = Keeping(reply.frames, answer.dialect, keep, partial(_spoilt, call))
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
        trace.stored = await self.levels.put(entry_of(call, reply, answer, self.clock(), ttl))


def _spoilt(call: Call) -> None:
    call.trace.refused_to_store = "error event"
