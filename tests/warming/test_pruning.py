"""When edits are made: by hand, by the table of the break-even, and by counting tokens turn by turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prices import Prices
from adapters.transcript import Edit, Transcript, transcript_of
from tests.adapters import talks
from tests.adapters.talks import Step, read, shell, talk
from warming.economics import Rates
from warming.hooks import Context, Options, load
from warming.prune_economics import turns_needed
from warming.pruning import (
    MARGIN,
    SLACK,
    Proposal,
    Terms,
    Warmth,
    context_of,
    decide,
    merged,
    prepared,
    proposals,
    standing,
    terms_of,
    warm_end,
)
from warming.prunings import PRUNED

# Deciding

ANTHROPIC = Terms(0.1, 1.25)
HALF = Terms(0.5, 1.0)


def proposal(piece: int, message: int, start: int, before: int, after: int = 10) -> Proposal:
    return Proposal("h", Edit(piece, "x"), message, start, before, after, b"%d" % message, 0)


def decided(
    proposed: Sequence[Proposal], sent: int, end: int, terms: Terms = ANTHROPIC, turns: int = 10, siblings: int = 1
) -> list[int]:
    decision = decide(proposed, sent, end, terms, turns, siblings)
    assert sorted(decision.now + decision.later) == sorted(proposed)
    return [each.edit.piece for each in decision.now]


SMALL_THEN_LARGE = [proposal(1, 1, 1000, 60), proposal(5, 5, 9000, 910)]


@pytest.mark.parametrize(
    ("proposed", "sent", "end", "more", "now"),
    [
        # Never sent: free. Sent and warm: held, since 900 of 9000 tokens pay after 103 turns.
        ([proposal(5, 5, 1000, 910)], 5, 5000, {}, [5]),
        ([proposal(5, 5, 1000, 910)], 6, 10_000, {}, []),
        # Behind all that is warm: free. Cold: everything is.
        ([proposal(5, 5, 5000, 910)], 9, 5000, {}, [5]),
        ([proposal(1, 1, 1000, 60), proposal(5, 5, 4000, 910)], 9, 0, {}, [1, 5]),
        # 900 of 1000: 1.3 turns. 50 more tokens far in front would have 8000 written for them.
        (SMALL_THEN_LARGE, 9, 10_000, {}, [5]),
        (SMALL_THEN_LARGE, 9, 10_000, {"turns": 1}, []),
        # 900 of 1800: 11.5 turns, 14.4 with the margin; a fan-out of 8 divides that.
        ([proposal(5, 5, 8200, 910)], 9, 10_000, {"turns": 14}, []),
        ([proposal(5, 5, 8200, 910)], 9, 10_000, {"turns": 15}, [5]),
        ([proposal(5, 5, 8200, 910)], 9, 10_000, {"turns": 2, "siblings": 8}, [5]),
        ([proposal(5, 5, 8200, 910)], 9, 10_000, {"turns": 1, "siblings": 8}, []),
        # Half price for reading: one turn at a half, nine at a tenth.
        ([proposal(5, 5, 8200, 910)], 9, 10_000, {"terms": HALF, "turns": 2}, [5]),
        # Together they pay, the ones in front included.
        ([proposal(1, 1, 1000, 4010), proposal(5, 5, 5010, 4510)], 9, 10_000, {}, [1, 5]),
        # No discount for reading: always worth it. No price: only what is free.
        ([proposal(5, 5, 1000, 20)], 9, 10_000, {"terms": Terms(1.0, 1.0)}, [5]),
        ([proposal(5, 5, 9000, 910), proposal(9, 9, 12_000, 60)], 9, 10_000, {"terms": Terms()}, [9]),
        ([proposal(5, 5, 9000, 910)], 9, 10_000, {"terms": Terms(0.1)}, []),
        ([], 9, 10_000, {}, []),
    ],
)  # fmt: skip
def test_decisions_by_hand(proposed: list[Proposal], sent: int, end: int, more: dict[str, int], now: list[int]) -> None:
    assert decided(proposed, sent, end, **more) == now  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(20, 2000), st.integers(0, 1000)), min_size=1, max_size=8),
    st.integers(1, 40),
    st.integers(1, 8),
    st.sampled_from([ANTHROPIC, HALF, Terms(0.025, 1.25), Terms(0.25, 1.0)]),
)
def test_no_other_set_behind_a_point_saves_more_and_none_that_loses_is_made(
    sizes: list[tuple[int, int]], turns: int, siblings: int, terms: Terms
) -> None:
    proposed, at = [], 100
    for index, (before, gap) in enumerate(sizes):
        proposed.append(proposal(index, index, at, before))
        at += before + gap
    assert terms.read is not None
    assert terms.write is not None

    def saved(some: Sequence[Proposal]) -> float:
        if not some:
            return 0.0
        read_, write = terms.read or 0.0, terms.write or 0.0
        behind, removed = at - some[0].start, sum(each.removed for each in some)
        calls = turns * siblings
        return calls * read_ * behind - (write + (calls - 1) * read_) * (behind - removed)

    now = decide(proposed, len(proposed), at, terms, turns, siblings).now
    assert list(now) == proposed[len(proposed) - len(now) :]
    assert saved(now) >= 0
    for place in range(len(proposed)):
        some = proposed[place:]
        needed = turns_needed(
            at - some[0].start, sum(e.removed for e in some), Rates(terms.write, terms.read, 0.0), siblings=siblings
        )
        if needed * MARGIN <= turns:
            assert saved(now) >= saved(some) - 1e-6


# What is warm


def of(steps: Iterable[Step], api: str = "openai-chat") -> Transcript:
    transcript = transcript_of(talk(api, list(steps)), api)
    assert transcript is not None
    return transcript


LONG = "some words of text\n" * 40
STEPS: list[Step] = [("system", "s"), ("user", "u"), *shell("a", "x", LONG), *shell("b", "y", LONG), ("user", "and?")]


def test_where_the_warm_part_ends() -> None:
    transcript = of(STEPS)
    starts = transcript.starts()
    third = starts[[piece.message for piece in transcript.pieces].index(4)]
    assert warm_end(transcript, Warmth(4, 10_000)) == (4, third)  # no further than what was sent
    assert warm_end(transcript, Warmth(4, 100)) == (4, round(100 * SLACK))  # nor than what is cached
    assert warm_end(transcript, Warmth(4, 0)) == (4, 0)
    assert warm_end(transcript, Warmth(4, 10_000, 0.0)) == (4, 0)
    assert warm_end(transcript, Warmth(4, 10_000, -1.0)) == (4, 0)
    assert warm_end(transcript, Warmth(99, 10_000)) == (99, starts[-1])
    # Nothing is known: all that the model has answered is taken for warm.
    assert transcript.answered == 5
    fourth = starts[[piece.message for piece in transcript.pieces].index(5)]
    assert warm_end(transcript, None) == (5, fourth)


def test_the_context_that_hooks_get() -> None:
    transcript = of(STEPS)
    context = context_of(transcript, Warmth(4, 500, 60.0), Terms(0.1, 1.25, True), Options(turns=7), 3)
    assert context == Context(4, 500, 60.0, 0.1, 1.25, 7, 3, True, Options(turns=7))
    assert context_of(transcript, None, Terms(), Options()).first_new == 5
    assert context_of(transcript, Warmth(99, 0), Terms(), Options()).first_new == len(transcript.pieces)
    sent = [piece.sent for piece in prepared(transcript, context).pieces]
    assert sent == [True] * 4 + [False] * (len(sent) - 4)


# What must not change


def locked(transcript: Transcript, binds: bool = False, **options: object) -> list[str]:
    context = context_of(transcript, None, Terms(None, None, binds), Options(**options))  # type: ignore[arg-type]
    return [piece.locked for piece in prepared(transcript, context).pieces]


@pytest.mark.parametrize("api", talks.APIS)
def test_nothing_in_front_of_a_thought_is_open_where_thoughts_are_bound(api: str) -> None:
    steps: list[Step] = [("user", "u"), *shell("a", "x", "1"), ("think", "t"), *shell("b", "y", "2"), ("user", "v")]
    kinds = [(piece.kind, piece.call_id) for piece in of(steps, api).pieces]
    bound = dict(zip(kinds, locked(of(steps, api), binds=True), strict=True))
    free = dict(zip(kinds, locked(of(steps, api)), strict=True))
    assert bound["result", "a"] == bound["call", "a"] == "thinking"
    assert bound["result", "b"] == free["result", "a"] == free["result", "b"] == ""


def test_what_a_late_pointer_points_to_is_locked() -> None:
    pointer = f"{PRUNED}the same as the result of call a]"
    steps: list[Step] = [("user", "u"), *shell("a", "x", LONG), *shell("b", "y", pointer), *shell("c", "z", "3")]
    assert locked(of(steps), keep_results=2)[2] == "pointed to"
    assert locked(of(steps), keep_results=1)[2] == ""
    assert locked(of(steps), keep_results=0)[2] == ""


def test_protected_patterns_hold_for_calls_and_their_results() -> None:
    transcript = of([("user", "u"), *read("a", "/etc/x", "1"), *shell("b", "ls", "2")])
    assert locked(transcript, protect_paths=("/etc/*",)) == ["first user message", "protected", "protected", "", ""]
    assert locked(transcript, protect_tools=("b?sh",)) == ["first user message", "", "", "protected", "protected"]


# Proposals


def test_the_first_hook_has_its_way_and_nothing_is_made_longer() -> None:
    transcript = of(STEPS)
    made = merged(
        transcript,
        [
            ("one", [Edit(3, "[1]")]),
            ("two", [Edit(3, "[2]"), Edit(5, LONG + "longer")]),
            ("three", [Edit(5, "[3]"), Edit(2, "[no argument is long]")]),
        ],
    )
    assert [(each.why, each.edit) for each in made] == [("one", Edit(3, "[1]")), ("three", Edit(5, "[3]"))]
    starts = transcript.starts()
    assert [(each.start, each.before, each.message) for each in made] == [
        (starts[3], transcript.pieces[3].tokens, 3),
        (starts[5], transcript.pieces[5].tokens, 5),
    ]
    assert [each.digest for each in made] == [transcript.digests[3], transcript.digests[5]]


def test_a_pointer_and_what_it_points_to_are_not_both_edited() -> None:
    transcript = of(STEPS)
    pointer, other = Edit(5, "[as 3]", keeps=3), Edit(3, "[gone]")
    assert [each.edit for each in merged(transcript, [("a", [pointer]), ("b", [other])])] == [pointer]
    assert [each.edit for each in merged(transcript, [("a", [other]), ("b", [pointer])])] == [other]


def test_an_edit_that_cannot_be_encoded_is_no_proposal() -> None:
    call: list[Step] = [("user", "u"), ("call", "a", "write", {"path": "/f", "content": LONG}), ("result", "a", "ok")]
    assert merged(of(call), [("h", [Edit(1, "\ud800")])]) == []
    assert [each.edit.piece for each in merged(of(call), [("h", [Edit(1, "[x]")])])] == [1]


def test_removing_the_last_image_breaks_all_messages() -> None:
    steps: list[Step] = [("user", "u"), ("say", "x"), ("look",), ("say", "y"), ("look",), ("say", "z"), ("user", "v")]
    body = talk("anthropic-messages", steps, tools=[{"name": "t"}])
    options = {"sent": 6, "terms": ANTHROPIC}
    hooks = load(["old_images"])
    some = proposals(body, "anthropic-messages", hooks, options=Options(keep_images=1), **options)  # type: ignore[arg-type]
    every = proposals(body, "anthropic-messages", hooks, options=Options(keep_images=0), **options)  # type: ignore[arg-type]
    transcript = transcript_of(body, "anthropic-messages")
    assert transcript is not None
    assert transcript.head > 0
    assert [each.start for each in some] == [transcript.starts()[3]]
    assert [each.start for each in every] == [transcript.head, transcript.head]
    new = proposals(body, "anthropic-messages", hooks, options=Options(keep_images=0))
    assert [each.start for each in new] == [transcript.starts()[3], transcript.starts()[6]]


# The replay's way: proposals once, decisions later


def test_proposals_of_a_recorded_request() -> None:
    steps = [("user", "u"), *read("a", "/f", LONG), *read("b", "/f", LONG + "2"), ("user", "v")]
    hooks = load(["superseded_files"])
    for api in talks.APIS:
        (made,) = proposals(talk(api, steps), api, hooks)
        assert (made.why, made.message, made.removed > 50) == ("superseded_files", 2, True)
    assert proposals({"input": ["x"]}, "openai-embeddings", hooks) == []
    broken = [("raises", lambda *_: 1 / 0), ("nonsense", lambda *_: 3), *hooks]
    assert proposals(talk("openai-chat", steps), "openai-chat", broken) == proposals(  # type: ignore[arg-type]
        talk("openai-chat", steps), "openai-chat", hooks
    )


def test_the_same_piece_has_the_same_name_in_every_later_turn() -> None:
    steps: list[Step] = [("user", "u"), *read("a", "/f", LONG), *read("b", "/f", LONG + "2"), ("user", "v")]
    hooks = load(["superseded_files"])
    (early,) = proposals(talk("openai-chat", steps), "openai-chat", hooks)
    later: list[Step] = [*steps, ("say", "x"), *read("c", "/f", LONG + "3"), ("user", "w")]
    first, second = proposals(talk("openai-chat", later), "openai-chat", hooks)
    assert (first.digest, first.place, first.edit.text) == (early.digest, early.place, early.edit.text)
    assert second.digest != early.digest


def test_what_was_made_moves_what_is_behind_it_and_is_not_made_twice() -> None:
    first, second = proposal(1, 1, 1000, 510), proposal(5, 5, 3000, 910)
    applied = {(first.digest, first.place): first}
    assert standing([first, second], applied) == [second._replace(start=2500)]
    # One that takes out more than it did is proposed again, for the rest.
    better = first._replace(after=4)
    assert standing([better], applied) == [better._replace(before=10)]
    assert standing([first, second], {}) == [first, second]


# Terms


PRICES = Prices({"free": {"input": 0, "output": 0}})


@pytest.mark.parametrize(
    ("provider", "model", "life", "terms"),
    [
        ("anthropic", "claude-sonnet-4-5", "", Terms(0.1, 1.25)),
        ("anthropic", "claude-sonnet-4-5", "1h", Terms(0.1, 2.0)),
        ("anthropic", "claude-sonnet-4-5", "nonsense", Terms(0.1, 1.25)),
        ("anthropic", "claude-opus-5-5", "", Terms(0.05, 1.25, True)),
        ("openai", "gpt-4o", "", Terms(0.5, 1.0)),
        ("openai", "free", "", Terms()),
        ("nobody", "no-model", "", Terms()),
    ],
)
def test_terms(provider: str, model: str, life: str, terms: Terms) -> None:
    found = terms_of(PRICES, provider, model, life)
    assert found.binds_thinking == terms.binds_thinking
    assert (found.read, found.write) == pytest.approx((terms.read, terms.write))
