"""Keeping prefixes warm, in virtual time: what was asked for, and what traffic comes back to."""

from __future__ import annotations

import pytest

from adapters.openai_chat import OPENAI_CHAT
from adapters.vocabulary import Warmup
from tests.warming.fan import Fan, chat, claude
from warming.options import Options

HOUR = Warmup(keep=3600.0, dollars=1.0)


def pings(fan, since=1):
    return [asked.at - 1000.0 for asked in fan.asked[since:]]


async def test_a_prefix_is_warmed_ahead_of_time_and_the_first_request_reads_it():
    fan = Fan()
    (told,) = await fan.run(fan.client(claude("?"), stream=False, warmup=Warmup()))
    noted = told.trace.warming
    assert (told.status, noted.why, noted.role) == (200, "warmed", "warmup")
    assert 0 < noted.expires <= 300
    assert [extra.kind for extra in noted.extra] == ["warm"]
    await fan.run(fan.client(claude("A question?")))
    assert fan.asked[1].usage.read > 4000
    # Warming what is warm would only cost.
    (again,) = await fan.run(fan.client(claude("?"), stream=False, warmup=Warmup()))
    assert (again.trace.warming.why, len(fan.asked)) == ("warm", 2)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (claude("?", system="Brief."), "below minimum"),
        (claude("?", model="claude-sonnet-4-5", max_tokens=4000,
                thinking={"type": "enabled", "budget_tokens": 1024}), "no legal warm call"),
    ],
)  # fmt: skip
async def test_and_it_is_said_why_nothing_was_warmed(body, why):
    fan = Fan()
    (told,) = await fan.run(fan.client(body, stream=False, warmup=Warmup()))
    assert told.trace.warming.why.startswith(why)
    assert fan.asked == []


async def test_what_was_asked_to_be_kept_is_read_every_four_minutes_until_its_time_is_over():
    fan = Fan()
    await fan.run(fan.client(claude("?"), stream=False, warmup=HOUR), fan.time.sleep(4000.0))
    gaps = [b - a for a, b in zip(pings(fan, 0), pings(fan), strict=False)]
    assert 14 <= len(pings(fan)) <= 15
    assert all(230 <= gap <= 245 for gap in gaps)
    assert all(asked.usage.read > 4000 and not asked.written for asked in fan.asked[1:])
    assert fan.ledger.figures["calls", "ping", "ok"] == len(pings(fan))
    assert len(fan.warm.calls.keep_alive) == 0


async def test_real_requests_count_as_pings():
    fan = Fan()
    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    bodies = [claude("", messages=[*said, {"role": "user", "content": f"{turn}?"}]) for turn in range(1, 6)]
    talk = (fan.client(body, at=200.0 * turn) for turn, body in enumerate(bodies, 1))
    await fan.run(fan.client(claude("?"), stream=False, warmup=HOUR), *talk, fan.time.sleep(1100.0))
    assert len(fan.asked) == 6


async def test_a_budget_ends_it():
    fan = Fan()
    await fan.run(fan.client(claude("?"), stream=False, warmup=HOUR), fan.time.sleep(300.0))
    price = fan.ledger.figures["dollars", "ping"]
    assert price > 0
    poor = Fan()
    few = Warmup(keep=3600.0, dollars=3.5 * price)
    await poor.run(poor.client(claude("?"), stream=False, warmup=few), poor.time.sleep(4000.0))
    assert len(pings(poor)) in (2, 3)  # our count of its tokens is an estimate, and never lets it spend more
    assert poor.ledger.figures["dollars", "ping"] <= few.dollars


async def test_a_ping_that_is_refused_ends_it():
    fan = Fan(fault=lambda number: 500 if number == 1 else None)
    await fan.run(fan.client(claude("?"), stream=False, warmup=HOUR), fan.time.sleep(4000.0))
    assert len(pings(fan)) == 1


async def test_traffic_that_comes_back_after_a_lapse_is_kept_warm_and_let_go_when_it_stays_away():
    fan = Fan(options=Options(keep=True, dollars=1.0))
    turns = [0.0, 400.0, 800.0, 1200.0, 1600.0, 2000.0]
    await fan.run(*(fan.client(claude(f"{at}?"), at=at) for at in turns), fan.time.sleep(9000.0))
    real = [asked for asked in fan.asked if asked.body["max_tokens"] == 100]
    assert len(real) == 6
    assert real[-1].usage.read > 4000  # bridged by a ping
    last = max(pings(fan, 0))
    assert last < 2000 + 300 * 3  # it stops by itself
    assert len(fan.warm.calls.keep_alive) == 0


async def test_traffic_that_never_lapses_or_never_comes_back_costs_nothing():
    fan = Fan(options=Options(keep=True, dollars=1.0))
    await fan.run(*(fan.client(claude(f"{n}?"), at=100.0 * n) for n in range(5)), fan.time.sleep(9000.0))
    assert len(fan.asked) == 5


async def test_off_by_default():
    fan = Fan()
    turns = [400.0 * n for n in range(6)]
    await fan.run(*(fan.client(claude(f"{at}?"), at=at) for at in turns), fan.time.sleep(9000.0))
    assert len(fan.asked) == 6


async def test_what_is_due_sooner_is_not_overslept_for_what_is_due_later():
    fan = Fan()
    long = chat("?", model="gpt-6-sol")  # half an hour
    await fan.run(
        fan.client(long, stream=False, warmup=Warmup(7200.0, 1.0), dialect=OPENAI_CHAT),
        fan.client(claude("?"), at=60.0, stream=False, warmup=HOUR),
        fan.time.sleep(700.0),
    )
    claudes = [asked for asked in fan.asked if asked.body["model"].startswith("claude")]
    assert len(claudes) == 3
    assert all(asked.usage.read > 4000 for asked in claudes[1:])


async def test_several_upstreams_have_one_budget_for_the_traffics_sake():
    fan = Fan(options=Options(keep=True, dollars=1.0))
    fan.ledger.kept = 1.0  # another upstream has spent it
    turns = [400.0 * n for n in range(6)]
    await fan.run(*(fan.client(claude(f"{at}?"), at=at) for at in turns), fan.time.sleep(9000.0))
    assert len(fan.asked) == 6
