"""Who waits for whom, and what is learned from bills."""

from __future__ import annotations

import pytest

from adapters.usage import Usage
from tests.warming.prompts import CLAUDE, DEEPSEEK, NEW, OLD, branches, prompt, terms
from warming.planner import Planner

DOC = ("system:sys:4000", "block:doc:8000")


def lead(planner, first, what, now=0.0):
    plan = planner.plan(first, what, now)
    assert plan.wait is None
    assert plan.flight is not None
    return plan


@pytest.mark.parametrize("model", [CLAUDE, NEW, OLD])
def test_siblings_wait_for_the_first_and_read_what_it_wrote(model):
    planner, what = Planner(), terms(model)
    first, *others = branches(8, *DOC, model=model)
    leader = lead(planner, first, what)
    for other in others:
        plan = planner.plan(other, what, 0.1)
        assert plan.wait is leader.flight
        assert plan.shared == 12_000
    planner.content(leader, 1.0)
    assert leader.flight.over
    again = [planner.plan(other, what, 1.0, waited=True) for other in others]
    assert again[0].wait is None
    assert again[0].expected == 12_000
    if model == CLAUDE:
        assert all(plan.wait is None and plan.expected == 12_000 for plan in again)
        assert all(plan.marks == ((1, "5m"),) for plan in again)  # what is read; a branch's own end is not written


@pytest.mark.parametrize("model", [NEW, OLD])
def test_where_nobody_says_when_an_entry_can_be_read_one_goes_ahead_the_first_time(model):
    planner, what = Planner(), terms(model)
    first, second, third = branches(3, *DOC, model=model)
    planner.content(lead(planner, first, what), 1.0)
    probe = planner.plan(second, what, 1.0)
    assert probe.flight is not None
    assert planner.plan(third, what, 1.1).wait is probe.flight
    planner.content(probe, 2.0)
    assert planner.plan(third, what, 2.0).wait is None
    # Once a read was seen, nobody goes ahead any more.
    planner.settle(probe, Usage(read=12_000, uncached=30), 2.0)
    other = branches(3, "system:other:4000", model=model)
    planner.content(lead(planner, other[0], what, 3.0), 4.0)
    assert planner.plan(other[1], what, 4.0).wait is None
    assert planner.plan(other[2], what, 4.0).wait is None


def test_a_leader_that_fails_leaves_its_place_to_the_next():
    planner, what = Planner(), terms()
    first, second, third = branches(3, *DOC)
    leader = lead(planner, first, what)
    assert planner.plan(second, what, 0.1).wait is leader.flight
    planner.failed(leader)
    promoted = planner.plan(second, what, 0.2)
    assert promoted.wait is None
    assert planner.plan(third, what, 0.2).wait is promoted.flight


def test_nobody_waits_for_what_is_warm_and_all_do_once_it_has_expired():
    planner, what = Planner(), terms()
    first, second, third, fourth = branches(4, *DOC)
    planner.content(lead(planner, first, what, 0.0), 1.0)
    assert planner.plan(second, what, 200.0).wait is None
    # The read of the second, which nobody confirmed, began no new life: 300 s from the start of the first are over.
    leader = lead(planner, third, what, 301.0)
    assert leader.why == "cold"
    assert planner.plan(fourth, what, 301.0).wait is leader.flight


def test_a_read_begins_the_life_anew():
    planner, what = Planner(), terms()
    first, second, third = branches(3, *DOC)
    planner.content(lead(planner, first, what, 0.0), 1.0)
    reader = planner.plan(second, what, 200.0)
    planner.content(reader, 201.0)
    assert planner.plan(third, what, 400.0).expected == 12_000
    assert planner.plan(third, what, 505.0).expected == 0


def test_nested_sharing_is_settled_level_by_level():
    planner, what = Planner(), terms()
    a1 = prompt("system:sys:4000", "block:a:6000", "message:1:30")
    a2 = prompt("system:sys:4000", "block:a:6000", "message:2:30")
    b1 = prompt("system:sys:4000", "block:b:6000", "message:1:30")
    b2 = prompt("system:sys:4000", "block:b:6000", "message:2:30")
    leader = lead(planner, a1, what)
    assert planner.plan(a2, what, 0.0).shared == 10_000
    assert planner.plan(b1, what, 0.0).shared == 4_000
    assert planner.plan(b2, what, 0.0).shared == 4_000
    planner.content(leader, 1.0)
    second = planner.plan(b1, what, 1.0, waited=True)
    assert second.wait is None
    assert (second.why, second.expected) == ("longer", 4_000)
    waits = planner.plan(b2, what, 1.0, waited=True)
    assert (waits.wait, waits.shared) == (second.flight, 10_000)
    assert planner.plan(a2, what, 1.0, waited=True).wait is None


