"""What the owner of a semantic store does, without its thread; also against a dictionary and brute force."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.embedder import Matrix
from cache.invalidation import Invalidation
from cache.near import Kept, Near
from cache.semantic_rows import Ask, Deed, Rows
from tests.cache.contract import Clock, key_of
from tests.cache.neighbours import kept, scattered, scope, unit

DIMENSION = 8
POOL = scattered(200, DIMENSION)


def rows_at(path: Path | None, clock: Clock, **other: Any) -> Rows:
    options: dict[str, Any] = {"max_size": 1000, "max_bytes": 1 << 30, "retry_after": 5.0, "busy": 0.01, "many": 1000}
    options.update(other)
    embedder = options.pop("embedder", "ours")
    dimension = options.pop("dimension", DIMENSION)
    rows = Rows(path, embedder, dimension, options.pop("max_size"), options.pop("max_bytes"), clock, **options)
    rows.begin()
    return rows


def put(rows: Rows, *some: Kept) -> list[int]:
    ready = [rows.ready(each) for each in some]
    deeds = [Deed(lambda writing, put=put: writing.put(put), 0) for put in ready if put is not None]
    done = iter(rows.write(deeds))
    return [0 if each is None else next(done) for each in ready]


def near(rows: Rows, vector: Matrix, k: int = 100, within: int | str = 0) -> list[Near]:
    return rows.find([Ask(scope(within), vector, k)])[0]


LABELS = st.sampled_from(["a", "b", "aa", "file:/x y", "é"])


class Model(RuleBasedStateMachine):
    """Two scopes, eight questions, two tenants; budgets that are met. The model remembers the order of use."""

    MOST = 6

    @initialize(on_disk=st.booleans(), many=st.sampled_from([3, 1000]))
    def _open(self, on_disk: bool, many: int) -> None:
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name) / "semantic.db" if on_disk else None
        self.many = many
        self.clock = Clock()
        self.rows = self._opened()
        self.known: dict[int, Kept] = {}
        """In the order of use."""
        self.quarantined: set[int] = set()
        self.observed: dict[int, list[tuple[float, bool]]] = {}
        self.ids: set[int] = set()
        self.turn = itertools.count()

    def _opened(self) -> Rows:
        return rows_at(self.path, self.clock, max_size=self.MOST, many=self.many)

    def teardown(self) -> None:
        if hasattr(self, "rows"):
            self.rows.close()
            self.directory.cleanup()

    def _pick(self, number: int) -> int:
        return list(self.known)[number % len(self.known)] if self.known else 1

    def _expire(self) -> None:
        for id in [id for id, each in self.known.items() if each.entry.expires_at <= self.clock()]:
            self._gone(id)

    def _gone(self, id: int) -> None:
        self.known.pop(id, None)
        self.quarantined.discard(id)
        self.observed.pop(id, None)

    @rule(
        name=st.integers(0, 7),
        within=st.integers(0, 1),
        ttl=st.integers(1, 60),
        row=st.integers(0, 99),
        labels=st.lists(LABELS, max_size=3, unique=True).map(tuple),
    )
    def put(self, name: int, within: int, ttl: int, row: int, labels: tuple[str, ...]) -> None:
        facts = {"tenant": f"t{name % 2}", "namespace": f"n{name % 3}", "labels": labels, "took": row / 8}
        one = kept(name, self.clock, POOL[row], within=within, ttl=float(ttl), **facts)
        (id,) = put(self.rows, one)
        assert id > 0
        assert id not in self.ids
        self.ids.add(id)
        for other in [
            other for other, each in self.known.items() if (each.scope, each.entry.key) == (one.scope, one.entry.key)
        ]:
            self._gone(other)
        self._expire()
        self.known[id] = one
        while len(self.known) > self.MOST:
            self._gone(next(iter(self.known)))

    @rule(number=st.integers(0, 99))
    def use(self, number: int) -> None:
        id = self._pick(number)
        entry = self.rows.answer(id)
        self._expire()
        if id in self.known and id not in self.quarantined:
            assert entry == self.known[id].entry
            self.known[id] = self.known.pop(id)
        else:
            assert entry is None

    @rule(number=st.integers(0, 99), similarity=st.floats(0, 1), correct=st.booleans())
    def observe(self, number: int, similarity: float, correct: bool) -> None:
        id = self._pick(number)
        self.rows.write([Deed(lambda writing: writing.observe(id, similarity, correct))])
        self._expire()
        if id in self.known:
            self.observed.setdefault(id, []).append((similarity, correct))

    @rule(number=st.integers(0, 99))
    def quarantine(self, number: int) -> None:
        id = self._pick(number)
        (done,) = self.rows.write([Deed(lambda writing: writing.quarantine(id), False)])
        self._expire()
        if id in self.known:
            assert done
            self.quarantined.add(id)

    @rule(number=st.integers(0, 99), tenant=st.sampled_from(["t0", "t1", None]))
    def delete(self, number: int, tenant: str | None) -> None:
        id = self._pick(number)
        mine = id in self.known and tenant in (None, self.known[id].entry.tenant)
        over = id in self.known and self.known[id].entry.expires_at <= self.clock()
        (done,) = self.rows.write([Deed(lambda writing: writing.delete_one(id, tenant), False)])
        assert done == mine or over
        if mine:
            self._gone(id)
        self._expire()

    @rule(within=st.sampled_from([0, 1, None]), tenant=st.sampled_from(["t0", "t1", "t2"]))
    def purge(self, within: int | None, tenant: str) -> None:
        self._expire()
        self.rows.write([])
        meant = [
            id
            for id, each in self.known.items()
            if each.entry.tenant == tenant and (within is None or each.scope == scope(within))
        ]
        where = None if within is None else scope(within)
        assert self.rows.write([Deed(lambda writing: writing.purge(where, tenant), 0)]) == [len(meant)]
        for id in meant:
            self._gone(id)

    @rule(
        what=st.builds(
            Invalidation,
            tenant=st.sampled_from(["t0", "t1", "t2", None]),
            keys=st.lists(st.integers(0, 7).map(key_of), max_size=2).map(tuple),
            labels=st.lists(LABELS, max_size=2).map(tuple),
            namespaces=st.lists(st.sampled_from(["n0", "n1", "n"]), max_size=1).map(tuple),
            everything=st.integers(0, 9).map(lambda number: number == 0),
        ),
        many=st.booleans(),
    )
    def invalidate(self, what: Invalidation, many: bool) -> None:
        self._expire()
        self.rows.write([])
        what = what._replace(labels=what.labels + tuple(f"z{n}" for n in range(20))) if many else what
        meant = [id for id, each in self.known.items() if what.covers(each.entry)]
        assert self.rows.invalidate(what) == len(meant)
        for id in meant:
            self._gone(id)

    @rule(seconds=st.integers(1, 30))
    def tick(self, seconds: int) -> None:
        self.clock.tick(seconds)

    @rule(steps=st.integers(1, 20))
    def work(self, steps: int) -> None:
        for _ in range(steps):
            self.rows.work()

    @precondition(lambda self: self.path is not None)
    @rule()
    def again(self) -> None:
        self.rows.settle()
        self.rows.close()
        self.rows = self._opened()
        # Uses within one reading of the clock are not told apart on disk.
        order = list(self.rows.view.slots)
        self._expire()
        assert set(order) == set(self.known)
        self.known = {id: self.known[id] for id in order}

    @rule(row=st.integers(100, 199), k=st.integers(1, 8))
    def near(self, row: int, k: int) -> None:
        self._expire()
        asks = [Ask(scope(within), POOL[row + each], k) for within in (0, 1) for each in (0, -1)]
        for ask, found in zip(asks, self.rows.find(asks), strict=True):
            meant = {
                id: each for id, each in self.known.items() if each.scope == ask.scope and id not in self.quarantined
            }
            best = sorted((float(each.vector @ ask.vector) for each in meant.values()), reverse=True)[:k]
            assert [each.similarity for each in found] == pytest.approx(best, abs=1e-5)
            for each in found:
                entry = meant[each.id].entry
                assert each.similarity == pytest.approx(float(meant[each.id].vector @ ask.vector), abs=1e-5)
                assert (each.text, each.expires_at) == (meant[each.id].text, entry.expires_at)
                assert each.observed == tuple(self.observed.get(each.id, ()))

    @invariant()
    def sound(self) -> None:
        if hasattr(self, "rows") and next(self.turn) % 5 == 0:
            assert self.rows.check(mend=False) == []
            assert self.rows.faults == self.rows.damaged_rows == 0


Model.TestCase.settings = settings(max_examples=60, report_multiple_bugs=False, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["disk", "memory"], name="rows")
def _rows(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Rows]:
    rows = rows_at(tmp_path / "semantic.db" if request.param == "disk" else None, clock, max_size=100)
    yield rows
    rows.close()


# Looking


def test_expired_neighbours_do_not_crowd_out_the_others(rows: Rows, clock: Clock) -> None:
    close = unit([[1, 0, 0, 0, 0, 0, 0, 0.01 * n] for n in range(60)])
    put(rows, *[kept(n, clock, close[n], ttl=10.0 if n < 50 else 50.0) for n in range(60)])
    clock.tick(20)
    assert [each.text for each in near(rows, close[0], 4)] == [f"What about {n}?" for n in (50, 51, 52, 53)]
    assert rows.expirations > 4


def test_searches_of_one_turn_do_not_disturb_one_another(rows: Rows, clock: Clock) -> None:
    put(rows, *[kept(n, clock, POOL[n], within=n % 2) for n in range(20)])
    asks = [Ask(scope(n % 3), POOL[n], 1 + n) for n in range(9)]
    together = rows.find(asks)
    assert together == [rows.find([ask])[0] for ask in asks]
    assert [len(found) for found in together] == [1, 2, 0, 4, 5, 0, 7, 8, 0]


def test_a_similarity_is_at_most_one(rows: Rows, clock: Clock) -> None:
    long = POOL[0] * 1.0009
    put(rows, kept(1, clock, long))
    assert [each.similarity for each in near(rows, long)] == [1.0]


# Room


def test_the_longest_unused_goes_first(clock: Clock) -> None:
    rows = rows_at(None, clock, max_size=3)
    ids = put(rows, *[kept(n, clock, POOL[n]) for n in range(3)])
    assert rows.answer(ids[0]) is not None
    ids += put(rows, kept("new", clock, POOL[9]))
    assert [id for id in ids if rows.answer(id)] == [ids[0], ids[2], ids[3]]
    ids += put(rows, kept("newer", clock, POOL[10]))
    assert [id for id in ids if rows.answer(id)] == [ids[2], ids[3], ids[4]]
    rows.close()


def test_the_longest_unused_goes_first_also_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "semantic.db"
    rows = rows_at(path, clock)
    ids = []
    for n in range(5):
        ids += put(rows, kept(n, clock, POOL[n]))
        clock.tick(1)
    assert rows.answer(ids[0]) is not None
    rows.settle()
    rows.close()
    rows = rows_at(path, clock, max_size=3)
    (new,) = put(rows, kept("new", clock, POOL[9]))
    assert [id for id in [*ids, new] if rows.answer(id)] == [ids[0], ids[4], new]
    assert rows.evictions == 3
    rows.close()


def test_bytes_are_a_budget_too(clock: Clock) -> None:
    rows = rows_at(None, clock, max_bytes=5 * 2000)
    put(rows, *[kept(n, clock, POOL[n], body=b"x" * 1000) for n in range(20)])
    assert len(rows.view) == 5
    assert rows.view.bytes <= 5 * 2000
    assert put(rows, kept("large", clock, POOL[30], body=b"x" * 10_000)) == [0], "by itself more than there is room"
    assert len(rows.view) == 5
    assert {each.text for each in near(rows, POOL[0])} == {f"What about {n}?" for n in range(15, 20)}
    rows.close()


def test_one_write_deletes_a_bounded_number_of_rows(rows: Rows, clock: Clock) -> None:
    for n in range(0, 100, 10):
        put(rows, *[kept(m, clock, POOL[m], ttl=10.0) for m in range(n, n + 10)])
    clock.tick(20)
    put(rows, kept("next", clock, POOL[150]))
    assert rows.expirations == 16
    assert len(rows.view) == 85
    for n in range(7):
        put(rows, kept(f"next{n}", clock, POOL[151 + n]))
    assert rows.expirations == 100
    assert len(rows.view) == 8


@pytest.mark.parametrize(
    "other",
    [{"ttl": 0.0}, {"text": "\ud800"}, {"tenant": "\ud800"}, {"model": "\ud800"}, {"cost": float("nan")}],
    ids=repr,
)
def test_what_cannot_be_kept_is_refused_and_harms_nobody(rows: Rows, clock: Clock, other: dict[str, Any]) -> None:
    ids = put(rows, kept(1, clock, POOL[0]), kept(2, clock, POOL[1], **other), kept(3, clock, POOL[2]))
    assert [id > 0 for id in ids] == [True, False, True]
    assert rows.faults == 0


def test_within_one_turn_the_last_of_a_key_holds(rows: Rows, clock: Clock) -> None:
    first, second = kept(1, clock, POOL[0], text="first"), kept(1, clock, POOL[1], text="second")
    ids = put(rows, first, second)
    assert [each.text for each in near(rows, POOL[0])] == ["second"]
    assert [rows.answer(id) for id in ids] == [None, second.entry]
    assert len(rows.view) == 1


# Another embedder


def test_vectors_of_two_embedders_never_meet(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "semantic.db"
    rows = rows_at(path, clock)
    old = put(rows, *[kept(n, clock, POOL[n]) for n in range(5)])
    rows.write([Deed(lambda writing: writing.observe(old[0], 0.9, True))])
    rows.write([Deed(lambda writing: writing.quarantine(old[4]))])
    rows.close()
    rows = rows_at(path, clock, embedder="theirs")
    assert near(rows, POOL[0]) == []
    assert rows.view.holds(scope(0)) == 0
    assert [id for id, _ in rows.stale(2)] == old[:2]
    assert dict(rows.stale(9)) == {id: f"What about {n}?" for n, id in enumerate(old[:4])}
    put(rows, kept("new", clock, POOL[9]))
    assert len(near(rows, POOL[0])) == 1
    given = {old[0]: POOL[50], old[1]: POOL[51], 999: POOL[52], old[4]: POOL[53]}
    assert rows.write([Deed(lambda writing: writing.reembed(given), 0)]) == [2]
    assert [id for id, _ in rows.stale(9)] == [old[2], old[3]]
    again = near(rows, POOL[50], 1)[0]
    assert (again.text, again.observed, again.similarity) == ("What about 0?", (), pytest.approx(1))
    assert rows.answer(again.id) == kept(0, clock, POOL[0]).entry
    assert rows.answer(old[0]) is None
    assert rows.check(mend=False) == []
    rows.close()
    rows = rows_at(path, clock)
    assert {each.text for each in near(rows, POOL[0])} == {"What about 2?", "What about 3?"}
    rows.close()


def test_another_dimension_is_another_embedder(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "semantic.db"
    rows = rows_at(path, clock)
    put(rows, kept(1, clock, POOL[0]))
    rows.close()
    rows = rows_at(path, clock, dimension=4)
    assert near(rows, unit([1, 0, 0, 0])) == []
    assert len(rows.stale(9)) == 1
    assert rows.ready(kept(2, clock, POOL[0])) is None
    assert rows.check(mend=False) == []
    rows.close()


def test_what_is_foreign_counts_in_the_budget(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "semantic.db"
    rows = rows_at(path, clock)
    put(rows, *[kept(n, clock, POOL[n]) for n in range(5)])
    rows.close()
    clock.tick(1)
    rows = rows_at(path, clock, embedder="theirs", max_size=3)
    put(rows, kept("new", clock, POOL[9]))
    assert (len(rows.view), len(rows.stale(9)), len(near(rows, POOL[9]))) == (3, 2, 1)
    rows.close()


# What is counted


def test_a_row_from_the_future_is_not_served(rows: Rows, clock: Clock) -> None:
    (id,) = put(rows, kept(1, clock, POOL[0]))
    clock.tick(-30)
    assert len(near(rows, POOL[0])) == 1
    clock.tick(-86_400)
    assert near(rows, POOL[0]) == []
    assert rows.answer(id) is None


def test_uses_are_written_with_other_writes(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "semantic.db"
    rows = rows_at(path, clock)
    ids = put(rows, *[kept(n, clock, POOL[n]) for n in range(3)])
    clock.tick(5)
    assert rows.answer(ids[0]) is not None
    put(rows, kept("next", clock, POOL[9]))
    rows.close()  # without settling
    rows = rows_at(path, clock)
    assert list(rows.view.slots) == [ids[1], ids[2], ids[0], 4]
    rows.close()


def test_the_key_is_of_a_scope(rows: Rows, clock: Clock) -> None:
    same = [kept(1, clock, POOL[0], within=within) for within in (0, 1)]
    assert same[0].entry == same[1].entry
    put(rows, *same)
    assert [rows.view.holds(scope(within)) for within in (0, 1)] == [1, 1]
