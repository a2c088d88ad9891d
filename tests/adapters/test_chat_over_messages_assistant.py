"""The assistant's turns: rebuilt from what a client kept, or restored from the native content of the answer."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from adapters.chat_over_messages_assistant import assistant_blocks, identity_of
from adapters.chat_over_messages_notes import Notes
from adapters.errors import Refused

MARK = {"type": "ephemeral"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig"}
HIDDEN = {"type": "redacted_thinking", "data": "xyz"}


def text(said: str, **members: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **members}


def call(identity: Any = "call_1", arguments: Any = '{"a":1}', name: Any = "f", **members: Any) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}, **members}


def use(identity: str = "call_1", given: Any = None, **members: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": "f", "input": {"a": 1} if given is None else given, **members}


def blocks(notes: Notes | None = None, **message: Any) -> list[dict[str, Any]]:
    """The decoded blocks, once it is sure that the sent ones say the same."""
    said, plain = assistant_blocks({"role": "assistant", **message}, "m", notes or Notes())
    assert msgspec.json.decode(msgspec.json.encode(said)) == plain
    return plain


def refused(**message: Any) -> str | None:
    with pytest.raises(Refused) as caught:
        assistant_blocks({"role": "assistant", **message}, "m", Notes())
    assert caught.value.status == 400
    return caught.value.param


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": "Hi"}, [text("Hi")]),
        ({"content": "Hi", "name": "x", "audio": None, "function_call": None, "reasoning_content": "hm"}, [text("Hi")]),
        ({"content": ""}, []),
        ({"content": " \n", "tool_calls": []}, []),
        ({}, []),
        ({"content": None, "refusal": "No."}, [text("No.")]),
        ({"content": [text("a"), {"type": "refusal", "refusal": "No."}]}, [text("a"), text("No.")]),
        ({"content": None, "tool_calls": [call()]}, [use()]),
        ({"content": "Hi", "tool_calls": [call(), call("call_2", "")]}, [text("Hi"), use(), use("call_2", {})]),
        ({"content": "\n\n", "tool_calls": [call(arguments=None)]}, [use(given={})]),
        (
            {"content": "Hi", "thinking_blocks": [THOUGHT, HIDDEN], "tool_calls": [call()]},
            [THOUGHT, HIDDEN, text("Hi"), use()],
        ),
        ({"content": [THOUGHT, text("Hi")], "thinking_blocks": [THOUGHT]}, [THOUGHT, text("Hi")]),
        ({"content": "Hi", "thinking_blocks": None}, [text("Hi")]),
        ({"content": "Hi", "cache_control": MARK}, [text("Hi", cache_control=MARK)]),
        ({"tool_calls": [call(cache_control=MARK), call("b")]}, [use(cache_control=MARK), use("b")]),
        ({"content": "Hi", "tool_calls": [call()], "cache_control": MARK}, [text("Hi"), use(cache_control=MARK)]),
    ],
)
def test_what_an_assistant_said(message: dict[str, Any], expected: Any) -> None:
    assert blocks(**message) == expected


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"audio": {"id": "a"}}, "m.audio"),
        ({"function_call": {"name": "f"}}, "m.function_call"),
        ({"content": 7}, "m.content"),
        ({"refusal": 7}, "m.refusal"),
        ({"thinking_blocks": "hm"}, "m.thinking_blocks"),
        ({"thinking_blocks": [text("a")]}, "m.thinking_blocks"),
        ({"thinking_blocks": [{"type": {}}]}, "m.thinking_blocks"),
        ({"tool_calls": {}}, "m.tool_calls"),
        ({"tool_calls": [7]}, "m.tool_calls[0]"),
        ({"tool_calls": [call(), {"type": "custom", "id": "a", "custom": {}}]}, "m.tool_calls[1]"),
        ({"tool_calls": [call(None)]}, "m.tool_calls[0].id"),
        ({"tool_calls": [call("")]}, "m.tool_calls[0].id"),
        ({"tool_calls": [call(name=7)]}, "m.tool_calls[0].function"),
        ({"tool_calls": [call(name="")]}, "m.tool_calls[0].function"),
        ({"tool_calls": [{"id": "a"}]}, "m.tool_calls[0].function"),
        ({"tool_calls": [call(arguments={"a": 1})]}, "m.tool_calls[0].function.arguments"),
        ({"tool_calls": [call(arguments="{")]}, "m.tool_calls[0].function.arguments"),
        ({"tool_calls": [call(arguments="[]")]}, "m.tool_calls[0].function.arguments"),
        ({"tool_calls": [call(arguments='{"a":1,"a":2}')]}, "m.tool_calls[0].function.arguments"),
        ({"tool_calls": [call(arguments='{"a":NaN}')]}, "m.tool_calls[0].function.arguments"),
        ({"tool_calls": [call(arguments="{} {}")]}, "m.tool_calls[0].function.arguments"),
        ({"tool_calls": [call(arguments="\ud800")]}, "m.tool_calls[0].function.arguments"),
        ({"thinking_blocks": [THOUGHT], "cache_control": MARK}, "m"),
    ],
)
def test_what_an_assistant_can_not_have_said(message: dict[str, Any], param: str) -> None:
    assert refused(**message) == param


@pytest.mark.parametrize(
    "arguments", ['{"a":1}', '{ "b" : 1.0,\n "a" : 1e5 }', '{"n":12345678901234567890123,"u":"\\u00e9"}']
)
def test_arguments_are_sent_as_they_were_written(arguments: str) -> None:
    said, plain = assistant_blocks({"tool_calls": [call(arguments=arguments)]}, "m", Notes())
    assert b'"input":' + arguments.encode() + b"}" in msgspec.json.encode(said)
    assert plain[0]["input"] == msgspec.json.decode(arguments)


def test_ids_that_the_provider_does_not_take_are_replaced() -> None:
    assert identity_of("toolu_01-A") == "toolu_01-A"
    assert identity_of("a" * 64) == "a" * 64
    strange = ["a" * 65, "call:1", "functions.f:0", "é", "a b", "\ud800", "a\n"]
    replaced = [identity_of(one) for one in strange]
    assert len(set(replaced)) == len(strange)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in replaced)
    assert blocks(tool_calls=[call("call:1")]) == [use(identity_of("call:1"))]


NATIVE = [text("One. "), THOUGHT, text("Two.", citations=[{"type": "x"}]), {"type": "of_tomorrow"}, use()]


def test_native_content_is_used_as_it_is() -> None:
    members = {"content": "One. Two.", "thinking_blocks": [THOUGHT], "tool_calls": [call(arguments='{ "a": 1 }')]}
    assert blocks(**members, content_blocks=NATIVE) == NATIVE
    assert blocks(content=[text("One. "), text("Two.")], tool_calls=[call()], content_blocks=NATIVE) == NATIVE
    assert blocks(content=None, tool_calls=[call()], content_blocks=[THOUGHT, use()]) == [THOUGHT, use()]


def test_empty_texts_of_native_content_are_left_out() -> None:
    assert blocks(content="\nHi", content_blocks=[text("\n"), THOUGHT, text(""), text("Hi")]) == [THOUGHT, text("Hi")]


def test_native_content_keeps_and_takes_marks() -> None:
    notes = Notes()
    native = [text("Hi", cache_control=MARK), use()]
    said = blocks(notes, content="Hi", tool_calls=[call(cache_control=MARK)], content_blocks=native)
    assert said == [text("Hi", cache_control=MARK), use(cache_control=MARK)]
    assert notes.marks == 2
    assert "cache_control" not in native[1]


REBUILT = [text("Hi"), use()]


@pytest.mark.parametrize(
    "native",
    [
        None,
        "Hi",
        [7],
        [text("Hello"), use()],
        [text(7), use()],
        [{"type": "text"}, use()],
        [text("Hi")],
        [text("Hi"), use("call_2")],
        [text("Hi"), use(), use()],
        [text("Hi"), use(given={"a": 2})],
        [text("Hi"), {"type": "tool_use", "id": [], "name": {}, "input": None}],
    ],
)
def test_native_content_that_says_something_else_is_ignored(native: Any) -> None:
    assert blocks(content="Hi", tool_calls=[call()], content_blocks=native) == REBUILT
