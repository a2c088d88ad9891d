from typing import Any

from adapters.profiles import profile_of
from adapters.prompt import Point
from adapters.tokens import estimate
from adapters.usage import Usage
from proxy.explain_place import Place, Seen, marks_of
from proxy.explain_prompt import points_of, shape_of
from tests.proxy.recordings import CLAUDE, GPT, LONG, ask, say

ANTHROPIC = profile_of("maker", CLAUDE)
TALK = [say("system", "s"), say("user", LONG), say("assistant", LONG), say("user", "and?")]


def seen(messages: list[Any], ts: float | None = 0.0, **members: Any) -> Seen:
    shape = shape_of(ask(messages, **members), ANTHROPIC)
    points = points_of(shape, ANTHROPIC, b"", estimate)
    return Seen(shape, points, points, Usage(points[-1].tokens), ts)


def placed(before: Seen | None, now: Seen, *, follows: bool = True, used: dict[bytes, float] | None = None) -> Place:
    if used is None:
        used = {} if before is None else {point.digest: before.ts or 0.0 for point in before.points}
    place = Place(now.shape, now.points, before, follows)
    place.find(used, now.ts, ANTHROPIC)
    return place


def test_the_first_of_all() -> None:
    place = placed(None, seen(TALK))
    assert (place.known, place.change, place.gap, place.could(ANTHROPIC)) == (0, None, None, 0)


def test_what_only_goes_on_shares_all_of_it() -> None:
    before, now = seen(TALK[:2]), seen(TALK, ts=7.0)
    place = placed(before, now)
    assert (place.known, place.change, place.gap) == (3, None, 7.0)
    assert place.could(ANTHROPIC) == before.points[-1].tokens


def test_a_point_that_will_be_used_later_is_not_known() -> None:
    now = seen(TALK, ts=7.0)
    used = {now.points[1].digest: 6.0, now.points[2].digest: 8.0}
    place = placed(None, now, follows=False, used=used)
    assert (place.known, place.gap) == (2, 1.0)


def test_what_is_the_same_behind_a_change_counts_once() -> None:
    twice = [TALK[0], say("user", "old"), TALK[1], say("user", "x")]
    now = [TALK[0], say("user", "new"), TALK[1], TALK[1]]
    before, after = seen(twice), seen(now)
    place = placed(before, after)
    block = after.points[3].tokens - after.points[2].tokens
    assert place.known == 2
    assert abs(place.could(ANTHROPIC) - (after.points[1].tokens + block)) <= 5


def test_other_tools_leave_what_both_have() -> None:
    tools = [{"name": name, "description": LONG} for name in "abcd"]
    before, after = seen(TALK, tools=tools), seen(TALK, tools=tools[:3])
    place = placed(before, after)
    assert place.known == 0
    assert place.could(ANTHROPIC) == after.points[-1].tokens
    other = seen(TALK, tools=[{"name": "z"}])
    assert placed(before, other).could(ANTHROPIC) == other.points[-1].tokens - other.points[0].tokens


def test_no_more_could_be_read_than_there_was() -> None:
    before = seen([TALK[0], say("user", "old"), TALK[1]], model="x")._replace(usage=Usage(100))
    assert placed(before, seen([TALK[0], say("user", "old"), TALK[1]])).could(ANTHROPIC) == 100


def test_marks_as_sent_or_where_clients_put_them() -> None:
    now = seen(TALK)
    plain = Place(now.shape, now.points, None, False)
    assert marks_of(ask(TALK), ANTHROPIC, plain) == {0: "5m", 1: "5m", 4: "5m"}
    assert marks_of(ask(TALK, Usage(3, 0, 0, 900)), ANTHROPIC, plain) == {0: "1h", 1: "1h", 4: "1h"}
    assert marks_of(ask(TALK, cache_control={"type": "ephemeral", "ttl": "1h"}), ANTHROPIC, plain) == {4: "1h"}
    assert marks_of(ask(TALK, cache_control={"ttl": "forever"}), ANTHROPIC, plain) == {4: "5m"}
    assert marks_of(ask(TALK), profile_of("maker", GPT), plain) == {}
    trace = Place(now.shape._replace(turns=[]), [Point(b"a", 1), Point(b"b", 2)], None, False)
    assert marks_of(ask([]), ANTHROPIC, trace) == {0: "5m", 1: "5m"}
