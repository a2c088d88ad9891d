import pytest

from adapters.prices import Prices
from adapters.usage import Usage
from proxy.explain_layout import BLOCK, Layout
from proxy.explain_walk import Walk
from proxy.importers import Recorded
from tests.proxy.recordings import CLAUDE, DEEPSEEK, ask, say

PRICES = Prices({DEEPSEEK: {"input": 1.0, "cache_read": 0.1}})
RULES = "\n".join(f"{n}. Follow this rule, which is the same for each and every task." for n in range(60))
WORDS = ("apples", "pears", "plums", "figs", "dates", "limes")


def document(word: str) -> str:
    return "\n".join(f"{word} and line {n} of what is only about {word}" for n in range(40))


def layout(requests: list[Recorded]) -> Layout:
    walk, found = Walk(), Layout()
    for recorded in requests:
        look = walk.look(recorded)
        assert look is not None
        found.add(look)
    return found


def templated(text: str, *, read: int = 64, gap: float = 100.0, model: str = DEEPSEEK) -> list[Recorded]:
    """One session for each word; `{}` in `text` is what differs."""
    return [
        ask(
            [say("user", text.replace("{}", document(word)))],
            Usage(2000 - read, read),
            session=word,
            ts=n * gap,
            model=model,
        )
        for n, word in enumerate(WORDS)
    ]


def test_instructions_behind_a_document() -> None:
    (found,) = layout(templated("The document:\n{}\nInstructions:\n" + RULES)).movable(PRICES)
    assert (found.model, found.sessions, found.begins) == (DEEPSEEK, 5, "Instructions:")
    share = len(RULES) / (len(RULES) + len(document(WORDS[0])))
    assert found.tokens == pytest.approx(5 * 2000 * share, rel=0.15)
    assert found.dollars == pytest.approx(found.tokens * 0.9e-6)


def test_instructions_in_front_are_where_they_belong() -> None:
    assert layout(templated(RULES + "\n{}")).movable(PRICES) == []


def test_a_template_around_and_between() -> None:
    """What stands in front is read already; two blocks behind it count, a single common line does not."""
    (found,) = layout(templated(f"{RULES}\n{{}}\n---\n{RULES[:1500]}\n{{}}\n{RULES[1600:3200]}")).movable(PRICES)
    assert found.sessions == 5
    assert found.begins.startswith("0. Follow") is False
    assert layout(templated("Look:\n{}\n---\n{}")).movable(PRICES) == []


def test_what_was_read_anyway_saves_nothing() -> None:
    assert layout(templated("{}\n" + RULES, read=2000)).movable(PRICES) == []


def test_after_the_life_of_an_entry_there_is_nothing_to_read() -> None:
    text = "{}\n" + RULES
    assert layout(templated(text, gap=299.0, model=CLAUDE)).movable(PRICES)[0].sessions == 5
    assert layout(templated(text, gap=301.0, model=CLAUDE)).movable(PRICES) == []


def test_below_the_minimum_nothing_is_kept() -> None:
    few = "{}\n" + "\n".join(RULES.split("\n")[:12])
    assert layout(templated(few, model=CLAUDE)).movable(PRICES) == []
    assert layout(templated(few)).movable(PRICES)[0].tokens > 4 * BLOCK


def test_no_template_no_saving() -> None:
    texts = [say("user", document(word)) for word in WORDS]
    assert (
        layout([ask([turn], Usage(900), session=str(n), model=DEEPSEEK) for n, turn in enumerate(texts)]).movable(
            PRICES
        )
        == []
    )
    two = templated("{}\n" + RULES)[:2]
    assert layout(two).movable(PRICES) == []  # of two, whatever they share would look like a template


def test_lines_that_many_prompts_have_here_and_there_are_no_block() -> None:
    line = "----------- a line that stands between all the others -----------"
    requests = templated("{}")
    for recorded in requests:
        assert recorded.body is not None
        (turn,) = recorded.body["messages"]
        turn["content"] = turn["content"].replace("\n", f"\n{line}\n")
    assert layout(requests).movable(PRICES) == []


def test_other_tools_are_another_prompt() -> None:
    requests = templated("{}\n" + RULES)
    for number, recorded in enumerate(requests):
        assert recorded.body is not None
        recorded.body["tools"] = [{"name": f"tool {number}"}]
    assert layout(requests).movable(PRICES) == []


def test_a_model_without_a_price() -> None:
    requests = templated("{}\n" + RULES, model="nobody-knows")
    (found,) = layout(requests).movable(PRICES)
    assert found.dollars is None
    assert found.tokens > 0
    assert layout(requests).movable(PRICES, DEEPSEEK)[0].dollars == pytest.approx(found.tokens * 0.9e-6)


def test_no_credential_in_what_is_shown() -> None:
    (found,) = layout(templated("{}\napi_key=abcdefgh12345678\n" + RULES)).movable(PRICES)
    assert "[redacted]" in found.begins
    assert "12345678" not in found.begins
