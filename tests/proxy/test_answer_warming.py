import pytest

from adapters.errors import UpstreamError
from adapters.vocabulary import Controls
from cache.exact import Exact
from cache.invalidation import Invalidation
from cache.key import key_of
from cache.memory import Memory
from cache.policy import Policy
from cache.tiers import Tiers
from proxy.answer_warming import AnswerWarming
from proxy.config_file import loads
from proxy.events import Event
from proxy.upstreams import World
from tests.cache.scripted import Admission, Script, call_of
from tests.fakes import Clock, Time, provider, until
from tests.running import proxy

OFF_DISK = "  multi_level: {l2: {enabled: false}}\n"


class Scene:
    def __init__(self, warming="{dollars: 1.0}"):
        self.clock, self.script = Clock(), Script()
        settings = loads(f"cache:\n{OFF_DISK}  warming: {warming}\n")
        self.levels = Tiers(Memory(100, 1 << 20, 300.0, self.clock), None)
        self.exact = Exact(self.script, self.levels, Policy(), Admission(), self.clock)
        world = World(self.clock, self.clock, Time().sleep, lambda: 0.5)
        self.warming = AnswerWarming(self.levels, self.exact, settings, {}, world)

    async def ask(self, status=200, source="", **changes):
        call = call_of(**changes)
        reply = self.exact.peek(call) or await self.exact(call)
        await reply.frames.aclose()
        call.trace.source = source or reply.source
        event = Event(self.clock(), "POST", "chat", status, 0.1, call.trace.source, call, call.trace, reply.answer, 1)
        self.warming.note(event)
        return call

    @property
    def stats(self):
        return self.warming.warmer.get_stats()


async def test_what_is_hot_and_has_expired_is_asked_for_anew():
    at = Scene()
    call = await at.ask()
    await at.ask()
    at.clock.tick(400)
    assert not at.levels.holds(key_of(call))
    assert await at.warming.warmer.warm_top_items() == 1
    assert len(at.script.calls) == 2
    assert at.levels.holds(key_of(call))
    assert at.warming.figures()["cache_warming", "refreshed"] == 1.0


async def test_without_a_budget_nobody_is_asked():
    at = Scene("{}")
    await at.ask()
    at.clock.tick(400)
    assert await at.warming.warmer.warm_top_items() == 0
    assert len(at.script.calls) == 1


@pytest.mark.parametrize(
    "what",
    [
        {"status": 500},
        {"source": "proxy"},
        {"controls": Controls(no_store=True)},
        {"body": {"store": True}},
    ],
)
async def test_what_is_no_answer_or_is_not_kept_is_not_remembered(what):
    at = Scene()
    await at.ask(**what)
    assert at.stats["unique_keys"] == 0


async def test_tenants_and_namespaces_are_those_of_the_request():
    at = Scene()
    await at.ask(tenant="a", controls=Controls(namespace="n"))
    await at.ask(tenant="b")
    assert (at.stats["users_tracked"], at.stats["unique_keys"]) == (2, 2)
    at.levels.l1.clear()
    assert await at.warming.warmer.warm_top_items(namespace="n", user_id="a") == 1
    assert await at.warming.warmer.warm_top_items(namespace="n", user_id="b") == 0


async def test_a_provider_that_fails_is_counted():
    at = Scene()
    await at.ask()
    at.clock.tick(400)

    async def down(call):
        raise UpstreamError("down")

    at.exact.inner = down
    assert await at.warming.warmer.warm_top_items() == 0
    assert at.warming.figures()["cache_warming", "failed"] == 1.0


async def test_what_was_invalidated_and_is_hot_is_made_anew():
    at = Scene()
    call = await at.ask()
    gone = await at.levels.invalidate(Invalidation(keys=(key_of(call),)))
    assert at.warming.warmer.rewarm(gone) == 1
    await at.warming.close()
    assert len(at.script.calls) == 2


async def test_predictions_follow_conversations_that_say_which_they_are():
    at = Scene("{predictive: {enabled: true}}")
    for _ in range(3):
        for question in "abc":
            call = call_of(body={"user": question})
            call.headers["x-session-id"] = "s"
            reply = at.exact.peek(call) or await at.exact(call)
            call.trace.source = reply.source
            at.warming.note(
                Event(at.clock(), "POST", "chat", 200, 0.1, reply.source, call, call.trace, reply.answer, 1)
            )
    told = at.warming.figures()
    assert told["cache_predictions", "came"] > 0
    await at.ask(body={"user": "a"})
    assert at.warming.predictive.get_statistics()["queries"] == 9, "mixed up, they foresee nothing"


async def test_at_the_start_what_was_hot_before_comes_to_memory(tmp_path):
    async with provider() as fake:
        async with proxy(fake.base_url, tmp_path) as before:
            for _ in range(3):
                await before.chat()
        async with proxy(fake.base_url, tmp_path) as after:
            await until(lambda: len(after.app.levels.l1) == 1)
            _, headers, _ = await after.chat()
            assert headers["Cache-Status"].endswith("detail=l1")
            assert fake.calls == 1


async def test_what_is_asked_for_anew_is_kept_under_the_tags_of_all_who_asked():
    at = Scene()
    await at.ask(controls=Controls(tags=("a",)))
    call = await at.ask()
    at.clock.tick(400)
    assert await at.warming.warmer.warm_top_items() == 1
    assert at.levels.peek(key_of(call)).labels == ("a",)
