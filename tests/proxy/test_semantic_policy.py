from collections.abc import Sequence

import pytest

from cache.near import Near
from cache.verdict import Opinion, Verdict
from cache.veto import Veto
from proxy.semantic_policy import Decided, deciding, near
from proxy.semantic_stream import Choice
from tests.proxy import semantics

TEXTS = ("red 1", "red 2", "blue 1")


def test_a_veto_leaves_nothing_to_hold_against_the_threshold() -> None:
    entry = near(0, 0.8, "x")
    assert deciding(Opinion(entry, None)) == 0.8
    assert deciding(Opinion(entry, 0.3)) == 0.3
    assert deciding(Opinion(entry, 0.3, (Veto("numbers", (), ()),))) is None


@pytest.mark.parametrize("scored", [False, True])
async def test_what_the_decision_serves_is_served(scored: bool) -> None:
    policy = Decided(semantics.deciding(0.5, scored=scored), TEXTS)
    score = 0.6**2 if scored else 0.6
    assert await policy.choose(2, [(1, 0.9), (0, 0.6)]) == Choice(0 if score >= 0.5 else None, pytest.approx(score))
    assert await policy.choose(2, [(1, 0.9)]) == Choice(None, None)
    assert (policy.threshold, policy.differs) == (0.5, 0)


async def test_other_thresholds_are_applied_to_what_was_said() -> None:
    asked = []
    inner = semantics.deciding(0.5)

    async def decide(text: str, entries: Sequence[Near]) -> Verdict:
        asked.append((text, [entry.text for entry in entries]))
        return (await inner(text, entries))._replace(spent=0.25)

    policy = Decided(decide, TEXTS)
    await policy.choose(2, [(1, 0.9), (0, 0.6)])
    assert await policy.at(0.6)(2, [(1, 0.9), (0, 0.6)]) == Choice(0, 0.6)
    assert await policy.at(0.61)(2, [(1, 0.9), (0, 0.6)]) == Choice(None, 0.6)
    assert asked == [("blue 1", ["red 2", "red 1"])]
    assert await policy.at(0.61)(2, [(0, 0.7)]) == Choice(0, 0.7)
    assert len(asked) == 2
    assert policy.spent == 0.5


async def test_a_decision_by_more_than_score_and_threshold_is_noticed() -> None:
    async def fickle(text: str, entries: Sequence[Near]) -> Verdict:
        return Verdict(entries[0] if text == "red 1" else None, "", None, 0.5, (Opinion(entries[0], 0.7),))

    policy = Decided(fickle, TEXTS)
    assert await policy.choose(0, [(1, 0.9)]) == Choice(1, 0.7)
    assert policy.differs == 0
    assert await policy.choose(2, [(1, 0.9)]) == Choice(None, 0.7)
    assert policy.differs == 1