def test_nobody_waits_for_a_few_tokens_more_than_are_warm():
    planner, what = Planner(), terms()
    one = prompt("system:sys:4000", "block:few:20", "message:1:30")
    two = prompt("system:sys:4000", "block:few:20", "message:2:30")
    planner.content(lead(planner, prompt("system:sys:4000", "message:0:30"), what), 1.0)
    longer = planner.plan(one, what, 1.0)
    assert longer.flight is not None
    assert planner.plan(two, what, 1.0).wait is None


def test_patience_ends_waiting():
    planner, what = Planner(), terms()
    first, second = branches(2, *DOC)
    lead(planner, first, what)
    plan = planner.plan(second, what, 10.0, patient=False)
    assert plan.wait is None


@pytest.mark.parametrize(
    ("model", "tokens", "why"),
    [
        (CLAUDE, 1023, "below minimum"),
        (CLAUDE, 1024, "cold"),
        ("claude-haiku-4-5", 4095, "below minimum"),
        (NEW, 1023, "below minimum"),
        (OLD, 1024, "cold"),
        ("some-vllm-model", 9000, "local"),
    ],
)
def test_requests_that_no_prompt_cache_can_help_are_left_alone(model, tokens, why):
    plan = Planner().plan(prompt(f"message:m:{tokens}", model=model), terms(model), 0.0)
    assert plan.why == why
    if why != "cold":
        assert (plan.wait, plan.flight, plan.marks) == (None, None, ())


def test_strategy_off_sets_breakpoints_and_never_waits():
    planner, what = Planner(), terms(strategy="off")
    first, second = branches(2, *DOC)
    planner.plan(first, what, 0.0)
    plan = planner.plan(second, what, 0.1)
    assert plan.wait is None
    assert plan.marks
    assert not planner.flights


def test_an_entry_of_deepseek_ends_with_a_request_so_branches_do_not_wait_for_one_another():
    planner, what = Planner(), terms(DEEPSEEK)
    first, second = branches(2, *DOC, model=DEEPSEEK)
    leader = lead(planner, first, what)
    assert planner.plan(second, what, 0.1).wait is None
    longer = prompt(*DOC, "message:q0:30", "message:a:10", "message:next:20", model=DEEPSEEK)
    assert planner.plan(longer, what, 0.1).wait is leader.flight


def test_the_clients_own_breakpoints_decide_what_can_be_read():
    planner, what = Planner(), terms()
    marked = [prompt(*DOC, f"message:q{n}:30", marks={1: "5m"}) for n in range(2)]
    bare = [prompt(*DOC, f"message:q{n}:30", marks={0: "5m"}) for n in range(2)]
    leader = lead(planner, marked[0], what)
    assert leader.marks == ()
    assert planner.plan(marked[1], what, 0.1).wait is leader.flight
    planner = Planner()
    leader = lead(planner, bare[0], what)
    plan = planner.plan(bare[1], what, 0.1)
    assert (plan.wait, plan.shared) == (leader.flight, 4_000)


class TestDeclared:
    def test_the_longest_prefix_that_all_share(self):
        shared = Planner().worthwhile(branches(5, *DOC), terms(), 0.0)
        assert (shared.at, shared.tokens, shared.why) == (1, 12_000, "cold")

    @pytest.mark.parametrize(
        ("prompts", "why"),
        [
            (branches(1, *DOC), "alone"),
            ([], "alone"),
            (branches(3, "system:s:500"), "below minimum"),
            ([prompt("message:a:3000"), prompt("message:b:3000")], "nothing shared"),
            ([prompt("step:a:3000", "message:x:10"), prompt("step:a:3000", "message:y:10")], "nothing shared"),
            ([prompt(*DOC), prompt("message:m:10")], "below minimum"),
        ],
    )
    def test_and_why_there_is_none_to_warm(self, prompts, why):
        shared = Planner().worthwhile(prompts, terms(), 0.0)
        assert (shared.at, shared.why) == (-1, why)

    def test_what_is_warm_is_not_warmed(self):
        planner, what = Planner(), terms()
        prompts = branches(3, *DOC)
        planner.content(lead(planner, prompts[0], what), 1.0)
        assert planner.worthwhile(prompts, what, 2.0).why == "warm"

    def test_the_shared_prefix_is_marked_in_every_sibling_and_its_own_end_is_not(self):
        planner, what = Planner(), terms()
        for branch in branches(3, *DOC):
            assert planner.plan(branch, what, 0.0, shared=1, patient=False).marks == ((0, "5m"), (1, "5m"))

    def test_beside_the_clients_breakpoints_only_the_shared_end_is_added(self):
        plan = Planner().plan(prompt(*DOC, "message:q:30", marks={0: "5m"}), terms(), 0.0, shared=1)
        assert plan.marks == ((1, "5m"),)
        full = prompt("system:a:4000", "block:b:10", "block:c:10", "block:d:10", "block:doc:10", "message:q:30",
                      marks=dict.fromkeys(range(4), "5m"))  # fmt: skip
        assert Planner().plan(full, terms(), 0.0, shared=4).marks == ()


