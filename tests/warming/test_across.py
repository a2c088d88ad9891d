"""Two replicas in front of one provider, in virtual time."""

import asyncio

import pytest

from adapters.errors import UpstreamError
from adapters.vocabulary import Fanout
from tests.leases import Table
from tests.warming.fan import Fan, claude
from warming.across import PLACES, Across, places


def replicas(fan: Fan, count: int = 2):
    table = Table(fan.time)
    return table, [fan.beside(Across(table, fan.tasks)) for _ in range(count)]


async def test_without_leases_each_replica_writes_for_itself():
    fan = Fan()
    both = [fan.beside(None), fan.beside(None)]
    await fan.run(*(fan.client(claude(f"Question {n}?"), through=both[n % 2]) for n in range(8)))
    assert fan.writes == 2


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("spread", [0.0, 0.01])
async def test_siblings_that_meet_different_replicas_pay_for_their_prefix_once(count, spread):
    fan = Fan()
    table, layers = replicas(fan, count)
    clients = (fan.client(claude(f"Question {n}?"), at=n * spread, through=layers[n % count]) for n in range(12))
    got = await fan.run(*clients)
    assert [each.status for each in got] == [200] * 12
    assert fan.writes == 1
    assert sum(each.trace.warming.role == "leader" for each in got) == 1
    assert table.held == {}


async def test_a_leader_that_fails_gives_its_leases_back():
    def unreachable(number):
        if number == 0:
            raise UpstreamError("no connection")

    fan = Fan(fault=unreachable)
    table, layers = replicas(fan)
    got = await fan.run(*(fan.client(claude(f"Question {n}?"), through=layers[n % 2]) for n in range(6)))
    assert [each.status for each in got].count(200) == 5
    assert fan.writes == 1
    assert table.held == {}


async def test_a_replica_that_is_silent_holds_nobody_beyond_the_deadline():
    fan = Fan()
    table, layers = replicas(fan)
    for digest in await digests(fan, table, layers[0]):
        table.held[digest] = b"somebody", 1e9
    began = fan.time.now
    (got,) = await fan.run(fan.client(claude("Another?"), through=layers[1]))
    assert got.status == 200
    assert fan.asked[-1].at - began == pytest.approx(fan.options.deadline)


async def digests(fan, table, layer):
    await fan.run(fan.client(claude("Question?"), through=layer))
    return list(table.seen)


async def test_a_client_that_hangs_up_while_it_waits_leaves_nobody_waiting():
    fan = Fan()
    table, layers = replicas(fan)
    for digest in await digests(fan, table, layers[0]):
        table.held[digest] = b"somebody", fan.time.now + 5.0
    waiting = asyncio.ensure_future(fan.client(claude("Second?"), through=layers[1]))
    for _ in range(30):
        await asyncio.sleep(0)
    waiting.cancel()
    assert [each.status for each in await fan.run(fan.client(claude("Third?"), through=layers[1]))] == [200]
    assert table.held.keys() <= set(table.seen)


async def test_a_declared_fan_out_is_warmed_by_each_replica_that_has_a_part_of_it():
    fan = Fan()
    _, layers = replicas(fan)
    got = await fan.run(
        *(fan.client(claude(f"Question {n}?"), fanout=Fanout("g", 3), through=layers[n % 2]) for n in range(6))
    )
    assert [each.status for each in got] == [200] * 6


def test_of_many_places_both_ends_are_asked_for_the_deepest_first():
    assert places([b"1", b"2"]) == [b"2", b"1"]
    many = [bytes([n]) for n in range(20)]
    assert places(many) == [*reversed(many[-PLACES:]), *reversed(many[:PLACES])]
