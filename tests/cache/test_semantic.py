"""The semantic layer between a scripted provider and a real store: what it answers, what it keeps, what it refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from adapters.embedder import Embedded
from adapters.embedding_batches import Batches, Limits
from adapters.question import PLACEHOLDER
from adapters.tasks import Tasks
from adapters.vocabulary import Call, Controls, Handler, Reply, Route
from cache.audit import Audit
from cache.breaker import Breaker
from cache.budget import Budget
from cache.decide import Decide, Terms
from cache.guard_language import LARGEST
from cache.if_cached import IfCached
from cache.invalidation import Invalidation
from cache.judging import Judge
from cache.key import scope_of
from cache.labels import scope_label
from cache.policy import Policy
from cache.semantic import Semantic
from cache.semantic_parts import Options
from cache.semantic_store import SemanticStore
from cache.tiers import Tiers
from cache.verifier import Verifier
from tests.cache.scripted import Admission, Script, call_of
from tests.cache.worded import DIMENSION, Worded
from tests.fakes import Clock, completion, until

VERIFIER = Verifier("worded", -9.0, (8.0, -1.0, 0.1, 4.0, 1.0), ((0.005, 0.9),))
TERMS = Terms("calibrated", 0.5, 0.9, 0.005)
QUESTION = "Which rivers cross the Nevada desert?"
SAME = "What rivers cross the Nevada desert?"
OTHER = "How many rivers cross the Nevada desert?"


@dataclass
class Scene:
    layer: Semantic
    script: Script
    embedder: Worded
    store: SemanticStore
    admission: Admission
    tasks: Tasks
    clock: Clock

    async def ask(self, question: str = QUESTION, **changes: Any) -> tuple[Call, Reply, bytes]:
        """A call, its reply and body, when all that was left to do is done."""
        body = {"messages": [{"role": "user", "content": question}]} | changes.pop("body", {})
        call = call_of(body=body, **changes)
        reply = await self.layer(call)
        raw = b"".join([frame.raw async for frame in reply.frames])
        await self.tasks.drain(5)
        return call, reply, raw

    async def hits(self, question: str, **changes: Any) -> bool:
        return (await self.ask(question, **changes))[1].source == "semantic"

    @property
    def kept(self) -> int:
        return self.store.stats()["entries"]


OPEN: list[SemanticStore] = []


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    while OPEN:
        await OPEN.pop().close()


async def scene(
    mode: str = "on", *, terms: Terms = TERMS, around: Any = None, share: float = 0.0, **options: Any
) -> Scene:
    clock, script, embedder, admission, tasks = Clock(), Script(), Worded(), Admission(), Tasks()
    store = SemanticStore(None, embedder.identity, DIMENSION, max_size=100, max_bytes=1 << 20, clock=clock)
    await store.open()
    OPEN.append(store)
    inner: Handler = around(script) if around else script
    decide = Decide(VERIFIER, embedder, terms, lambda: 0.5)
    audit = Audit(
        inner,
        store,
        Judge(),
        Breaker(0.01),
        Budget(1.0, clock),
        tasks,
        share=share,
        chance=lambda: 0.5,
        wall=clock,
    )
    layer = Semantic(
        inner,
        store,
        embedder,
        decide,
        audit,
        Policy(),
        admission,
        Options(mode, **options),
        tasks,
        Tiers(None, None).validity,
        wall=clock,
        clock=clock,
    )
    return Scene(layer, script, embedder, store, admission, tasks, clock)


# ---------------------------------------------------------------- answering


async def test_an_equivalent_question_is_answered_from_memory() -> None:
    at = await scene()
    first, reply, body = await at.ask()
    assert (reply.source, first.trace.nearness and first.trace.nearness.outcome) == ("upstream", "nothing near")
    call, reply, again = await at.ask(SAME)
    assert (reply.source, again, len(at.script.calls)) == ("semantic", body, 1)
    nearness = call.trace.nearness
    assert nearness is not None
    assert (nearness.mode, nearness.outcome, nearness.why) == ("on", "hit", "")
    assert nearness.entry
    assert nearness.similarity is not None
    assert nearness.similarity < 1
    assert (call.trace.source, call.trace.cost) == ("semantic", 0.0)


async def test_what_is_kept_is_known_by_its_tags_and_its_scope() -> None:
    at = await scene()
    call, _, _ = await at.ask(controls=Controls(tags=("doc:1",)))
    scope = scope_of(call)
    assert scope is not None
    for what in (Invalidation("t", labels=("doc:1",)), Invalidation("t", labels=(scope_label(scope),))):
        assert at.store.holds(scope) == 1
        assert await at.store.invalidate(what) == 1
        assert (await at.ask(SAME))[1].source == "upstream"
        await at.store.invalidate(Invalidation(everything=True))
        await at.ask(controls=Controls(tags=("doc:1",)))


async def test_an_answer_under_other_tags_is_not_served() -> None:
    at = await scene()
    await at.ask(controls=Controls(tags=("doc:1",)))
    assert (await at.ask(SAME, controls=Controls(tags=("doc:1",))))[1].source == "semantic"
    call, reply, _ = await at.ask(SAME, controls=Controls(tags=("doc:2",)))
    assert reply.source == "upstream"
    assert call.trace.nearness is not None
    assert call.trace.nearness.why == "of other tags"


async def test_what_a_guard_vetoes_is_asked_and_kept_beside() -> None:
    at = await scene()
    await at.ask()
    call, reply, _ = await at.ask(OTHER)
    assert reply.source == "upstream"
    assert call.trace.nearness is not None
    assert call.trace.nearness.outcome == "refused"
    assert call.trace.nearness.why.startswith("kind:")
    assert at.kept == 2
    assert await at.hits("How many rivers are there that cross the Nevada desert?")


async def test_a_stream_is_kept_and_serves_a_whole_request_and_the_reverse() -> None:
    at = await scene()
    await at.ask(stream=True)
    assert at.kept == 1
    _, reply, body = await at.ask(SAME)
    assert reply.source == "semantic"
    assert json.loads(body)["choices"][0]["message"]["content"] == "Paris is it."
    assert await at.hits(SAME, stream=True)


async def test_a_request_may_ask_for_more_similarity() -> None:
    at = await scene()
    await at.ask()
    assert not await at.hits(SAME, controls=Controls(similarity=0.999))
    assert await at.hits(SAME, controls=Controls(similarity=0.1))


async def test_what_embeddings_cost_is_the_price_of_a_hit() -> None:
    at = await scene()
    await at.ask()
    at.embedder.cost = 0.00002
    call, _, _ = await at.ask(SAME)
    assert call.trace.cost == 0.00002
    assert call.trace.nearness is not None
    assert call.trace.nearness.spent == 0.00002


async def test_an_answer_that_was_kept_long_ago_is_too_old_for_who_says_so() -> None:
    at = await scene()
    await at.ask()
    at.clock.tick(100)
    assert not await at.hits(SAME, controls=Controls(max_age=60))
    assert await at.hits(SAME, controls=Controls(max_age=600))


# ---------------------------------------------------------------- who may meet whom


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "u"},
        {"controls": Controls(namespace="n")},
        {"body": {"temperature": 0.1}},
        {"body": {"model": "gpt-5"}},
        {"body": {"response_format": {"type": "json_object"}}},
        {"route": Route((), "elsewhere")},
    ],
)
async def test_only_calls_of_one_scope_meet(changes: dict[str, Any]) -> None:
    at = await scene()
    await at.ask(**changes)
    assert not await at.hits(SAME)
    assert await at.hits("What are the rivers that cross the Nevada desert?")


async def test_a_system_prompt_and_a_history_belong_to_the_scope() -> None:
    at = await scene()
    system = {"role": "system", "content": "Be brief."}
    before = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]

    async def hits(question: str, *turns: dict[str, str]) -> bool:
        return await at.hits(question, body={"messages": [*turns, {"role": "user", "content": question}]})

    assert not await hits(QUESTION, system)
    assert not await hits(SAME)
    assert not await hits(SAME, *before)
    assert await hits(SAME, system)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"body": {"n": 2}}, "several choices"),
        ({"controls": Controls(exact=True)}, "asked for"),
        ({"body": {"store": True}}, "not cacheable"),
        ({"body": {"logprobs": True}}, "logprobs"),
        ({"question": "<context>The Nile</context> Which rivers?"}, "context: <context>"),
        ({"question": "?!"}, "no question"),
        ({"question": PLACEHOLDER, "body": {"n": 3}}, "several choices"),
        ({"question": "river " * 2000}, "too long"),
    ],
)
async def test_what_is_exact_only_is_neither_looked_for_nor_kept(changes: dict[str, Any], why: str) -> None:
    at = await scene()
    call, reply, _ = await at.ask(**changes)
    assert reply.source == "upstream"
    assert call.trace.nearness is not None
    assert (call.trace.nearness.outcome, call.trace.nearness.why) == ("exact only", why)
    assert (at.kept, at.embedder.asked) == (0, [])


async def test_a_question_as_long_as_the_guards_read_is_looked_for() -> None:
    at = await scene()
    call, _, _ = await at.ask("Which rivers cross this? " + "x" * (LARGEST - 25))
    assert call.trace.nearness is not None
    assert (call.trace.nearness.outcome, at.kept) == ("nothing near", 1)


async def test_off_is_off() -> None:
    at = await scene("off")
    call, _, _ = await at.ask()
    assert (call.trace.nearness, at.kept) == (None, 0)
    assert (await at.layer.explain(call)).mode == "off"


async def test_a_route_may_say_otherwise() -> None:
    at = await scene("off")
    on = Route((), semantic="on")
    await at.ask(route=on)
    assert await at.hits(SAME, route=on)
    assert not await at.hits(SAME)


# ---------------------------------------------------------------- keeping


@pytest.mark.parametrize(
    "whole",
    [
        completion(finish="length"),
        completion(finish="content_filter"),
        {**completion(), "choices": []},
        {"error": {"message": "no"}},
        completion("   "),
    ],
)
async def test_an_answer_that_is_no_complete_text_is_not_kept(whole: Any) -> None:
    at = await scene()
    at.script.whole = whole
    await at.ask()
    assert at.kept == 0


async def test_an_error_a_foreign_answer_and_a_torn_stream_are_not_kept() -> None:
    at = await scene()
    at.script.status = 500
    await at.ask()
    at.script.status, at.script.source = 200, "collapsed"
    await at.ask()
    assert at.kept == 0


async def test_no_store_keeps_nothing_and_no_cache_looks_for_nothing() -> None:
    at = await scene()
    await at.ask(controls=Controls(no_store=True))
    assert at.kept == 0
    await at.ask(controls=Controls(no_cache=True))
    assert at.kept == 1
    at.embedder.asked.clear()
    call, reply, _ = await at.ask(SAME, controls=Controls(no_cache=True, no_store=True))
    assert (reply.source, at.embedder.asked) == ("upstream", [])
    assert call.trace.nearness is not None
    assert call.trace.nearness.why == "no-cache"


async def test_how_long_an_answer_lives_depends_on_what_is_asked() -> None:
    at = await scene(ttl={"static": 1000.0, "general": 100.0, "temporal": 0.0})
    await at.ask("What is the weather like today?")
    assert at.kept == 0
    await at.ask("What is a prime number?")
    at.clock.tick(500)
    assert await at.hits("what is a prime number")
    at.clock.tick(600)
    assert not await at.hits("what is a prime number")


async def test_a_shorter_life_that_is_asked_for_counts() -> None:
    at = await scene()
    await at.ask(controls=Controls(ttl=10))
    at.clock.tick(11)
    assert not await at.hits(SAME)


# ---------------------------------------------------------------- what goes wrong


async def test_an_embedder_that_fails_is_a_miss() -> None:
    at = await scene()
    await at.ask()
    at.embedder.failing = "timeout"
    call, reply, _ = await at.ask(SAME)
    assert reply.source == "upstream"
    assert call.trace.nearness is not None
    assert (call.trace.nearness.outcome, call.trace.nearness.why) == ("failed", "embedding: timeout")
    assert at.kept == 1


class Broken:
    """A verifier that nobody foresaw."""

    def score(self, row: Any) -> float:
        raise ZeroDivisionError("no such thing")


async def test_a_verifier_that_raises_is_a_miss_which_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    at = await scene()
    await at.ask()
    at.layer.decide.verifier = Broken()  # type: ignore[assignment]
    at.embedder.cost = 0.00002
    call, reply, _ = await at.ask(SAME)
    assert reply.source == "upstream"
    nearness = call.trace.nearness
    assert nearness is not None
    assert (nearness.outcome, nearness.why, nearness.spent) == ("failed", "error: ZeroDivisionError", 0.00002)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "no such thing" in str(record.exc_info[1])
    assert at.kept == 2


async def test_a_shadow_that_raises_loses_neither_the_answer_nor_the_count(caplog: pytest.LogCaptureFixture) -> None:
    at = await scene("shadow")
    await at.ask()
    at.layer.decide.verifier = Broken()  # type: ignore[assignment]
    call, reply, _ = await at.ask(SAME)
    assert (reply.source, at.kept, len(caplog.records)) == ("upstream", 2, 1)
    assert call.trace.nearness is not None
    assert call.trace.nearness.outcome == "failed"


async def test_a_store_that_raises_is_a_miss() -> None:
    at = await scene()
    await at.ask()

    async def near(*_: Any) -> Any:
        raise IndexError

    at.store.near = near  # type: ignore[method-assign]
    call, reply, _ = await at.ask(SAME)
    assert reply.source == "upstream"
    assert call.trace.nearness is not None
    assert call.trace.nearness.why == "error: IndexError"


async def test_an_embedding_that_was_given_up_is_a_miss() -> None:
    at = await scene()
    await at.ask()

    async def embed(texts: Any) -> Any:
        raise asyncio.CancelledError  # as of a thread that is shut down

    at.embedder.embed = embed  # type: ignore[method-assign]
    call = call_of(body={"messages": [{"role": "user", "content": SAME}]}, controls=Controls(no_store=True))
    assert (await at.layer(call)).source == "upstream"
    assert call.trace.nearness is not None
    assert (call.trace.nearness.outcome, call.trace.nearness.why) == ("failed", "closed")


async def test_a_caller_that_hangs_up_takes_nothing_from_others() -> None:
    at = await scene()
    await at.ask()
    held, begun, asked, embed = asyncio.Event(), [], [], at.embedder.embed

    async def compute(texts: list[str]) -> Embedded:
        begun.append(texts)
        await held.wait()
        return await embed(texts)

    batches = Batches(compute, Limits(), len)

    async def shared(texts: Any) -> Embedded:
        asked.append(texts)
        rows, _ = await batches.ask(texts)
        return Embedded(np.array(rows))

    at.embedder.embed = shared  # type: ignore[method-assign]
    first, second = (asyncio.ensure_future(at.ask(SAME)) for _ in range(2))
    await until(lambda: len(asked) == 2 and len(begun) == 1)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    held.set()
    assert (await second)[1].source == "semantic"
    assert len(at.tasks) == 0
    assert await batches.close()


async def test_a_store_that_is_closed_is_a_miss() -> None:
    at = await scene()
    await at.ask()
    await at.store.close()
    assert not await at.hits(SAME)


async def test_an_entry_that_went_meanwhile_is_a_miss() -> None:
    at = await scene()
    await at.ask()
    near = await at.store.near(await scope(at), (await at.embedder.embed([SAME])).vectors[0], 1)
    entry = at.store.entry

    async def gone(id: int) -> Any:
        await at.store.delete(id, None)
        return await entry(id)

    at.store.entry = gone  # type: ignore[method-assign]
    call, reply, _ = await at.ask(SAME)
    assert near
    assert reply.source == "upstream"
    assert call.trace.nearness is not None
    assert call.trace.nearness.why == "gone"


async def scope(at: Scene) -> bytes:
    look = await at.layer.explain(call_of(body={"messages": [{"role": "user", "content": SAME}]}))
    return bytes.fromhex(look.scope)


async def test_a_credential_that_was_refused_gets_the_refusal() -> None:
    at = await scene()
    await at.ask()
    at.admission.known = False
    at.admission.answer = Reply.whole(401, (), b"no", source="upstream")
    _, reply, _ = await at.ask(SAME)
    assert (reply.status, len(at.script.calls)) == (401, 1)


async def test_only_if_cached_finds_equivalent_questions_too() -> None:
    at = await scene(around=IfCached)
    only = Controls(only_if_cached=True)
    assert (await at.ask(controls=only))[1].status == 504
    await at.ask()
    assert await at.hits(SAME, controls=only)
    assert (await at.ask(OTHER, controls=only))[1].status == 504


# ---------------------------------------------------------------- shadow, audits, the breaker


async def test_shadow_serves_nothing_and_judges_what_it_would_have() -> None:
    at = await scene("shadow")
    await at.ask()
    call, reply, _ = await at.ask(SAME)
    assert (reply.source, len(at.script.calls), at.kept) == ("upstream", 2, 1)
    assert call.trace.nearness is not None
    assert call.trace.nearness.outcome == "would hit"
    (judgement,) = await at.store.judgements(0.0)
    assert (judgement.mode, judgement.correct, judgement.how) == ("shadow", True, "same answer")
    assert judgement.route == "chat/completions gpt-4o"
    assert dict(await at.store.tallies())["chat/completions gpt-4o"] == (2, 1)


async def test_an_answer_that_shadow_found_wrong_is_learned_from() -> None:
    at = await scene("shadow")
    at.script.whole = completion("yes")
    await at.ask()
    at.script.whole = completion("no")
    await at.ask(SAME)
    (judgement,) = await at.store.judgements(0.0)
    assert judgement.correct is False
    assert at.kept == 2  # and the right answer is kept beside the wrong one


async def test_nobody_waits_for_the_shadow() -> None:
    at = await scene("shadow")
    await at.ask()
    held = asyncio.Event()
    embed = at.embedder.embed

    async def slow(texts: Any) -> Any:
        await held.wait()
        return await embed(texts)

    at.embedder.embed = slow  # type: ignore[method-assign]
    reply = await at.layer(call_of(body={"messages": [{"role": "user", "content": SAME}]}))
    assert reply.source == "upstream"
    held.set()
    await at.tasks.drain(5)
    assert len(await at.store.judgements(0.0)) == 1


async def test_a_wrong_hit_that_an_audit_finds_is_not_served_again() -> None:
    at = await scene(share=1.0)
    at.script.whole = completion("yes")
    await at.ask()
    at.script.whole = completion("no")
    assert await at.hits(SAME)
    assert not await at.hits(SAME)


async def test_a_route_that_answers_wrong_too_often_goes_back_to_exact_and_says_so() -> None:
    at = await scene()
    await at.ask()
    for _ in range(5):
        at.layer.audit.breaker.told("chat/completions gpt-4o", at.clock.now, _)
    at.clock.tick(2)
    call, reply, _ = await at.ask(SAME)
    assert reply.source == "upstream"
    assert call.trace.nearness is not None
    assert call.trace.nearness.outcome == "would hit"
    assert call.trace.nearness.why == "breaker open"


async def test_the_policy_verified_asks_and_learns() -> None:
    sure = VERIFIER._replace(intercept=-2.0)
    at = await scene(terms=Terms("verified", 0.5, 0.9, 0.05))
    at.layer.decide.verifier = sure
    await at.ask()
    at.layer.decide.chance = lambda: -1.0
    assert not await at.hits(SAME)  # too little is known of it: asked, compared, and found right
    assert at.kept == 1
    scores = [judgement.correct for judgement in await at.store.judgements(0.0)]
    assert scores == [True]


# ---------------------------------------------------------------- why


async def test_why_is_told_and_nothing_changes() -> None:
    at = await scene()
    await at.ask()
    call = call_of(body={"messages": [{"role": "user", "content": OTHER}]})
    look = await at.layer.explain(call)
    assert (look.mode, look.why, look.in_scope) == ("on", "", 1)
    assert look.verdict is not None
    assert look.verdict.served is None
    assert [veto.guard for veto in look.verdict.opinions[0].vetoes] == ["kind"]
    assert (call.trace.nearness, len(at.script.calls), at.kept) == (None, 1, 1)
    look = await at.layer.explain(call_of(body={"n": 2}))
    assert (look.mode, look.why, look.verdict) == ("on", "several choices", None)
    at.embedder.failing = "closed"
    assert (await at.layer.explain(call)).why == "embedding: closed"
