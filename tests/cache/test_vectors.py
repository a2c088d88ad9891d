from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.embedder import Matrix
from cache.slot import Slot
from cache.vectors import MANY, Vectors, all_sound, one_thread, sound
from tests.cache.neighbours import grouped, scattered, unit

DIMENSION = 8


@pytest.fixture(autouse=True)
def _alone() -> None:
    one_thread()


def filled(rows: Matrix, many: int = MANY, first: int = 1) -> tuple[Vectors, list[Slot]]:
    vectors = Vectors(b"scope", rows.shape[1], many)
    slots = [Slot(id, vectors.scope, 1) for id in range(first, first + len(rows))]
    vectors.add(slots, rows)
    return vectors, slots


def worked(vectors: Vectors) -> Vectors:
    while vectors.wants_work:
        vectors.work()
    return vectors


def ids(found: list[tuple[float, int]]) -> list[int]:
    return [id for _, id in found]


def best(known: dict[int, Matrix], query: Matrix, k: int) -> list[float]:
    """By brute force, to five digits: a sum in another order differs in the seventh."""
    return sorted((round(float(row @ query), 5) for row in known.values()), reverse=True)[:k]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 30)),
        st.tuples(st.just("remove"), st.integers(0, 1000)),
        st.tuples(st.just("remove"), st.integers(0, 1000)),
        st.tuples(st.just("work"), st.integers(1, 12)),
        st.tuples(st.just("search"), st.integers(1, 6)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([4, 16, MANY]))
def test_it_finds_what_a_look_at_all_of_them_finds(steps: list[tuple[str, int]], many: int) -> None:
    """Also while clusters are made, and from clusters: of so few vectors all lists are looked at."""
    pool = scattered(2000, DIMENSION)
    vectors = Vectors(b"scope", DIMENSION, many)
    known: dict[int, Matrix] = {}
    slots: dict[int, Slot] = {}
    number = 0
    for step, amount in steps:
        if step == "add":
            fresh = [Slot(number + each, vectors.scope, 1) for each in range(1, min(amount, 120 - len(known)) + 1)]
            vectors.add(fresh, pool[[slot.id for slot in fresh]])
            slots |= {slot.id: slot for slot in fresh}
            known |= {slot.id: pool[slot.id] for slot in fresh}
            number += len(fresh)
        elif step == "remove" and known:
            id = list(known)[amount % len(known)]
            vectors.remove(slots[id])
            assert slots.pop(id).place == -1
            del known[id]
        elif step == "work":
            for _ in range(amount):
                vectors.work()
        else:
            queries = pool[-amount:]
            for query, found in zip(queries, vectors.search(queries, amount), strict=True):
                assert [round(similarity, 5) for similarity, _ in found] == best(known, query, amount)
                assert all(abs(float(known[id] @ query) - similarity) < 1e-5 for similarity, id in found)
        assert len(vectors) == len(known)
        assert vectors.wrong() == []
    worked(vectors)
    held = list(slots.values())
    assert not held or np.array_equal(vectors.rows(held), np.stack([known[slot.id] for slot in held]))


def test_what_is_removed_costs_no_copy_of_the_others() -> None:
    vectors, slots = filled(scattered(100, DIMENSION))
    before = vectors._matrix
    vectors.remove(slots[0])
    assert vectors._matrix is before
    assert (slots[99].place, slots[0].place) == (0, -1)
    for slot in slots[1:]:
        vectors.remove(slot)
    assert vectors._matrix is not None
    assert len(vectors._matrix) <= 4, "and the room is given back"
    assert vectors.search(scattered(1, DIMENSION), 3) == [[]]


def test_many_are_put_into_clusters_and_few_are_taken_out_again() -> None:
    rows = grouped(400, DIMENSION)
    vectors, slots = filled(rows[:63], many=64)
    assert not vectors.wants_work
    vectors.add(more := [Slot(id, vectors.scope, 1) for id in range(64, 101)], rows[63:100])
    slots += more
    assert vectors.wants_work
    vectors.work()
    assert not vectors.approximate, "the matrix answers until the clusters are complete"
    assert worked(vectors).approximate
    assert vectors._matrix is None, "each vector is in memory once"
    made_for = vectors._clusters.made_for if vectors._clusters else 0
    vectors.add([Slot(id, vectors.scope, 1) for id in range(101, 201)], rows[100:200])
    assert vectors.wants_work, "twice as many as the clusters were made for"
    worked(vectors)
    assert vectors._clusters is not None
    assert vectors._clusters.made_for == 2 * made_for == len(vectors) == 200
    assert np.array_equal(vectors.rows(vectors.slots), rows[[slot.id - 1 for slot in vectors.slots]])
    while len(vectors) > 31:
        vectors.remove(vectors.slots[0])
    assert not vectors.approximate
    assert np.array_equal(vectors.rows(vectors.slots), rows[[slot.id - 1 for slot in vectors.slots]])


