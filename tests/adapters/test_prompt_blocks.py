from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.breakpoint_prompt import prompt_of
from adapters.profiles import profile_of
from adapters.prompt_blocks import CHAT, MESSAGES, RESPONSES, Wire, block_at, blocks, paths, wire_of
from adapters.spans import Path, value_at
from tests.adapters.conversations import CALM, JUNK, ODD, chat_bodies, messages_bodies, responses_bodies

APIS = [MESSAGES, CHAT, RESPONSES]
TEXT = {"type": "text", "text": "x"}


def test_anthropic_tool_by_tool_block_by_block() -> None:
    body = {
        "messages": [
            {"role": "user", "content": "one"},
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "h"}, {"type": "text", "text": ""}, TEXT],
            },
            {"role": "user", "content": [{"type": "tool_result", "content": [TEXT]}, {"type": "image"}]},
        ],
        "system": [TEXT, TEXT],
        "tools": [{"name": "a"}, {"name": "b", "defer_loading": True}],
    }
    assert paths(body, MESSAGES) == [
        ("tools", 0),
        None,
        ("system", 0),
        ("system", 1),
        ("messages", 0, "content"),
        None,
        None,
        ("messages", 1, "content", 2),
        ("messages", 2, "content", 0),
        ("messages", 2, "content", 1),
    ]
    assert paths({"system": "brief", "messages": []}, MESSAGES) == [("system",)]


CHAT_BODY: dict[str, Any] = {
    "tools": [{"type": "function"}],
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [TEXT, {"type": "image_url", "image_url": {"url": "u"}}, {"type": "video_url"}]},
        {"role": "assistant", "content": "calling", "tool_calls": [{"id": "c"}]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {"role": "assistant", "content": "said"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "d"}]},
    ],
}
PLACES: list[Path] = [("messages", n, "content") for n in range(6)]


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        # OpenAI takes a breakpoint on what goes in, of many kinds; gateways on texts, whoever said them.
        (
            "prompt_cache_breakpoint",
            [None, PLACES[0], (*PLACES[1], 0), (*PLACES[1], 1), None, None, PLACES[3], None, None],
        ),
        ("cache_control", [None, PLACES[0], (*PLACES[1], 0), None, None, None, PLACES[3], PLACES[4], None]),
    ],
)
def test_chat(wire: Wire, expected: list[Path | None]) -> None:
    assert paths(CHAT_BODY, CHAT, wire) == expected


def test_responses() -> None:
    part = {"type": "input_text", "text": "x"}
    body = {
        "instructions": "i",
        "tools": [{"type": "function"}],
        "input": [
            {"role": "developer", "content": "d"},
            {"type": "message", "role": "user", "content": [part, {"type": "input_file"}]},
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "call_id": "c"},
            {"type": "function_call_output", "call_id": "c", "output": "r"},
            {"type": "function_call_output", "call_id": "c", "output": [part, part]},
            {"role": "assistant", "content": "said"},
            {"type": "additional_tools", "tools": []},
        ],
    }
    assert paths(body, RESPONSES) == [
        None,
        None,
        ("input", 0, "content"),
        ("input", 1, "content", 0),
        ("input", 1, "content", 1),
        None,
        None,
        ("input", 4, "output"),
        ("input", 5, "output", 1),
        None,
        None,
    ]
    assert paths({"input": "text"}, RESPONSES) == [("input",)]


@given(messages_bodies())
def test_as_many_as_the_points_of_the_prompt(body: dict[str, Any]) -> None:
    assert len(paths(body, MESSAGES)) == len(prompt_of(body, salt=b"", minimum=0).points)


OUTLINED = [
    (MESSAGES, "anthropic", "claude-opus-4-8", messages_bodies()),
    (CHAT, "openai", "gpt-5.6", chat_bodies()),
    (CHAT, "openrouter", "anthropic/claude-opus-5", chat_bodies()),
    (RESPONSES, "openai", "gpt-5.6", responses_bodies()),
    (MESSAGES, "anthropic", "claude-opus-4-8", ODD),
    (CHAT, "openai", "gpt-5.6", ODD),
    (RESPONSES, "openai", "gpt-5.6", ODD),
]


@pytest.mark.parametrize(("api", "provider", "model", "bodies"), OUTLINED)
@given(data=st.data())
@CALM
def test_block_by_block_the_points_of_the_outline(
    api: str, provider: str, model: str, bodies: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    outline = pytest.importorskip("adapters.outline", reason="the outline is not here yet").outline
    profile, body = profile_of(provider, model), data.draw(bodies)
    points = [point for point in outline(body, api=api, profile=profile, salt=b"").points if point.edge != "step"]
    if points:
        assert [block.markable for block in blocks(body, api, wire_of(api, profile))] == [p.markable for p in points]


@pytest.mark.parametrize("api", APIS)
@given(body=ODD, odd=JUNK)
@CALM
def test_whatever_stands_anywhere(api: str, body: dict[str, Any], odd: Any) -> None:
    for parsed in (body, body | {"messages": [odd], "input": [odd], "tools": [odd]}):
        for block in blocks(parsed, api):
            value = value_at(parsed, block.path)
            assert value == block.value
            assert block_at(parsed, block.path, api) == block
            assert block_at(parsed, (*block.path, 0), api) != block


@pytest.mark.parametrize(
    "path", [(), ("model",), ("messages",), ("messages", 7), ("messages", -1, "content"), ("messages", "0")]
)
def test_no_block(path: Path) -> None:
    assert block_at(CHAT_BODY, path, CHAT) is None


def test_an_api_that_is_not_known_has_no_blocks() -> None:
    assert paths({"messages": [{"role": "user", "content": "x"}]}, "openai-embeddings") == []


@pytest.mark.parametrize(
    ("api", "provider", "model", "wire"),
    [
        (MESSAGES, "anthropic", "claude-opus-5-5", "cache_control"),
        (CHAT, "openrouter", "anthropic/claude-opus-5.5", "cache_control"),
        (CHAT, "openai", "gpt-5.6-sol", "prompt_cache_breakpoint"),
        (CHAT, "openrouter", "openai/gpt-5.6-sol", "prompt_cache_breakpoint"),
        (RESPONSES, "openai", "gpt-6-sol", "prompt_cache_breakpoint"),
    ],
)
def test_wires(api: str, provider: str, model: str, wire: Wire) -> None:
    assert wire_of(api, profile_of(provider, model)) == wire
