"""The exact cache for embeddings: each input of a batch is an entry of its own, and only unknown ones are asked for.

Whoever indexes documents sends the same texts in ever other batches. What is known is put between what the provider
answers, digit by digit as it once wrote it. Where its answer can't be taken apart, or speaks of another model than the
known vectors are of, the batch is asked for as a whole: nothing is ever guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from adapters.embeddings import Item, Part, items_of, model_of, narrowed, put_together, take_apart, weight
from adapters.errors import Unfoldable
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Clock, Form, Handler, Reply
from cache.bills import NOTHING, Bill, both, shared, total
from cache.entry import KEPT_HEADERS, Entry, Shape
from cache.keeping import EMBEDDINGS, Labels, Made, begun, namespace_of, own_labels
from cache.key import item_keys
from cache.recall import Admission, admitted
from cache.tiers import Tiers

PEEKED = 64
"""Items of a batch that is answered at once, on the event loop; a larger one would keep others waiting."""

UNTRUE = frozenset({"content-length", "content-md5", "content-digest", "repr-digest", "digest", "etag"})
"""Response headers that describe bytes which a merged answer does not have."""

Found = Mapping[bytes, tuple[Entry, str]]
"""Entries by key, each with the level that had it."""


class Told(NamedTuple):
    """A part of an answer, with its share of the bill."""

    part: Part
    bill: Bill


class Items:
    """Stands where `Exact` stands for answers that are one whole. `max_item`: bytes; a larger item is not kept."""

    def __init__(
        self,
        inner: Handler,
        levels: Tiers,
        admission: Admission,
        clock: Clock,
        max_item: int = 8 * 1024 * 1024,
        labels: Labels = own_labels,
    ) -> None:
        self.inner, self.levels, self.admission, self.clock, self.max_item = inner, levels, admission, clock, max_item
        self.labels = labels

    def peek(self, call: Call) -> Reply | None:
        """The answer if all of it lies in L1 and may be served at once, without a task or a thread."""
        items = None if call.controls.no_cache else _asked(call)
        if items is None or len(items) > PEEKED:
            return None
        keys = item_keys(call, "input", items)
        found: dict[bytes, tuple[Entry, str]] = {}
        for key in keys:
            entry = self.levels.peek(key)
            if entry is None:
                return None
            found[key] = entry, "l1"
        if len(self._fitting(call, found)) < len(found) or not self._fresh(call, found):
            return None
        return self._hit(call, keys, found)

    async def __call__(self, call: Call) -> Reply:
        items = _asked(call)
        if items is None:
            call.trace.why = "bypass"
            return self._only_if_cached(call) or await self.inner(call)
        keys = item_keys(call, "input", items)
        call.trace.why = "request" if call.controls.no_cache else "miss"
        known = {} if call.controls.no_cache else await self._known(call, keys)
        if len(known) == len(set(keys)):
            fresh = self._fresh(call, known)
            reply = await admitted(self.admission, call, fresh, partial(self._hit, call, keys, known))
            if reply is not None:
                return reply
            known = {}
        return self._only_if_cached(call) or await self._fetch(call, keys, items, known)

    def _only_if_cached(self, call: Call) -> Reply | None:
        if not call.controls.only_if_cached or call.dialect is None:
            return None
        body = call.dialect.error("not all in the cache, and only-if-cached was asked", kind="cache_miss")
        return Reply.whole(504, (("Content-Type", "application/json"),), body, source="proxy")

    # -- from memory ---------------------------------------------------------------------------------------------

    async def _known(self, call: Call, keys: Sequence[bytes]) -> Found:
        found = await self.levels.get_many(dict.fromkeys(keys))
        fitting = self._fitting(call, found)
        if len(fitting) < len(found) == len(set(keys)):
            call.trace.why = "request"  # all are there, but not all suit
        return fitting

    def _fitting(self, call: Call, found: Found) -> Found:
        """Those that are young enough, and of the model that the youngest of them is of."""
        oldest = None if call.controls.max_age is None else self.clock() - call.controls.max_age
        young = {
            key: (entry, level)
            for key, (entry, level) in found.items()
            if entry.shape is Shape.ITEM
            and (oldest is None or entry.stored_at >= oldest)
            and set(call.controls.tags) <= set(entry.labels)  # else it is asked for, and kept under these tags as well
        }
        if len(young) < 2:
            return young
        models = {key: model_of(entry.body) for key, (entry, _) in young.items()}
        latest = models[max(young, key=lambda key: young[key][0].stored_at)]
        return {key: each for key, each in young.items() if models[key] == latest}

    def _fresh(self, call: Call, known: Found) -> bool:
        return all(self.admission.fresh(call, entry) for entry, _ in known.values())

    def _hit(self, call: Call, keys: Sequence[bytes], known: Found) -> Reply:
        assert call.dialect is not None
        now, trace = self.clock(), call.trace
        entries = [known[key][0] for key in keys]
        bill = total([Bill(entry.usage, entry.cost) for entry in entries])
        trace.source = max(level for _, level in known.values())
        trace.age = max(0.0, now - min(entry.stored_at for entry in entries))
        trace.ttl = max(0.0, min(entry.expires_at for entry in entries) - now)
        trace.why, trace.usage, trace.cost, trace.saved = "", bill.usage, 0.0, bill.cost
        body = put_together([Part.of(entry.body) for entry in entries], _tokens(bill.usage))
        # Only lines that are true of every item: one request's id would be wrong for what others brought.
        lines = tuple([line for line in entries[0].headers if all(line in entry.headers for entry in entries)])
        return Reply.whole(200, lines, body, source=trace.source, answer=Answer(call.dialect, body=body))

    # -- from the upstream ---------------------------------------------------------------------------------------

    async def _fetch(self, call: Call, keys: Sequence[bytes], items: Sequence[Item], known: Found) -> Reply:
        """Asks for what is not known, each item once; who wants no answer from memory gets what he asks for."""
        wanted = list(zip(keys, items, strict=True))
        if not call.controls.no_cache:
            wanted = [(key, item) for key, item in dict(wanted).items() if key not in known]
        if len(wanted) == len(keys):
            return (await self._ask(call, call, wanted))[0]
        reply, told = await self._ask(call, _narrowed(call, [item for _, item in wanted]), wanted)
        if told is not None and _one_model(told, known):
            return self._merged(call, reply, keys, known, told)
        if told is None and not reply.status < 300:
            return reply
        await reply.frames.aclose()
        call.trace.detail = "asked again as a whole"
        wanted = list(zip(keys, items, strict=True))
        return (await self._ask(call, call, wanted))[0]

    async def _ask(
        self, call: Call, asked: Call, wanted: Sequence[tuple[bytes, Item]]
    ) -> tuple[Reply, dict[bytes, Told] | None]:
        """The upstream's reply, and what it told of each item, which is kept then. None where it can't be taken apart,
        for the reason that is noted on the trace."""
        made = begun(call, self.labels, self.levels.mark(), self.clock())
        reply, bill = await self._billed(asked)
        try:
            parts = _parts(reply, len(wanted))
        except Unfoldable as reason:
            call.trace.refused_to_store = str(reason)
            return reply, None
        call.trace.refused_to_store = made.objection
        bills = shared(bill, _weights(wanted))
        told = {key: Told(part, each) for (key, _), part, each in zip(wanted, parts, bills, strict=True)}
        if not call.controls.no_store:
            await self._keep(call, reply, told, made)
        return reply, told

    async def _billed(self, call: Call) -> tuple[Reply, Bill]:
        """The reply and what it cost; the trace tells what all of them cost, where there are several."""
        trace = call.trace
        before, spent = Bill(trace.usage, trace.cost), trace.costs
        trace.usage = trace.cost = trace.costs = None
        bill = NOTHING
        try:
            reply = await self.inner(call)
            bill = Bill(trace.usage, trace.cost)
        finally:
            trace.usage, trace.cost = total([each for each in (before, bill) if each.usage is not None])
            trace.costs = both(spent, trace.costs)
        return reply, bill

    def _merged(
        self, call: Call, reply: Reply, keys: Sequence[bytes], known: Found, told: Mapping[bytes, Told]
    ) -> Reply:
        assert call.dialect is not None
        have = {key: Told(Part.of(entry.body), Bill(entry.usage, entry.cost)) for key, (entry, _) in known.items()}
        have.update(told)
        unpaid: list[Bill] = []
        seen = set(known)
        for key in keys:
            if key in seen:
                unpaid.append(have[key].bill)
            seen.add(key)
        recalled = sum(key in known for key in keys)
        repeated = f"{len(unpaid)} of {len(keys)} items repeated"
        call.trace.detail = f"{recalled} of {len(keys)} items from memory" if recalled else repeated
        call.trace.saved = total(unpaid).cost
        parts = [have[key].part for key in keys]
        parts[0] = parts[0]._replace(envelope=next(iter(told.values())).part.envelope)  # the one that came now
        body = put_together(parts, _tokens(total([have[key].bill for key in keys]).usage))
        lines = tuple([line for line in reply.headers if line[0].lower() not in UNTRUE])
        return Reply.whole(reply.status, lines, body, source=reply.source, answer=Answer(call.dialect, body=body))

    async def _keep(self, call: Call, reply: Reply, told: Mapping[bytes, Told], made: Made) -> None:
        namespace = namespace_of(call, EMBEDDINGS)
        trace, longest, asked = call.trace, self.levels.ttl_of(namespace), call.controls.ttl
        ttl = longest if asked is None else min(asked, longest)
        if trace.refused_to_store or ttl <= 0:
            trace.refused_to_store = trace.refused_to_store or "ttl 0"
            return
        now, kept = self.clock(), [line for line in reply.headers if line[0].lower() in KEPT_HEADERS - {"content-type"}]
        entries = [
            Entry(
                key=key,
                tenant=call.tenant,
                namespace=namespace,
                model=call.model,
                shape=Shape.ITEM,
                status=200,
                headers=(("Content-Type", "application/json"), *kept),
                body=each.part.kept(),
                with_usage=each.bill.usage is not None,
                usage=each.bill.usage,
                cost=each.bill.cost,
                stored_at=now,
                expires_at=now + ttl,
                labels=made.labels,
                took=max(0.0, now - made.began),
            )
            for key, each in told.items()
        ]
        small = [entry for entry in entries if len(entry.body) <= self.max_item]
        if len(small) < len(entries):
            trace.refused_to_store = f"an item larger than {self.max_item} bytes"
        trace.stored = any(await self.levels.put_many(small, made.mark)) or trace.stored


def _asked(call: Call) -> list[Item] | None:
    """The items that this call asks for; None where what goes upstream would not ask for the same ones."""
    if call.dialect is None or not isinstance(call.body, bytes):
        return None
    items = items_of(call.parsed)
    return items if call.sent is None or items_of(call.sent.parsed) == items else None


def _narrowed(call: Call, items: list[Item]) -> Call:
    """The same request for these items only; nothing else of its body is touched."""
    assert isinstance(call.body, bytes)
    body, sent = narrowed(call.body, items), call.sent
    call.trace.modified_bytes += abs(len(call.body) - len(body))
    if sent is not None:
        sent = sent._replace(body=narrowed(sent.body, items), parsed={**sent.parsed, "input": items})
    return replace(call, body=body, parsed={**call.parsed, "input": items}, sent=sent, key=b"", digests={})


def _parts(reply: Reply, count: int) -> list[Part]:
    """What a reply says of each of `count` items; raises `Unfoldable`, with the reason, where it does not."""
    if not 200 <= reply.status < 300:
        raise Unfoldable(f"status {reply.status}")
    if reply.source != "upstream" or reply.form is not Form.WHOLE or reply.body is None or reply.answer is None:
        raise Unfoldable("no JSON object")
    if objection := reply.answer.dialect.objection(reply.answer.message()):
        raise Unfoldable(objection)
    parts = take_apart(reply.body)
    if len(parts) != count:
        raise Unfoldable(f"{len(parts)} embeddings for {count} items")
    return parts


def _weights(wanted: Sequence[tuple[bytes, Item]]) -> list[int]:
    # One item takes the whole bill, whatever it weighs: that is not worth an estimate.
    return [weight(item) for _, item in wanted] if len(wanted) > 1 else [1]


def _one_model(told: Mapping[bytes, Told], known: Found) -> bool:
    now = model_of(next(iter(told.values())).part.kept())
    return all(model_of(entry.body) == now for entry, _ in known.values())


def _tokens(usage: Usage | None) -> int | None:
    return None if usage is None else usage.prompt