@pytest.mark.parametrize("steps", range(13))
@pytest.mark.parametrize("again", [False, True], ids=["first", "anew"])
def test_what_changes_while_clusters_are_made_is_in_them(steps: int, again: bool) -> None:
    rows = scattered(130, DIMENSION)
    vectors, slots = filled(rows[:100], many=100)
    if again:
        vectors, slots = filled(rows[:50], many=50)
        worked(vectors).add(more := [Slot(id, vectors.scope, 1) for id in range(51, 101)], rows[50:100])
        slots += more
    for _ in range(steps):
        vectors.work()
    late = [Slot(id, vectors.scope, 1) for id in range(101, 111)]
    vectors.add(late, rows[100:110])
    for slot in (slots[0], slots[57], slots[99], late[3]):
        vectors.remove(slot)
    assert worked(vectors).approximate
    assert vectors.wrong() == []
    there = [slot for slot in slots + late if slot.place >= 0]
    assert np.array_equal(vectors.rows(there), rows[[slot.id - 1 for slot in there]])
    queries = rows[110:130]
    for query, found in zip(queries, vectors.search(queries, 5), strict=True):
        assert [round(similarity, 5) for similarity, _ in found] == best(
            {slot.id: rows[slot.id - 1] for slot in there}, query, 5
        )


def test_clusters_for_far_more_than_there_are_left_are_made_anew() -> None:
    vectors, _ = filled(scattered(1000, DIMENSION), many=10)
    worked(vectors)
    while len(vectors) > 249:
        vectors.remove(vectors.slots[0])
    assert vectors.wants_work
    worked(vectors)
    assert vectors._clusters is not None
    assert vectors._clusters.made_for == 249


class Scarce(Vectors):
    """There is no memory for the third look at some of its rows."""

    looks = 0

    def rows(self, slots: Sequence[Slot]) -> Matrix:
        self.looks += 1
        if self.looks == 3:
            raise MemoryError
        return super().rows(slots)


def test_no_memory_for_clusters_leaves_all_as_it_was() -> None:
    rows = scattered(3000, DIMENSION)
    vectors = Scarce(b"scope", DIMENSION, 100)
    vectors.add([Slot(id, vectors.scope, 1) for id in range(1, 3001)], rows)
    with pytest.raises(MemoryError):
        worked(vectors)
    assert not vectors.approximate
    assert ids(vectors.search(rows[7:8], 1)[0]) == [8]
    assert worked(vectors).approximate, "another time there is"
    assert vectors.wrong() == []


@pytest.mark.parametrize("count", [MANY, 12_000])
def test_an_approximate_index_finds_nearly_all(count: int) -> None:
    dimension = 64
    rows = grouped(count + 300, dimension)
    rows, asked = rows[:count], rows[count:]
    vectors, _ = filled(rows)
    exact = [set(ids(found)) for found in vectors.search(asked, 4)]
    worked(vectors)
    assert vectors.approximate
    found = [set(ids(each)) for each in vectors.search(asked, 4)]
    recall = sum(len(one & other) for one, other in zip(exact, found, strict=True)) / (4 * len(asked))
    assert recall >= 0.95
    lists = vectors._clusters._index.nlist if vectors._clusters else 0
    assert lists > 100, "it was not by looking at everything"


def test_vectors_that_are_all_the_same_are_no_trouble() -> None:
    vectors, slots = filled(np.repeat(scattered(1, DIMENSION), 300, axis=0), many=100)
    worked(vectors)
    (found,) = vectors.search(scattered(1, DIMENSION), 5)
    assert len(found) == 5
    for slot in slots:
        vectors.remove(slot)
    assert len(vectors) == 0


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(4),
        np.full(4, np.nan),
        np.array([np.inf, 0, 0, 0]),
        np.array([1.01, 0, 0, 0]),
        np.array([1e-30, 0, 0, 0]),
        np.array([1e38, 1e38, 1e38, 1e38]),
        np.array([1.0, 0, 0]),
        np.array([[1.0, 0, 0, 0]]),
        "a text",
        [1, 0, "x", 0],
        None,
        {},
        [[1], [0, 0, 0]],
    ],
    ids=repr,
)
def test_a_vector_that_would_be_near_to_anything_is_none(vector: Any) -> None:
    assert sound(vector, 4) is None


def test_a_vector_of_length_one_is_one() -> None:
    for vector in ([0, 1, 0, 0], np.array([0.6, 0.8, 0, 0]), unit([1, 2, 3, 4]), unit([1, 2, 3, 4])[::-1]):
        row = sound(vector, 4)
        assert row is not None
        assert (row.dtype, row.shape, row.flags.c_contiguous) == (np.float32, (4,), True)


def test_of_many_each_is_judged() -> None:
    rows = scattered(6, 4)
    rows[1] = 0
    rows[2, 0] = np.nan
    rows[3, 0] = 3e38
    rows[4] *= 1.01
    assert all_sound(rows).tolist() == [True, False, False, False, False, True]


def test_the_thread_that_asks_for_one_core_gets_one() -> None:
    told: list[int] = []

    def run() -> None:
        faiss.omp_set_num_threads(2)
        one_thread()
        told.append(faiss.omp_get_max_threads())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert told == [1]
