from hypothesis import given
from hypothesis import strategies as st

from adapters.profiles import profile_of
from adapters.prompt import Point
from adapters.usage import Usage
from proxy.explain_lengths import Lengths, agreeing_points, cached_of
from tests.proxy.recordings import CLAUDE

ANTHROPIC = profile_of("maker", CLAUDE)


def points(*tokens: int) -> list[Point]:
    return [Point(b"%d" % index, count) for index, count in enumerate(tokens)]


def lengths(of: list[Point]) -> list[int]:
    return [point.tokens for point in of]


def test_lengths_are_exact_at_known_ends_and_in_proportion_between() -> None:
    known = Lengths()
    assert lengths(known.exact(points(10, 20, 40), 80)) == [20, 40, 80]
    known.learn(b"1", 30)
    assert lengths(known.exact(points(10, 20, 40, 60), 110)) == [15, 30, 70, 110]


def test_a_length_that_contradicts_the_whole_is_left_out() -> None:
    known = Lengths()
    known.learn(b"1", 500)
    assert lengths(known.exact(points(10, 20, 40), 80)) == [20, 40, 80]


def test_an_earlier_prompt_is_taken_over_up_to_its_end() -> None:
    known = Lengths()
    first = known.exact(points(10, 20), 100)
    known.learn(b"1", 97)  # what was written of it
    assert lengths(known.exact(points(10, 20, 30), 150, first)) == [50, 97, 150]
    assert lengths(known.exact(points(10, 20, 30), 40, first)) == [13, 27, 40]  # it was not that long after all


def test_forgotten_lengths() -> None:
    known = Lengths(most=1)
    known.learn(b"0", 7)
    known.learn(b"1", 9)
    assert lengths(known.exact(points(10, 20, 40), 80)) == [4, 9, 80]


@given(st.lists(st.integers(0, 9), max_size=9), st.lists(st.integers(0, 9), max_size=9))
def test_agreeing_points_as_one_would_count_them(a: list[int], b: list[int]) -> None:
    def cumulative(parts: list[int]) -> list[Point]:
        return [Point(repr(parts[: end + 1]).encode(), end) for end in range(len(parts))]

    expected = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    assert agreeing_points(cumulative(a), cumulative(b)) == expected


def test_what_can_be_read_of_a_prompt() -> None:
    assert cached_of(Usage(3, 100, 50), ANTHROPIC) == 150  # the delimiter behind the breakpoint is never written
    assert cached_of(Usage(900, 100, 50), ANTHROPIC) == 1050  # the breakpoint stood elsewhere
    assert cached_of(Usage(900), ANTHROPIC) == 900
    assert cached_of(Usage(3, 64), profile_of("maker", "deepseek-chat")) == 67
