"""The semantic cache: an equivalent question is answered from memory, if nothing speaks against it.

Stands inside the exact cache, so that an exact hit never waits for an embedding. In `shadow` mode all is done but the
serving, beside the provider, and nobody waits for it. Whatever fails here is a miss.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from adapters.embedder import Embedder
from adapters.errors import EmbeddingError
from adapters.tasks import Tasks
from adapters.vocabulary import Answer, Call, Clock, Form, Handler, Nearness, Reply
from cache.audit import Audit, Case
from cache.decide import Decide
from cache.entry import Entry, Shape
from cache.freshness import ttl_of
from cache.guard_language import LARGEST
from cache.keeping import Keeping, Labels, Made, begun, entry_of, own_labels
from cache.key import scope_of
from cache.labels import scope_label
from cache.look import Look
from cache.near import Kept
from cache.policy import Policy, semantic_objection
from cache.recall import Admission, admitted, recalled, suits
from cache.scope import marked
from cache.semantic_parts import NOTHING, Asked, Found, Marks, Options, Store, route_of
from cache.verdict import Verdict

log = logging.getLogger("warmgate.cache")


class Semantic:
    """`wall` is Unix time, `clock` measures durations."""

    def __init__(
        self,
        inner: Handler,
        store: Store,
        embedder: Embedder,
        decide: Decide,
        audit: Audit,
        policy: Policy,
        admission: Admission,
        options: Options,
        tasks: Tasks,
        marks: Marks,
        *,
        labels: Labels = own_labels,
        wall: Clock,
        clock: Clock,
    ) -> None:
        self.marks, self.labels = marks, labels
        self.inner, self.store, self.embedder, self.decide = inner, store, embedder, decide
        self.audit, self.policy, self.admission, self.options = audit, policy, admission, options
        self._tasks, self._wall, self._clock = tasks, wall, clock

    async def __call__(self, call: Call) -> Reply:
        mode = call.route.semantic or self.options.mode
        if mode == "off" or call.dialect is None:
            return await self.inner(call)
        nearness = call.trace.nearness = Nearness(mode=mode)
        asked = self._asked(call)
        if isinstance(asked, str):
            nearness.outcome, nearness.why = "exact only", asked
            return await self.inner(call)
        found: Found | asyncio.Task[Found] = NOTHING
        if call.controls.no_cache:
            nearness.outcome, nearness.why = "exact only", "no-cache"
        elif mode == "on" and self.audit.serves(asked.route):
            found = await self._find(call, asked)
            reply = await self._served(call, asked, found)
            if reply is not None:
                return reply
        else:
            found = self._tasks.spawn(self._find(call, asked))
            nearness.why = "" if mode == "shadow" else "breaker open"
        made = begun(call, self.labels, self.marks.mark(), self._wall())
        return self._keeping(call, asked, found, await self.inner(call), made)

    async def explain(self, call: Call) -> Look:
        """What would be done with this request; nothing is."""
        mode = call.route.semantic or self.options.mode
        if mode == "off" or call.dialect is None:
            return Look()
        asked = self._asked(call)
        if isinstance(asked, str):
            return Look(mode, asked)
        within = self.store.holds(asked.scope)
        try:
            vector = (await self.embedder.embed([asked.text])).vectors[0]
        except EmbeddingError as error:
            return Look(mode, f"embedding: {error}", asked.scope.hex(), within)
        near = await self.store.near(asked.scope, vector, self.options.candidates)
        verdict = await self.decide(asked.text, near, call.controls.similarity, thorough=True)
        return Look(mode, "", asked.scope.hex(), within, verdict)

    def _asked(self, call: Call) -> Asked | str:
        """What may be looked for; or why an identical request alone has the same answer."""
        assert call.dialect is not None
        if call.controls.exact:
            return "asked for"
        if not self.policy.cacheable(call):
            return "not cacheable"
        question = call.dialect.question(call.parsed)
        if question.exact:
            return question.exact
        if len(question.text) > LARGEST:  # the guards would let nothing pass, and looking at it takes its time
            return "too long"
        if marker := marked(question, self.options.markers):
            return f"context: {marker.strip()}"
        scope = scope_of(call, question)
        if scope is None:
            return "changed in translation"
        return Asked(question.text, scope, route_of(call))

    # -- looking -------------------------------------------------------------------------------------------------

    async def _find(self, call: Call, asked: Asked) -> Found:
        """The error of a task is looked at, not caught: whatever guards, verifier or store raise is a miss."""
        began = self._clock()
        looking: asyncio.Task[Found] = self._tasks.spawn(self._look(call, asked))
        try:
            await asyncio.wait([looking])
        finally:
            looking.cancel()  # nobody else waits for it; what is embedded or decided for others goes on
        why, nearness = "closed", call.trace.nearness
        assert nearness is not None
        if not looking.cancelled():
            if (error := looking.exception()) is None:
                return looking.result()
            why = f"error: {type(error).__name__}"
            log.error("%s: an equivalent question could not be looked for", asked.route[:128], exc_info=error)
        return self._noted(call, Found(why=why, seconds=self._clock() - began, spent=nearness.spent))

    async def _look(self, call: Call, asked: Asked) -> Found:
        began, nearness = self._clock(), call.trace.nearness
        assert nearness is not None
        if not self.store.holds(asked.scope):
            await self.audit.looked(asked.route, hit=False)
            return self._noted(call, Found(verdict=Verdict(why="nothing near")))
        try:
            embedded = await self.embedder.embed([asked.text])
        except EmbeddingError as error:
            return self._noted(call, Found(why=f"embedding: {error}", seconds=self._clock() - began))
        nearness.spent = embedded.cost or 0.0  # is paid, whatever comes next
        near = await self.store.near(asked.scope, embedded.vectors[0], self.options.candidates)
        verdict = await self.decide(asked.text, near, call.controls.similarity)
        await self.audit.looked(asked.route, hit=verdict.served is not None)
        spent = nearness.spent + verdict.spent
        return self._noted(call, Found(embedded.vectors[0], verdict, "", self._clock() - began, spent))

    def _noted(self, call: Call, found: Found) -> Found:
        nearness, verdict = call.trace.nearness, found.verdict
        assert nearness is not None
        nearness.seconds, nearness.spent = found.seconds, found.spent
        if verdict is None:
            nearness.outcome, nearness.why = "failed", found.why
            return found
        nearest = verdict.nearest
        nearness.score, nearness.threshold = verdict.score, verdict.threshold
        nearness.why = verdict.why or nearness.why
        if nearest is None:
            nearness.outcome = "nothing near"
            return found
        nearness.entry, nearness.similarity = nearest.id, nearest.similarity
        nearness.outcome = "would hit" if verdict.served else "refused"
        return found

    # -- serving -------------------------------------------------------------------------------------------------

    async def _served(self, call: Call, asked: Asked, found: Found) -> Reply | None:
        near = found.verdict.served if found.verdict is not None else None
        if near is None or found.verdict is None:
            return None
        nearness = call.trace.nearness
        assert nearness is not None
        mark = self.marks.mark()
        entry = await self.store.entry(near.id)
        refused = "gone" if entry is None or not self.marks.serves(entry, mark) else ""
        if entry is not None and not refused and not suits(entry, call, self._wall()):
            refused = "of another form, or too old"
        if entry is not None and not set(call.controls.tags) <= set(entry.labels):
            refused = refused or "of other tags"  # it would outlive what this request says it depends on
        if entry is None or refused:
            nearness.outcome, nearness.why = "refused", refused
            return None
        fresh = self.admission.fresh(call, entry)
        case = Case(asked.route, asked.text, near, found.verdict.score)
        return await admitted(self.admission, call, fresh, partial(self._hit, call, entry, case))

    def _hit(self, call: Call, entry: Entry, case: Case) -> Reply:
        nearness = call.trace.nearness
        assert nearness is not None
        nearness.outcome = "hit"
        self.audit.served(case, entry, call)
        reply = recalled(call, entry, "semantic", self._wall())
        call.trace.cost = nearness.spent
        return reply

    # -- keeping -------------------------------------------------------------------------------------------------

    def _keeping(self, call: Call, asked: Asked, found: Found | asyncio.Task[Found], reply: Reply, made: Made) -> Reply:
        answer = reply.answer
        if reply.source != "upstream" or answer is None or not 200 <= reply.status < 300:
            return reply

        def begin() -> None:
            entry = self._entry(call, asked, reply, answer, made)
            self._tasks.spawn(self._after(call, asked, found, entry, answer, made.mark))

        async def complete() -> None:
            begin()

        if reply.form is Form.EVENTS:
            reply.frames = Keeping(reply.frames, answer.dialect, complete, _nothing)
        else:
            begin()
        return reply

    def _entry(self, call: Call, asked: Asked, reply: Reply, answer: Answer, made: Made) -> Entry | None:
        """What is kept of an answer; None where nothing is."""
        now, wanted = self._wall(), call.controls.ttl
        ttl = ttl_of(asked.text, now, self.options.ttl)
        ttl = ttl if wanted is None else min(ttl, wanted)
        if call.controls.no_store or ttl <= 0 or made.objection or call.trace.refused_to_store:
            return None
        if self.policy.objection(answer) or semantic_objection(answer):
            return None
        made = made._replace(labels=(*made.labels, scope_label(asked.scope)))
        entry = entry_of(call, reply, answer, now, ttl, made)
        return entry if entry.shape is Shape.MESSAGE else None

    async def _after(
        self,
        call: Call,
        asked: Asked,
        finding: Found | asyncio.Task[Found],
        entry: Entry | None,
        answer: Answer,
        mark: int,
    ) -> None:
        """Once the answer is there: judges what would have been served, and keeps what is new."""
        found = await finding if isinstance(finding, asyncio.Task) else finding
        if (case := self._case(asked, found)) is not None:
            mode = "shadow" if found.verdict is not None and found.verdict.served else "explored"
            right = await self.audit.would_hit(case, mode, answer, call)
            if right or (right is None and mode == "shadow"):
                return  # what is there answers this question as well
        if entry is None:
            return
        vector = found.vector
        if vector is None:
            try:
                vector = (await self.embedder.embed([asked.text])).vectors[0]
            except EmbeddingError:
                return
        kept = Kept(asked.scope, asked.route, asked.text, vector, entry)
        await self.store.put(kept, self.marks.valid(entry, mark))

    def _case(self, asked: Asked, found: Found) -> Case | None:
        """What there is to be judged: an entry that would have been served, or that is to be learned of."""
        verdict = found.verdict
        if verdict is None or not verdict.opinions:
            return None
        best = verdict.opinions[0]
        learning = self.decide.terms.policy == "verified" and not best.vetoes and best.score is not None
        return Case(asked.route, asked.text, best.near, best.score) if verdict.served or learning else None


def _nothing() -> None:
    return None
