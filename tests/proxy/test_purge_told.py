"""What is told of an invalidation."""

from __future__ import annotations

import pytest

from adapters.errors import Refused
from cache.invalidator import Matching, Outcome
from cache.replicas import Reached
from proxy.purge_told import done, reach, together, would_go


def test_what_went_and_how_far_it_came() -> None:
    counts = {"deleted": 6, "semantic": 3, "exact": 3}
    assert done(Outcome(3, 2), more_semantic=1) == (200, counts | {"complete": True, "missing": []})
    late = Outcome(3, 3, Reached(False, ("a", "b"), "no answer"))
    assert done(late) == (202, counts | {"complete": False, "missing": ["a", "b"], "why": "no answer"})
    assert reach(Reached(complete=True)) == (200, {"complete": True, "missing": []})


def test_a_level_that_failed_is_more_than_a_replica_that_is_late() -> None:
    with pytest.raises(Refused) as refused:
        done(Outcome(3, 3, Reached(False, ("a",)), failed=True))
    assert (refused.value.status, refused.value.code) == (503, "level_failed")


def test_several_outcomes_are_as_good_as_the_worst() -> None:
    outcomes = [
        Outcome(1, 2),
        Outcome(3, 4, Reached(False, ("a", "b"), "late")),
        Outcome(0, 0, Reached(False, ("b",)), failed=True),
    ]
    assert together(outcomes) == Outcome(4, 6, Reached(False, ("a", "b"), "late"), failed=True)
    assert together([]) == Outcome(0, 0, Reached(complete=True), failed=False)


def test_what_would_go() -> None:
    held = Matching(tuple([bytes([n]) for n in range(12)]), tuple([f"n/{n}" for n in range(10)]))
    expected = {"dry_run": True, "would_delete": 12, "examples": [f"n/{n}" for n in range(10)]}
    assert would_go(held) == (200, expected)
