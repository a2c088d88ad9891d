"""What the levels that keep to budgets promise on top of `Contract`: orders of leaving, shares of namespaces, grace,
invalidation, and who is told of what is dropped. With a slow model of it that looks at everything each time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache.entry import OVERHEAD, Entry
from cache.eviction import FAVOUR
from cache.invalidation import Invalidation
from cache.level import Eviction, Share
from tests.cache.contract import Clock, entry_of, key_of, settled

ORDERS: tuple[Eviction, ...] = ("lru", "lfu", "fifo", "ttl")


@dataclass
class Known:
    entry: Entry
    came: int
    used: int
    uses: int
    ranks: dict[str, int] = field(default_factory=dict)
    """By order: that of the whole is the one without a name."""


@dataclass
class Slow:
    """Everything that a level with budgets keeps, and in which order it goes."""

    max_size: int
    max_bytes: int
    eviction: Eviction
    shares: Mapping[str, Share]
    grace: float
    known: dict[bytes, Known] = field(default_factory=dict)
    ages: dict[str, int] = field(default_factory=dict)
    turn: int = 0

    def there(self, now: float) -> set[bytes]:
        return {key for key, each in self.known.items() if now < each.entry.expires_at + self.grace}

    def read(self, key: bytes, now: float) -> None:
        each = self.known.get(key)
        if each is not None and each.entry.fresh(now):
            self._use(each)

    def put(self, entry: Entry, now: float) -> tuple[bool, list[bytes]]:
        """Whether it is kept, and which fresh ones had to go."""
        self.known = {key: self.known[key] for key in self.known if key in self.there(now)}
        old = self.known.pop(entry.key, None)
        share = self.shares.get(entry.namespace, Share())
        if not entry.fresh(now) or self._crowded([entry], self.max_size, self.max_bytes):
            return False, []
        if self._crowded([entry], share.max_size, share.max_bytes):
            return False, []
        gone = []
        while self._crowded([*self._of(entry.namespace), entry], share.max_size, share.max_bytes):
            gone.append(self._first(entry.namespace))
        while self._crowded([*self._of(None), entry], self.max_size, self.max_bytes):
            gone.append(self._first(None))
        self.turn += 1
        self.known[entry.key] = each = Known(entry, self.turn, self.turn, old.uses if old else 0)
        self._use(each)
        return True, [each.key for each in gone if each.fresh(now)]

    def resize(self, max_size: int, now: float) -> list[bytes]:
        self.known = {key: self.known[key] for key in self.known if key in self.there(now)}
        self.max_size = max_size
        gone = []
        while len(self.known) > max_size:
            gone.append(self._first(None))
        return [each.key for each in gone if each.fresh(now)]

    def _use(self, each: Known) -> None:
        self.turn += 1
        each.used, each.uses = self.turn, min(each.uses + 1, FAVOUR)
        for name in ("", each.entry.namespace):
            each.ranks[name] = each.uses + self.ages.get(name, 0)

    def _of(self, namespace: str | None) -> list[Entry]:
        return [each.entry for each in self.known.values() if namespace in (None, each.entry.namespace)]

    def _crowded(self, entries: list[Entry], most: int | None, room: int | None) -> bool:
        sizes = sum(entry.size for entry in entries)
        return (most is not None and len(entries) > most) or (room is not None and sizes > room)

    def _first(self, namespace: str | None) -> Entry:
        name = namespace or ""
        orders = {
            "fifo": lambda each: (each.came, 0),
            "lru": lambda each: (each.used, 0),
            "lfu": lambda each: (each.ranks[name], each.used),
            "ttl": lambda each: (each.entry.expires_at, each.came),
        }
        among = [each for each in self.known.values() if namespace in (None, each.entry.namespace)]
        first = min(among, key=orders[self.eviction])
        self.ages[name] = max(self.ages.get(name, 0), first.ranks[name])
        return self.known.pop(first.entry.key).entry


SHARES = {"tool": Share(max_size=2), "file": Share(max_bytes=2 * OVERHEAD + 300)}

STEPS = st.lists(
    st.one_of(
        *[
            st.tuples(
                st.just("put"),
                st.integers(0, 8),
                st.sampled_from(["", "tool", "file"]),
                st.integers(0, 60),
                st.integers(0, 400),
            )
        ]
        * 3,
        st.tuples(st.just("get"), st.integers(0, 8)),
        st.tuples(st.just("get"), st.integers(0, 8)),
        st.tuples(st.just("look"), st.integers(0, 8)),
        st.tuples(st.just("delete"), st.integers(0, 8)),
        st.tuples(st.just("tick"), st.integers(1, 20)),
        st.tuples(st.just("resize"), st.integers(0, 6)),
    ),
    max_size=50,
)


class Budgets:
    """Mix in and say how a level of that kind is opened. `more`: eviction, shares, grace, evicted."""

    @asynccontextmanager
    async def level(
        self, clock: Clock, max_size: int = 10, max_bytes: int = 1 << 20, ttl: float = 100.0, **more: Any
    ) -> AsyncIterator[Any]:
        raise NotImplementedError
        yield

    @pytest.mark.parametrize("eviction", ORDERS)
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(steps=STEPS, grace=st.sampled_from([0.0, 7.0]))
    async def test_it_keeps_and_drops_what_the_model_says(
        self, eviction: Eviction, steps: list[tuple[Any, ...]], grace: float
    ) -> None:
        clock, told = Clock(), list[Entry]()
        model = Slow(4, 4 * OVERHEAD + 900, eviction, SHARES, grace)
        more: dict[str, Any] = {"eviction": eviction, "shares": SHARES, "grace": grace, "evicted": told.extend}
        async with self.level(clock, model.max_size, model.max_bytes, 1000.0, **more) as level:
            for turn, (verb, number, *facts) in enumerate(steps):
                key, expected = key_of(number), list[bytes]()
                if verb == "put":
                    namespace, ttl, size = facts
                    body = b"%d" % turn + b"x" * size
                    entry = entry_of(number, clock, body=body, ttl=ttl, namespace=namespace)
                    kept, expected = model.put(entry, clock())
                    assert await settled(level.put(entry)) is kept
                elif verb in {"get", "look"}:
                    found = await settled(getattr(level, verb)(key))
                    assert (found and found.key) == (key if key in model.there(clock()) else None)
                    assert found is None or found == model.known[key].entry
                    if verb == "get":
                        model.read(key, clock())
                elif verb == "delete":
                    await settled(level.delete(key))
                    model.known.pop(key, None)
                elif verb == "tick":
                    clock.tick(number)
                elif hasattr(level, "resize"):
                    before = len(level)
                    expected = model.resize(number, clock())
                    assert level.resize(number) == before - len(level)
                assert [entry.key for entry in told] == expected
                told.clear()
                there = {key_of(name) for name in range(9) if await settled(level.look(key_of(name))) is not None}
                assert there == model.there(clock())
                assert level.stats()["bytes"] <= model.max_bytes
        assert all(entry.key in {key_of(name) for name in range(9)} for entry in told)

    async def test_what_is_over_is_given_for_a_while_and_looks_over(self) -> None:
        clock = Clock()
        async with self.level(clock, ttl=50.0, grace=10.0) as level:
            own, long = entry_of("own", clock, ttl=20), entry_of("long", clock, ttl=500)
            for entry in (own, long):
                assert await settled(level.put(entry)) is True
            assert await settled(level.put(entry_of("over", clock, ttl=0))) is False
            clock.tick(20)
            found = await settled(level.get(own.key))
            assert found == own
            assert not found.fresh(clock())
            assert await settled(level.look(own.key)) == own
            stats = level.stats()
            assert (stats["hits"], stats["misses"]) == (0, 1)
            clock.tick(10)
            assert await settled(level.get(own.key)) is None
            clock.tick(20)
            found = await settled(level.get(long.key))
            assert not found.fresh(clock())
            assert replace(found, expires_at=long.expires_at) == long
            assert found.expires_at == long.stored_at + 50
            clock.tick(10)
            assert await settled(level.get(long.key)) is None

    async def test_the_time_of_a_share_holds_for_its_namespace(self) -> None:
        clock = Clock()
        async with self.level(clock, ttl=50.0, shares={"tool": Share(ttl=20), "file": Share(ttl=70)}) as level:
            for name in ("tool", "file", "other"):
                await settled(level.put(entry_of(name, clock, ttl=100, namespace=name)))
            ends = {}
            for _ in range(8):
                clock.tick(10)
                for name in ("tool", "file", "other"):
                    if await settled(level.get(key_of(name))) is None:
                        ends.setdefault(name, clock() - 1_800_000_000.0)
            assert ends == {"tool": 20, "file": 70, "other": 50}

    async def test_what_is_read_in_its_grace_stays_no_longer_for_it(self) -> None:
        clock = Clock()
        async with self.level(clock, 2, eviction="lru", grace=50.0) as level:
            await settled(level.put(entry_of(1, clock, ttl=10)))
            await settled(level.put(entry_of(2, clock, ttl=100)))
            clock.tick(20)
            assert await settled(level.get(key_of(1))) is not None
            await settled(level.put(entry_of(3, clock)))
            assert [await settled(level.look(key_of(n))) is not None for n in (1, 2, 3)] == [False, True, True]

    async def test_only_what_lacks_room_while_it_is_fresh_is_told_of(self) -> None:
        clock, told = Clock(), list[Entry]()
        async with self.level(clock, 3, eviction="fifo", grace=100.0, evicted=told.extend) as level:
            entries = [entry_of(n, clock, body=b"%d" % n, ttl=10 + 90 * (n > 1), labels=("a",)) for n in range(6)]
            for entry in entries[:3]:
                await settled(level.put(entry))
            await settled(level.put(replace(entries[2], body=b"newer")))
            await settled(level.delete(key_of(2)))
            assert told == []
            clock.tick(20)
            for entry in entries[3:]:
                await settled(level.put(entry))
            assert told == [], "the first two were in their grace only"
            await settled(level.put(entry_of(7, clock)))
            assert told == [entries[3]]
            assert level.stats()["evictions"] == 3
            await settled(level.invalidate(Invalidation(everything=True)))
            assert told == [entries[3]]

    async def test_an_invalidation_takes_what_it_covers_and_nothing_else(self) -> None:
        clock = Clock()
        many = tuple(f"t{number}" for number in range(20))
        facts = {
            "plain": ("a", "x", ()),
            "other": ("b", "x", ()),
            "tagged": ("a", "y", ("doc:1", "doc:2")),
            "longer": ("a", "y", ("doc:11",)),
            "theirs": ("b", "y", ("doc:1",)),
            "crowd": ("b", "z", many),
        }
        asked: list[tuple[Invalidation, set[str]]] = [
            (Invalidation(), set()),
            (Invalidation("a"), set()),
            (Invalidation(keys=(key_of("plain"), key_of("none"))), {"plain"}),
            (Invalidation("b", keys=(key_of("plain"),)), set()),
            (Invalidation(labels=("doc:1",)), {"tagged", "theirs"}),
            (Invalidation("a", labels=("doc:1",)), {"tagged"}),
            (Invalidation(labels=("doc:",)), set()),
            (Invalidation(labels=("DOC:1", "doc:1\ndoc:2", "", "\ud800")), set()),
            (Invalidation(labels=("doc:11", "nobody", "t3")), {"longer", "crowd"}),
            (Invalidation(labels=(*(f"u{n}" for n in range(50)), "doc:2", "t19")), {"tagged", "crowd"}),
            (Invalidation(namespaces=("y",)), {"tagged", "longer", "theirs"}),
            (Invalidation("a", namespaces=("y", "none")), {"tagged", "longer"}),
            (Invalidation("a", namespaces=("x",), labels=("doc:1",), keys=(key_of("other"),)), {"plain", "tagged"}),
            (Invalidation("b", everything=True), {"other", "theirs", "crowd"}),
            (Invalidation("\ud800", everything=True), set()),
            (Invalidation(everything=True), set(facts)),
        ]
        for what, expected in asked:
            async with self.level(clock) as level:
                for name, (tenant, namespace, labels) in facts.items():
                    entry = entry_of(name, clock, tenant=tenant, namespace=namespace, labels=labels)
                    assert what.covers(entry) == (name in expected)
                    assert await settled(level.put(entry)) is True
                assert await settled(level.invalidate(what)) == {key_of(name) for name in expected}
                left = {name for name in facts if await settled(level.look(key_of(name))) is not None}
                assert left == set(facts) - expected
                assert level.stats()["evictions"] == level.stats()["expirations"] == 0
                assert await settled(level.invalidate(what)) == set()
                assert await settled(level.put(entry_of("plain", clock))) is True

    async def test_an_invalidation_takes_what_is_in_its_grace(self) -> None:
        clock = Clock()
        async with self.level(clock, grace=50.0) as level:
            await settled(level.put(entry_of(1, clock, ttl=10, labels=("a",))))
            clock.tick(20)
            assert await settled(level.invalidate(Invalidation(labels=("a",)))) == {key_of(1)}
            assert await settled(level.look(key_of(1))) is None

    async def test_namespaces_are_counted_apart(self) -> None:
        clock = Clock()
        async with self.level(clock, 3, eviction="fifo", shares={"none": Share(5)}) as level:
            for n, namespace in enumerate(("x", "x", "y", "y")):
                await settled(level.put(entry_of(n, clock, namespace=namespace, ttl=10 + n)))
            for n in (1, 1, 2, 9):
                await settled(level.get(key_of(n)))
            clock.tick(11)
            await settled(level.get(key_of(1)))
            size = OVERHEAD + 2
            told = {name: tuple(counts.values()) for name, counts in level.namespaces().items()}
            assert list(level.namespaces()["x"]) == ["entries", "bytes", "hits", "misses", "evictions"]
            assert told["y"] == (2, 2 * size, 1, 0, 0)
            assert told["none"] == (0, 0, 0, 0, 0)
            assert told["x"][2:] == (2, 1, 1)

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({"max_size": -1}, "max_size"),
            ({"max_bytes": -1}, "max_bytes"),
            ({"ttl": -0.5}, "ttl"),
            ({"grace": -1.0}, "grace"),
            ({"eviction": "random"}, "random"),
            ({"shares": {"tool": Share(ttl=-1)}}, "tool"),
        ],
    )
    async def test_what_makes_no_sense_is_said_at_once(self, arguments: dict[str, Any], told: str) -> None:
        with pytest.raises(ValueError, match=told):
            async with self.level(Clock(), **arguments):
                pass

    @pytest.mark.parametrize("arguments", [{"max_size": 0}, {"max_bytes": 0}, {"ttl": 0.0}])
    async def test_nothing_is_a_budget_as_well(self, arguments: dict[str, Any]) -> None:
        clock = Clock()
        async with self.level(clock, **arguments) as level:
            assert await settled(level.put(entry_of(1, clock))) is False
            assert await settled(level.get(key_of(1))) is None
            assert level.stats()["entries"] == 0
