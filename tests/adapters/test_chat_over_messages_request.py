"""Whole requests: every row of the mapping once, the same bytes each time, and no body that makes it fall over."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from adapters.capabilities import UNKNOWN
from adapters.chat_over_messages_request import request
from adapters.errors import Refused
from adapters.translation import Terms
from adapters.vocabulary import Sent

NEW, OLD = "claude-opus-5-5", "claude-opus-4-5"
MARK = {"type": "ephemeral"}
OBJECT = {"type": "object", "properties": {}, "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "f", "parameters": OBJECT}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{ "a": 1.0 }'}}
HI = [{"role": "user", "content": "Hi"}]
SAID = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
LOOP = [
    *HI,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "42"},
]


def sent(body: dict[str, Any], model: str = NEW, **terms: Any) -> Sent:
    return request({"model": "m", "messages": HI} | body, Terms(model, **terms))


def refused(body: dict[str, Any], model: str = NEW, **terms: Any) -> str | None:
    with pytest.raises(Refused) as caught:
        sent(body, model, **terms)
    assert caught.value.status == 400
    return caught.value.param


def user(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def text(said: str, **members: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **members}


BASE = {"model": NEW, "max_tokens": 128_000, "messages": SAID}

MAPPED = [
    ({}, {}),
    ({"messages": [{"role": "system", "content": "S"}, *HI]}, {"system": [text("S")]}),
    (
        {"messages": [{"role": "developer", "content": [text("S", cache_control=MARK)]}, *HI]},
        {"system": [text("S", cache_control=MARK)]},
    ),
    ({"system": "S"}, {"system": [text("S")]}),
    (
        {"system": [text("S")], "messages": [{"role": "system", "content": "T"}, *HI]},
        {"system": [text("S"), text("T")]},
    ),
    ({"messages": [{"role": "user", "name": "Ann", "content": "Hi"}]}, {}),
    ({"max_completion_tokens": 5, "max_tokens": 7}, {"max_tokens": 5}),
    ({"max_tokens": 7}, {"max_tokens": 7}),
    ({"temperature": 1, "top_p": 1, "n": 1, "logprobs": False, "logit_bias": {}, "seed": None}, {}),
    ({"stop": "END"}, {"stop_sequences": ["END"]}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
    ({"stream": False}, {}),
    ({"tools": [TOOL]}, {"tools": [{"name": "f", "input_schema": OBJECT}]}),
    ({"tools": []}, {}),
    (
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": [{"name": "f", "input_schema": OBJECT}], "tool_choice": {"type": "auto"}},
    ),
    (
        {"tools": [TOOL], "parallel_tool_calls": False},
        {
            "tools": [{"name": "f", "input_schema": OBJECT}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        },
    ),
    ({"tool_choice": "none"}, {}),
    (
        {
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": OBJECT}},
            "reasoning_effort": "low",
        },
        {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": OBJECT}}},
    ),
    ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
    ({"reasoning_effort": "high", "output_config": {"effort": "max"}}, {"output_config": {"effort": "max"}}),
    ({"service_tier": "default"}, {"service_tier": "standard_only"}),
    ({"prompt_cache_key": "k", "cache": {"no-store": True}}, {}),
    ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
    ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
    (
        {"container": "c", "diagnostics": {"previous_message_id": None}},
        {"container": "c", "diagnostics": {"previous_message_id": None}},
    ),
    ({"inference_geo": "us", "speed": "fast"}, {"inference_geo": "us", "speed": "fast"}),
    (
        user(text("Hi", prompt_cache_breakpoint={"mode": "explicit", "ttl": "30m"})),
        {"messages": [{"role": "user", "content": [text("Hi", cache_control={"type": "ephemeral", "ttl": "1h"})]}]},
    ),
    (
        {"messages": LOOP},
        {
            "messages": [
                *SAID,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1.0}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "42"}]},
            ]
        },
    ),
]


@pytest.mark.parametrize(("body", "expected"), MAPPED)
def test_what_is_translated(body: dict[str, Any], expected: dict[str, Any]) -> None:
    said = sent(body)
    assert said.target == "/messages"
    assert said.parsed == BASE | expected
    assert said.warnings == ()
    assert msgspec.json.decode(said.body) == said.parsed
    assert sent(body, strict=True) == said


READERS = {
    False: TypeAdapter(MessageCreateParamsNonStreaming),
    True: TypeAdapter(MessageCreateParamsStreaming),
}


@pytest.mark.parametrize("body", [body for body, _ in MAPPED])
def test_the_sdks_types_know_it(body: dict[str, Any]) -> None:
    said = sent(body)
    READERS["stream" in said.parsed].validate_python(said.parsed, strict=False)


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        ({"temperature": 0.5}, "temperature: dropped"),
        ({"top_p": 0.5}, "top_p: dropped"),
        ({"top_k": 5}, "top_k: dropped"),
        ({"service_tier": "priority"}, "service_tier: dropped"),
        ({"seed": 1}, "seed: dropped"),
        ({"store": True}, "store: dropped"),
        ({"metadata": {"a": "b"}}, "metadata: dropped"),
        ({"user_profile_id": "u"}, "user_profile_id: dropped"),
        (
            user(text("Hi", prompt_cache_breakpoint={"mode": "explicit", "ttl": "12h"})),
            "prompt_cache_breakpoint: 12h lowered to 1h",
        ),
    ],
)
def test_what_is_lost_is_said(body: dict[str, Any], warning: str) -> None:
    assert sent(body).warnings == (warning,)
    assert warning.isascii()
    assert (refused(body, strict=True) or "").endswith(("ttl", warning.partition(":")[0]))


def test_an_effort_that_the_model_lacks() -> None:
    said = sent({"reasoning_effort": "max"}, OLD)
    assert said.warnings == ("reasoning_effort: max lowered to high",)
    assert said.parsed["output_config"] == {"effort": "high"}
    assert refused({"reasoning_effort": "max"}, OLD, strict=True) == "reasoning_effort"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content"),
        ({"messages": [*HI, {"role": "assistant", "content": "So"}]}, "messages[1]"),
        ({"messages": [{"role": "assistant", "content": "So"}, *HI]}, "messages[0]"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].role"),
        ({"messages": LOOP[1:]}, "messages[0]"),
        (user({"type": "input_audio", "input_audio": {}}), "messages[0].content[0]"),
        (user({"type": "file", "file": {"file_id": "x"}}), "messages[0].content[0].file.file_id"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 129}, "n"),
        ({"n": "2"}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"audio": {}}, "audio"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"functions": [{}]}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"moderation": {}}, "moderation"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"stop": " "}, "stop"),
        ({"temperature": 3}, "temperature"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"reasoning_effort": "none"}, "reasoning_effort"),
        ({"prompt_cache_options": []}, "prompt_cache_options"),
        ({"output_config": "high"}, "output_config"),
        ({"system": 7}, "system"),
        ({"system": ["S"]}, "system"),
        ({"user": 7}, "user"),
        ({"service_tier": 7}, "service_tier"),
    ],
)
def test_what_is_refused(body: dict[str, Any], param: str) -> None:
    assert refused(body) == param


def test_a_tool_is_not_forced_while_thinking_is_turned_on() -> None:
    forced = {"tools": [TOOL], "tool_choice": "required"}
    assert refused(forced | {"reasoning_effort": "high"}, "claude-opus-4-8") == "tool_choice"
    assert refused(forced | {"thinking": {"type": "enabled", "budget_tokens": 2000}}, OLD) == "tool_choice"
    assert sent(forced, "claude-opus-4-8").parsed["tool_choice"] == {"type": "any"}
    # `claude-sonnet-5` thinks anyway, and can be forced all the same
    assert sent(forced | {"thinking": {"type": "adaptive"}}, "claude-sonnet-5").parsed["tool_choice"] == {"type": "any"}


def test_sampling_of_an_older_version() -> None:
    said = sent({"temperature": 1.5}, OLD, version="2023-06-01")
    assert (said.parsed["temperature"], said.warnings) == (1, ("temperature: lowered to 1",))
    assert sent({"temperature": 0}, OLD, version="2023-06-01").parsed["temperature"] == 0
    thinks = sent({"temperature": 0, "reasoning_effort": "low"}, OLD, version="2023-06-01")
    assert thinks.warnings == ("temperature: dropped",)
    assert thinks.parsed["thinking"] == {"type": "enabled", "budget_tokens": 1024}


def test_thinking_that_the_conversation_forbids() -> None:
    lost = sent({"messages": LOOP, "reasoning_effort": "low"}, OLD)
    assert lost.warnings == ("reasoning_effort: dropped, the last tool calls come without their thinking",)
    assert "thinking" not in lost.parsed
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    kept = [LOOP[0], {**LOOP[1], "thinking_blocks": [thought]}, LOOP[2]]
    assert sent({"messages": kept, "reasoning_effort": "low"}, OLD).parsed["thinking"]["type"] == "enabled"
    begun = [*HI, {"role": "assistant", "content": "So"}]
    prefilled = sent({"messages": begun, "reasoning_effort": "low"}, OLD)
    assert prefilled.warnings == ("reasoning_effort: dropped, the last message is the assistant's",)


def test_the_limit_that_nobody_named() -> None:
    assert sent({}, max_tokens=4096).parsed["max_tokens"] == 4096
    assert sent({}, "some-other-model").parsed["max_tokens"] == 8192


def test_what_the_provider_says_of_a_model_replaces_the_table() -> None:
    assert request({"messages": HI}, Terms(NEW), UNKNOWN).parsed["max_tokens"] == 8192


def test_who_asks_is_told_as_a_hash() -> None:
    assert len(sent({"user": "ann@example.com"}).parsed["metadata"]["user_id"]) == 32


def test_at_most_four_marks() -> None:
    marked = text("a", cache_control=MARK)
    tool = TOOL | {"cache_control": MARK}
    assert sent(user(marked, marked) | {"tools": [tool], "cache_control": MARK}).warnings == ()
    assert refused(user(marked, marked, marked, marked, marked)) == "messages[0].content[4]"
    assert refused(user(marked, marked, marked, marked) | {"cache_control": MARK}) == "messages[0].content[3]"
    assert refused(user(marked, marked, marked, marked) | {"tools": [tool]}) == "tools[0]"
    assert refused(user(marked, marked, marked, marked) | {"system": [text("S", cache_control=MARK)]}) == "system[0]"


# ---------------------------------------------------------------- the same bytes


def test_arguments_travel_as_they_were_written() -> None:
    said = sent({"messages": LOOP})
    assert b'"input":{ "a": 1.0 }}' in said.body


def test_the_order_of_the_clients_members_does_not_matter() -> None:
    body = {
        "messages": LOOP,
        "tools": [TOOL],
        "stop": "END",
        "user": "u",
        "max_tokens": 5,
        "reasoning_effort": "low",
        "service_tier": "auto",
        "cache_control": MARK,
        "container": "c",
    }
    assert sent(body).body == sent(dict(reversed(body.items()))).body
    assert list(sent(body).parsed) == [
        "model", "max_tokens", "output_config", "tools", "messages", "stop_sequences", "metadata", "service_tier",
        "cache_control", "container",
    ]  # fmt: skip


def test_the_clients_body_is_not_touched() -> None:
    body = {"messages": copy.deepcopy(LOOP), "tools": [copy.deepcopy(TOOL)], "cache_control": MARK}
    before = json.dumps(body)
    sent(body)
    assert json.dumps(body) == before


def test_what_can_not_be_encoded_is_refused() -> None:
    assert refused(user(text("\ud800"))) is None
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert refused({"thinking": deep}) is None


def test_several_answers_are_asked_for_one_by_one_and_count_in_the_key() -> None:
    one, three = sent({}), sent({"n": 3})
    assert (one.copies, three.copies) == (1, 3)
    assert one.body == three.body
    assert three.parsed == one.parsed | {"n": 3}
    assert three.warnings == ()


# ---------------------------------------------------------------- anything may come

WORDS = [
    "type", "text", "role", "content", "user", "assistant", "tool", "system", "function", "name", "id", "tool_calls",
    "tool_call_id", "arguments", "parameters", "image_url", "url", "file", "file_data", "thinking", "thinking_blocks",
    "content_blocks", "cache_control", "prompt_cache_breakpoint", "mode", "ttl", "explicit", "12h", "tool_use", "input",
    "json_schema", "schema", "enabled", "budget_tokens", "auto", "none", "high", "{}", "c", "data:image/png;base64,",
]  # fmt: skip
MEMBERS = [
    "messages", "tools", "tool_choice", "max_tokens", "temperature", "top_p", "top_k", "stop", "thinking", "system",
    "reasoning_effort", "response_format", "output_config", "service_tier", "user", "cache_control", "n", "seed",
    "prompt_cache_options", "parallel_tool_calls", "modalities", "functions", "metadata", "stream",
]  # fmt: skip
words = st.sampled_from(WORDS)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)
FULL: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": [text("S", cache_control=MARK)]},
        {
            "role": "user",
            "content": [text("Hi"), {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}],
        },
        {
            "role": "assistant",
            "content": "a",
            "tool_calls": [CALL],
            "thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "s"}],
            "content_blocks": [text("a"), {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": [text("r", prompt_cache_breakpoint={"mode": "explicit"})]},
        {
            "role": "user",
            "content": [{"type": "file", "file": {"file_data": "data:text/plain;base64,QQ==", "filename": "a"}}],
        },
        {"role": "system", "content": "later"},
    ],
    "tools": [TOOL],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"schema": {}}},
    "prompt_cache_options": {"ttl": "30m"},
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "stop": ["a"],
    "temperature": 0.5,
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


PLACES = [place for place in places(FULL) if place]


def answer(body: dict[str, Any], model: str) -> Sent | int:
    try:
        return request(body, Terms(model))
    except Refused as refusal:
        return refusal.status


def check(body: dict[str, Any], model: str) -> None:
    """Either a refusal, or bytes that say what is counted."""
    said = answer(body, model)
    if isinstance(said, int):
        assert said == 400
        return
    counted = msgspec.json.decode(msgspec.json.encode(said.parsed))
    assert counted.pop("n", 1) == said.copies
    assert msgspec.json.decode(said.body) == counted
    assert all(warning.isascii() and "\n" not in warning for warning in said.warnings)
    assert request(copy.deepcopy(body), Terms(model)) == said


models = st.sampled_from([NEW, OLD, "claude-opus-4-8", "claude-3-5-haiku", "other"])


@given(st.dictionaries(st.sampled_from(MEMBERS), anything, max_size=5), models)
def test_any_body(body: dict[str, Any], model: str) -> None:
    check(body, model)
    check({"messages": HI} | body, model)


@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3), models)
def test_a_body_with_anything_anywhere(changes: list[tuple[tuple[Any, ...], Any]], model: str) -> None:
    body = copy.deepcopy(FULL)
    for (*path, last), value in changes:
        holder: Any = body
        for step in path:
            try:
                holder = holder[step]
            except (KeyError, IndexError, TypeError):
                break  # another change took it away
        if isinstance(holder, dict) or (isinstance(holder, list) and isinstance(last, int) and last < len(holder)):
            holder[last] = value
    check(body, model)


def test_the_body_that_is_changed_is_a_good_one() -> None:
    check(FULL, OLD)
    assert sent(FULL, OLD).warnings != ()
