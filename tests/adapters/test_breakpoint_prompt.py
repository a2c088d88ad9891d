import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.breakpoint_prompt import block_tokens, blocks_of, mark_of, marked_blocks, prompt_of, unmarked
from adapters.tokens import BLOBS, IMAGE, PER_MESSAGE, PER_TOOL_CALL

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
IMAGE_BLOCK = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 5000}}

BODY: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 100,
    "tools": [{"name": "find", "description": "finds", "input_schema": {"type": "object", "properties": {"q": {}}}}],
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": "Find it"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {"q": 1, "r": 2}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "here"}]},
        {"role": "user", "content": [{"type": "text", "text": "Thanks"}]},
    ],
}


def digests(body: dict[str, Any], *, salt: bytes = b"", thinks: str = "") -> list[bytes]:
    return [point.digest for point in prompt_of(body, salt=salt, minimum=0, thinks=thinks).points]


def marks(body: dict[str, Any]) -> list[str]:
    return [point.mark for point in prompt_of(body, salt=b"", minimum=0).points]


def kept(other: dict[str, Any], body: dict[str, Any] = BODY) -> str:
    """Which blocks of a body are also a prefix of another: T(ool), S(ystem), M(essages)."""
    shared = [a == b for a, b in zip(digests(body), digests(other), strict=False)]
    return "".join(level for level, same in zip("TSMMMM", shared, strict=False) if same)


def changed(**members: Any) -> dict[str, Any]:
    return copy.deepcopy(BODY) | members


def test_a_point_for_every_block_in_the_order_of_the_prompt() -> None:
    prompt = prompt_of(dict(reversed(BODY.items())), salt=b"", minimum=7)
    assert [point.digest for point in prompt.points] == digests(BODY)
    assert len(prompt.points) == 6
    assert prompt.minimum == 7
    totals = [point.tokens for point in prompt.points]
    assert totals == sorted(set(totals))
    assert prompt.tokens == totals[-1]


# The table "what invalidates what" of the prompt caching guide, row by row.
@pytest.mark.parametrize(
    ("other", "left"),
    [
        (changed(), "TSMMMM"),
        (changed(tools=[{**BODY["tools"][0], "description": "seeks"}]), ""),
        (changed(tools=[*BODY["tools"], {"name": "b", "input_schema": {"type": "object"}}]), "T"),
        (changed(model="claude-opus-4-7"), ""),
        (changed(system="Be long."), "T"),
        (changed(speed="fast"), "T"),
        (changed(speed="standard"), "TSMMMM"),
        (changed(tool_choice={"type": "any"}), "TS"),
        (changed(tool_choice={"type": "auto"}), "TSMMMM"),
        (changed(tool_choice={"type": "auto", "disable_parallel_tool_use": True}), "TS"),
        (changed(thinking={"type": "adaptive"}), "TS"),
        (changed(thinking={"type": "enabled", "budget_tokens": 2000}), "TS"),
        (changed(thinking={"type": "disabled"}), "TSMMMM"),
        (changed(output_config={"effort": "low"}), "TS"),
        (changed(output_config={"effort": "high"}), "TSMMMM"),
        (changed(output_config={"format": {"type": "json_schema", "schema": {}}}), "TS"),
        (changed(max_tokens=0, stream=True, temperature=0.5, metadata={}, stop_sequences=["x"]), "TSMMMM"),
        (changed(messages=[*BODY["messages"], {"role": "user", "content": [IMAGE_BLOCK]}]), "TS"),
        (changed(messages=[*BODY["messages"], {"role": "assistant", "content": "x"}]), "TSMMMM"),
    ],
)
def test_a_change_breaks_its_own_level_and_all_behind_it(other: dict[str, Any], left: str) -> None:
    assert kept(other) == left


def test_the_use_of_citations_counts_with_the_system() -> None:
    def cited(enabled: bool) -> dict[str, Any]:
        source = {"type": "text", "media_type": "text/plain", "data": "x"}
        document = {"type": "document", "source": source, "citations": {"enabled": enabled}}
        return changed(messages=[{"role": "user", "content": [document]}])

    assert kept(cited(True), cited(False)) == "T"


def test_a_salt_keeps_caches_apart() -> None:
    assert not set(digests(BODY)) & set(digests(BODY, salt=b"other"))


def test_the_thinking_of_the_model_itself_needs_no_word() -> None:
    told = changed(thinking={"type": "adaptive"})
    assert digests(told, thinks="adaptive") == digests(BODY, thinks="adaptive") != digests(BODY)


def test_a_text_is_a_block_and_messages_of_one_role_are_one_turn() -> None:
    blocks = changed(system="Be brief.")
    blocks["messages"][0]["content"] = [{"text": "Find it", "type": "text"}]
    together = [*blocks["messages"][2]["content"], *blocks["messages"][3]["content"]]
    blocks["messages"][2:] = [{"role": "user", "content": together}]
    assert digests(blocks) == digests(BODY)


