"""Answers around the end of their time, under tags, and asked for by several replicas: the exact cache over L1."""

from contextlib import aclosing
from dataclasses import replace

import pytest

from adapters.errors import UpstreamError
from adapters.tasks import Tasks
from adapters.vocabulary import Controls, Form
from cache.budget import Budget
from cache.exact import Exact, Shared, Stale
from cache.invalidation import Invalidation
from cache.key import key_of
from cache.labels import distinct
from cache.leases import Free
from cache.memory import Memory
from cache.policy import Policy
from cache.refresh import Refresh, When
from cache.tiers import Options, Tiers
from tests.cache.scripted import Admission, Script, call_of
from tests.fakes import Clock, Time
from tests.leases import Table

TTL = 300.0
GRACE = 600.0
IF_ERROR = Stale(if_error=600.0)


class Provider(Script):
    """A script that can be down: `down` is a status, or an error."""

    down = None

    async def __call__(self, call):
        if isinstance(self.down, Exception):
            self.calls.append(call)
            raise self.down
        self.status = self.down or 200
        return await super().__call__(call)


class Scene:
    def __init__(self, stale=IF_ERROR, dollars=0.0, shared=None, levels=None, clock=None, provider=None):
        self.clock, self.provider, self.admission = clock or Clock(), provider or Provider(), Admission()
        self.tasks = Tasks()
        self.levels = levels or Tiers(
            Memory(100, 1 << 20, TTL, self.clock, grace=GRACE), None, None, Options(grace=GRACE), clock=self.clock
        )
        more = {} if shared is None else {"shared": shared}
        self.exact = Exact(self.provider, self.levels, Policy(), self.admission, self.clock, stale=stale, **more)
        if dollars:
            budget = Budget(dollars, self.clock)
            self.exact.refresh = Refresh(
                self.exact.renew, budget, Free(), self.tasks, self.clock, lambda: 1e-300, When(min_hits=2)
            )

    async def ask(self, **changes):
        call = call_of(**changes)
        reply = self.exact.peek(call) or await self.exact(call)
        async with aclosing(reply.frames):
            return call, reply, b"".join([frame.raw async for frame in reply.frames])


@pytest.mark.parametrize("down", [500, 502, 503, 504, 529, UpstreamError("no connection")])
@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_provider_fails_an_answer_that_has_expired_still_serves(down, stream):
    at = Scene()
    _, _, first = await at.ask()
    at.clock.tick(TTL + 10)
    at.provider.down = down
    call, reply, body = await at.ask(stream=stream)
    assert (reply.source, reply.status) == ("l1", 200)
    assert reply.form is Form.WHOLE
    assert body == first
    assert (call.trace.detail, call.trace.ttl, call.trace.age) == ("stale-if-error", -10.0, TTL + 10)
    assert call.trace.cost == 0.0


@pytest.mark.parametrize(
    ("down", "controls", "later"),
    [
        (400, Controls(), 10.0),
        (401, Controls(), 10.0),
        (429, Controls(), 10.0),
        (503, Controls(stale_if_error=0.0), 10.0),
        (503, Controls(stale_if_error=5.0), 10.0),
        (503, Controls(no_cache=True), 10.0),
        (503, Controls(max_age=60.0), 10.0),
        (503, Controls(), 600.0),
        (503, Controls(stale_if_error=9000.0), 600.0),
    ],
)
async def test_where_it_may_not_the_client_is_told_the_truth(down, controls, later):
    at = Scene()
    await at.ask()
    at.clock.tick(TTL + later)
    at.provider.down = down
    call, reply, _ = await at.ask(controls=controls)
    assert (reply.source, reply.status) == ("upstream", down)
    assert call.trace.detail == ""


async def test_a_stale_answer_is_for_those_whose_credential_is_good():
    at = Scene()
    await at.ask()
    at.clock.tick(TTL + 1)
    at.provider.down = 503
    at.admission.known, at.admission.answer = False, UpstreamError("nobody to ask")
    assert (await at.ask())[1].status == 503


async def test_an_answer_that_was_invalidated_while_the_provider_failed_is_gone():
    at = Scene()
    call, _, _ = await at.ask()
    at.clock.tick(TTL + 1)

    class Failing(Provider):
        async def __call__(self, asked):
            await at.levels.invalidate(Invalidation(keys=(key_of(call),)))
            raise UpstreamError("down")

    at.exact.inner = Failing()
    with pytest.raises(UpstreamError):
        await at.ask()


