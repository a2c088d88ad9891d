import pytest

from cache.fitting import Fit
from proxy.semantic_examples import (
    NEAR,
    Asked,
    Example,
    fitted,
    fold_of,
    groups_of,
    of_pairs,
    of_stream,
    read,
    without_fold,
    without_source,
)
from proxy.semantic_sets import Pair, Prompt
from proxy.semantic_vectors import around, embedded
from tests.proxy.semantics import READING, Words, rows

STREAM = [
    Prompt("a red house", "1", "s"),
    Prompt("a red house now", "1", "s"),
    Prompt("two blue boats", "2", "t"),
    Prompt("the red house a", "3", "t"),
    Prompt("a red house", "4", "u"),
]
PAIRS = [
    Pair("a red house", "red house", True, "s_synth", "k"),
    Pair("green 5", "green 6", False, "v", "k"),
    Pair("!", "x", True, "v", "k"),
]


async def examples() -> list[Example]:
    vectors = await embedded([each.query for each in STREAM] + [text for pair in PAIRS for text in pair[:2]], Words())
    neighbours = around([each.query for each in STREAM], vectors)
    return of_pairs(PAIRS, vectors, groups_of([STREAM])) + of_stream(0, STREAM, neighbours)


async def test_each_question_is_held_against_the_earlier_ones_near_to_it() -> None:
    pairs, stream = (await examples())[:2], (await examples())[2:]
    assert [(each.asked.question, each.asked.entry, each.right) for each in pairs] == [
        ("red house", "a red house", True),
        ("green 6", "green 5", False),
    ]
    assert pairs[0].groups == {(0, "1"), (0, "4")}
    assert pairs[1].groups == frozenset()
    assert [(each.asked.question, each.asked.entry, each.right, each.source) for each in stream] == [
        ("a red house now", "a red house", True, "s"),
        ("the red house a", "a red house", False, "t"),
        ("the red house a", "a red house now", False, "t"),
        ("a red house", "a red house", False, "u"),
        ("a red house", "a red house now", False, "u"),
        ("a red house", "the red house a", False, "u"),
    ]
    assert all(each.asked.similarity >= NEAR and each.asked.similarity in each.asked.near for each in stream)
    assert stream[1].groups == {(0, "1"), (0, "3")}
    # The boats are too far away to be examples; as a neighbour they are told.
    assert len(stream[1].asked.near) == 3


async def test_what_a_guard_vetoes_is_no_example() -> None:
    kept = await read(await examples(), READING)
    assert ("green 6", "green 5") not in [each.asked[:2] for each in kept]
    assert len(kept) == 7
    assert [each.row for each in kept] == await rows([each.asked for each in kept])


async def test_a_fold_leaves_out_all_that_a_class_has_to_do_with() -> None:
    known = await examples()
    folds = {cls: fold_of((0, cls), 3) for cls in "1234"}
    for fold in range(3):
        kept = without_fold(known, fold, 3)
        assert known[1] in kept
        for each in known:
            assert (each in kept) == all(folds[cls] != fold for _, cls in each.groups)
    assert len({fold_of((number, str(cls)), 5) for number in range(2) for cls in range(50)}) == 5


async def test_a_source_leaves_with_what_was_made_from_it() -> None:
    known = await examples()
    kept = without_source(known, "s", {(0, "1")})
    assert {each.source for each in kept} == {"v", "u"}
    assert all((0, "1") not in each.groups for each in kept)
    assert without_source(known, "synth", ()) == [each for each in known if each.source != "s_synth"]
    assert without_source(known, "nobody", ()) == known


def test_a_fit_has_the_signs_that_are_held() -> None:
    def example(row: tuple[float, float], right: bool) -> Example:
        return Example(Asked("", "", 0.0, ()), right, "", frozenset(), row)

    seen = [
        example((0.9, 0.0), True),
        example((0.8, 1.0), True),
        example((0.7, 0.5), False),
        example((0.6, 0.0), False),
    ]
    found = fitted(seen, READING.signs)
    assert isinstance(found, Fit)
    assert found.weights[0] > 0 >= found.weights[1]
    with pytest.raises(ValueError, match="examples"):
        fitted(seen[:2], READING.signs)
    with pytest.raises(ValueError, match=r"shapes|examples"):
        fitted([], READING.signs)
