from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from adapters.embedder import Matrix
from cache.clusters import MOST, Clusters, Making
from cache.slot import Slot
from cache.vectors import one_thread
from tests.cache.neighbours import grouped, scattered


@pytest.fixture(autouse=True)
def _alone() -> None:
    one_thread()


def slots_of(count: int) -> list[Slot]:
    slots = [Slot(id, b"", 1) for id in range(1, count + 1)]
    for place, slot in enumerate(slots):
        slot.place = place
    return slots


class Rows:
    """What the clusters are made of, and how many were asked for at once."""

    def __init__(self, rows: Matrix) -> None:
        self.rows = rows
        self.asked: list[int] = []

    def __call__(self, slots: Sequence[Slot]) -> Matrix:
        self.asked.append(len(slots))
        return self.rows[[slot.id - 1 for slot in slots]]


def made(making: Making) -> Clusters:
    while True:
        clusters = making.step()
        if clusters is not None:
            return clusters


def test_what_is_added_is_found_fetched_and_removed() -> None:
    rows = scattered(50, 8)
    clusters = Clusters(rows[:5], 50)
    slots = slots_of(50)
    clusters.add(slots, rows)
    assert len(clusters) == 50
    assert [[id for _, id in found] for found in clusters.search(rows[[3, 30]], 1)] == [[4], [31]]
    assert np.array_equal(clusters.rows([slots[9], slots[2]]), rows[[9, 2]])
    clusters.remove(4)
    clusters.remove(4)
    clusters.remove(1000)
    assert len(clusters) == 49
    (found,) = clusters.search(rows[3:4], 50)
    assert len(found) == 49
    assert 4 not in [id for _, id in found]
    assert [similarity for similarity, _ in found] == sorted((s for s, _ in found), reverse=True)


def test_the_making_is_many_small_steps() -> None:
    rows = Rows(grouped(6000, 32))
    making = Making(slots_of(6000), rows, 32)
    steps = 0
    while making.step() is None:
        steps += 1
    assert steps > 20
    assert max(rows.asked[1:]) <= MOST, "all but the sample"
    assert sum(rows.asked[1:]) == 6000


def test_what_changes_meanwhile_is_in_step() -> None:
    rows = grouped(5000, 16)
    slots = slots_of(4000)
    making = Making(slots, Rows(rows), 16)
    while making.clusters is None:
        assert making.step() is None
    late = [Slot(id, b"", 1) for id in range(4001, 5001)]
    making.clusters.add(late, rows[4000:])
    for slot in [slots[0], slots[3999], slots[1234]]:  # copied already, or not yet
        making.clusters.remove(slot.id)
        slot.place = -1
    clusters = made(making)
    assert len(clusters) == 4997
    there = [slot for slot in slots if slot.place >= 0] + late
    assert np.array_equal(clusters.rows(there), rows[[slot.id - 1 for slot in there]])


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_a_few_are_enough(count: int) -> None:
    rows = scattered(count, 4)
    clusters = made(Making(slots_of(count), Rows(rows), 4))
    assert len(clusters) == clusters.made_for == count
    assert [id for _, id in clusters.search(rows[-1:], 1)[0]] == [count]


def test_the_same_vectors_give_the_same_clusters() -> None:
    rows = grouped(3000, 16)
    one, other = (made(Making(slots_of(3000), Rows(rows), 16)) for _ in range(2))
    assert one.search(rows[:50], 3) == other.search(rows[:50], 3)


def test_rounds_bring_centres_nearer_to_what_they_stand_for() -> None:
    rows = grouped(5000, 16, spread=1.0)

    def spread(rounds: int) -> float:
        clusters = made(Making(slots_of(5000), Rows(rows), 16, rounds=rounds))
        return float(np.mean(clusters._centres.search(rows, 1)[0]))

    assert spread(6) > spread(0) + 0.02