async def test_an_expired_answer_is_no_hit_while_the_provider_answers():
    at = Scene()
    await at.ask()
    at.clock.tick(TTL)
    call, reply, _ = await at.ask()
    assert (reply.source, call.trace.why) == ("upstream", "miss")


async def test_stale_while_revalidate_serves_at_once_and_asks_once():
    at = Scene(Stale(while_revalidate=60.0), dollars=1.0)
    await at.ask()
    at.clock.tick(TTL + 30)
    for _ in range(3):
        call, reply, _ = await at.ask()
        assert (reply.source, call.trace.detail, call.trace.ttl) == ("l1", "stale-while-revalidate", -30.0)
    await at.tasks.drain(1.0)
    assert len(at.provider.calls) == 2
    call, reply, _ = await at.ask()
    assert (reply.source, call.trace.detail, call.trace.age) == ("l1", "", 0.0)


async def test_behind_its_window_or_without_money_a_stale_answer_is_a_miss():
    late, poor = Scene(Stale(while_revalidate=60.0), dollars=1.0), Scene(Stale(while_revalidate=60.0))
    for at, later in ((late, 60.0), (poor, 1.0)):
        await at.ask()
        at.clock.tick(TTL + later)
        assert (await at.ask())[1].source == "upstream"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hot_answer_is_renewed_before_it_expires(stream):
    at = Scene(dollars=1.0)
    await at.ask(stream=stream)
    at.clock.tick(TTL - 1)
    for _ in range(2):
        assert (await at.ask(stream=stream))[1].source == "l1"
    await at.tasks.drain(1.0)
    at.clock.tick(2)
    call, reply, _ = await at.ask(stream=stream)
    assert (reply.source, call.trace.age) == ("l1", 2.0)
    assert len(at.provider.calls) == 2


# ---------------------------------------------------------------- tags


async def test_an_answer_is_kept_under_the_tags_of_its_request():
    at = Scene()
    call, _, _ = await at.ask(controls=Controls(tags=("doc:1", "b")))
    entry = at.levels.peek(key_of(call))
    assert entry.labels == ("doc:1", "b")
    await at.levels.invalidate(Invalidation("t", labels=("doc:1",)))
    assert (await at.ask())[1].source == "upstream"


async def test_who_asks_under_further_tags_finds_it_gone_with_these():
    at = Scene()
    await at.ask(controls=Controls(tags=("a",)))
    assert (await at.ask(controls=Controls(tags=("a", "b"))))[1].source == "l1"
    await at.levels.invalidate(Invalidation("t", labels=("b",)))
    assert (await at.ask())[1].source == "upstream"


async def test_an_answer_that_was_asked_for_before_an_invalidation_is_not_kept_after():
    at = Scene()
    tagged = Controls(tags=("a",))

    class Slow(Provider):
        async def __call__(self, asked):
            reply = await super().__call__(asked)
            await at.levels.invalidate(Invalidation("t", labels=("a",)))
            return reply

    at.exact.inner = Slow()
    call, reply, _ = await at.ask(controls=tagged)
    assert (reply.source, call.trace.stored) == ("upstream", False)
    at.exact.inner = at.provider
    assert (await at.ask(controls=tagged))[1].source == "upstream"


async def test_what_has_too_many_tags_is_not_kept():
    at = Scene()
    at.exact.labels = lambda call: distinct(map(str, range(99)))
    call, reply, _ = await at.ask()
    assert reply.source == "upstream"
    assert not call.trace.stored
    assert "64 labels" in call.trace.refused_to_store


# ---------------------------------------------------------------- replicas


def replicas(time, provider):
    """Two of them over one level, as they share L3."""
    levels = Tiers(Memory(100, 1 << 20, TTL, time), None, None, Options(), clock=time)
    table = Table(time)
    scenes = [Scene(shared=Shared(table, 30.0), levels=levels, clock=time, provider=provider) for _ in range(2)]
    return table, scenes


