"""Deterministic schedules: the gate in front of the simulated provider, in virtual time.

What must hold for every schedule: one write per prefix and life, no request lost, none delayed beyond the deadline,
none added where warming cannot pay.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.simulated import Timing
from adapters.vocabulary import Fanout, Reply
from tests.warming.fan import Fan, chat, claude
from warming.options import Options

COUNTS = [2, 3, 8, 64]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("spread", [0.0, 0.01, 2.0])
@pytest.mark.parametrize("stream", [True, False])
async def test_siblings_that_nobody_announced_pay_for_their_prefix_once(count, spread, stream):
    fan = Fan()
    got = await fan.run(*(fan.client(claude(f"Question {n}?"), at=n * spread, stream=stream) for n in range(count)))
    assert [each.status for each in got] == [200] * count
    assert len(fan.asked) == count
    assert fan.writes == 1
    assert all(asked.usage.read > 4000 for asked in fan.asked[1:])
    assert max(each.trace.warming.waited for each in got) <= fan.options.deadline
    roles = [each.trace.warming.role for each in got]
    assert roles[0] == "leader"
    if not spread:
        assert set(roles[1:]) == {"follower"}
        assert sum(each.trace.warming.saved for each in got) > 0


@pytest.mark.parametrize("count", COUNTS)
async def test_where_the_provider_caches_by_itself_followers_read_too(count):
    fan = Fan()
    got = await fan.run(*(fan.client(chat(f"Question {n}?"), dialect=OPENAI_CHAT) for n in range(count)))
    assert [each.status for each in got] == [200] * count
    assert sum(asked.usage.read > 4000 for asked in fan.asked) == count - 1
    # Nobody has seen a read of this model yet: one goes ahead, the others follow.
    assert [asked.raw for asked in fan.asked] == [asked.raw for asked in fan.asked if b"prompt_cache" not in asked.raw]


async def test_a_second_fan_out_within_the_life_writes_nothing():
    fan = Fan()
    await fan.run(*(fan.client(claude(f"Question {n}?")) for n in range(4)))
    again = await fan.run(*(fan.client(claude(f"Another {n}?")) for n in range(4)))
    assert fan.writes == 1
    assert [each.trace.warming.waited for each in again] == [0.0] * 4
    assert {each.trace.warming.why for each in again} <= {"warm", "longer"}


async def test_and_one_behind_it_writes_once_more():
    fan = Fan()
    await fan.run(*(fan.client(claude(f"Question {n}?")) for n in range(4)))
    await fan.run(*(fan.client(claude(f"Another {n}?"), at=400.0) for n in range(4)))
    assert fan.writes == 2


@pytest.mark.parametrize("count", [2, 8, 64])
@pytest.mark.parametrize("status", [403, 429, 500, 529])
async def test_a_leader_that_is_refused_leaves_its_place_to_the_next(count, status):
    fan = Fan(fault=lambda number: status if number == 0 else None)
    got = await fan.run(*(fan.client(claude(f"Question {n}?")) for n in range(count)))
    assert [each.status for each in got] == [status] + [200] * (count - 1)
    assert fan.writes == 1
    assert len(fan.asked) == count


async def test_a_leader_that_fails_to_connect_too_and_all_of_them_if_all_fail():
    def unreachable(number):
        raise UpstreamError("gone", code="upstream_unreachable")

    fan = Fan(fault=unreachable)
    got = await fan.run(*(fan.client(claude(f"Question {n}?")) for n in range(8)))
    assert [each.status for each in got] == [0] * 8
    assert len(fan.asked) == 8
    assert not fan.planner.flights


@pytest.mark.parametrize("hang_up", [0.0, 1.0])
async def test_a_leader_whose_client_hangs_up_hands_over(hang_up):
    fan = Fan()
    first = asyncio.ensure_future(fan.client(claude("First?")))

    async def leave():
        await fan.time.sleep(0.2)
        first.cancel()

    rest = [fan.client(claude(f"Question {n}?"), at=0.05) for n in range(5)]
    got = await fan.time.run(leave(), *rest)
    assert [each.status for each in got[1:]] == [200] * 5
    assert sum(asked.written > 1000 for asked in fan.asked[1:]) == 1
    assert not fan.planner.flights
    assert len(fan.warm._waits) == 0


async def test_a_leader_that_says_nothing_is_waited_for_until_the_deadline_and_no_longer():
    fan = Fan(options=Options(deadline=4.0))
    slow = claude("First?", model="claude-slow-sonnet-5")
    got = await fan.run(
        fan.client(slow), *(fan.client(claude(f"{n}?", model="claude-slow-sonnet-5")) for n in range(3))
    )
    assert [each.status for each in got] == [200] * 4
    waited = [each.trace.warming.waited for each in got]
    assert waited[0] == 0
    assert waited[1:] == pytest.approx([4.0] * 3)
    assert {each.trace.warming.why for each in got[1:]} == {"deadline"}


async def test_a_leader_much_slower_than_others_were_is_not_waited_for_until_the_deadline():
    fan = Fan()
    for turn in range(10):
        await fan.run(fan.client(claude("?", system=f"Document {turn}. " * 2500)))
    slow = [claude(f"{n}?", system="Another one. " * 2500) for n in range(3)]
    usual, real = fan.provider, fan.timing
    fan.provider = Fan(timing=Timing(9.0, real.tokens_per_second, real.prefill_per_second)).provider
    fan.provider._sleep, fan.provider._clock = usual._sleep, usual._clock
    got = await fan.run(*(fan.client(body) for body in slow))
    waited = [each.trace.warming.waited for each in got]
    assert 1.0 <= waited[1] < 4.0
    assert got[1].trace.warming.why == "deadline"


async def test_a_lag_of_the_provider_that_is_known_is_waited_for():
    fan = Fan(lag=0.5)
    fan.planner.beliefs.of("sim/claude-sonnet-5").lag = 0.5
    await fan.run(*(fan.client(claude(f"Question {n}?")) for n in range(8)))
    assert fan.writes == 1
    assert sum(asked.usage.read > 4000 for asked in fan.asked) == 7


async def test_a_lag_that_is_not_known_is_learned_from_the_first_fan_out():
    fan = Fan(lag=0.5)
    await fan.run(*(fan.client(claude(f"Question {n}?")) for n in range(8)))
    before = len(fan.asked)
    await fan.run(*(fan.client(claude(f"Question {n}?", system="Other. " * 4000)) for n in range(8)))
    assert sum(asked.written > 1000 for asked in fan.asked[before:]) <= 2
    before = len(fan.asked)
    await fan.run(*(fan.client(claude(f"Question {n}?", system="Third. " * 4000)) for n in range(8)))
    assert sum(asked.written > 1000 for asked in fan.asked[before:]) == 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (claude("Short?", system="Be brief."), "below minimum"),
        (claude("Short?", system="Be brief. " * 80), "below minimum"),
    ],
)
async def test_prefixes_below_the_minimum_are_left_alone_to_the_byte(body, why):
    fan = Fan()
    got = await fan.run(*(fan.client(body | {"temperature": None}) for n in range(4)))
    assert [asked.at for asked in fan.asked] == [1000.0] * 4
    assert all(b"cache_control" not in asked.raw for asked in fan.asked)
    assert {each.trace.warming.why if each.trace.warming else why for each in got} == {why}
    assert all(each.trace.modified_bytes == 0 for each in got)


async def test_a_provider_that_never_tells_usage_is_waited_for_all_the_same():
    fan = Fan()
    got = await fan.run(*(fan.client(claude(f"Question {n}?", model="claude-sonnet-5-no-usage")) for n in range(4)))
    assert [each.status for each in got] == [200] * 4
    assert [each.trace.warming.role for each in got] == ["leader", "follower", "follower", "follower"]
    assert [each.trace.warming.saved for each in got] == [None] * 4


async def test_a_model_that_never_caches_is_given_up():
    fan = Fan()
    for turn in range(4):
        await fan.run(*(fan.client(claude(f"{turn} {n}?", model="claude-sonnet-5-no-cache")) for n in range(3)))
    last = fan.asked[-3:]
    assert len({asked.at for asked in last}) == 1  # nobody waits any more


class TestNested:
    async def test_tools_and_system_shared_by_many_a_document_by_some(self):
        def ask(document, question):
            parts = [{"type": "text", "text": document * 1500}, {"type": "text", "text": question}]
            return claude("", messages=[{"role": "user", "content": parts}])

        fan = Fan()
        got = await fan.run(*(fan.client(ask(document, f"{n}?")) for document in ("ab ", "cd ") for n in range(4)))
        assert [each.status for each in got] == [200] * 8
        written = sorted(asked.written for asked in fan.asked)
        assert sum(count > 1000 for count in written) == 2
        # Each of the 8 reads the system prompt, or wrote it; each document is written once.
        full = fan.asked[0].usage.prompt
        assert sum(asked.usage.read > 0.9 * full for asked in fan.asked) == 6


class TestDeclared:
    @pytest.mark.parametrize("count", COUNTS)
    @pytest.mark.parametrize("model", ["claude-sonnet-5", "claude-opus-5-5", "claude-haiku-4-5"])
    async def test_one_warm_call_then_all_at_once_and_all_read(self, count, model):
        fan = Fan()
        bodies = [claude(f"Question {n}?", model=model) for n in range(count)]
        got = await fan.run(*(fan.client(body, at=n * 0.01, fanout=Fanout("g", count))
                              for n, body in enumerate(bodies)))  # fmt: skip
        assert [each.status for each in got] == [200] * count
        warm, *real = fan.asked
        assert len(real) == count
        assert warm.written > 4000
        assert warm.body["max_tokens"] in (0, 10)
        assert warm.usage.output <= 10
        assert len({asked.at for asked in real}) == 1
        assert all(asked.usage.read > 4000 and asked.written == 0 for asked in real)
        extra = [extra for each in got for extra in each.trace.warming.extra]
        assert [(each.kind, each.failed) for each in extra] == [("warm", "")]
        assert extra[0].cost > 0
        assert {each.trace.warming.role for each in got} == {"warmed"}

    @pytest.mark.parametrize("model", ["gpt-5.4", "gpt-6-sol", "gpt-4o"])
    async def test_through_chat_completions(self, model):
        fan = Fan()
        bodies = [chat(f"Question {n}?", model=model) for n in range(6)]
        got = await fan.run(*(fan.client(body, fanout=Fanout("g", 6), dialect=OPENAI_CHAT) for body in bodies))
        assert [each.status for each in got] == [200] * 6
        assert len(fan.asked) == 7
        assert sum(asked.usage.read > 4000 for asked in fan.asked[1:]) == 6
        assert fan.writes <= 1

    async def test_where_no_warm_call_is_legal_the_first_request_warms(self):
        fan = Fan()
        thinking = {"type": "enabled", "budget_tokens": 1024}
        bodies = [claude(f"{n}?", model="claude-sonnet-4-5", max_tokens=4000, thinking=thinking) for n in range(4)]
        got = await fan.run(*(fan.client(body, fanout=Fanout("g", 4)) for body in bodies))
        assert [each.status for each in got] == [200] * 4
        assert len(fan.asked) == 4
        assert fan.writes == 1
        assert [each.trace.warming.role for each in got] == ["leader", "follower", "follower", "follower"]

    @pytest.mark.parametrize("status", [400, 500])
    async def test_a_warm_call_that_is_refused_never_reaches_a_client(self, status):
        fan = Fan(fault=lambda number: status if number == 0 else None)
        got = await fan.run(*(fan.client(claude(f"{n}?"), fanout=Fanout("g", 4)) for n in range(4)))
        assert [each.status for each in got] == [200] * 4
        assert sum(asked.written > 1000 for asked in fan.asked) == 1  # the first real one led instead
        (extra,) = [extra for each in got for extra in each.trace.warming.extra]
        assert extra.failed == f"refused: {status}"

    async def test_a_slow_warm_call_delays_nobody_beyond_the_deadline(self):
        fan = Fan(options=Options(deadline=2.0))
        bodies = [claude(f"{n}?", model="claude-slow-sonnet-5") for n in range(3)]
        got = await fan.run(*(fan.client(body, fanout=Fanout("g", 3)) for body in bodies))
        assert [each.status for each in got] == [200] * 3
        assert max(each.trace.warming.waited for each in got) <= 2.0 + 1e-6

    @pytest.mark.parametrize(
        ("questions", "n", "asked"),
        [(["a?"], 1, 1), (["a?", "b?"], 9, 3), (["a?", "b?", "c?"], 2, 4)],
    )
    async def test_what_the_client_says_of_the_number_is_not_relied_upon(self, questions, n, asked):
        fan = Fan()
        got = await fan.run(*(fan.client(claude(q), fanout=Fanout("g", n)) for q in questions))
        assert [each.status for each in got] == [200] * len(questions)
        assert len(fan.asked) == asked
        assert fan.writes <= 1 or n == 1

    async def test_branches_that_share_nothing_go_as_if_nobody_had_declared_anything(self):
        fan = Fan()
        bodies = [claude("?", system=f"{word} " * 4000) for word in ("one", "two", "three")]
        got = await fan.run(*(fan.client(body, fanout=Fanout("g", 3)) for body in bodies))
        assert [each.status for each in got] == [200] * 3
        assert len(fan.asked) == 3
        assert fan.ledger.figures["fanouts", "nothing shared"] == 1

    async def test_below_the_minimum_no_call_is_made(self):
        fan = Fan()
        await fan.run(*(fan.client(claude(f"{n}?", system="Brief."), fanout=Fanout("g", 3)) for n in range(3)))
        assert len(fan.asked) == 3

    async def test_what_is_warm_is_not_warmed_again(self):
        fan = Fan()
        await fan.run(fan.client(claude("first?")))
        await fan.run(*(fan.client(claude(f"{n}?"), fanout=Fanout("g", 3)) for n in range(3)))
        assert len(fan.asked) == 4

    @pytest.mark.parametrize("declared", ["leader", "auto"])
    async def test_the_first_request_is_cheaper_than_a_call(self, declared):
        fan = Fan(options=Options(declared=declared))
        await fan.run(*(fan.client(claude(f"{n}?"), fanout=Fanout("g", 5)) for n in range(5)))
        assert len(fan.asked) == 5
        assert fan.writes == 1

    async def test_off_is_off(self):
        fan = Fan(options=Options(declared="off", observed="off"))
        await fan.run(*(fan.client(claude(f"{n}?"), fanout=Fanout("g", 3)) for n in range(3)))
        assert [asked.at for asked in fan.asked] == [1000.0] * 3


class TestBytes:
    async def test_what_stands_in_front_of_a_breakpoint_is_the_same_in_all_siblings(self):
        fan = Fan()
        await fan.run(*(fan.client(claude(f"Question {n}?")) for n in range(4)))
        heads = {asked.raw.split(b'"messages"')[0].replace(b'{"type":"ephemeral"}', b"") for asked in fan.asked}
        assert len(heads) == 1

    async def test_the_clients_own_breakpoints_stay_and_none_is_added(self):
        system = [{"type": "text", "text": "Careful. " * 4000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
        fan = Fan()
        got = await fan.run(*(fan.client(claude(f"{n}?", system=system)) for n in range(4)))
        assert all(each.trace.modified_bytes == 0 for each in got)
        assert sum(asked.usage.write_1h > 4000 for asked in fan.asked) == 1
        assert sum(asked.usage.read > 4000 for asked in fan.asked) == 3

    async def test_a_leader_whose_client_wants_a_whole_answer_is_streamed_and_the_answer_is_the_same(self):
        fan = Fan()
        (streamed,) = await fan.run(fan.client(claude("Question?"), stream=False))
        assert fan.asked[0].body["stream"] is True
        plain = Fan(options=Options(stream_leaders=False, breakpoints=False))
        await plain.run(plain.client(claude("Question?"), stream=False))
        assert "stream" not in plain.asked[0].body
        assert streamed.message is not None
        assert any(block.get("text") for block in streamed.message["content"])

    async def test_a_gateway_that_takes_no_breakpoints_gets_the_request_as_it_came(self):
        class NoBreakpoints(Fan):
            async def _provider(self, call):
                if b"cache_control" in call.body:
                    self.asked.append(None)
                    return Reply.whole(400, (), b'{"error":{"message":"unknown field"}}', source="upstream")
                return await super()._provider(call)

        fan = NoBreakpoints()
        (got,) = await fan.run(fan.client(claude("Question?")))
        assert (got.status, len(fan.asked), got.trace.modified_bytes) == (200, 2, 0)
        got = await fan.run(*(fan.client(claude(f"{n}?", system="Other. " * 4000)) for n in range(3)))
        assert [each.status for each in got] == [200] * 3
        assert len(fan.asked) == 5  # learned: nothing is added any more

    async def test_a_bad_request_of_the_clients_is_told_as_it_is(self):
        fan = Fan(fault=lambda number: 400)
        (got,) = await fan.run(fan.client(claude("Question?")))
        assert (got.status, len(fan.asked)) == (400, 2)
        assert not fan.warm._untouchable

    async def test_an_account_that_may_not_stream_is_asked_again_as_its_client_asked(self):
        class NoStreams(Fan):
            async def _provider(self, call):
                if call.stream:
                    self.asked.append(None)
                    return Reply.whole(
                        400, (), b'{"error":{"message":"must be verified to stream"}}', source="upstream"
                    )
                return await super()._provider(call)

        fan = NoStreams()
        (got,) = await fan.run(fan.client(chat("Question?"), stream=False, dialect=OPENAI_CHAT))
        assert (got.status, len(fan.asked)) == (200, 2)
        (got,) = await fan.run(fan.client(chat("Other?", system="x " * 9000), stream=False, dialect=OPENAI_CHAT))
        assert (got.status, len(fan.asked)) == (200, 3)  # learned


async def test_nothing_is_added_to_what_a_subscription_sends():
    fan = Fan()
    named = {"authorization": "Bearer sk-ant-oat01-somebodys"}
    await fan.run(*(fan.client(claude(f"{n}?"), headers=named) for n in range(3)))
    assert all(b"cache_control" not in asked.raw for asked in fan.asked)


async def test_a_body_that_is_too_long_to_look_into_goes_as_it_came():
    fan = Fan()
    (got,) = await fan.run(fan.client(claude("?", system="x" * (16 * 2**20 + 1))))
    assert got.trace.modified_bytes == 0
    assert not fan.planner.flights


async def test_caches_of_two_callers_are_apart():
    fan = Fan()
    one, two = claude("one?"), claude("two?")
    fan.warm.reading._apart = lambda call: call.headers["authorization"]
    await fan.run(fan.client(one), fan.client(two, headers={"authorization": "Bearer sk-other-key"}))
    assert [asked.at for asked in fan.asked] == [1000.0, 1000.0]


async def test_nothing_is_left_behind():
    fan = Fan()
    await fan.run(*(fan.client(claude(f"{n}?"), fanout=Fanout("g", 5)) for n in range(5)))
    await fan.run(*(fan.client(claude(f"{n}?", system="y " * 9000)) for n in range(5)))
    assert not fan.planner.flights
    assert len(fan.warm._waits) == 0
    assert len(fan.tasks) == 0


CLIENTS = st.lists(
    st.tuples(
        st.floats(0, 8), st.integers(0, 2), st.booleans(), st.sampled_from([None, None, None, 0.1, 0.5, 1.0, 3.0])
    ),
    min_size=1,
    max_size=14,
)  # fmt: skip
"""When a client comes, which document it asks about, whether it streams, and when it hangs up."""


@settings(max_examples=25, deadline=None)
@given(CLIENTS, st.sets(st.integers(0, 8), max_size=3), st.sampled_from(["leader", "call"]))
def test_whatever_happens_nothing_is_lost_delayed_or_left_behind(clients, refused, way):
    async def schedule():
        fan = Fan(fault=lambda number: 500 if number in refused else None)
        sums = dict.fromkeys(range(3), 0)
        for _, document, _, _ in clients:
            sums[document] += 1

        async def one(number, at, document, stream, hang_up):
            body = claude(f"{number}?", system=f"Document {document}. " * 2500)
            group = Fanout(f"g{document}", sums[document]) if way == "call" else None
            task = asyncio.ensure_future(fan.client(body, at=at, stream=stream, fanout=group))
            if hang_up is None:
                return await task
            await fan.time.sleep(at + hang_up)
            task.cancel()
            await asyncio.wait([task])
            return None

        work = (one(n, *client) for n, client in enumerate(clients))
        got = await fan.run(*work, fan.time.sleep(60.0))
        for (*_, hang_up), each in zip(clients, got, strict=False):
            if hang_up is None:
                assert each.status in (200, 500)
                assert each.trace.warming.waited <= fan.options.deadline + 1e-6
        assert not fan.planner.flights
        assert len(fan.warm._waits) == len(fan.tasks) == 0
        gone = sum(hang_up is not None for *_, hang_up in clients)
        # One write for each document, and one more for each that wrote and went, was refused, or was not waited for.
        late = sum(each is not None and each.trace.warming.why == "deadline" for each in got)
        assert fan.writes <= 3 + gone + len(refused) + late

    asyncio.run(schedule())
