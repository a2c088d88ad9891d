"""A whole chat completion as a message, and the official client that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import Unfoldable
from adapters.messages_over_chat_answer import answer, usage_of
from adapters.messages_over_chat_ids import invented, outward
from adapters.translation import Terms
from adapters.usage import Usage

DATA = Path(__file__).parent / "data"
RECORDED = sorted(DATA.glob("*.json"))
TERMS = Terms("gpt-4.1")
NOTHING = usage_of(None)


def whole(message: Any = None, finish: Any = "stop", **members: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "Hi"} if message is None else message
    choices = [{"index": 0, "message": said, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-x", "choices": choices, **members}


def turned(message: Any = None, finish: Any = "stop", **members: Any) -> dict[str, Any]:
    return answer(whole(message, finish, **members), TERMS, 17.5)


def call(arguments: Any = '{"a":1}', ident: Any = "call_1", name: Any = "f") -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def use(given: Any, ident: str = "call_1", name: str = "f") -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": given}


def test_the_form_of_a_message():
    assert turned() == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-x",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": NOTHING,
    }


CONTENT: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("nothing", {"content": None}, []),
    ("blank", {"content": " \n"}, []),
    ("unicode", {"content": "👍🏽 Grüße"}, [{"type": "text", "text": "👍🏽 Grüße"}]),
    ("parts", {"content": [{"type": "text", "text": "a"}, {"type": "x"}, 5]}, [{"type": "text", "text": "a"}]),
    ("reasoning", {"content": "a", "reasoning_content": "hm"}, [{"type": "text", "text": "a"}]),
    ("reasoning elsewhere", {"content": "a", "reasoning": "hm"}, [{"type": "text", "text": "a"}]),
    ("audio", {"content": None, "audio": {"transcript": "a", "data": "x"}}, [{"type": "text", "text": "a"}]),
    ("annotations", {"content": "a", "annotations": [{}]}, [{"type": "text", "text": "a"}]),
    ("call", {"content": None, "tool_calls": [call()]}, [use({"a": 1})]),
    ("text and call", {"content": "a", "tool_calls": [call()]}, [{"type": "text", "text": "a"}, use({"a": 1})]),
    ("calls", {"tool_calls": [call(), call("{}", "c2", "g")]}, [use({"a": 1}), use({}, "c2", "g")]),
    ("call without arguments", {"tool_calls": [call("")]}, [use({})]),
    ("call with blank arguments", {"tool_calls": [call(" \n")]}, [use({})]),
    ("call with null arguments", {"tool_calls": [call(None)]}, [use({})]),
    ("call with an object", {"tool_calls": [call({"a": 1})]}, [use({"a": 1})]),
    ("order of members", {"tool_calls": [call('{"b":1,"a":2.0}')]}, [use({"b": 1, "a": 2.0})]),
    (
        "large numbers",
        {"tool_calls": [call('{"n":123456789012345678901234567890}')]},
        [use({"n": 123456789012345678901234567890})],
    ),
    ("id of no allowed form", {"tool_calls": [call(ident="functions.f:0")]}, [use({"a": 1}, outward("functions.f:0"))]),
    ("call without id", {"tool_calls": [call(ident=None)]}, [use({"a": 1}, invented("chatcmpl-1", 0))]),
    (
        "calls with empty ids",
        {"tool_calls": [call(), call(ident="")]},
        [use({"a": 1}), use({"a": 1}, invented("chatcmpl-1", 1))],
    ),
    ("function_call", {"function_call": {"name": "f", "arguments": "{}"}}, [use({}, invented("chatcmpl-1", 0))]),
    (
        "free text",
        {"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}]},
        [use({"input": "x"}, "c")],
    ),
]


@pytest.mark.parametrize(("message", "content"), [case[1:] for case in CONTENT], ids=[case[0] for case in CONTENT])
def test_content(message: dict[str, Any], content: list[dict[str, Any]]):
    out = turned(message)
    assert out["content"] == content
    assert json.dumps(out["content"]) == json.dumps(content)  # the order of members, too
    assert out["stop_reason"] == ("tool_use" if content and content[-1]["type"] == "tool_use" else "end_turn")


CALLING = {"content": None, "tool_calls": [call()]}


@pytest.mark.parametrize(
    ("finish", "message", "stop"),
    [
        ("stop", None, "end_turn"),
        ("length", None, "max_tokens"),
        ("content_filter", None, "refusal"),
        ("tool_calls", CALLING, "tool_use"),
        ("function_call", CALLING, "tool_use"),
        ("stop", CALLING, "tool_use"),
        ("length", CALLING, "max_tokens"),
        ("content_filter", CALLING, "refusal"),
        ("tool_calls", None, None),
        ("insufficient_system_resource", None, None),
        ("insufficient_system_resource", CALLING, None),
        (None, None, None),
        (["stop"], None, None),
    ],
)
def test_why_it_stopped(finish: Any, message: Any, stop: str | None):
    assert turned(message, finish)["stop_reason"] == stop


def test_a_refusal():
    out = turned({"content": None, "refusal": "I can't."})
    assert out["content"] == [{"type": "text", "text": "I can't."}]
    assert out["stop_reason"] == "refusal"
    assert out["stop_details"] == {"type": "refusal", "category": None, "explanation": "I can't."}
    assert turned(None, "content_filter")["stop_details"]["explanation"] is None


def test_what_was_cut_at_its_limit_leaves_out_the_call_in_the_middle():
    calls = [call(), call('{"a": "unfin', "c2")]
    assert turned({"content": "a", "tool_calls": calls}, "length")["content"] == [
        {"type": "text", "text": "a"},
        use({"a": 1}),
    ]
    with pytest.raises(Unfoldable):
        turned({"content": "a", "tool_calls": calls}, "tool_calls")


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", "5", '{"a":1}{"b":2}', "1e999"])
def test_arguments_that_are_no_object_make_no_answer(arguments: str):
    with pytest.raises(Unfoldable):
        turned({"tool_calls": [call(arguments)]})


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"choices": []},
        {"choices": {}},
        {"choices": [1]},
        {"choices": [{"message": "hi"}]},
        {"choices": [{"delta": {}}]},
        {"error": {"message": "no"}},
        whole() | {"error": "no"},
        whole({"tool_calls": {"a": 1}}),
        whole({"tool_calls": [1]}),
        whole({"tool_calls": [call(name=None)]}),
        whole({"tool_calls": [call(name=5)]}),
    ],
)
def test_what_is_no_answer_makes_none(message: dict[str, Any]):
    with pytest.raises(Unfoldable):
        answer(message, TERMS, 17.5)


def test_of_several_choices_the_first():
    choices = [
        {"index": 1, "message": {"content": "b"}, "finish_reason": "stop"},
        {"index": 0, "message": {"content": "a"}, "finish_reason": "length"},
    ]
    out = turned(choices=choices)
    assert (out["content"], out["stop_reason"]) == ([{"type": "text", "text": "a"}], "max_tokens")


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (None, (0, 0, 0, 0, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 2}, (10, 0, 0, 2, 0)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            (10, 30, 60, 9, 4),
        ),
        ({"prompt_cache_hit_tokens": 7, "prompt_cache_miss_tokens": 3, "completion_tokens": 1}, (3, 0, 7, 1, 0)),
        ({"prompt_tokens": "many", "completion_tokens": None}, (0, 0, 0, 0, 0)),
    ],
)
def test_usage_is_counted_apart(usage: Any, counts: tuple[int, ...]):
    given = turned(usage=usage)["usage"]
    thinking = given.pop("output_tokens_details")["thinking_tokens"]
    assert (*given.values(), thinking) == counts
    assert list(given) == ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"]


def test_every_class_of_writes_is_a_write():
    usage = usage_of(Usage(uncached=1, read=2, write_5m=4, write_30m=8, write_12h=16))
    assert usage["cache_creation_input_tokens"] == 28


def test_a_message_without_an_id_gets_its_own():
    message = whole()
    for ident in (None, "", 5):
        message["id"] = ident
        out = answer(message, TERMS, 17.5)
        assert out["id"].startswith("msg_")
        assert out == answer(message, TERMS, 17.5)
        assert out["id"] != answer(message, TERMS, 17.6)["id"]
    assert answer(whole(model=None), TERMS, 0)["model"] == "gpt-4.1"


# ---------------------------------------------------------------- properties

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
messages = st.dictionaries(
    st.sampled_from(["content", "refusal", "tool_calls", "function_call", "audio"]),
    anything
    | st.lists(
        st.dictionaries(
            st.sampled_from(["id", "function", "custom"]),
            anything | st.dictionaries(st.sampled_from(["name", "arguments", "input"]), anything),
        )
    ),
)


@settings(max_examples=300)
@given(messages, anything, st.dictionaries(st.sampled_from(["id", "model", "usage", "choices"]), anything))
def test_any_type_anywhere_is_read_or_no_answer(message: dict[str, Any], finish: Any, members: dict[str, Any]):
    try:
        out = turned(message, finish, **members)
    except Unfoldable:
        return
    assert msgspec.json.decode(msgspec.json.encode(out)) == out


# ---------------------------------------------------------------- the official client


def read_by_the_client(message: dict[str, Any]) -> anthropic.types.Message:
    body = msgspec.json.encode(message)
    headers = {"content-type": "application/json"}
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, headers=headers, content=body))
    with anthropic.Anthropic(
        api_key="k", base_url="http://test.local", max_retries=0, http_client=httpx2.Client(transport=transport)
    ) as client:
        return client.messages.create(model="m", max_tokens=10, messages=[{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize("path", RECORDED, ids=[path.stem for path in RECORDED])
def test_the_official_client_reads_recorded_answers(path: Path):
    out = answer(msgspec.json.decode(path.read_bytes()), TERMS, 17.5)
    assert read_by_the_client(out).to_dict() == out
