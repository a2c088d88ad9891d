"""No entry is served after its invalidation was acknowledged: over levels, write policies, workers and replicas that do
everything at random in virtual time, and levels and replicas that fail and are away."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - seeded, one for each world
from typing import Any, Protocol

import pytest

from cache.entry import Entry, Shape
from cache.invalidation import Alone, Invalidation
from cache.labels import entry_label
from cache.memory import Memory
from cache.replicas import Reached
from cache.tiers import Options, Tiers
from tests.cache.contract import key_of
from tests.cache.scripted_level import ScriptedLevel, Shelf
from tests.cache.scripted_replicas import Bus, Member
from tests.fakes import Time

KEYS, FOREVER = 4, 1e9
DEPENDENT = 100
"""Added to the number of a key: the number of what is made from its value."""

SETTLE = 45.0
"""More than an invalidation takes here."""


@dataclass
class World:
    chance: Random
    time: Time = field(default_factory=Time)
    truth: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(KEYS), 0))
    floor: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(2 * DEPENDENT), 0))
    """What everything that is served has to be as new as: the truth at the last acknowledged invalidation."""
    served: int = 0
    acknowledged: int = 0
    wrong: list[str] = field(default_factory=list)

    async def pause(self, *_: object) -> None:
        if self.chance.random() < 0.4:
            await self.time.sleep(self.chance.choice((0, 1, 3)))

    def saw(self, number: int, found: Entry | None, how: str) -> None:
        if found is None:
            return
        self.served += 1
        version = int(found.body)
        if version < self.floor[number]:
            self.wrong.append(f"{how}: {number} of version {version} for {self.floor[number]}")


def entry(world: World, number: int, version: int) -> Entry:
    depends = (entry_label(key_of(number % DEPENDENT)),) if number >= DEPENDENT else ()
    labels = (f"tag:{number % DEPENDENT}", *depends)
    now = world.time()
    plain: dict[str, Any] = {"status": 200, "headers": (), "with_usage": True, "usage": None, "cost": None}
    return Entry(
        key_of(number), f"t{number % 2}", f"n{number % 3}", "", Shape.MESSAGE, body=b"%d" % version, stored_at=now,
        expires_at=now + FOREVER, labels=labels, **plain,
    )  # fmt: skip


def built(
    world: World, shelf: Shelf, log: Alone | None = None, shared: Shelf | None = None, member: Member | None = None
) -> Tiers:
    chance, clock = world.chance, world.time
    l2 = ScriptedLevel("l2", FOREVER, clock, shelf=shelf, turn=world.pause, max_size=chance.choice((3, 100)))
    l3 = None if shared is None else ScriptedLevel("l3", FOREVER, clock, shelf=shared, turn=world.pause, remote=True)
    policy = chance.choice(("write_through", "write_back", "write_around"))
    options = Options(policy, 7.0, promote_after=chance.choice((1, 1, 2)), settle=SETTLE)
    l1 = Memory(chance.choice((2, 10)), 1 << 20, FOREVER, clock)
    tiers = Tiers(l1, l2, l3, options, clock=clock, log=log, replicas=member)
    if member is not None:
        member.hear = tiers.hear
    return tiers


def replicas(world: World) -> list[tuple[Tiers, Member | None]]:
    """Two workers of one machine and one of another, which share an L3."""
    bus = Bus(world.time.sleep, lease=20.0)
    here, there, shared, log = Shelf(), Shelf(), Shelf(), Alone()
    one, two, three = [bus.join(world.pause) for _ in range(3)]
    return [
        (built(world, here, log, shared, one), one),
        (built(world, here, log, shared, two), two),
        (built(world, there, Alone(), shared, three), three),
    ]


def workers(world: World) -> list[tuple[Tiers, Member | None]]:
    """Two of one machine, and no L3."""
    shelf, log = Shelf(), Alone()
    return [(built(world, shelf, log), None), (built(world, shelf, log), None)]


def alone(world: World) -> list[tuple[Tiers, Member | None]]:
    return [(built(world, Shelf(), shared=Shelf() if world.chance.random() < 0.7 else None), None)]


async def make(world: World, tiers: Tiers, number: int) -> None:
    mark, version = tiers.mark(), world.truth[number % DEPENDENT]
    if number >= DEPENDENT:  # made from the value of another entry
        found = await tiers.get(key_of(number % DEPENDENT))
        if found is None:
            return
        version = int(found[0].body)
    await world.pause()
    made = entry(world, number, version)
    await tiers.put(made, mark) if world.chance.random() < 0.7 else await tiers.put_many([made], mark)


async def read(world: World, tiers: Tiers, number: int) -> None:
    key = key_of(number)
    how = world.chance.choice(("get", "peek", "many", "look", "stale", "promote"))
    if how == "peek":
        world.saw(number, tiers.peek(key), how)
    elif how == "promote":
        await tiers.promote(key)
    elif how == "many":
        found = await tiers.get_many([key, key_of("nothing")])
        world.saw(number, found[key][0] if key in found else None, how)
    else:
        one = await (tiers.look(key) if how == "look" else tiers.get(key, stale=how == "stale"))
        world.saw(number, one[0] if one else None, how)


class Other(Protocol):
    """A replica, as the others see it."""

    trusted: bool
    away: bool

    async def publish(self, what: Invalidation) -> Reached: ...


async def invalidate(world: World, tiers: Tiers, member: Other | None, number: int) -> None:
    kind = world.chance.choice(("key", "key", "tag", "namespace", "tenant"))
    what = {
        "key": Invalidation(keys=(key_of(number),)),
        "tag": Invalidation(labels=(f"tag:{number}",)),
        "namespace": Invalidation(namespaces=(f"n{number % 3}",)),
        "tenant": Invalidation(f"t{number % 2}", everything=True),
    }[kind]
    covered = [each for each in range(KEYS) if what.covers(entry(world, each, 0))]
    versions = {}
    for each in covered:
        world.truth[each] += 1
        versions[each] = world.truth[each]
    done = await tiers.invalidate(what) is not None
    if member is not None:
        done = (await member.publish(what)).complete and done
        done = await tiers.sweep(what) and done and member.trusted and not member.away
    if done:
        world.acknowledged += 1
        for each in covered:
            # What depends on an entry that no replica had any more, is not known by its namespace.
            for below in (each, each + DEPENDENT) if kind != "namespace" else (each,):
                world.floor[below] = max(world.floor[below], versions[each])


async def act(world: World, tiers: Tiers, member: Other | None) -> None:
    chance = world.chance
    for _ in range(chance.randrange(10, 60)):
        number = chance.randrange(KEYS)
        deed = chance.random()
        if deed < 0.35:
            await make(world, tiers, number + DEPENDENT * (chance.random() < 0.3))
        elif deed < 0.93:
            await read(world, tiers, number + DEPENDENT * (chance.random() < 0.3))
        elif deed < 0.98:
            await invalidate(world, tiers, member, number)
        else:
            await tiers.flush()
        await world.pause()


async def trouble(world: World, tiers: Tiers, member: Member | None) -> None:
    chance = world.chance
    for _ in range(chance.randrange(3)):
        await world.time.sleep(chance.uniform(0, 60))
        level = chance.choice([level for level in (tiers.l2, tiers.l3) if level is not None])
        assert isinstance(level, ScriptedLevel)
        if member is not None and chance.random() < 0.5:
            await member.leave(chance.choice((3.0, 40.0)))
        else:
            level.failing = set(chance.sample(["get", "put", "invalidate", "look"], 2))
            await world.time.sleep(chance.uniform(0, 10))
            level.failing = set()


async def lived(seed: int) -> World:
    world = World(Random(seed))
    all_of_them = (replicas, workers, alone)[seed % 3](world)
    work = [act(world, *each) for each in all_of_them for _ in range(3)]
    work += [trouble(world, *each) for each in all_of_them]
    for outcome in await world.time.run(*work):
        if isinstance(outcome, BaseException):
            raise outcome
    closed = await world.time.run(*[tiers.close() for tiers, _ in all_of_them])
    assert closed == [None] * len(all_of_them)
    return world


@pytest.mark.parametrize("seed", range(60))
async def test_nothing_is_served_after_its_invalidation_was_acknowledged(seed: int) -> None:
    world = await lived(seed)
    assert world.wrong == []
    assert world.served
