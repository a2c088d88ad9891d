from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from cache.disk import Disk
from cache.disk_files import connect
from cache.disk_schema import COLUMNS, row_of
from cache.invalidation import Invalidation
from cache.invalidation_log import FileLog
from cache.near import Judgement, Near, Tally
from cache.semantic_schema import INSERT_QUESTION, JUDGEMENTS, MIGRATIONS, PRAGMAS, question_row
from cache.semantic_store import SemanticStore
from tests.cache.contract import Clock, entry_of, key_of
from tests.cache.keeping import numbered
from tests.cache.neighbours import kept, scattered, scope

ROOT = Path(__file__).resolve().parents[2]
DIMENSION = 16
POOL = scattered(1000, DIMENSION)


@asynccontextmanager
async def opened(path: Path | None, clock: Clock, **other: Any) -> AsyncIterator[SemanticStore]:
    """A patient store, so that a busy machine fails no test."""
    options: dict[str, Any] = {"max_size": 1000, "max_bytes": 1 << 30, "patience": 30.0, "busy": 0.01}
    options.update(other)
    store = SemanticStore(path, options.pop("embedder", "e"), DIMENSION, clock=clock, **options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "semantic.db"


@pytest.fixture(params=["disk", "memory"], name="store")
async def _store(request: pytest.FixtureRequest, path: Path, clock: Clock) -> AsyncIterator[SemanticStore]:
    async with opened(path if request.param == "disk" else None, clock) as store:
        yield store
        assert await store.check() == []


def texts(found: list[Near]) -> list[str]:
    return [near.text for near in found]


def change(path: Path, statement: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


def content(path: Path) -> bytes:
    return path.read_bytes()


async def filled(store: SemanticStore, clock: Clock, count: int, **other: Any) -> list[int]:
    return await asyncio.gather(*[store.put(kept(n, clock, POOL[n], **other)) for n in range(count)])


# -- what is kept ----------------------------------------------------------------------------------------------------


async def test_what_is_put_is_near_and_its_answer_is_there(store: SemanticStore, clock: Clock) -> None:
    one = kept(1, clock, POOL[1], text="Wie spät ist es?")
    id = await store.put(one)
    (near,) = await store.near(scope(0), POOL[1], 4)
    assert near == Near(id, near.similarity, "Wie spät ist es?", clock(), one.entry.expires_at, ())
    assert near.similarity == pytest.approx(1, abs=1e-6)
    assert await store.entry(id) == one.entry
    assert store.holds(scope(0)) == 1


async def test_the_most_similar_come_first(store: SemanticStore, clock: Clock) -> None:
    await filled(store, clock, 100)
    order = np.argsort(-(POOL[:100] @ POOL[500])).tolist()
    found = await store.near(scope(0), POOL[500], 7)
    assert texts(found) == [f"What about {n}?" for n in order[:7]]
    assert [near.similarity for near in found] == pytest.approx((POOL[:100] @ POOL[500])[order[:7]].tolist(), abs=1e-6)
    assert len(await store.near(scope(0), POOL[500], 1000)) == 100
    assert await store.near(scope(0), POOL[500], 0) == []


async def test_scopes_never_meet(store: SemanticStore, clock: Clock) -> None:
    for within in range(3):
        await store.put(kept(within, clock, POOL[0], within=within))
    for within in range(3):
        assert texts(await store.near(scope(within), POOL[0], 9)) == [f"What about {within}?"]
    assert await store.near(scope("none"), POOL[0], 9) == []


async def test_of_a_scope_and_a_key_there_is_one(store: SemanticStore, clock: Clock) -> None:
    first = await store.put(kept(1, clock, POOL[0], text="first"))
    second = await store.put(kept(1, clock, POOL[1], text="second"))
    assert second > first
    assert texts(await store.near(scope(0), POOL[0], 9)) == ["second"]
    assert await store.entry(first) is None
    assert store.holds(scope(0)) == 1


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(DIMENSION, np.float32),
        np.full(DIMENSION, np.nan, np.float32),
        POOL[0] * 2,
        POOL[0, :8],
        POOL[:1],
        np.full(DIMENSION, np.inf, np.float32),
        "no vector",
        None,
    ],
    ids=["zero", "not a number", "too long", "dimension", "matrix", "infinite", "text", "none"],
)
async def test_a_vector_that_is_none_is_neither_kept_nor_looked_for(
    store: SemanticStore, clock: Clock, vector: Any
) -> None:
    await store.put(kept("good", clock, POOL[0]))
    assert await store.put(kept("bad", clock, vector)) == 0
    assert await store.near(scope(0), vector, 4) == []
    assert store.stats()["refused"] == 2
    assert store.stats()["entries"] == 1
    assert await store.reembed({1: vector}) == 0


