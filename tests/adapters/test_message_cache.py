from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.message_cache import MessageCache, explicit
from adapters.prompt import Billed, Edge, Point, Prompt

MINIMUM = 1024

Block = tuple[str, int] | tuple[str, int, str] | tuple[str, int, str, Edge]


def prompt(*blocks: Block, edge: Edge = "message") -> Prompt:
    """Blocks of (text, tokens, mark, edge); digests are the texts so far."""
    texts = accumulate((block[0] for block in blocks), lambda a, b: f"{a}/{b}")
    totals = accumulate(block[1] for block in blocks)
    points = [
        Point(
            text.encode(),
            total,
            mark=block[2] if len(block) > 2 else "",
            edge=block[3] if len(block) > 3 else edge,
        )
        for text, total, block in zip(texts, totals, blocks, strict=True)
    ]
    return Prompt(tuple(points), MINIMUM)


def ask(cache: MessageCache, asked: Prompt, now: float, *, first: float | None = None) -> Billed:
    return cache.lookup_and_store(asked, now, now if first is None else first)


def written_at(asked: Prompt) -> list[int]:
    """Where a request wrote: what another finds that ends there, with a mark."""
    cache = MessageCache()
    ask(cache, asked, 0)
    found = []
    for index in range(len(asked.points)):
        points = [point._replace(edge="step", mark="") for point in asked.points[: index + 1]]
        points[-1] = points[-1]._replace(mark="30m", edge="block")
        if cache.lookup(Prompt(tuple(points), MINIMUM), 1).read == points[-1].tokens:
            found.append(index)
    return found


def test_a_request_writes_to_the_end_of_its_latest_message_and_the_next_turn_reads_that() -> None:
    cache = MessageCache()
    assert ask(cache, prompt(("s", 2000, "", "system"), ("q", 500)), 0) == Billed(write_30m=2500)
    grown = prompt(("s", 2000, "", "system"), ("q", 500), ("a", 40, "", "block"), ("r", 60))
    assert ask(cache, grown, 1) == Billed(read=2500, write_30m=100)
    assert ask(cache, grown, 2) == Billed(read=2600)


def test_a_shared_prefix_is_not_a_cached_prefix() -> None:
    """The trap of naive warming: what follows in the same message, or in another, was never an entry's end."""
    cache = MessageCache()
    inside = [prompt(("p", 5000, "", "block"), (text, 100)) for text in "abc"]
    assert [ask(cache, each, now).read for now, each in enumerate(inside)] == [0, 0, 0]
    apart = [prompt(("s", 5000, "", "system"), (text, 100)) for text in "abc"]
    assert [ask(cache, each, now).read for now, each in enumerate(apart)] == [0, 0, 0]


def test_a_breakpoint_at_the_end_of_the_prefix_in_all_requests_shares_it() -> None:
    cache = MessageCache()
    marked = [prompt(("p", 5000, "30m", "block"), (text, 100)) for text in "abc"]
    assert [ask(cache, each, now) for now, each in enumerate(marked)] == [
        Billed(write_30m=5100),
        Billed(read=5000, write_30m=100),
        Billed(read=5000, write_30m=100),
    ]
    assert cache.lookup(prompt(("p", 5000, "", "block"), ("d", 100)), 3).read == 0


def test_without_the_implicit_breakpoint_the_suffix_is_not_written() -> None:
    cache = MessageCache()
    marked = [explicit(prompt(("p", 5000, "30m", "block"), (text, 100))) for text in "ab"]
    assert [ask(cache, each, now) for now, each in enumerate(marked)] == [
        Billed(write_30m=5000, uncached=100),
        Billed(read=5000, uncached=100),
    ]
    assert ask(cache, explicit(prompt(("p", 5000), ("c", 100))), 3) == Billed(uncached=5100)
    assert len(cache) == 1


def test_a_call_that_ends_with_the_initial_block_warms_it() -> None:
    cache = MessageCache()
    assert ask(cache, prompt(("s", 5000, "", "system")), 0) == Billed(write_30m=5000)
    assert ask(cache, prompt(("s", 5000, "", "system"), ("q", 100)), 1) == Billed(read=5000, write_30m=100)
    # Once it is not looked for any more as an end, it is still found as that of the initial block.
    turns = [(str(n), 100) for n in range(60)]
    assert ask(cache, prompt(("s", 5000, "", "system"), *turns), 2).read == 5000


@pytest.mark.parametrize(("marks", "expected"), [(0, [6]), (1, [0, 6]), (3, [0, 1, 2, 6]), (5, [2, 3, 4, 6])])
def test_at_most_four_are_written_the_implicit_one_among_them(marks: int, expected: list[int]) -> None:
    blocks = [(str(n), 2000, "30m" if n < marks else "", "block") for n in range(6)]
    assert written_at(prompt(*blocks, ("q", 100))) == expected


