from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chain import STEP, Blocks, chain, extend, segments
from adapters.tokens import estimate_message, estimate_tools

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.sampled_from("abc")}),
    max_size=6,
)
IDS = st.lists(st.integers(0, 5), max_size=40)


def body(*texts: str, **members: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in texts], **members}


def agree(a: list[Any], b: list[Any]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def runs_of(ids: list[int]) -> list[tuple[int, int]]:
    return [(block, 1) for block in ids]


def test_tools_come_first_then_the_messages() -> None:
    assert segments(body("x", tools=TOOLS)) == [
        b'[{"function":{"name":"f","parameters":{"properties":{},"type":"object"}},"type":"function"}]',
        b'{"content":"x","role":"user"}',
    ]
    assert segments(body()) == [b""]


def test_links_count_the_tokens_up_to_them() -> None:
    links = chain(body("hello", "world", tools=TOOLS))
    message = estimate_message({"role": "user", "content": "hello"})
    assert [link.tokens for link in links] == [estimate_tools(TOOLS) + n * message for n in range(3)]


@settings(max_examples=150)
@given(MESSAGES, MESSAGES)
def test_two_chains_agree_exactly_as_far_as_the_messages(a: list[Any], b: list[Any]) -> None:
    chains = [chain({"model": "m", "messages": messages}) for messages in (a, b)]
    assert agree(*chains) == 1 + agree(a, b)
    assert len({link.digest for link in chains[0]}) == len(chains[0])


@settings(max_examples=100)
@given(MESSAGES, MESSAGES)
def test_a_chain_that_grew_is_the_chain_of_the_whole(a: list[Any], b: list[Any]) -> None:
    first = chain({"model": "m", "messages": a, "tools": TOOLS})
    assert extend(first, b) == chain({"model": "m", "messages": a + b, "tools": TOOLS})


def test_model_salt_and_tools_keep_chains_apart() -> None:
    base = chain(body("x"))
    for other in (
        chain(body("x", model="n")),
        chain(body("x"), b"key"),
        chain(body("x", tools=TOOLS)),
        chain(body("x", model="")),
    ):
        assert agree(base, other) == 0
    assert agree(chain(body("x", model="ab"), b"c"), chain(body("x", model="b"), b"ca")) == 0


def test_other_members_do_not_matter_and_neither_does_their_order() -> None:
    a = {"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 0}
    b = {"messages": [{"content": "x", "role": "user"}], "model": "m"}
    assert chain(a) == chain(b)


def test_a_cache_mark_that_moves_does_not_break_the_chain() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    part = {"type": "text", "text": "x"}
    plain = {"model": "m", "messages": [{"role": "user", "content": [part]}], "tools": TOOLS}
    marked = {
        "model": "m",
        "messages": [{"role": "user", "content": [{**part, **mark}]}],
        "tools": [{**TOOLS[0], **mark}],
    }
    assert [link.digest for link in chain(plain)] == [link.digest for link in chain(marked)]
    text = {"model": "m", "messages": [{"role": "user", "content": '"cache_control"'}]}
    assert agree(chain(text), chain({"model": "m", "messages": [{"role": "user", "content": "else"}]})) == 1


@settings(max_examples=150)
@given(st.lists(IDS, min_size=2, max_size=5))
def test_traces_share_exactly_their_common_blocks(prompts: list[list[int]]) -> None:
    """One step is one block here: the links of two prompts agree as far as their ids, whatever went before."""
    followed = Blocks(STEP)
    for ids in prompts:
        alone = Blocks(STEP).links(runs_of(ids), len(ids) * STEP)
        links = followed.links(runs_of(ids), len(ids) * STEP)
        assert links == alone
        assert [link.tokens for link in links] == [STEP * n for n in range(1, len(ids) + 1)]
    a, b = prompts[:2]
    chains = [Blocks(STEP).links(runs_of(ids), len(ids) * STEP) for ids in (a, b)]
    assert agree(*chains) == agree(a, b)


def test_runs_are_told_by_their_ids_and_not_by_how_they_were_cut() -> None:
    assert Blocks(64).links([(1, 20)], 1280) == Blocks(64).links([(1, 3), (4, 0), (4, 17)], 1280)


def test_a_prompt_that_goes_on_shares_all_of_the_one_before() -> None:
    talk = Blocks(64)
    first = talk.links([(1, 21)], 1350)
    second = talk.links([(1, 25), (90, 2)], 1740)
    assert [link.tokens for link in first] == [512, 1024, 1344]
    assert set(first) <= set(second)
    assert [link.tokens for link in second] == [512, 1024, 1344, 1536, 1728]
    edited = talk.links([(1, 18), (70, 9)], 1740)
    assert set(edited) & set(second) == set(first[:2])


def test_a_salt_keeps_local_ids_apart() -> None:
    assert not set(Blocks(64, b"a").links([(1, 9)], 600)) & set(Blocks(64, b"b").links([(1, 9)], 600))