def test_marks_are_not_rendered_wherever_they_stand() -> None:
    marked = changed(system=[{"type": "text", "text": "Be brief.", "cache_control": HOUR}])
    marked["tools"][0]["cache_control"] = HOUR
    marked["messages"][2]["content"][0]["content"] = [{"type": "text", "text": "here", "cache_control": MARK}]
    plain = changed()
    plain["messages"][2]["content"][0]["content"] = [{"type": "text", "text": "here"}]
    assert digests(marked) == digests(plain)
    assert marks(marked) == ["1h", "1h", "", "", "", ""]


def test_the_order_of_members_counts_inside_what_the_tool_is_given_and_nowhere_else() -> None:
    turned = changed()
    call = turned["messages"][1]["content"][0]
    turned["messages"][1]["content"][0] = dict(reversed(call.items()))
    assert digests(turned) == digests(BODY)
    turned["messages"][1]["content"][0]["input"] = dict(reversed(call["input"].items()))
    assert kept(turned) == "TSM"


def test_the_automatic_mark_stands_on_the_last_block_that_can_be_cached() -> None:
    assert marks(changed(cache_control=MARK)) == ["", "", "", "", "", "5m"]
    assert marks(changed(cache_control=HOUR))[-1] == "1h"
    thought = {"type": "thinking", "thinking": "so", "signature": "s", "cache_control": MARK}
    ends = changed(cache_control=MARK, messages=[*BODY["messages"], {"role": "assistant", "content": [thought]}])
    assert marks(ends) == ["", "", "", "", "", "5m", ""]
    own = changed(cache_control=MARK)
    own["messages"][3]["content"][0]["cache_control"] = HOUR
    assert marks(own)[-1] == "1h"


def test_runs_of_calls_and_of_results_are_one_position_each() -> None:
    calls = [{"type": "tool_use", "id": str(n), "name": "f", "input": {}} for n in range(3)]
    results = [{"type": "tool_result", "tool_use_id": str(n)} for n in range(3)]
    texts = [{"type": "text", "text": str(n)} for n in range(3)]
    messages = [
        {"role": "user", "content": texts},
        {"role": "assistant", "content": calls},
        {"role": "user", "content": results},
    ]
    places = [point.place for point in prompt_of({"messages": messages}, salt=b"", minimum=0).points]
    assert [place - places[0] for place in places] == [0, 1, 2, 3, 3, 3, 4, 4, 4]


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"type": "text", "text": "one two"}, 2),
        ({"type": "thinking", "thinking": "one two", "signature": "x" * 500}, 2),
        (IMAGE_BLOCK, IMAGE),
        ({"type": "document", "source": {"type": "base64", "data": "A" * 5000}}, BLOBS["file"]),
        ({"type": "document", "source": {"type": "text", "data": "one two"}}, 2),
        ({"type": "tool_result", "tool_use_id": "x" * 90, "content": "one two"}, PER_TOOL_CALL + 2),
        ({"type": "tool_result", "tool_use_id": "x", "content": [IMAGE_BLOCK, "odd"]}, PER_TOOL_CALL + IMAGE),
        ({"type": "tool_use", "id": "x" * 90, "name": "find", "input": {}}, PER_TOOL_CALL + 2),
    ],
)
def test_tokens_of_a_block(block: dict[str, Any], tokens: int) -> None:
    assert block_tokens(block) == tokens


def test_a_message_costs_its_frame_once() -> None:
    text = {"type": "text", "text": "one two"}
    assert prompt_of({"messages": [{"role": "user", "content": [text, text]}]}, salt=b"", minimum=0).tokens == (
        PER_MESSAGE + 4
    )


def test_what_can_be_marked_comes_in_the_order_of_the_prompt() -> None:
    inner = {"type": "text", "text": "here"}
    body = changed()
    body["messages"][2]["content"][0]["content"] = [inner]
    found = [block.get("name") or block.get("text") or block["type"] for block in marked_blocks(body)]
    assert found == ["find", "Be brief.", "Find it", "find", "here", "tool_result", "Thanks"]


@pytest.mark.parametrize(
    ("control", "mark"),
    [(MARK, "5m"), (HOUR, "1h"), ({"type": "ephemeral", "ttl": "2h"}, ""), ({"ttl": 5}, ""), (None, ""), ("x", "")],
)
def test_lifetimes(control: Any, mark: str) -> None:
    assert mark_of(control) == mark


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "source", "input", "cache_control", "role", "tools", "x"]),
            inner | st.sampled_from(["text", "tool_result", "document", "thinking"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*BODY, "thinking", "output_config", "tool_choice"], JSON)))
def test_no_body_is_too_strange(body: dict[str, Any]) -> None:
    prompt = prompt_of(body, salt=b"", minimum=0)
    assert prompt.tokens >= 0
    assert [block for block in marked_blocks(body) if not isinstance(block, dict)] == []
    assert blocks_of(body.get("system")) == blocks_of(blocks_of(body.get("system")))


def test_depth_is_no_danger() -> None:
    deep: dict[str, Any] = {"type": "tool_result", "content": "x"}
    for _ in range(200):
        deep = {"type": "tool_result", "content": [deep]}
    assert block_tokens(deep) > 200
    assert unmarked(deep) == deep