@pytest.mark.parametrize(("marks", "expected"), [(0, []), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (6, [2, 3, 4, 5])])
def test_in_the_mode_explicit_the_latest_four(marks: int, expected: list[int]) -> None:
    blocks = [(str(n), 2000, "30m" if n < marks else "") for n in range(6)]
    assert written_at(explicit(prompt(*blocks, ("q", 100)))) == expected


def test_a_mark_at_the_end_of_the_latest_message_is_the_implicit_one() -> None:
    blocks = [(str(n), 2000, "30m", "block") for n in range(4)]
    assert written_at(prompt(*blocks, ("q", 100, "30m"))) == [1, 2, 3, 4]


@pytest.mark.parametrize(("grown", "read"), [(20, 2000), (21, 0)])
def test_twenty_ends_of_messages_before_the_latest_are_looked_at(grown: int, read: int) -> None:
    cache = MessageCache()
    ask(cache, prompt(("s", 2000)), 0)
    between = ("x", 5, "", "block")
    turns = [block for n in range(grown) for block in (between, (str(n), 10))]
    assert ask(cache, prompt(("s", 2000), *turns), 1).read == read


@pytest.mark.parametrize(("place", "read"), [(0, True), (1, True), (2, False), (9, False), (10, True), (59, True)])
def test_the_first_two_and_the_latest_fifty_breakpoints_are_looked_at(place: int, read: bool) -> None:
    cache = MessageCache()
    blocks = [(str(n), 2000, "", "block") for n in range(60)]
    only = [(*block[:2], "30m" if n == place else "", "block") for n, block in enumerate(blocks)]
    ask(cache, explicit(prompt(*only)), 0)
    marked = explicit(prompt(*((*block[:2], "30m", "block") for block in blocks)))
    assert (cache.lookup(marked, 1).read == 2000 * (place + 1)) is read


def test_marks_where_no_message_can_end_are_the_latest_four() -> None:
    assert written_at(prompt(*[(str(n), 2000, "30m", "step") for n in range(6)])) == [2, 3, 4, 5]


def test_lengths_are_exact_and_nothing_is_written_below_the_minimum() -> None:
    cache = MessageCache()
    assert ask(cache, prompt(("s", 1023)), 0) == Billed(uncached=1023)
    assert len(cache) == 0
    assert ask(cache, prompt(("s", 1023), ("q", 1)), 1) == Billed(write_30m=1024)
    assert ask(cache, prompt(("s", 1023), ("q", 1), ("r", 7)), 2) == Billed(read=1024, write_30m=7)


def test_lives_and_what_they_are_billed() -> None:
    cache = MessageCache()
    both = prompt(("s", 2000, "12h", "block"), ("q", 1000, "30m"))
    assert ask(cache, both, 0) == Billed(write_12h=2000, write_30m=1000)
    assert ask(cache, both, 1799) == Billed(read=3000)
    assert ask(cache, both, 1799 + 1800) == Billed(read=2000, write_30m=1000)
    assert ask(cache, both, 1799 + 1800 + 43_200) == Billed(write_12h=2000, write_30m=1000)


def test_siblings_pay_until_the_first_content_of_the_first() -> None:
    cache = MessageCache()
    asked = prompt(("s", 2000))
    assert ask(cache, asked, 0, first=5) == Billed(write_30m=2000)
    assert ask(cache, asked, 4.9, first=9) == Billed(write_30m=2000)
    assert ask(cache, asked, 5) == Billed(read=2000)


def test_a_trace_that_knows_no_messages_is_cached_to_its_end() -> None:
    cache = MessageCache()
    assert ask(cache, prompt(("a", 2000), ("b", 512), edge="block"), 0) == Billed(write_30m=2512)
    grown = [("a", 2000), ("b", 512), *[(str(n), 512) for n in range(40)]]
    assert ask(cache, prompt(*grown, edge="block"), 1).read == 2512
    assert ask(cache, prompt(("a", 2000), ("c", 512), edge="block"), 2).read == 0


def test_an_empty_prompt_costs_nothing() -> None:
    assert ask(MessageCache(), Prompt((), MINIMUM), 0) == Billed()


BLOCKS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 900),
        st.sampled_from(["", "", "30m", "12h", "odd"]),
        st.sampled_from(["tools", "system", "message", "block", "step"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=200)
@given(st.lists(st.tuples(BLOCKS, st.booleans(), st.floats(0, 2000), st.floats(0, 10)), max_size=8))
def test_every_token_is_billed_once_and_looking_tells_the_same(
    asked: list[tuple[list[tuple[str, int, str, Edge]], bool, float, float]],
) -> None:
    cache, now = MessageCache(), 0.0
    for blocks, only, later, first in asked:
        now += later
        one = explicit(prompt(*blocks)) if only else prompt(*blocks)
        before = len(cache)
        expected = cache.lookup(one, now)
        assert cache.lookup_and_store(one, now, now + first) == expected
        assert expected.prompt == one.tokens
        assert min(expected) >= 0
        assert expected.write_5m == expected.write_1h == 0
        assert len(cache) <= before + 4
        again = cache.lookup(one, now + first)
        assert again.written == 0
        now += first
