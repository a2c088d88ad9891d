from adapters.profiles import profile_of
from adapters.prompt import Point, Prompt
from proxy.replay_prompts import VARIANT, naive, prompt_of, with_marks
from tests.replaying import chain

CLAUDE, OLDER, NEWER = (profile_of("maker", name) for name in ("claude-sonnet-5", "gpt-5.5", "gpt-5.6-sol"))
POINTS = (Point(b"t", 500, 1, edge="tools"), *chain(("rules", 1000), ("hello", 10), ("answer", 20), ("more", 5)))
TRACE = (Point(b"1", 512, edge="block"), Point(b"2", 1024, edge="system"), Point(b"3", 1500, edge="block"))


def marks(points: tuple[Point, ...], profile: object = CLAUDE) -> list[tuple[int, str]]:
    return list(naive(Prompt(points, 0), profile))  # type: ignore[arg-type]


def test_naive_breakpoints() -> None:
    assert marks(POINTS) == [(0, "5m"), (1, "5m"), (4, "5m")]
    assert marks(POINTS, NEWER) == [(0, "30m"), (1, "30m"), (4, "30m")]
    assert marks(POINTS, OLDER) == []
    assert marks(TRACE) == [(1, "5m"), (2, "5m")]
    assert marks(()) == []


def test_naive_leaves_the_clients_own_breakpoints_and_what_takes_none() -> None:
    assert marks((*POINTS[:2], POINTS[2]._replace(mark="1h"), *POINTS[3:])) == []
    assert marks((POINTS[0]._replace(markable=False), *POINTS[1:4], POINTS[4]._replace(markable=False))) == [
        (1, "5m"),
        (3, "5m"),
    ]


def test_marks_change_nothing_but_the_marks() -> None:
    prompt = Prompt(POINTS, 7)
    marked = with_marks(prompt, [(1, "5m"), (4, "1h")])
    assert [point.mark for point in marked.points] == ["", "5m", "", "", "1h"]
    assert Prompt(tuple(point._replace(mark="") for point in marked.points), marked.minimum) == prompt
    assert with_marks(prompt, ()) is prompt


def test_only_the_marks_where_a_provider_would_write_by_itself() -> None:
    assert [point.edge for point in with_marks(Prompt(POINTS, 7), [(1, "30m")], only=True).points] == [
        "step",
        "block",
        "step",
        "step",
        "step",
    ]


def test_branches_share_all_but_a_short_last_message() -> None:
    one, two = (prompt_of(POINTS, CLAUDE, variant) for variant in (0, 1))
    assert one.points[:-1] == two.points[:-1] == POINTS
    assert one.points[-1].digest != two.points[-1].digest
    assert one.tokens == POINTS[-1].tokens + VARIANT
    assert prompt_of(POINTS, CLAUDE, 1) == two
    assert prompt_of(POINTS, CLAUDE) == Prompt(POINTS, CLAUDE.minimum)
    assert prompt_of((), CLAUDE, 1).points == ()


def test_any_point_of_a_trace_may_end_a_message() -> None:
    assert {point.edge for point in prompt_of(TRACE, NEWER, 0).points} == {"block"}
    assert prompt_of(TRACE, CLAUDE).points == TRACE
    assert prompt_of(POINTS, NEWER).points == POINTS