async def test_what_has_expired_is_not_near_and_not_served(store: SemanticStore, clock: Clock) -> None:
    ids = [await store.put(kept(n, clock, POOL[n], ttl=ttl)) for n, ttl in enumerate((10.0, 20.0))]
    clock.tick(10)
    assert texts(await store.near(scope(0), POOL[0], 9)) == ["What about 1?"]
    assert [await store.entry(id) is not None for id in ids] == [False, True]
    assert await store.put(kept("late", clock, POOL[3], ttl=0.0)) == 0


async def test_a_question_of_any_length_is_kept(store: SemanticStore, clock: Clock) -> None:
    for text in ("", "x" * 100_000, "\x00\u2028\U0001f600"):
        id = await store.put(kept(text[:1], clock, POOL[1], text=text, within=text[:1]))
        assert texts(await store.near(scope(text[:1]), POOL[1], 1)) == [text]
        assert id > 0


async def test_what_is_observed_of_an_entry_comes_with_it(store: SemanticStore, clock: Clock) -> None:
    id = await store.put(kept(1, clock, POOL[0]))
    await asyncio.gather(*[store.observe(id, n / 100, n % 3 == 0) for n in range(70)])
    await store.observe(id + 1, 0.5, True)
    await store.observe(id, float("nan"), True)
    (near,) = await store.near(scope(0), POOL[0], 1)
    assert near.observed == tuple((n / 100, n % 3 == 0) for n in range(6, 70))


async def test_what_is_quarantined_is_never_near_again_and_stays_for_the_record(
    store: SemanticStore, clock: Clock
) -> None:
    ids = await filled(store, clock, 3)
    assert await store.quarantine(ids[1]) is True
    assert await store.quarantine(999) is False
    assert texts(await store.near(scope(0), POOL[1], 9)) != []
    assert "What about 1?" not in texts(await store.near(scope(0), POOL[1], 9))
    assert await store.entry(ids[1]) is None
    assert (store.stats()["entries"], store.holds(scope(0))) == (3, 2)


async def test_a_tenant_deletes_its_own_and_no_other(store: SemanticStore, clock: Clock) -> None:
    mine, theirs = [await store.put(kept(t, clock, POOL[0], tenant=t)) for t in ("mine", "theirs")]
    assert await store.delete(theirs, "mine") is False
    assert await store.delete(theirs, "\ud800") is False
    assert await store.delete(mine, "mine") is True
    assert await store.delete(mine, "mine") is False
    assert texts(await store.near(scope(0), POOL[0], 9)) == ["What about theirs?"]
    assert await store.delete(theirs, None) is True
    assert store.holds(scope(0)) == 0


async def test_a_purge_is_of_a_scope_a_tenant_both_or_everything(store: SemanticStore, clock: Clock) -> None:
    async def fill() -> None:
        await asyncio.gather(
            *[
                store.put(kept(f"{within}{tenant}{n}", clock, POOL[n], within=within, tenant=tenant))
                for within in (0, 1)
                for tenant in "ab"
                for n in range(5)
            ]
        )

    for where, whose, count in [(0, None, 10), (None, "a", 10), (1, "b", 5), (None, None, 20), (2, None, 0)]:
        await store.purge(scope=None, tenant=None)
        await fill()
        place = None if where is None else scope(where)
        assert await store.purge(scope=place, tenant=whose) == count
        assert store.stats()["entries"] == 20 - count
    assert await store.purge(scope=None, tenant="\ud800") == 0
    assert await store.check() == []


