import math
from collections.abc import Sequence
from typing import Any

import pytest

from adapters.prompt import Point
from adapters.tokens import estimate
from proxy.replay_points import Talk, points_of
from proxy.replay_prune import Cutter, Prunable, Pruner, built_in, cut
from warming.pruning import Proposal, Terms

DEAR = Terms(read=0.1, write=1.25)
SAME = "the same result of a tool, again and again\n" * 60
Turn = tuple[list[Point], Prunable]


def tool(number: int, text: str) -> list[dict[str, Any]]:
    call = {"id": f"c{number}", "type": "function", "function": {"name": "read", "arguments": f'{{"n": {number}}}'}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": text},
    ]


START = [{"role": "system", "content": "rules"}, {"role": "user", "content": "go"}]


def turns(*conversations: list[dict[str, Any]], scale: float = 1.0) -> list[Turn]:
    """What the first pass knows of the requests of one session."""
    pruner, talk, found = Pruner(built_in()), Talk(0), list[Turn]()
    for messages in conversations:
        body = {"model": "m", "messages": messages}
        plain = points_of(body, b"", Talk(1), estimate, None)[-1].tokens
        points = points_of(body, b"", talk, estimate, None if scale == 1.0 else round(plain * scale))
        prunable = pruner.look(body, "openai-chat", "m", talk)
        assert prunable is not None
        found.append((points, prunable))
    return found


def grown(*texts: str) -> list[list[dict[str, Any]]]:
    """A session whose every turn adds a result."""
    messages, found = list(START), []
    for number, text in enumerate(texts):
        messages = [*messages, *tool(number, text)]
        found.append(messages)
    return found


def sent(cutter: Cutter, turn: Turn, warm: tuple[float, float] = (0.0, 0.0), terms: Terms = DEAR) -> Sequence[Point]:
    return cutter.points(*turn, 0, lambda points: warm, terms)


def test_what_was_never_sent_is_taken_out_at_once_and_stays_out() -> None:
    first, second, third = turns(*grown(SAME, SAME, "short"))
    cutter = Cutter()
    assert sent(cutter, first) == first[0]
    pruned = sent(cutter, second, (math.inf, math.inf))
    assert pruned[: len(first[0])] == first[0]
    assert pruned[-1].tokens < second[0][-1].tokens - 300
    later = sent(cutter, third, (math.inf, math.inf))
    assert later[: len(pruned)] == pruned
    assert third[0][-1].tokens - later[-1].tokens == second[0][-1].tokens - pruned[-1].tokens


def test_what_is_warm_is_rewritten_only_where_that_pays() -> None:
    stale = [f"line {number}\n" * 800 for number in range(14)]
    last = turns(*grown(*stale))[-1]
    last = last[0], last[1]._replace(sent=len(last[1].ends) - 1)
    assert last[1].proposals
    warm = (float(last[0][-1].tokens), 300.0)
    assert sent(Cutter(turns=1), last, warm) == last[0]
    assert sent(Cutter(turns=10_000), last, warm)[-1].tokens < last[0][-1].tokens
    cold = sent(Cutter(turns=1), last, (0.0, 0.0))
    assert cold[-1].tokens < last[0][-1].tokens
    assert sent(Cutter(turns=1), last, (warm[0], 0.0)) == cold


def test_behind_an_edit_a_prompt_is_another_one() -> None:
    _, second, last = turns(*grown(SAME, SAME, "short"))
    cutter = Cutter()
    sent(cutter, second)
    pruned = sent(cutter, last)
    changed = [a.digest != b.digest for a, b in zip(last[0], pruned, strict=True)]
    assert changed == sorted(changed)
    assert changed.count(True) == 3  # the second result, and what follows it
    assert [point.tokens for point in pruned] == sorted(point.tokens for point in pruned)


def test_what_several_edits_take_out_adds_up() -> None:
    other = SAME.replace("same", "other")
    cutter, out = Cutter(), list[int]()
    for points, prunable in turns(*grown(SAME, SAME, other, other, "short")):
        left = sent(cutter, (points, prunable), (math.inf, math.inf))
        out.append(points[-1].tokens - left[-1].tokens)
    assert out[0] == 0 < out[1] == out[2]
    assert out[3] == out[4] == pytest.approx(2 * out[1], abs=5)


def test_what_is_taken_out_is_scaled_to_the_reported_length() -> None:
    plain, scaled = (turns(*grown(SAME, SAME), scale=scale)[-1] for scale in (1.0, 3.0))
    out = [turn[0][-1].tokens - sent(Cutter(), turn)[-1].tokens for turn in (plain, scaled)]
    assert out[1] == pytest.approx(3 * out[0], rel=0.02)


def test_edits_are_of_their_conversation_only() -> None:
    one, two = grown(SAME, SAME)[-1], [*START[:1], {"role": "user", "content": "other"}, *grown(SAME, SAME)[-1][2:4]]
    first, second = turns(one, two)
    cutter = Cutter()
    assert sent(cutter, first)[-1].tokens < first[0][-1].tokens
    assert sent(cutter, second) == second[0]


def test_sessions_know_nothing_of_each_other() -> None:
    _, second, third = turns(*grown(SAME, SAME, "short"))
    cutter = Cutter()
    assert cutter.points(*second, 0, lambda points: (0.0, 0.0), DEAR) != second[0]
    assert cutter.points(*third, 0, lambda points: (math.inf, math.inf), DEAR) != third[0]
    assert cutter.points(*third, 1, lambda points: (math.inf, math.inf), DEAR) == third[0]


def test_no_text_is_kept_and_equal_things_are_one() -> None:
    stale = [f"line {number}\n" * 800 for number in range(14)]
    *_, second, third = turns(*grown(*stale))
    assert third[1].proposals
    assert all(not proposal.edit.text for proposal in third[1].proposals)
    assert second[1].proposals[0] is third[1].proposals[0]
    assert second[1].digests[0] is third[1].digests[0]


def test_nothing_to_prune() -> None:
    points = [Point(b"1", 5)]
    assert Cutter().points(points, None, 0, lambda points: (0.0, 0.0), DEAR) == points
    assert Cutter().points([], Prunable(0, (), 0, (), ()), 0, lambda points: (0.0, 0.0), DEAR) == []
    assert cut(points, Prunable(0, (1,), 5, (), ()), {}) == points


@pytest.mark.parametrize("messages", [None, 5, "x", [], [None, 5, {}], {"a": 1}])
def test_any_body(messages: Any) -> None:
    talk = Talk(0)
    points = points_of({"messages": messages}, b"", talk, estimate, None)
    prunable = Pruner(built_in()).look({"messages": messages}, "openai-chat", "m", talk)
    assert Cutter().points(points, prunable, 0, lambda points: (0.0, 0.0), DEAR) == points
    assert Pruner(built_in()).look({"messages": messages}, "some-api", "m", talk) is None


def test_proposals_can_be_kept_as_keys() -> None:
    _, second = turns(*grown(SAME, SAME))
    assert all(isinstance(each, Proposal) and hash(each) for each in second[1].proposals)