@pytest.mark.parametrize("stream", [False, True])
async def test_replicas_that_are_asked_the_same_at_once_ask_once(stream):
    time = Time(1000.0)

    class Slow(Provider):
        async def __call__(self, call):
            await time.sleep(2.0)
            return await super().__call__(call)

    provider = Slow()
    table, scenes = replicas(time, provider)
    got = await time.run(*(each.ask(stream=stream) for each in scenes))
    assert len(provider.calls) == 1
    assert sorted(reply.source for _, reply, _ in got) == ["l1", "upstream"]
    assert {call.trace.detail for call, _, _ in got} == {"", "asked by another replica"}
    assert table.held == {}


async def test_one_that_fails_lets_the_others_go():
    time = Time(1000.0)

    class Once(Provider):
        async def __call__(self, call):
            await time.sleep(2.0)
            if not self.calls:
                self.calls.append(call)
                raise UpstreamError("down")
            return await super().__call__(call)

    table, scenes = replicas(time, Once())
    first, second = await time.run(*(each.ask() for each in scenes))
    assert isinstance(first, UpstreamError)
    assert second[1].source == "upstream"
    assert table.held == {}


async def test_one_that_is_silent_is_waited_for_for_so_long():
    time = Time(1000.0)
    table, (at, _) = replicas(time, Provider())
    table.held[key_of(call_of())] = b"somebody", 1e9
    (got,) = await time.run(at.ask())
    assert got[1].source == "upstream"
    assert time.now == pytest.approx(1030.0)


async def test_a_client_that_hangs_up_gives_the_lease_back():
    time = Time(1000.0)
    table, (at, _) = replicas(time, Provider())
    reply = await at.exact(call_of(stream=True))
    assert table.held
    await reply.frames.aclose()
    assert table.held == {}


async def test_who_wants_no_answer_from_memory_waits_for_nobody():
    time = Time(1000.0)
    table, (at, _) = replicas(time, Provider())
    table.held[key_of(call_of())] = b"somebody", 1e9
    assert (await at.ask(controls=Controls(no_cache=True)))[1].source == "upstream"
    assert time.now == 1000.0


# ---------------------------------------------------------------- tags that come later


async def test_who_names_a_tag_that_was_invalidated_meanwhile_gets_no_answer_from_before():
    at = Scene()
    await at.ask()
    at.clock.tick(5)
    await at.levels.invalidate(Invalidation("t", labels=("doc:1",)))  # covers nothing: nobody had said so yet
    at.clock.tick(5)
    assert (await at.ask(controls=Controls(tags=("doc:1",))))[1].source == "upstream"
    assert (await at.ask(controls=Controls(tags=("doc:1",))))[1].source == "l1"


async def test_what_was_made_before_this_process_could_hear_is_asked_for_anew_under_further_tags():
    at = Scene()
    call, _, _ = await at.ask()
    entry = at.levels.peek(key_of(call))
    await at.levels.put(replace(entry, stored_at=entry.stored_at - 1))
    assert (await at.ask())[1].source == "l1"
    assert (await at.ask(controls=Controls(tags=("a",))))[1].source == "upstream"


async def test_nobody_knows_what_a_file_was_when_an_answer_was_made_that_did_not_rest_on_it():
    at = Scene()
    await at.ask()
    at.exact.labels = lambda call: (*call.controls.tags, "file:/p", "file:@1.2.3.@/p")
    assert (await at.ask(controls=Controls(tags=("prompt:a",))))[1].source == "upstream"


async def test_an_answer_that_can_not_have_a_tag_is_not_served_under_it():
    at = Scene()
    await at.ask()
    at.exact.labels = lambda call: distinct(map(str, range(99)))
    assert (await at.ask(controls=Controls(tags=("a",))))[1].source == "upstream"


@pytest.mark.parametrize("stale", [Stale(if_error=600.0), Stale(while_revalidate=600.0)])
async def test_a_stale_answer_is_not_served_under_tags_that_it_has_not(stale):
    at = Scene(stale, dollars=1.0)
    await at.ask()
    at.clock.tick(TTL + 1)
    at.provider.down = 503
    assert (await at.ask(controls=Controls(tags=("a",))))[1].status == 503


async def test_what_is_asked_for_anew_in_the_background_keeps_its_tags():
    at = Scene(dollars=1.0)
    call, _, _ = await at.ask(controls=Controls(tags=("doc:1",)))
    at.clock.tick(TTL - 1)
    for _ in range(2):
        await at.ask()
    await at.tasks.drain(1.0)
    assert len(at.provider.calls) == 2
    assert at.levels.peek(key_of(call)).labels == ("doc:1",)
