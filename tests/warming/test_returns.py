"""The chance that traffic comes back to a prefix."""

from __future__ import annotations

from warming.returns import KEPT, Returns


def after(*gaps, life=300.0):
    seen, now = Returns(), 0.0
    seen.came(b"p", now, life)
    for gap in gaps:
        now += gap
        seen.came(b"p", now, life)
    return seen, now


def test_nobody_pays_for_a_return_that_never_happened():
    assert Returns().chance(b"p", 1) == 0
    seen, _ = after(10, 20, 30)
    assert seen.chance(b"p", 1) == 0


def test_the_hazard_is_that_of_a_return_in_this_life_given_none_before():
    # Gaps in lives: 1, 1, 1, 2, 5; one more that has not been seen yet is always allowed for.
    seen, _ = after(400, 500, 310, 700, 1600)
    assert seen.chance(b"p", 1) == 3 / 6
    assert seen.chance(b"p", 2) == 1 / 3
    assert seen.chance(b"p", 3) == 0
    assert seen.chance(b"p", 5) == 1 / 2
    assert seen.chance(b"p", 6) == 0


def test_the_interval_counts_from_the_last_use():
    seen, now = after(400)
    assert seen.lives(b"p", now + 240, 300) == 1
    assert seen.lives(b"p", now + 540, 300) == 2
    assert seen.lives(b"unknown", 0, 300) == 1


def test_a_gap_of_days_is_one_beyond_all_pings():
    seen, _ = after(400, 9e6)
    assert seen.chance(b"p", 12) == 0
    assert seen.chance(b"p", 13) == 0


def test_it_is_bounded():
    seen = Returns()
    for number in range(KEPT + 5):
        seen.came(b"%d" % number, 0.0, 300)
    seen.came(b"0", 400.0, 300)
    assert seen.chance(b"0", 1) == 0  # it had been forgotten
    assert seen.chance(b"5", 1) == 0
