import numpy as np
import pytest

from cache.fitting import Fit
from proxy.semantic_examples import Asked, Example, Reading, Row, fold_of
from proxy.semantic_folds import CLASSES, Scored, Stream, models
from proxy.semantic_sets import Prompt
from proxy.semantic_vectors import Vectors, embedded
from tests.proxy.semantics import READING, Words, rows

PROMPTS = [
    Prompt("a red house", "1", "s"),
    Prompt("house a red", "1", "s"),
    Prompt("a red house 5", "2", "t"),
    Prompt("a red blue house", "1", "t"),
]
MODEL = Fit(np.array([10.0, -1.0]), -8.0)


async def vectors() -> Vectors:
    return await embedded([each.query for each in PROMPTS], Words())


async def outcomes(threshold: float, floor: float = 0.0, candidates: int = 4) -> list[bool]:
    scored = Scored(Stream(0, PROMPTS, await vectors(), READING, floor), lambda *_: MODEL, candidates)
    return [outcome.hit for outcome in await scored.outcomes(threshold)]


async def test_the_best_score_is_served_from_the_threshold_on() -> None:
    # Scores: sigmoid(10 - 8) for the same words, sigmoid(10 * 0.87 - 8 - 1) for one more; digits are vetoed.
    assert await outcomes(0.88) == [False, True, False, False]
    assert await outcomes(0.881) == [False, False, False, False]
    assert await outcomes(0.1) == [False, True, False, True]
    assert await outcomes(0.1, floor=0.9) == [False, True, False, False]


async def test_a_row_is_asked_for_once_and_with_all_that_is_near() -> None:
    asked: list[Asked] = []

    async def noted(each: list[Asked]) -> list[Row | None]:
        asked.extend(each)
        return await rows(each)

    stream = Stream(0, PROMPTS, await vectors(), Reading(READING.signs, noted), 0.9)  # type: ignore[arg-type]
    first = await stream.rows(3, [(1, 0.95), (0, 0.93), (2, 0.7)])
    assert await stream.rows(3, [(1, 0.95), (0, 0.93), (2, 0.7)]) is first
    assert first[2] is None
    assert [(each.question, each.entry, each.similarity) for each in asked] == [
        ("a red blue house", "house a red", 0.95),
        ("a red blue house", "a red house", 0.93),
    ]
    assert asked[0].near == (0.95, 0.93, 0.7)
    assert await stream.rows(2, [(0, 0.99)]) == [None]


def example(groups: set[tuple[int, str]], source: str, value: float, right: bool) -> Example:
    return Example(Asked("", "", value, ()), right, source, frozenset(groups), (value, 0.0))


async def test_nobody_is_judged_by_who_has_seen_him() -> None:
    """What a class or source says is the reverse of what all others say: only who has not seen it scores high."""
    stream = Stream(0, [Prompt("x", "odd", "strange"), *PROMPTS], await embedded(["x"], Words()), READING, 0.0)
    usual = [example({(0, str(cls))}, "s", value, value > 0.5) for cls in range(40) for value in (0.1, 0.3, 0.7, 0.9)]
    strange = [example({(0, "odd")}, "strange_synth", value, value < 0.5) for value in (0.1, 0.3, 0.7, 0.9)] * 100
    for folds in ("class", "source"):
        model_of = models(folds, usual + strange, [stream], READING)  # type: ignore[arg-type]
        assert model_of(0, stream.prompts[0]).scores(np.array([[0.9, 0.0]]))[0] > 0.9
        other = next(
            Prompt("x", cls, "s")
            for cls in map(str, range(40))
            if fold_of((0, cls), CLASSES) != fold_of((0, "odd"), CLASSES)
        )
        assert model_of(0, other).scores(np.array([[0.9, 0.0]]))[0] < 0.6


async def test_a_source_without_others_leaves_nothing_to_learn_from() -> None:
    alone = [Prompt("x", "1", "s")]
    stream = Stream(0, alone, await embedded(["x"], Words()), READING, 0.0)
    seen = [example({(0, "2")}, "s", 0.1, False), example({(0, "2")}, "s", 0.9, True)]
    with pytest.raises(ValueError, match=r"shapes|examples"):
        models("source", seen, [stream], READING)
