from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.outline_blocks import blocks_in
from adapters.outline_pieces import Marks, marks_of
from adapters.profiles import profile_of
from adapters.prompt_blocks import paths
from adapters.tokens import IMAGE

PROFILE = profile_of("anthropic", "claude-opus-5")
MARK = {"type": "ephemeral"}
IMAGE_BLOCK = {"type": "image", "source": {"type": "base64", "data": "A" * 5000}}


def pieces(body: dict[str, Any], marks: Marks | None = None) -> list[tuple[Any, ...]]:
    found = blocks_in(body, marks_of(PROFILE, body) if marks is None else marks)
    return [*found.tools, *found.system, *found.messages]


def column(name: str, body: dict[str, Any]) -> list[Any]:
    names = ["head", "data", "weight", "constant", "place", "mark", "edge", "markable"]
    return [piece[names.index(name)] for piece in pieces(body)]


def test_the_order_is_tools_system_messages_and_each_has_its_end() -> None:
    body = {
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": [{"type": "text", "text": "two"}, {"type": "tool_use", "input": {}}]},
            {"role": "user", "content": ""},
        ],
        "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "tools": [{"name": "f"}, {"name": "g"}],
    }
    assert column("edge", body) == ["block", "tools", "block", "system", "message", "block", "message"]
    assert [data[:7] for data in column("data", body)[2:6]] == [b"a", b"b", b"one", b"two"]
    assert column("head", body)[2:6] == [b'["system","text"]'] * 2 + [b'["user","text"]', b'["assistant","text"]']
    assert all(column("markable", body))


def test_tools_that_are_loaded_later_stand_outside() -> None:
    later = {"name": "h", "defer_loading": True, "cache_control": MARK}
    body = {"tools": [{"name": "f"}, {"name": "g", "defer_loading": False}, later]}
    assert column("edge", body) == ["block", "tools", "block"]
    assert column("markable", body) == [True, True, False]
    assert column("mark", body) == ["", "", ""]
    assert column("weight", body)[2] == 0
    assert column("mark", body | {"cache_control": MARK}) == ["", "5m", ""]
    assert column("edge", {"tools": [later]}) == ["block"]


def test_thinking_and_empty_texts_take_no_mark() -> None:
    thought = {"type": "thinking", "thinking": "so", "signature": "s" * 500, "cache_control": MARK}
    hidden = {"type": "redacted_thinking", "data": "zz"}
    empty = {"type": "text", "text": "", "cache_control": MARK}
    body = {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "x"}, thought, hidden, empty]}]}
    assert column("markable", body) == [True, False, False, False]
    assert column("mark", body | {"cache_control": MARK | {"ttl": "1h"}}) == ["1h", "", "", ""]
    assert column("weight", body)[1] == len("so")


def test_without_breakpoints_nothing_is_markable() -> None:
    body = {"tools": [{"name": "f", "cache_control": MARK}], "system": "x", "cache_control": MARK}
    assert [(mark, can) for *_, mark, _, can in pieces(body, Marks())] == [("", False)] * 2


def test_runs_share_a_place() -> None:
    calls = [{"type": "tool_use", "id": str(n), "input": {}} for n in range(2)]
    results = [{"type": "tool_result", "tool_use_id": str(n)} for n in range(2)]
    body = {
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": [*calls, {"type": "text", "text": "y"}, *calls]},
            {"role": "user", "content": results[:1]},
            {"role": "user", "content": results[1:]},
        ]
    }
    assert column("place", body) == [1, 2, 2, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(
    ("block", "images", "citations"),
    [
        (IMAGE_BLOCK, True, False),
        ({"type": "tool_result", "content": [IMAGE_BLOCK]}, True, False),
        ({"type": "tool_result", "content": "image"}, False, False),
        ({"type": "document", "source": {}, "citations": {"enabled": True}}, False, True),
        ({"type": "document", "source": {}, "citations": {"enabled": 1}}, False, False),
        ({"type": "search_result", "citations": 5}, False, False),
    ],
)
def test_images_and_citations_are_seen_wherever_they_stand(block: Any, images: bool, citations: bool) -> None:
    found = blocks_in({"messages": [{"role": "user", "content": ["odd", block]}]}, Marks())
    assert (found.images, found.citations) == (images, citations)


def test_images_count_a_constant() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE_BLOCK]}
    body = {"messages": [{"role": "user", "content": [IMAGE_BLOCK, result]}]}
    assert column("constant", body) == [IMAGE, IMAGE]
    weights = column("weight", body)
    assert weights[0] == 0
    assert 0 < weights[1] < 100


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(["a", "text", "thinking", "user", "tool_use"])
    | st.just({"type": "text", "text": ""}),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "role", "content", "defer_loading"]),
            inner | st.sampled_from(["text", "thinking", "tool_result"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(["tools", "system", "messages"]), st.lists(ANY, max_size=3) | ANY))
def test_there_is_a_piece_for_each_block_that_could_be_marked(body: dict[str, Any]) -> None:
    """Whoever sets marks finds the place of a point by its number."""
    found = paths(body, "anthropic-messages")
    assert [path is not None for path in found] == column("markable", body)
