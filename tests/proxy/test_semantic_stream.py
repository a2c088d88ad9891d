from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.embedder import Matrix
from proxy.semantic_figures import Outcome
from proxy.semantic_stream import Candidate, Neighbours, nearest, run


def vectors(seed: int, n: int, dimension: int = 8, copies: bool = False) -> Matrix:
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(n, dimension)).astype(np.float32)
    if copies:
        rows = rows[chance.integers(0, max(1, n // 3), n)]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 700), st.integers(1, 6), st.integers(1, 40), st.booleans())
def test_the_candidates_are_the_most_similar_entries_before(
    seed: int, n: int, k: int, depth: int, copies: bool
) -> None:
    rows = vectors(seed, n, copies=copies)
    neighbours = Neighbours(rows, depth=depth)
    entries = np.random.default_rng(seed + 1).random(n) < 0.4
    for place in {0, 1, n // 2, n - 1}:
        if place >= n:
            continue
        near = neighbours.of(place, entries, k)
        kept = [other for other in range(place) if entries[other]]
        similarities = sorted((float(rows[other] @ rows[place]) for other in kept), reverse=True)[:k]
        assert [similarity for _, similarity in near] == pytest.approx(similarities, abs=1e-6)
        assert all(entries[other] and other < place for other, _ in near)
        assert len({other for other, _ in near}) == len(near)
        assert all(similarity <= 1.0 for _, similarity in near)


def test_of_equal_entries_the_earlier_is_nearer() -> None:
    rows = np.repeat(vectors(0, 1), 6, axis=0)
    assert [other for other, _ in Neighbours(rows).of(5, np.ones(6, np.bool_), 3)] == [0, 1, 2]


ANGLES = (0.0, 0.02, 1.0, 0.01, 1.01, 0.5)
CIRCLE = np.array([[np.cos(angle), np.sin(angle)] for angle in ANGLES], np.float32)
CLASSES = ("a", "a", "b", "b", "b", "b")


async def test_misses_are_inserted_and_hits_are_not() -> None:
    seen: dict[int, list[int]] = {}

    async def choose(place: int, near: Sequence[Candidate]) -> int | None:
        seen[place] = [other for other, _ in near]
        return await nearest(0.99)(place, near)

    outcomes = await run(CLASSES, Neighbours(CIRCLE), choose, 9, list("uvwxyz"))
    assert [outcome.hit for outcome in outcomes] == [False, True, False, True, True, False]
    assert seen == {1: [0], 2: [0], 3: [0, 2], 4: [2, 0], 5: [0, 2]}
    # 3 is served what belongs to another class, 5 is refused an entry of another class: the nearest is 0.
    assert [outcome.right for outcome in outcomes] == [False, True, False, False, True, False]
    assert [outcome.source for outcome in outcomes] == list("uvwxyz")


async def test_what_was_refused_rightly_and_wrongly_is_told_by_the_nearest() -> None:
    outcomes = await run(CLASSES, Neighbours(CIRCLE), nearest(2.0), 1)
    assert not any(outcome.hit for outcome in outcomes)
    assert [outcome.right for outcome in outcomes] == [False, True, False, False, True, False]


async def test_a_question_without_a_vector_is_a_miss_and_no_entry() -> None:
    known = np.array([False, True, True, True, True, True])
    rows = CIRCLE.copy()
    rows[0] = 0.0
    outcomes = await run(CLASSES, Neighbours(rows, known), nearest(-1.0), 1)
    assert outcomes[0] == Outcome(False, False)
    assert outcomes[1] == Outcome(False, False)
    assert all(outcome.hit for outcome in outcomes[2:])
