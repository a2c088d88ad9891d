"""What is decided about the entries near a question: guards first, then the verifier, then what was learned."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from adapters.errors import EmbeddingError
from cache.decide import Decide, Grey, Terms
from cache.near import Near, Observed
from cache.verdict import Verdict
from cache.verifier import Verifier
from tests.cache.worded import Worded

# similarity, crowding, matched, alike, head
VERIFIER = Verifier("worded", -9.0, (8.0, -1.0, 0.1, 4.0, 1.0), ((0.005, 0.9),))
TERMS = Terms("calibrated", 0.8, 0.9, 0.005)


def near(id: int, text: str, similarity: float, observed: Observed = ()) -> Near:
    return Near(id, similarity, text, 0.0, math.inf, observed)


def deciding(terms: Terms = TERMS, verifier: Verifier | None = VERIFIER, chance: float = 0.5) -> Decide:
    return Decide(verifier, Worded(), terms, lambda: chance)


async def decided(text: str, entries: Sequence[Near], decide: Decide | None = None, **more: object) -> Verdict:
    return await (decide or deciding())(text, entries, **more)  # type: ignore[arg-type]


async def test_an_equivalent_question_is_served() -> None:
    verdict = await decided("Which rivers cross Nevada?", [near(7, "What rivers cross Nevada?", 0.97)])
    assert verdict.served is not None
    assert (verdict.served.id, verdict.why) == (7, "")
    assert verdict.score is not None
    assert verdict.score >= verdict.threshold == 0.9


async def test_nothing_near() -> None:
    verdict = await decided("Which rivers cross Nevada?", [])
    assert (verdict.served, verdict.why, verdict.opinions) == (None, "nothing near", ())


async def test_a_guard_is_final_however_similar_it_is() -> None:
    verdict = await decided("Is it legal to fish?", [near(1, "Is it legal not to fish?", 0.999)])
    assert verdict.served is None
    assert verdict.why == "negation: - / not"
    assert verdict.opinions[0].score is None


async def test_what_passes_a_guard_comes_before_what_does_not() -> None:
    entries = [near(1, "Rooms for 3 guests", 0.99), near(2, "Rooms for 2 visitors", 0.9)]
    verdict = await decided("Rooms for 2 guests", entries)
    assert [opinion.near.id for opinion in verdict.opinions] == [2, 1]


async def test_the_best_score_is_served_and_not_the_nearest() -> None:
    entries = [near(1, "Which large rivers cross Nevada?", 0.98), near(2, "What rivers cross Nevada?", 0.95)]
    verdict = await decided("Which rivers cross Nevada?", entries)
    assert verdict.served is not None
    assert verdict.served.id == 2


async def test_a_score_below_the_threshold_is_refused_and_told() -> None:
    verdict = await decided("Which rivers cross the desert?", [near(1, "Which trains cross the plains?", 0.9)])
    assert verdict.served is None
    assert verdict.why.startswith("score 0.")
    assert verdict.why.endswith("below 0.9000")


async def test_a_request_may_ask_for_more_similarity_and_never_for_less() -> None:
    entries = [near(1, "What rivers cross Nevada?", 0.85)]
    question = "Which rivers cross Nevada?"
    assert (await decided(question, entries)).served is not None
    assert (await decided(question, entries, floor=0.86)).why == "similarity 0.850 below 0.860"
    low = [near(1, "What rivers cross Nevada?", 0.79)]
    assert (await decided(question, low, floor=0.1)).why == "similarity 0.790 below 0.800"


async def test_the_policy_static_needs_no_verifier_but_the_guards() -> None:
    decide = deciding(Terms("static", 0.9), None)
    assert (
        await decided("Which rivers cross the desert?", [near(1, "Trains over the plains?", 0.91)], decide)
    ).served is not None
    assert (
        await decided("Which rivers cross the desert?", [near(1, "Trains over the plains?", 0.89)], decide)
    ).served is None
    assert (await decided("2 rooms", [near(1, "3 rooms", 0.99)], decide)).why == "numbers: 2 / 3"


def test_other_policies_need_one() -> None:
    with pytest.raises(ValueError, match="calibrated needs a verifier"):
        deciding(TERMS, None)


async def test_words_are_looked_up_only_where_they_can_decide() -> None:
    decide = deciding()
    assert isinstance(decide.embedder, Worded)
    asked = decide.embedder.asked
    await decided("Which rivers cross Nevada?", [near(1, "What rivers cross Nevada?", 0.97)], decide)
    assert asked == []  # over the threshold without
    await decided("Which rivers cross the desert?", [near(1, "Which trains cross the plains?", 0.81)], decide)
    assert asked == []  # never over it
    await decided("Rent a kayak in Bergen", [near(1, "Rent a canoe in Bergen", 0.96)], decide)
    assert asked == [["canoe", "kayak"]]
    await decided("Rent a kayak in Rome", [near(1, "Rent a canoe in Rome", 0.96)], decide)
    assert len(asked) == 1  # and remembered


async def test_words_that_cannot_be_looked_up_are_not_alike() -> None:
    decide = deciding()
    assert isinstance(decide.embedder, Worded)
    decide.embedder.failing = "timeout"
    verdict = await decided("Rent a kayak in Bergen", [near(1, "Rent a canoe in Bergen", 0.96)], decide)
    assert verdict.served is None
    assert verdict.why.startswith("score")


async def test_what_looking_up_words_cost_is_told() -> None:
    decide = deciding()
    assert isinstance(decide.embedder, Worded)
    decide.embedder.cost = 0.002
    verdict = await decided("Rent a kayak in Bergen", [near(1, "Rent a canoe in Bergen", 0.96)], decide)
    assert verdict.spent == 0.002


async def test_a_score_that_is_no_number_is_a_refusal() -> None:
    decide = deciding(verifier=VERIFIER._replace(intercept=math.nan))
    verdict = await decided("Which rivers cross Nevada?", [near(1, "What rivers cross Nevada?", 0.97)], decide)
    assert (verdict.served, verdict.why) == (None, "no score")


async def test_thorough_names_all_guards_that_object() -> None:
    entries = [near(1, "Are 3 rooms not free in Rome?", 0.97)]
    quick = await decided("Are 2 rooms free in Oslo?", entries)
    whole = await decided("Are 2 rooms free in Oslo?", entries, thorough=True)
    assert len(quick.opinions[0].vetoes) == 1
    assert {veto.guard for veto in whole.opinions[0].vetoes} >= {"numbers", "negation", "entities"}


async def test_what_was_learned_of_an_entry_counts_with_the_policy_verified() -> None:
    terms = Terms("verified", 0.8, 0.9, 0.05)
    sure = VERIFIER._replace(intercept=8.0)
    wrong: Observed = ((0.999999, False), (0.999999, False))
    question, text = "Which rivers cross Nevada?", "What rivers cross Nevada?"
    fresh = await decided(question, [near(1, text, 0.97)], deciding(terms, sure))
    assert fresh.served is not None
    burnt = await decided(question, [near(1, text, 0.97, wrong)], deciding(terms, sure))
    assert burnt.served is None
    assert "to be asked with chance" in burnt.why
    # Drawn low, it is asked for although nothing speaks against it.
    assert (await decided(question, [near(1, text, 0.97)], deciding(terms, sure, chance=-1.0))).served is None


class Pairs:
    """Reads two questions together and says what it is told to."""

    def __init__(self, score: float = 0.999) -> None:
        self.said, self.failing, self.asked = score, "", 0

    async def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.asked += 1
        if self.failing:
            raise EmbeddingError(self.failing)
        return [self.said] * len(pairs)

    async def close(self) -> None: ...


GREY = [near(1, "Which trains cross the plains?", 0.9)]
ASKED = "Which rivers cross the desert?"


async def test_a_second_model_decides_where_the_verifier_is_not_sure() -> None:
    pairs = Pairs()
    decide = Decide(VERIFIER, Worded(), TERMS, lambda: 0.5, Grey(pairs, 0.0, 0.99))
    assert (await decided(ASKED, GREY, decide)).served is not None
    pairs.said = 0.98
    assert (await decided(ASKED, GREY, decide)).served is None
    pairs.said, pairs.failing = 0.999, "timeout"
    assert (await decided(ASKED, GREY, decide)).served is None


async def test_a_second_model_is_not_asked_of_what_is_sure_vetoed_or_hopeless() -> None:
    pairs = Pairs()
    decide = Decide(VERIFIER, Worded(), TERMS, lambda: 0.5, Grey(pairs, 0.85, 0.99))
    assert (await decided(ASKED, GREY, decide)).served is None  # a score far below
    await decided("Which rivers cross Nevada?", [near(1, "What rivers cross Nevada?", 0.97)], decide)
    await decided("Is it legal to fish?", [near(1, "Is it legal not to fish?", 0.999)], decide)
    await decided("Which rivers cross Nevada?", [near(1, "What rivers cross Nevada?", 0.7)], decide)
    assert pairs.asked == 0
