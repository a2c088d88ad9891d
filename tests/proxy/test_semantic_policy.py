from collections.abc import Sequence

from cache.near import Near
from cache.verdict import Verdict
from proxy.semantic_policy import deciding
from tests.proxy import semantics

TEXTS = ("red 1", "red 2", "blue 1")


async def test_the_decision_is_asked_about_entries() -> None:
    asked: list[tuple[str, list[Near]]] = []

    async def decide(text: str, near: Sequence[Near]) -> Verdict:
        asked.append((text, list(near)))
        return Verdict(near[-1])

    assert await deciding(decide, TEXTS)(2, [(1, 0.9), (0, 0.6)]) == 0
    ((text, near),) = asked
    assert text == "blue 1"
    assert [(each.id, each.similarity, each.text) for each in near] == [(2, 0.9, "red 2"), (1, 0.6, "red 1")]
    assert all(each.stored_at < each.expires_at and not each.observed for each in near)


async def test_what_it_refuses_is_not_served() -> None:
    choose = deciding(semantics.deciding(0.5), TEXTS)
    assert await choose(2, [(1, 0.9)]) is None
    assert await choose(2, [(1, 0.9), (0, 0.6)]) == 0
    assert await choose(2, [(1, 0.9), (0, 0.4)]) is None
