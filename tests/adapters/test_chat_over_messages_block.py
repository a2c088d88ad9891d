from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.chat_over_messages_block import Growth, InputDelta, Opened, TextDelta, ThinkingDelta
from tests.adapters.anthropic_transcripts import CHARS, text, thinking, tool, web


def opened(start: dict[str, Any], *grown: tuple[str, str]) -> Opened:
    block = Opened(start, 0, 0)
    for member, piece in grown:
        block.grow(member, piece)
    return block


@pytest.mark.parametrize(
    ("start", "grown", "expected"),
    [
        (text(""), [], text("")),
        (text(""), [("text", "a"), ("text", "b")], text("ab")),
        (text("a"), [("text", "b")], text("ab")),
        (thinking("", ""), [("thinking", "a")], thinking("a", "")),
        (tool("i", {}), [], tool("i", {})),
        (tool("i", {}), [("input", "")], tool("i", {})),
        (tool("i", {"x": 1}), [("input", "")], tool("i", {"x": 1})),
        (tool("i", {"x": 1}), [("input", '{"y"'), ("input", ":2}")], tool("i", {"y": 2})),
        ({"type": "tool_use"}, [("input", "")], {"type": "tool_use", "input": {}}),
        ({"type": "hologram"}, [("text", "a")], {"type": "hologram", "text": "a"}),
        ({"type": "hologram", "text": None}, [("text", "a")], {"type": "hologram", "text": "a"}),
    ],
)
def test_a_block_grows(start: dict[str, Any], grown: list[tuple[str, str]], expected: dict[str, Any]) -> None:
    before = dict(start)
    assert opened(start, *grown).block() == expected
    assert start == before


@pytest.mark.parametrize(
    ("start", "grown"),
    [
        (tool("i", {}), [("input", '{"x":')]),
        (tool("i", {}), [("input", "1e999")]),
        (tool("i", {}), [("input", "[" * 100_000)]),
        (text(""), [("text", "a"), ("thinking", "b")]),
    ],
)
def test_a_block_that_is_not_understood_is_none(start: dict[str, Any], grown: list[tuple[str, str]]) -> None:
    assert opened(start, *grown).block() is None


def test_citations_follow_those_that_the_block_began_with() -> None:
    block = opened(text("", CHARS), ("text", "a"))
    block.citations.append(web("https://a.example/"))
    assert block.block() == text("a", CHARS, web("https://a.example/"))
    assert block.start == text("", CHARS)


def test_what_a_delta_sets_replaces_what_was() -> None:
    block = opened(thinking("", "old"), ("thinking", "a"))
    block.assigned["signature"] = "new"
    assert block.block() == thinking("a", "new")


def test_arguments() -> None:
    assert opened(tool("i", {"x": 1.0})).arguments == '{"x":1.0}'
    assert opened(tool("i", {}), ("input", "{ "), ("input", "}")).arguments == "{ }"


@pytest.mark.parametrize(
    ("raw", "delta"),
    [
        (b'{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"x"}}', TextDelta("x")),
        (
            b'{"delta":{"thinking":"x","type":"thinking_delta"},"new":1,"index":3,"type":"content_block_delta"}',
            ThinkingDelta("x"),
        ),
        (
            b'{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{"}}',
            InputDelta("{"),
        ),
    ],
)
def test_the_usual_events_are_read_without_a_dict(raw: bytes, delta: Any) -> None:
    assert msgspec.json.decode(raw, type=Growth) == Growth(3, delta)
