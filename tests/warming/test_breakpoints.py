"""Where breakpoints go, by hand."""

from __future__ import annotations

import pytest

from tests.warming.prompts import NEW, OLD, prompt, terms
from warming.breakpoints import candidates, family_of, of_warm_call, placed, reachable

ALWAYS = {"static": 1.0, "trunk": 1.0, "tail": 1.0, "leaf": 1.0}
PRIOR = {"static": 1.0, "trunk": 1.0, "tail": 0.5, "leaf": 0.25}
NEVER = dict.fromkeys(ALWAYS, 0.0)


def place(given, what=None, *, reads=PRIOR, warm=-1, leaf=False, shared=-1, hopeless=()):
    what = what or terms()
    found = candidates(given, given.minimum, leaf=leaf)
    return placed(
        given, what, found, warm, given.minimum, reads.__getitem__, lambda digest: digest in hopeless, shared=shared
    )


def kinds(given, leaf=False):
    return [(each.at, each.kind) for each in candidates(given, given.minimum, leaf=leaf)]


def test_candidates_are_the_ends_of_tools_system_trunk_and_prompt():
    given = prompt("block:t1:1000", "tools:t2:1000", "system:s:1000", "message:u:100", "message:a:100",
                   "block:doc:5000", "message:q:20")  # fmt: skip
    assert kinds(given) == [(1, "static"), (2, "static"), (4, "trunk"), (5, "trunk"), (6, "tail")]
    assert kinds(given, leaf=True)[-1] == (6, "leaf")


def test_nothing_below_the_minimum_and_nothing_that_takes_no_mark():
    assert kinds(prompt("system:s:1000", "message:q:20")) == []
    assert kinds(prompt("system:s:1000", "message:q:200")) == [(1, "tail")]
    given = prompt("system:s:2000", "message:think:200")
    bare = given._replace(points=(given.points[0], given.points[1]._replace(markable=False)))
    assert kinds(bare) == [(0, "static")]


@pytest.mark.parametrize(
    ("reads", "marks"),
    [
        (ALWAYS, ((0, "5m"), (1, "5m"), (2, "5m"))),
        (NEVER, ()),
        (NEVER | {"static": 1.0}, ((0, "5m"),)),
        (NEVER | {"static": 0.27}, ()),  # (w - 1) / (1 - r) = 0.25 / 0.9 = 0.278
        (NEVER | {"static": 0.29}, ((0, "5m"),)),
        (NEVER | {"tail": 0.3}, ((0, "5m"), (1, "5m"), (2, "5m"))),
        (NEVER | {"trunk": 1.0}, ((0, "5m"), (1, "5m"))),
    ],
)
def test_as_deep_as_what_is_written_is_expected_to_be_read(reads, marks):
    assert place(prompt("system:s:2000", "message:u:3000", "message:q:1000"), reads=reads) == (marks, False)


def test_a_deep_entry_that_pays_carries_a_shallow_one_that_does_not():
    given = prompt("system:s:2000", "message:u:2000", "message:q:9000")
    assert place(given, reads=NEVER | {"tail": 1.0})[0] == ((0, "5m"), (1, "5m"), (2, "5m"))
    # But not a long one that nobody reads in front of a short one.
    given = prompt("system:s:9000", "message:q:1000")
    assert place(given, reads=NEVER | {"tail": 0.2})[0] == ()


def test_what_is_warm_is_marked_so_that_it_is_found():
    given = prompt("system:s:2000", "message:u:3000", "message:a:100", "message:q:100")
    assert (1, "5m") in place(given, warm=1)[0]
    assert place(given, warm=1, reads=NEVER)[0] == ((1, "5m"),)


def test_never_more_than_four():
    given = prompt("block:t:1500", "tools:t:1000", "system:s:1000", "message:1:900", "message:2:900", "block:d:900",
                   "message:q:900")  # fmt: skip
    marks, _ = place(given, reads=ALWAYS, warm=3)
    assert [at for at, _ in marks] == [3, 4, 5, 6] or len(marks) == 4
    assert 3 in [at for at, _ in marks]
    assert 6 in [at for at, _ in marks]


def test_static_text_may_live_longer_and_stands_first():
    given = prompt("tools:t:2000", "system:s:2000", "message:q:2000")
    assert place(given, terms(ttl="1h"), reads=dict.fromkeys(ALWAYS, 9.0))[0] == ((0, "1h"), (1, "1h"), (2, "5m"))
    # An hour costs twice a plain token: it needs more than (2 - 1) / 0.9 = 1.11 reads.
    assert place(given, terms(ttl="1h"), reads=NEVER | {"static": 1.1})[0] == ()
    assert place(given, terms(ttl="1h"), reads=NEVER | {"static": 1.2})[0] == ((0, "1h"), (1, "1h"))


def test_gpt_writes_at_the_end_by_itself_unless_told_not_to():
    given = prompt("system:s:2000", "message:u:3000", "message:q:1000", model=NEW)
    assert place(given, terms(NEW), reads=ALWAYS) == (((0, "30m"), (1, "30m")), False)
    assert place(given, terms(NEW), reads=NEVER | {"static": 1.0}) == (((0, "30m"),), True)
    assert place(given, terms(NEW), reads=NEVER) == ((), True)


def test_nothing_is_set_where_the_provider_decides_or_the_operator_said_no():
    given = prompt("system:s:2000", "message:q:1000", model=OLD)
    assert place(given, terms(OLD)) == ((), False)
    assert place(prompt("system:s:2000", "message:q:1000"), terms(breakpoints=False)) == ((), False)


def test_the_clients_own_breakpoints_are_left_alone():
    assert place(prompt("system:s:2000", "message:q:1000", marks={0: "1h"})) == ((), False)


def test_what_turned_out_unwarmable_is_not_written_again():
    given = prompt("system:s:2000", "message:q:1000")
    assert place(given, hopeless=(given.points[0].digest,), reads=NEVER | {"static": 1.0})[0] == ()


@pytest.mark.parametrize(("lookback", "found"), [(20, False), (21, True), (0, True)])
def test_a_breakpoint_looks_back_over_so_many_positions(lookback, found):
    given = prompt(*(f"message:{n}:100" for n in range(21)))
    assert reachable(given, [20], 0, lookback) is found
    assert not reachable(given, [3], 5, lookback)


def test_a_family_is_its_static_text():
    one, two = prompt("system:s:2000", "message:a:1"), prompt("system:s:2000", "message:b:1")
    assert family_of(one) == family_of(two) != b""
    assert family_of(prompt("message:a:1")) == b""


@pytest.mark.parametrize(
    ("warm", "marks"),
    [(-1, ((0, "30m"), (2, "30m"))), (1, ((0, "30m"), (1, "30m"), (2, "30m"))), (3, ((0, "30m"), (2, "30m")))],
)
def test_a_warm_call_marks_its_end_the_static_text_and_what_it_reads(warm, marks):
    given = prompt("system:s:2000", "message:u:500", "message:v:500", "message:q:30", model=NEW)
    assert of_warm_call(given, terms(NEW), 2, warm) == marks


def test_and_beside_the_clients_own_breakpoints_only_its_end():
    given = prompt("system:s:2000", "message:u:500", "message:q:30", marks={0: "1h"})
    assert of_warm_call(given, terms(), 1, -1) == ((1, "5m"),)
    assert of_warm_call(prompt("system:s:2000", model=OLD), terms(OLD), 0, -1) == ()