class TestLearning:
    def test_a_prompt_that_was_marked_and_neither_read_nor_written_raises_the_minimum(self):
        planner, what = Planner(), terms()
        plan = lead(planner, prompt("system:s:1500", "message:q:30"), what)
        planner.content(plan, 1.0)
        planner.settle(plan, Usage(uncached=1530), 2.0)
        assert planner.plan(prompt("system:s:1500", "message:r:30"), what, 3.0).why == "below minimum"
        assert planner.plan(prompt("system:t:1600", "message:r:30"), what, 3.0).why == "cold"
        # And one that was written lowers it again.
        planner.settle(planner.plan(prompt("system:t:1600", "message:r:30"), what, 4.0), Usage(write_5m=1200), 5.0)
        assert planner.beliefs.minimum(CLAUDE, 1024) == 1200

    def test_a_miss_right_behind_the_write_teaches_a_lag(self):
        planner, what = Planner(), terms()
        first, second = branches(2, *DOC)
        planner.content(lead(planner, first, what), 1.0)
        follower = planner.plan(second, what, 1.0, waited=True)
        planner.settle(follower, Usage(write_5m=12_000, uncached=30), 2.0)
        assert planner.beliefs.lag(CLAUDE, what.profile) == 0.25
        # What the follower wrote itself is there now.
        assert planner.plan(branches(3, *DOC)[2], what, 3.0).expected == 12_000

    def test_a_miss_late_in_a_life_teaches_a_shorter_one(self):
        planner, what = Planner(), terms()
        first, second = branches(2, *DOC)
        planner.content(lead(planner, first, what), 1.0)
        plan = planner.plan(second, what, 250.0)
        assert plan.expected == 12_000
        planner.settle(plan, Usage(uncached=12_030), 251.0)
        assert planner.beliefs.life(CLAUDE, what.profile) == pytest.approx(225.0)
        assert planner.plan(second, what, 252.0).expected == 0

    def test_a_prefix_that_is_missed_without_excuse_twice_is_left_alone_for_a_life(self):
        planner, what = Planner(), terms()
        for begin in (0.0, 50.0):
            first, second = branches(2, *DOC, own=f"message:{begin}-{{}}:30")
            planner.content(lead(planner, first, what, begin), begin + 1)
            plan = planner.plan(second, what, begin + 20)
            planner.settle(plan, Usage(uncached=12_030), begin + 21)
        assert planner.worthwhile(branches(3, *DOC), what, 100.0).why == "unwarmable"
        assert (1, "5m") not in planner.plan(branches(3, *DOC)[2], what, 100.0).marks
        assert planner.worthwhile(branches(3, *DOC), what, 500.0).why == "cold"

    def test_a_provider_that_never_tells_is_believed(self):
        planner, what = Planner(), terms()
        first, second = branches(2, *DOC)
        leader = lead(planner, first, what)
        planner.content(leader, 1.0)
        planner.settle(leader, None, 2.0)
        assert planner.plan(second, what, 3.0).expected == 12_000

    def test_conversations_that_never_go_on_are_no_longer_written_to_their_end(self):
        planner, what = Planner(), terms()
        static = "system:sys:4000"
        first = lead(planner, prompt(static, "message:0:2000"), what)
        assert first.marks == ((0, "5m"), (1, "5m"))
        planner.failed(first)
        for number in range(1, 30):
            planner.failed(planner.plan(prompt(static, f"message:{number}:2000"), what, number * 100.0))
        assert planner.plan(prompt(static, "message:last:2000"), what, 3000.0).marks == ((0, "5m"),)


def test_one_hundred_thousand_prefixes_and_no_more():
    planner, what = Planner(), terms()
    planner.beliefs.max_prefixes = 100
    for number in range(300):
        plan = planner.plan(prompt(f"system:{number}:4000", "message:q:30"), what, float(number))
        planner.content(plan, float(number))
    assert len(planner.beliefs.warm) == 100
    assert not planner.flights
