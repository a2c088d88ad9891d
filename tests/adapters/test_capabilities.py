"""What models accept: by their many names, and by what the provider says of them."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from anthropic.types import ModelInfo
from anthropic.types.model_param import ModelParam
from hypothesis import given
from hypothesis import strategies as st

from adapters.capabilities import EFFORTS, UNKNOWN, Capabilities, capabilities_of, from_api

NAMES = get_args(get_args(ModelParam)[0])


@pytest.mark.parametrize("model", NAMES)
def test_every_model_of_the_sdk_has_a_row_of_its_own(model: str) -> None:
    assert capabilities_of(model) not in (UNKNOWN, capabilities_of("claude-of-tomorrow"))


@pytest.mark.parametrize(
    ("model", "same"),
    [
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5"),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("anthropic/claude-sonnet-5.5", "claude-sonnet-5-5"),
        ("vertex_ai/claude-opus-4@20250514", "claude-opus-4-0"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5-haiku"),
        ("claude-3-7-sonnet-20250219", "claude-sonnet-4"),
        ("Claude-Fable-5.1", "claude-mythos-5-1"),
        ("claude-opus-5-fast", "claude-opus-5"),
        ("claude-opus-4-9", "claude-of-tomorrow"),
        ("claude-opus-5-11-20270101", "claude-of-tomorrow"),
        ("claude-haiku-6", "claude-of-tomorrow"),
    ],
)
def test_a_model_is_known_by_all_its_names(model: str, same: str) -> None:
    assert capabilities_of(model) == capabilities_of(same)


@pytest.mark.parametrize("model", ["", "gpt-6-sol", "kimi-k3", "myclaude-opus-5", "claude2", "claude-2.1"])
def test_what_is_no_claude_of_the_table_is_unknown(model: str) -> None:
    assert capabilities_of(model) is UNKNOWN


@pytest.mark.parametrize(
    ("model", "facts"),
    [
        ("claude-opus-5-5", {"forced_tools": False, "always_thinks": True, "max_output": 128_000, "prefill": False}),
        ("claude-sonnet-5-5", {"forced_tools": False, "always_thinks": False, "system_turns": True}),
        ("claude-haiku-5-5", {"forced_tools": True, "always_thinks": False, "thinks": True}),
        ("claude-fable-5", {"forced_tools": True, "always_thinks": True}),
        ("claude-sonnet-5", {"system_turns": False, "sampling": False, "efforts": EFFORTS}),
        ("claude-opus-4-8", {"thinks": False, "system_turns": True, "sampling": False}),
        ("claude-opus-4-6", {"sampling": True, "prefill": False, "efforts": ("low", "medium", "high", "max")}),
        ("claude-opus-4-5", {"prefill": True, "efforts": ("low", "medium", "high"), "max_output": 64_000}),
        ("claude-haiku-4-5", {"efforts": (), "structured": True, "thinking": frozenset({"enabled", "disabled"})}),
        ("claude-opus-4-1", {"structured": False, "max_output": 32_000}),
        ("claude-3-5-sonnet", {"thinking": frozenset({"disabled"}), "max_output": 8192}),
        ("gpt-5", {"max_output": 8192, "sampling": False}),
    ],
)
def test_rows(model: str, facts: dict[str, Any]) -> None:
    known = capabilities_of(model)
    assert {name: getattr(known, name) for name in facts} == facts


def test_efforts_are_ordered_in_every_row() -> None:
    for model in NAMES:
        levels = capabilities_of(model).efforts
        assert sorted(levels, key=EFFORTS.index) == list(levels)


def info(model: str = "claude-opus-4-8", **capabilities: Any) -> dict[str, Any]:
    return {"id": model, "type": "model", "max_tokens": 99_000, "capabilities": capabilities}


YES, NO = {"supported": True}, {"supported": False}


def test_the_provider_is_believed_where_it_speaks() -> None:
    told = info(
        thinking={"supported": True, "types": {"adaptive": NO, "enabled": YES, "disabled": YES, "between_tools": NO}},
        effort={"supported": True, "low": YES, "medium": NO, "high": YES, "max": YES, "xhigh": None},
        structured_outputs=NO,
        image_input=NO,
    )
    known = from_api(told)
    assert known.thinking == {"enabled", "disabled"}
    assert known.efforts == ("low", "high", "xhigh", "max")  # of `xhigh` nothing is said: the table's word
    assert (known.structured, known.images, known.max_output) == (False, False, 99_000)
    assert known.system_turns  # which the provider does not tell


def test_an_answer_of_the_sdks_shape_is_read() -> None:
    said = ModelInfo.construct(**info(structured_outputs=NO)).model_dump(mode="json", warnings=False)
    assert not from_api(said).structured


def test_a_provider_that_says_nothing_leaves_the_table() -> None:
    assert from_api({"id": "claude-opus-5", "capabilities": None, "max_tokens": None}) == capabilities_of(
        "claude-opus-5"
    )
    assert from_api({}) == UNKNOWN


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["id", "capabilities", "thinking", "types", "adaptive", "effort", "supported", "max_tokens"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_anything_may_come_from_the_provider(said: Any) -> None:
    assert isinstance(from_api(said if isinstance(said, dict) else {"capabilities": said}), Capabilities)
