"""Blocks that follow one another, whatever order their pieces come in."""

from __future__ import annotations

import json
from typing import Any

from adapters.messages_over_chat_blocks import Block, Blocks, delta, event
from adapters.sse import Frame


def shown(frames: list[Frame] | None) -> list[str]:
    """Events in short: `+0 text`, `0 piece`, `-0`."""
    assert frames is not None
    lines = []
    for frame in frames:
        payload: dict[str, Any] = frame.json()
        assert frame.event == payload["type"]
        match payload["type"]:
            case "content_block_start":
                lines.append(f"+{payload['index']} {payload['content_block'].get('name', 'text')}")
            case "content_block_delta":
                [piece] = [value for name, value in payload["delta"].items() if name != "type"]
                lines.append(f"{payload['index']} {piece}")
            case _:
                lines.append(f"-{payload['index']}")
    return lines


def tool(name: str, kind: str = "tool") -> Block:
    block = Block(kind, f"id_{name}")
    block.name = name
    return block


def test_a_text_goes_out_as_it_comes():
    blocks = Blocks()
    assert shown(blocks.say("content", "a")) == ["+0 text", "0 a"]
    assert shown(blocks.say("content", "b")) == ["0 b"]
    assert blocks.open_text() == 0
    assert shown(blocks.finish()) == ["-0"]
    assert blocks.finish() == []
    assert (blocks.begun, blocks.called) == (1, False)


def test_white_space_waits_for_a_word():
    blocks = Blocks()
    assert shown(blocks.say("content", "\n")) == []
    assert blocks.open_text() == -1
    assert shown(blocks.say("content", " a")) == ["+0 text", "0 \n a"]
    assert shown(blocks.say("content", "\n")) == ["0 \n"]


def test_white_space_alone_is_no_block():
    blocks = Blocks()
    blocks.say("content", "\n")
    assert shown(blocks.add(tool("f"), "{}")) == ["+0 f", "0 {}"]
    assert shown(blocks.say("content", "\n")) == ["-0"]
    assert shown(blocks.finish()) == []
    assert (blocks.begun, blocks.called) == (1, True)


def test_another_kind_of_text_is_another_block():
    blocks = Blocks()
    blocks.say("content", "a")
    assert shown(blocks.say("refusal", "b")) == ["-0", "+1 text", "1 b"]
    assert blocks.open_text() == -1
    assert shown(blocks.finish()) == ["-1"]


def test_a_complete_call_makes_way_for_the_next():
    blocks, f, g = Blocks(), tool("f"), tool("g")
    assert shown(blocks.add(f, "")) == ["+0 f"]
    assert shown(blocks.add(f, '{"a":')) == ['0 {"a":']
    assert shown(blocks.add(f, "{}}")) == ["0 {}}"]
    assert shown(blocks.add(g, "")) == ["-0", "+1 g"]
    assert shown(blocks.add(g, "{}")) == ["1 {}"]
    assert shown(blocks.finish()) == ["-1"]


def test_a_later_call_waits_for_one_that_is_not_complete():
    blocks, f, g = Blocks(), tool("f"), tool("g")
    blocks.add(f, '{"a":{}')
    assert shown(blocks.add(g, '{"b"')) == []
    assert shown(blocks.add(f, "}")) == ["0 }", "-0", "+1 g", '1 {"b"']
    assert shown(blocks.add(g, ":1}")) == ["1 :1}"]
    assert shown(blocks.finish()) == ["-1"]


def test_what_never_becomes_complete_ends_with_the_stream():
    blocks, f, g = Blocks(), tool("f"), tool("g")
    blocks.add(f, '{"a":')
    blocks.add(g, '{"b":1}')
    assert shown(blocks.say("content", "after")) == []
    assert shown(blocks.finish()) == ["-0", "+1 g", '1 {"b":1}', "-1", "+2 text", "2 after", "-2"]


def test_what_comes_for_a_closed_block_is_not_told():
    blocks, f = Blocks(), tool("f")
    blocks.add(f, "{}")
    blocks.say("content", "a")
    assert shown(blocks.add(f, " ")) == []
    assert shown(blocks.say("content", "b")) == ["1 b"]
    assert shown(blocks.finish()) == ["-1"]


def test_white_space_between_the_pieces_of_arguments_is_kept():
    blocks, f = Blocks(), tool("f")
    blocks.add(f, " ")
    blocks.add(f, '{"a":"x')
    blocks.add(f, "  ")
    assert shown(blocks.add(f, 'y"}')) == ['0   y"}']
    assert shown(blocks.finish()) == ["-0"]


def test_arguments_of_nothing_but_white_space_are_none():
    blocks, f = Blocks(), tool("f")
    assert shown(blocks.add(f, "\n")) == ["+0 f"]
    assert shown(blocks.finish()) == ["-0"]


def test_free_text_comes_whole_and_wrapped():
    blocks, f = Blocks(), tool("f", "custom")
    assert shown(blocks.add(f, 'say "')) == ["+0 f"]
    assert shown(blocks.add(f, 'hi"')) == []
    assert shown(blocks.finish()) == ['0 {"input":"say \\"hi\\""}', "-0"]


def test_a_call_is_told_once_its_name_is_known():
    blocks, f = Blocks(), tool("")
    assert shown(blocks.add(f, "{")) == []
    f.name = "f"
    assert shown(blocks.add(f, "}")) == ["+0 f", "0 {}"]


def test_a_call_that_never_gets_a_name_can_not_be_told():
    blocks = Blocks()
    blocks.add(tool(""), "{}")
    blocks.say("content", "a")
    assert blocks.finish() is None


def test_the_bytes_of_events():
    assert delta(3, 'a"\n').raw == (
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"a\\"\\n"}}\n\n'
    )
    assert delta(0, "{", calls=True).json()["delta"] == {"type": "input_json_delta", "partial_json": "{"}
    assert event("message_stop", {}).raw == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert json.loads(event("x", {"a": 1}).data or b"") == {"type": "x", "a": 1}