async def test_labels_come_back_with_the_answer(store: SemanticStore, clock: Clock) -> None:
    one = kept(1, clock, POOL[1], labels=("doc:1", "file:/a b"), took=1.5, namespace="n")
    id = await store.put(one)
    assert await store.entry(id) == one.entry
    assert await store.reembed({id: POOL[2]}) == 1
    (near,) = await store.near(scope(0), POOL[2], 1)
    assert await store.entry(near.id) == one.entry
    assert await store.invalidate(Invalidation(labels=("file:/a b",))) == 1


@pytest.mark.parametrize(
    ("what", "left"),
    [
        (Invalidation(), "0123"),
        (Invalidation(labels=("a",)), "3"),
        (Invalidation(labels=("b", "c")), "03"),
        (Invalidation("other", labels=("a",)), "013"),
        (Invalidation(labels=("x", *[f"l{n}" for n in range(20)])), "0123"),
        (Invalidation(labels=("b", *[f"l{n}" for n in range(20)])), "023"),
        (Invalidation("other", labels=("a", *[f"l{n}" for n in range(20)])), "013"),
        (Invalidation(keys=(key_of(0), key_of(3), key_of(9))), "12"),
        (Invalidation("other", keys=(key_of(0), key_of(2))), "013"),
        (Invalidation(namespaces=("n",)), "012"),
        (Invalidation("other", namespaces=("n", "")), "013"),
        (Invalidation("team-ü", everything=True, labels=("a",)), "2"),
        (Invalidation(everything=True), ""),
        (Invalidation("\ud800", everything=True), "0123"),
        (Invalidation(labels=("\ud800", "", "a\nb"), namespaces=("\udfff",)), "0123"),
    ],
)
async def test_what_an_invalidation_covers_is_gone(
    store: SemanticStore, clock: Clock, what: Invalidation, left: str
) -> None:
    facts: list[dict[str, Any]] = [
        {"labels": ("a",)},
        {"labels": ("b", "a")},
        {"labels": ("c", "a"), "tenant": "other"},
        {"namespace": "n", "labels": ("aa",)},
    ]
    ids = [await store.put(kept(n, clock, POOL[n], **fact)) for n, fact in enumerate(facts)]
    assert await store.invalidate(what) == 4 - len(left)
    assert sorted(texts(await store.near(scope(0), POOL[0], 9))) == [f"What about {n}?" for n in left]
    assert [str(n) for n, id in enumerate(ids) if await store.entry(id) is not None] == list(left)


async def test_what_was_invalidated_before_it_was_written_is_not_kept(store: SemanticStore, clock: Clock) -> None:
    first = await store.put(kept(1, clock, POOL[1], text="first"), lambda: True)
    assert await store.put(kept(1, clock, POOL[1], text="second"), lambda: False) == 0
    assert texts(await store.near(scope(0), POOL[1], 9)) == ["first"]
    assert await store.entry(first) is not None
    assert store.stats()["late"] == 1


async def test_ids_that_are_none_are_no_trouble(store: SemanticStore) -> None:
    wrong: list[Any] = [0, -1, 2**63, 2**70, "1", None, 1.0]
    for id in wrong:
        assert await store.entry(id) is None
        assert await store.quarantine(id) is False
        assert await store.delete(id, None) is False
        await store.observe(id, 0.5, True)
    assert store.stats()["errors"] == 0


async def test_judgements_come_back_in_their_order(store: SemanticStore) -> None:
    told = [
        Judgement(float(n), "chat", "shadow", n, 0.9, None if n % 2 else 0.5, n % 3 == 0, "model") for n in range(9)
    ]
    for judgement in told:
        await store.judged(judgement)
    await store.judged(told[0]._replace(similarity=float("nan")))
    await store.judged(told[0]._replace(route="\ud800"))
    assert await store.judgements(0) == told
    assert await store.judgements(4) == told[4:]
    assert store.stats()["refused"] == 2


async def test_the_oldest_judgements_are_dropped(path: Path, clock: Clock) -> None:
    judgement = Judgement(1.0, "chat", "shadow", 1, 0.9, None, None)
    async with opened(path, clock) as store:
        await store.judged(judgement)
        change(path, "UPDATE semantic_judgements SET id = ?", -JUDGEMENTS)
        change(path, "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'semantic_judgements'")
        await store.judged(judgement._replace(at=2.0))
        await store.judged(judgement._replace(at=3.0))
        assert [each.at for each in await store.judgements(0)] == [2.0, 3.0]


async def test_tallies_are_sums_and_cost_no_write_of_their_own(path: Path, clock: Clock) -> None:
    written = "SELECT route, lookups, hits FROM semantic_tallies ORDER BY route"
    async with opened(path, clock) as store:
        for _ in range(5):
            await store.tally("chat", 2, 1)
        await store.tally("\ud800", 1, 0)
        assert change(path, written) == []
        await store.put(kept(1, clock, POOL[0]))
        assert change(path, written) == [("?", 1, 0), ("chat", 10, 5)]
        await store.tally("chat", 1, 1)
        assert await store.tallies() == {"chat": Tally(11, 6), "?": Tally(1, 0)}
        await store.tally("chat", 1, 0)
    async with opened(path, clock) as store:
        assert await store.tallies() == {"chat": Tally(12, 6), "?": Tally(1, 0)}


# -- in the file -----------------------------------------------------------------------------------------------------


async def test_everything_outlives_the_process_and_nobody_else_may_read_it(path: Path, clock: Clock) -> None:
    async with opened(path, clock, many=32) as store:
        ids = await filled(store, clock, 50)
        await store.observe(ids[3], 0.75, True)
        await store.quarantine(ids[4])
        before = await store.near(scope(0), POOL[3], 9)
        modes = [stat.S_IMODE(found.stat().st_mode) for found in (path.parent, *path.parent.iterdir())]
        assert modes == [0o700, 0o600, 0o600, 0o600]
    async with opened(path, clock, many=32) as store:
        assert store.holds(scope(0)) == 49
        after = await store.near(scope(0), POOL[3], 9)
        assert after == before
        assert after[0].observed == ((0.75, True),)
        assert await store.entry(ids[4]) is None
        assert await store.check() == []


async def test_a_store_of_another_kind_is_not_touched(path: Path, clock: Clock) -> None:
    disk = Disk(path, 10, 1 << 20, 100, clock, patience=30)
    await disk.open()
    await disk.put(entry_of(1, clock))
    await disk.close()
    before = content(path)
    async with opened(path, clock) as store:
        assert await store.put(kept(1, clock, POOL[0])) == 0
        assert store.stats()["errors"] == 1
        assert await store.check() == [f"semantic cache {path} cannot be read"]
    assert content(path) == before


@pytest.mark.parametrize("offset", [0, 8192 + 100])
async def test_a_damaged_file_is_set_aside_and_the_store_starts_empty(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, offset: int
) -> None:
    async with opened(path, clock) as store:
        await filled(store, clock, 100)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * 20_000)
    async with opened(path, clock) as store:
        await store.near(scope(0), POOL[0], 4)
        assert await store.put(kept("new", clock, POOL[0])) > 0
        assert texts(await store.near(scope(0), POOL[0], 4)) == ["What about new?"]
        assert await store.check() == []
        assert store.stats()["set_aside"] == 1
    assert len(list(path.parent.glob("*.damaged-*"))) == 1
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "starting empty" in told


@pytest.mark.parametrize("assignment", ["vector = x'00'", "text = 'Why?'", "scope = x'00'", "expires_at = 9e99"])
async def test_a_row_that_is_not_what_was_written_is_never_in_the_view(
    path: Path, clock: Clock, assignment: str
) -> None:
    async with opened(path, clock) as store:
        await filled(store, clock, 5)
    change(path, f"UPDATE semantic_questions SET {assignment} WHERE id = 3")
    async with opened(path, clock) as store:
        assert sorted(texts(await store.near(scope(0), POOL[2], 9))) == [f"What about {n}?" for n in (0, 1, 3, 4)]
        assert store.stats()["damaged_rows"] == 1
        await store.put(kept("next", clock, POOL[9]))
        assert change(path, "SELECT count(*) FROM semantic_questions WHERE id = 3") == [(0,)]
        assert change(path, "SELECT count(*) FROM semantic_answers WHERE id = 3") == [(0,)]


@pytest.mark.parametrize("assignment", ["body = x'00'", "tenant = 'other'", "status = 500"])
async def test_a_damaged_answer_is_a_miss_and_is_not_near_again(path: Path, clock: Clock, assignment: str) -> None:
    async with opened(path, clock) as store:
        ids = await filled(store, clock, 5)
        change(path, f"UPDATE semantic_answers SET {assignment} WHERE id = 3")
        assert await store.entry(ids[2]) is None
        assert "What about 2?" not in texts(await store.near(scope(0), POOL[2], 9))
        assert store.stats()["damaged_rows"] == 1


async def test_the_answer_to_another_question_is_not_served(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as store:
        ids = await filled(store, clock, 5)
        for old, new in ((2, 1002), (3, 2), (1002, 3)):
            change(path, "UPDATE semantic_answers SET id = ? WHERE id = ?", new, old)
        assert [await store.entry(id) is not None for id in ids] == [True, False, False, True, True]
        assert store.stats()["damaged_rows"] == 2


async def test_damage_by_others_is_found_when_a_row_is_met(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as store:
        await filled(store, clock, 5)
        change(path, "UPDATE semantic_questions SET text = 'Why?' WHERE id = 3")
        assert len(await store.near(scope(0), POOL[2], 9)) == 4
        assert store.holds(scope(0)) == 4


# -- several processes -----------------------------------------------------------------------------------------------


async def test_workers_on_one_file_see_what_the_other_wrote_and_bear_what_it_deleted(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as ours, opened(path, clock) as theirs:
        ids = await filled(ours, clock, 4)
        await theirs.put(kept("theirs", clock, POOL[9]))
        await ours.put(kept("ours", clock, POOL[8]))
        await ours.refresh()
        await theirs.refresh()
        assert ours.holds(scope(0)) == theirs.holds(scope(0)) == 6
        assert await ours.near(scope(0), POOL[9], 9) == await theirs.near(scope(0), POOL[9], 9)
        await theirs.delete(ids[0], None)
        await theirs.quarantine(ids[1])
        await theirs.put(kept(2, clock, POOL[2], text="newer"))
        await theirs.observe(ids[3], 0.5, False)
        found = {near.text: near for near in await ours.near(scope(0), POOL[0], 9)}
        assert set(found) == {"What about 3?", "What about theirs?", "What about ours?"}
        assert found["What about 3?"].observed == ((0.5, False),)
        assert ours.holds(scope(0)) == 3, "what was met and may not be used is out of the view"
        await ours.refresh()
        assert "newer" in texts(await ours.near(scope(0), POOL[2], 9))
        assert await theirs.purge(scope=None, tenant=None) == 5
        assert await ours.near(scope(0), POOL[0], 9) == []
        assert ours.holds(scope(0)) == 0
        assert await ours.check() == []
        assert await theirs.check() == []
        assert ours.stats()["errors"] == theirs.stats()["errors"] == 0


async def test_what_another_process_invalidated_is_not_served(path: Path, clock: Clock) -> None:
    """The row is read when it is served, so that nothing has to be noticed before."""
    async with opened(path, clock, poll=1e9) as ours, opened(path, clock, poll=1e9) as theirs:
        for what in (Invalidation(labels=("doc:1",)), Invalidation("team-ü", everything=True)):
            await ours.put(kept(1, clock, POOL[1], labels=("doc:1",)))
            (near,) = await ours.near(scope(0), POOL[1], 1)
            assert await theirs.invalidate(what) == 1
            assert ours.holds(scope(0)) == 1, "it does not know of it"
            assert await ours.entry(near.id) is None
            assert await ours.near(scope(0), POOL[1], 1) == []


async def test_no_answer_is_served_after_its_invalidation_whoever_writes_it_meanwhile(path: Path, clock: Clock) -> None:
    """Two workers with one log: what one is about to write while the other invalidates is not there afterwards."""
    logs = [FileLog(path.with_name("log"), clock) for _ in range(2)]
    for log in logs:
        log.open()
    async with opened(path, clock) as ours, opened(path, clock) as theirs:
        kept_meanwhile = 0
        for turn in range(60):
            one = kept(turn, clock, POOL[turn], labels=("doc:1",))
            count = logs[0].count
            put = asyncio.ensure_future(ours.put(one, lambda count=count: logs[0].count == count))
            for _ in range(turn % 4):
                await ours.refresh()
            logs[1].append(Invalidation(labels=("doc:1",)))
            await theirs.invalidate(Invalidation(labels=("doc:1",)))
            kept_meanwhile += await put > 0
            assert await ours.near(scope(0), POOL[turn], 9) == []
        assert change(path, "SELECT count(*) FROM semantic_questions") == [(0,)]
        assert 0 < kept_meanwhile < 60, "both orders were met"
        assert ours.stats()["late"] == 60 - kept_meanwhile
    for log in logs:
        log.close()


async def test_what_another_process_embedded_anew_is_noticed(path: Path, clock: Clock) -> None:
    async with opened(path, clock, embedder="old") as store:
        await filled(store, clock, 3)
    async with opened(path, clock) as ours, opened(path, clock) as theirs:
        stale = await theirs.stale(9)
        assert await theirs.reembed({id: POOL[100 + n] for n, (id, _) in enumerate(stale)}) == 3
        await ours.refresh()
        assert texts(await ours.near(scope(0), POOL[100], 1)) == ["What about 0?"]
        assert await ours.stale(9) == []
        assert await ours.reembed({id: POOL[100 + n] for n, (id, _) in enumerate(stale)}) == 0
        assert await ours.check() == []


async def test_an_idle_store_notices_by_itself(path: Path, clock: Clock) -> None:
    async with opened(path, clock, poll=0.001) as ours, opened(path, clock) as theirs:
        await theirs.put(kept(1, clock, POOL[0]))
        async with asyncio.timeout(30):
            while not ours.holds(scope(0)):
                await theirs.check()  # something that takes a moment


# -- faults that pass ------------------------------------------------------------------------------------------------


async def test_a_locked_file_is_read_meanwhile_and_written_later(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as store:
        ids = await filled(store, clock, 4)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert await store.put(kept("new", clock, POOL[9])) == 0
            assert await store.delete(ids[0], None) is False
            assert await store.quarantine(ids[1]) is False
            assert await store.delete(ids[2], "team-ü") is False
            assert await store.purge(scope=scope(0), tenant=None) == 0
            assert store.stats()["errors"] == 1, "one that is locked costs one time-out"
            found = texts(await store.near(scope(0), POOL[0], 9))
            assert sorted(found) == ["What about 2?", "What about 3?"], "nobody knows whose the third is"
            other.execute("ROLLBACK")
        clock.tick(5)
        assert await store.put(kept("new", clock, POOL[9])) > 0
        assert change(path, "SELECT id FROM semantic_questions WHERE id <= 4") == [(3,), (4,)]
        assert await store.check() == []


@pytest.mark.parametrize("times", [1, 101])
async def test_what_could_not_be_removed_is_not_served(path: Path, clock: Clock, times: int) -> None:
    async with opened(path, clock) as store:
        ids = [await store.put(kept(n, clock, POOL[n], labels=(f"doc:{n}",))) for n in range(3)]
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for _ in range(times):
                assert await store.invalidate(Invalidation(labels=("doc:1",))) is None
            served = [await store.entry(id) is not None for id in ids]
            assert served == ([True, False, True] if times == 1 else [False] * 3)
            other.execute("ROLLBACK")
        assert [await store.entry(id) is not None for id in ids] == served
    assert change(path, "SELECT id FROM semantic_questions") == [(id,) for id in ids], "the circuit was open"


async def test_it_is_removed_before_anything_else_is_written(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as store:
        ids = [await store.put(kept(n, clock, POOL[n], labels=(f"doc:{n}",))) for n in range(3)]
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert await store.invalidate(Invalidation(labels=("doc:1",))) is None
            assert await store.invalidate(Invalidation(labels=("doc:0",))) is None
            other.execute("ROLLBACK")
        clock.tick(5)
        newer = await store.put(kept(1, clock, POOL[1], labels=("doc:1",)))
        assert change(path, "SELECT id FROM semantic_questions") == [(ids[2],), (newer,)]
        assert await store.entry(newer) is not None
        assert await store.check() == []


async def test_a_file_of_the_version_before_labels_is_brought_up_to_date(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    one = kept(1, clock, POOL[1])
    with closing(connect(path, 1.0, PRAGMAS, MIGRATIONS[:1])) as old:
        old.execute("INSERT INTO semantic_embedders (identity) VALUES ('e')")
        old.execute(INSERT_QUESTION, question_row(one, POOL[1], 1, one.entry.expires_at, clock()))
        row = (1, *row_of(one.entry, one.entry.expires_at))
        old.execute(f"INSERT INTO semantic_answers (id, {COLUMNS}) VALUES ({','.join('?' * len(row))})", row)
    async with opened(path, clock) as store:
        (near,) = await store.near(scope(0), POOL[1], 1)
        assert await store.entry(near.id) == one.entry
        assert await store.check() == []
        assert await store.invalidate(Invalidation(labels=("a",))) == 0
        assert await store.invalidate(Invalidation(keys=(one.entry.key,))) == 1


async def test_a_full_disk_keeps_what_it_has_and_takes_more_when_there_is_room(path: Path, clock: Clock) -> None:
    async with opened(path, clock, pragmas=(*PRAGMAS, ("max_page_count", 40))) as store:
        done = [await store.put(kept(n, clock, POOL[n], body=b"x" * 10_000)) > 0 for n in range(30)]
        assert 5 < done.index(False) < 30
        assert not any(done[done.index(False) :])
        assert len(await store.near(scope(0), POOL[0], 100)) == done.index(False)
        clock.tick(100)  # everything has expired
        assert await store.put(kept("next", clock, POOL[99], body=b"x" * 10_000)) > 0
        assert await store.check() == []


async def test_a_place_that_cannot_be_written_is_done_without_until_it_can(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    async with opened(tmp_path / "file" / "semantic.db", clock) as store:
        for _ in range(3):
            assert await store.put(kept(1, clock, POOL[0])) == 0
            assert await store.near(scope(0), POOL[0], 4) == []
            assert await store.stale(9) == []
            assert await store.judgements(0) == []
            assert await store.tallies() == {}
        assert store.stats()["errors"] == 1
        (tmp_path / "file").unlink()
        clock.tick(5)
        assert await store.put(kept(1, clock, POOL[0])) > 0


async def test_nobody_waits_longer_than_patience(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as store:
        await filled(store, clock, 3)
    gate = threading.Event()
    async with opened(path, clock, patience=0.01, backlog=5000) as store:
        blocked = asyncio.ensure_future(store._call(lambda _: gate.wait(30), None))
        await asyncio.sleep(0)
        assert await store.near(scope(0), POOL[0], 4) == []
        assert await store.entry(1) is None
        assert await store.put(kept("new", clock, POOL[9], body=b"x" * 3000)) == 0
        assert store.stats()["timeouts"] == 3
        assert await store.put(kept("more", clock, POOL[9], body=b"x" * 3000)) == 0
        assert store.stats()["refused"] == 1, "what waits for a slow disk is bounded"
        gate.set()
        await blocked
        await store.refresh()
        assert store.holds(scope(0)) == 4, "the thread went on"


async def test_close_writes_what_waits_and_may_be_called_twice(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as store:
        puts = [asyncio.ensure_future(store.put(kept(n, clock, POOL[n]))) for n in range(200)]
        await asyncio.sleep(0)
        await store.close()
        assert all(await asyncio.gather(*puts))
        assert await store.put(kept(1, clock, POOL[0])) == 0
        assert await store.near(scope(0), POOL[0], 4) == []
        assert await store.purge(scope=None, tenant=None) == 0
        assert await store.invalidate(Invalidation(everything=True)) is None
        assert await store.check() == ["the store is not open"]
        await store.open()
        assert store.holds(scope(0)) == 200
    assert not [thread for thread in threading.enumerate() if thread.name == "warmgate-semantic"]


# -- together --------------------------------------------------------------------------------------------------------


async def test_lookups_in_flight_together_are_few_searches_and_queries(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as store:
        await filled(store, clock, 100)
        told: list[str] = []
        gate = threading.Event()
        await store._call(lambda rows: rows._connection.set_trace_callback(told.append), None)
        blocked = asyncio.ensure_future(store._call(lambda _: gate.wait(30), None))
        asking = [asyncio.ensure_future(store.near(scope(0), POOL[n], 2)) for n in range(64)]
        await asyncio.sleep(0)
        gate.set()
        await blocked
        found = await asyncio.gather(*asking)
        assert [near[0].text for near in found] == [f"What about {n}?" for n in range(64)]
        assert sum(text.startswith("SELECT id") for text in told) <= 10


@pytest.mark.parametrize("many", [1000, 40], ids=["exact", "approximate"])
async def test_adding_searching_and_deleting_at_once(path: Path, clock: Clock, many: int) -> None:
    """Whatever is found is what was put, with the similarity it has; what was deleted before is not found."""
    async with opened(path, clock, many=many, max_size=150) as store:
        alive: dict[int, int] = {}
        gone: set[int] = set()

        async def write(start: int) -> None:
            for n in range(start, start + 60):
                id = await store.put(kept(n, clock, POOL[n], within=n % 2))
                assert id > 0
                alive[id] = n
                if n % 3 == 0 and await store.delete(id, None):
                    gone.add(id)

        async def read(start: int) -> None:
            for n in range(start, start + 120):
                before = set(gone)
                for near in await store.near(scope(n % 2), POOL[n], 4):
                    assert near.id not in before
                    if near.id in alive:
                        there = POOL[alive[near.id]]
                        assert near.text == f"What about {alive[near.id]}?"
                        assert near.similarity == pytest.approx(float(there @ POOL[n]), abs=1e-5)
                        assert alive[near.id] % 2 == n % 2

        await asyncio.gather(
            *[write(start) for start in range(0, 480, 60)], *[read(start) for start in range(0, 480, 60)]
        )
        assert store.stats()["entries"] == 150
        assert await store.check() == []
        assert store.stats()["errors"] == 0


async def test_while_clusters_are_made_all_is_found(clock: Clock) -> None:
    async with opened(None, clock, many=64) as store:
        await filled(store, clock, 500)
        for n in range(200):
            assert texts(await store.near(scope(0), POOL[n], 1)) == [f"What about {n}?"]
        async with asyncio.timeout(30):
            while store.stats()["making"]:
                await store.refresh()
        assert store.stats()["approximate"] == 1
        assert await store.check() == []


def test_who_has_no_store_does_not_wait_for_faiss() -> None:
    command = "import sys, cache.semantic_store; sys.exit('faiss' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=False).returncode == 0


async def test_the_thread_searches_on_one_core(store: SemanticStore) -> None:
    assert await store._call(lambda _: faiss.omp_get_max_threads(), 0) == 1


async def test_only_the_owner_thread_touches_sqlite(store: SemanticStore) -> None:
    assert store._rows._connection is not None
    with pytest.raises(sqlite3.ProgrammingError, match="thread"):
        store._rows._connection.execute("SELECT 1")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_an_error_of_our_own_ends_the_store_and_nobody_waits_for_ever(path: Path, clock: Clock) -> None:
    def broken(_: Any) -> None:
        raise ZeroDivisionError

    async with opened(path, clock) as store:
        await filled(store, clock, 3)
        assert await store._call(broken, None) is None
        assert await store.near(scope(0), POOL[0], 4) == []
        assert await store.put(kept(1, clock, POOL[0])) == 0


# -- kill -9 ---------------------------------------------------------------------------------------------------------


def keeping(path: Path, start: int, lines: int) -> list[bytes]:
    """What a process of its own says that it has committed, until it is killed after so many lines."""
    command = [sys.executable, "-m", "tests.cache.keeping", str(path), str(start)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ""}) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        told += child.stdout.readlines()
    assert child.returncode == -9
    return [line for line in told if line.endswith(b"\n")]


async def test_after_kill_9_rows_and_indexes_are_in_step(path: Path) -> None:
    """The same file through four kills, each after another number of committed puts."""
    clock = Clock()
    committed: dict[int, int] = {}
    for turn, lines in enumerate((3, 150, 77, 260)):
        for line in await asyncio.to_thread(keeping, path, (turn + 1) * 1000, lines):
            number, id = line.split()
            if id == b"gone":
                committed.pop(int(number), None)
            elif int(number) % 7:
                committed[int(number)] = int(id)
        async with opened(path, clock, max_size=100_000, many=64) as store:
            assert await store.check() == []
            assert store.stats()["set_aside"] == store.stats()["errors"] == 0
            for number, id in committed.items():
                one = numbered(number)
                assert await store.entry(id) == one.entry
                assert id in {near.id for near in await store.near(one.scope, one.vector, 9)}
