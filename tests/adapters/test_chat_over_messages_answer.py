from __future__ import annotations

import json
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI

from adapters.chat_over_messages_answer import FINISH, REFUSED, answer, restorable
from adapters.errors import Unfoldable
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_fold import fold
from adapters.openai_unfold import unfold
from adapters.translation import Terms
from tests.adapters.anthropic_transcripts import (
    CHARS,
    DETAILED,
    FOUND,
    MESSAGES,
    REFUSAL,
    SEARCH,
    Block,
    message,
    redacted,
    text,
    thinking,
    tool,
    web,
)

TERMS = Terms("claude-opus-5-5")
SHOWING = TERMS._replace(reasoning=True)


def said(*content: Block, terms: Terms = TERMS, **more: Any) -> dict[str, Any]:
    members: dict[str, Any] = choice(*content, terms=terms, **more)["message"]
    return members


def choice(*content: Block, terms: Terms = TERMS, **more: Any) -> dict[str, Any]:
    only: dict[str, Any]
    (only,) = answer(message(*content, **more), terms, 17.9)["choices"]
    return only


def usage_told(**native: Any) -> dict[str, Any]:
    told: dict[str, Any] = answer(message(text("Hi"), usage=native), TERMS, 17.9)["usage"]
    return told


def rebuilt(members: dict[str, Any]) -> list[Block]:
    """The native content, as the request side has to put it together from what the client sends back."""
    if "content_blocks" in members:
        return [*members["content_blocks"]]
    blocks = [*members.get("thinking_blocks", ())]
    if members["content"]:
        blocks.append({"type": "text", "text": members["content"]})
    for call in members.get("tool_calls", ()):
        function = call["function"]
        blocks.append(tool(call["id"], json.loads(function["arguments"]), name=function["name"]))
    return blocks


def exact(value: Any) -> bytes:
    """Canonical JSON: tells 1 from 1.0 and from true, as `==` does not."""
    return msgspec.json.encode(value, order="deterministic")


# ---------------------------------------------------------------- the table


def test_the_whole_of_a_plain_answer() -> None:
    assert answer(message(text("Hello!")), TERMS, 17.9) == {
        "id": "msg_01",
        "object": "chat.completion",
        "created": 17,
        "model": "claude-opus-5-5",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello!", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 25,
            "completion_tokens": 15,
            "total_tokens": 40,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        },
    }


def test_texts_are_joined() -> None:
    assert said(text("One "), thinking("Hm"), text("two"))["content"] == "One two"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], ""),
        ([text("")], ""),
        ([tool("a", {})], None),
        ([text(""), tool("a", {})], None),
        ([text("x"), tool("a", {})], "x"),
        ([thinking("x")], ""),
        ([SEARCH, FOUND], ""),
    ],
)
def test_content_is_null_only_beside_tool_calls(content: list[Block], expected: str | None) -> None:
    assert said(*content)["content"] == expected


def test_a_tool_call_keeps_the_order_and_the_values_of_its_arguments() -> None:
    given = {"z": 1.0, "a": 10**30, "m": [1e5, None, True, "ü\n"], "": {}}
    (call,) = said(tool("toolu_1", given, name="f"), stop="tool_use")["tool_calls"]
    assert call == {
        "id": "toolu_1",
        "type": "function",
        "function": {"name": "f", "arguments": call["function"]["arguments"]},
    }
    assert call["function"]["arguments"] == (
        '{"z":1.0,"a":1000000000000000000000000000000,"m":[100000.0,null,true,"ü\\n"],"":{}}'
    )


@pytest.mark.parametrize("block", [tool("a", {}), tool("a", None), {"type": "tool_use", "id": "a", "name": "f"}])
def test_a_tool_that_was_given_nothing_has_empty_arguments(block: Block) -> None:
    assert said(block)["tool_calls"][0]["function"]["arguments"] == "{}"


def test_thinking_travels_unchanged_and_shows_only_if_asked() -> None:
    blocks = [thinking("Hmm. ", more=[1]), redacted(), thinking("So.")]
    hidden, shown = said(*blocks, text("4")), said(*blocks, text("4"), terms=SHOWING)
    assert hidden["thinking_blocks"] == shown["thinking_blocks"] == blocks
    assert "reasoning_content" not in hidden
    assert shown["reasoning_content"] == "Hmm. So."


@pytest.mark.parametrize("blocks", [[], [redacted()], [thinking("")], [{"type": "thinking", "thinking": 4}]])
def test_no_reasoning_is_shown_where_there_is_none_to_read(blocks: list[Block]) -> None:
    assert "reasoning_content" not in said(*blocks, text("4"), terms=SHOWING)


def test_citations_from_the_web_point_into_the_joined_text() -> None:
    members = said(text("🦊 At "), text("06:12", web("https://a.example/"), CHARS, web("https://b.example/", None)))
    assert members["content"] == "🦊 At 06:12"
    places = [note["url_citation"] for note in members["annotations"]]
    assert [members["content"][place["start_index"] : place["end_index"]] for place in places] == ["06:12", "06:12"]
    assert [(place["url"], place["title"]) for place in places] == [
        ("https://a.example/", "A title"),
        ("https://b.example/", ""),
    ]
    assert {note["type"] for note in members["annotations"]} == {"url_citation"}


@pytest.mark.parametrize("citations", [None, [], [CHARS], "x", [None, 4], [{"type": "web_search_result_location"}]])
def test_other_citations_are_no_annotations(citations: Any) -> None:
    assert "annotations" not in said({"type": "text", "text": "Hi", "citations": citations})


@pytest.mark.parametrize(
    ("reason", "finish", "told"),
    [
        ("end_turn", "stop", False),
        ("stop_sequence", "stop", True),
        ("max_tokens", "length", False),
        ("model_context_window_exceeded", "length", True),
        ("tool_use", "tool_calls", False),
        ("refusal", "content_filter", False),
        ("pause_turn", "length", True),
        ("compaction", "stop", True),
        (None, "stop", True),
        (["end_turn"], "stop", True),
    ],
)
def test_finish_reasons(reason: Any, finish: str, told: bool) -> None:
    ended = choice(text("Hi"), stop=reason)
    assert ended["finish_reason"] == finish
    assert ("native_finish_reason" in ended) == told
    assert ended.get("native_finish_reason", reason) == reason


def test_every_stop_reason_of_the_sdk_has_a_finish_reason() -> None:
    from typing import get_args

    from anthropic.types import StopReason

    assert set(get_args(StopReason)) == set(FINISH)


def test_a_stop_sequence_is_told() -> None:
    assert choice(text("one, "), stop="stop_sequence", stop_sequence="two")["stop_sequence"] == "two"
    assert "stop_sequence" not in choice(text("one, "))


@pytest.mark.parametrize("reason", ["refusal", "max_tokens", "model_context_window_exceeded", "pause_turn"])
def test_what_would_not_be_said_again_is_not_stored(reason: str) -> None:
    assert OPENAI_CHAT.objection(answer(message(text("Hi"), stop=reason), TERMS, 0.0))


@pytest.mark.parametrize(
    ("details", "told"),
    [
        (REFUSAL, REFUSAL["explanation"]),
        (None, REFUSED),
        ({"type": "refusal", "category": None, "explanation": None}, REFUSED),
        ({"explanation": ""}, REFUSED),
        ("because", REFUSED),
    ],
)
def test_a_refusal_says_why(details: Any, told: str) -> None:
    refused = choice(text("I was"), stop="refusal", stop_details=details)
    assert refused["message"]["refusal"] == told
    assert refused["message"]["content"] == "I was"
    assert refused.get("stop_details") == details


def test_an_explanation_without_a_refusal_is_none() -> None:
    assert said(text("Hi"), stop_details=REFUSAL)["refusal"] is None


# ---------------------------------------------------------------- usage


def test_usage_in_every_class() -> None:
    assert usage_told(**DETAILED) == {
        "prompt_tokens": 4307,
        "completion_tokens": 90,
        "total_tokens": 4397,
        "prompt_tokens_details": {
            "cached_tokens": 4000,
            "cache_write_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        },
        "completion_tokens_details": {"reasoning_tokens": 60},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
        "speed": "standard",
        "inference_geo": "us",
    }


def test_our_own_reader_finds_the_classes_apart() -> None:
    read = OPENAI_CHAT.usage(answer(message(text("Hi"), usage=DETAILED), TERMS, 0.0))
    assert read is not None
    assert (read.uncached, read.read, read.prompt, read.output, read.reasoning) == (7, 4000, 4307, 90, 60)


@pytest.mark.parametrize(
    ("native", "written"),
    [
        ({"cache_creation_input_tokens": 300}, 300),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 200}}, 200),
        ({"cache_creation_input_tokens": 500, "cache_creation": {"ephemeral_5m_input_tokens": 100}}, 500),
        ({"cache_creation_input_tokens": None, "cache_creation": None}, 0),
        ({"cache_creation_input_tokens": "300", "cache_creation": [300]}, 0),
        ({"cache_creation_input_tokens": -3}, 0),
    ],
)
def test_writes_are_counted_once(native: dict[str, Any], written: int) -> None:
    told = usage_told(input_tokens=10, output_tokens=1, **native)
    assert told["prompt_tokens_details"]["cache_write_tokens"] == written
    assert told["prompt_tokens"] == 10 + written


def test_thinking_that_is_not_counted_is_not_called_zero() -> None:
    assert "completion_tokens_details" not in usage_told(input_tokens=1, output_tokens=2)
    details = usage_told(input_tokens=1, output_tokens=2, output_tokens_details={"thinking_tokens": 1, "other": 5})
    assert details["completion_tokens_details"] == {"reasoning_tokens": 1, "other": 5}


def test_a_native_member_never_hides_a_count() -> None:
    assert usage_told(input_tokens=1, prompt_tokens=99, total_tokens="many")["prompt_tokens"] == 1
    assert usage_told(input_tokens=1, prompt_tokens=99, total_tokens="many")["total_tokens"] == 1


@pytest.mark.parametrize("native", [None, {}, [], "many", 4, {"speed": "fast"}, {"input_tokens": "4"}])
def test_usage_that_nobody_reported_is_not_made_up(native: Any) -> None:
    assert "usage" not in answer(message(text("Hi"), usage=native), TERMS, 0.0)


@pytest.mark.parametrize(
    ("tier", "told"),
    [("standard", "default"), ("priority", "priority"), ("batch", "batch"), (None, None), (4, None)],
)
def test_service_tiers(tier: Any, told: str | None) -> None:
    whole = answer(message(text("Hi"), usage={"input_tokens": 1, "service_tier": tier}), TERMS, 0.0)
    assert whole.get("service_tier") == told
    assert "service_tier" not in whole["usage"]


# ---------------------------------------------------------------- nothing is lost


CANONICAL: list[list[Block]] = [
    [],
    [text("Hi")],
    [text("Hi", citations=None)],
    [text("Hi", citations=[])],
    [text(""), text("Hi"), text("")],
    [tool("a", {}), tool("b", {"x": 1})],
    [tool("a", {}, caller=None)],
    [text("Hi"), tool("a", {})],
    [thinking("Hm", extra=1), redacted(), text("Hi"), tool("a", {"x": [1.0]})],
]
SPECIAL: list[list[Block]] = [
    [text("One "), text("two")],
    [text("Hi"), thinking("Hm")],
    [tool("a", {}), text("Hi")],
    [tool("a", {}), thinking("Hm"), tool("b", {})],
    [text("Hi", CHARS)],
    [text("", CHARS)],
    [text("Hi", extra=0)],
    [SEARCH, FOUND, text("Hi")],
    [{"type": "hologram"}, text("Hi")],
    [tool("a", {}, caller={"type": "direct"})],
    [tool("a", None)],
    [tool("a", [1])],
    [tool("a", "x")],
    [{"type": "tool_use", "id": "a", "name": "f"}],
]


@pytest.mark.parametrize("content", CANONICAL)
def test_a_usual_answer_carries_nothing_twice(content: list[Block]) -> None:
    members = said(*content)
    assert "content_blocks" not in members
    bare = [
        {name: value for name, value in block.items() if value is not None and value != []}
        for block in content
        if block != text("")
    ]
    assert exact(rebuilt(members)) == exact(bare)


@pytest.mark.parametrize("content", SPECIAL)
def test_what_the_other_members_would_lose_travels_whole(content: list[Block]) -> None:
    assert said(*content)["content_blocks"] == content


@pytest.mark.parametrize("name", ["container", "context_management", "diagnostics", "input_transformations"])
def test_what_stands_beside_the_content_is_handed_on(name: str) -> None:
    assert answer(message(text("Hi"), **{name: {"id": "x"}}), TERMS, 0.0)[name] == {"id": "x"}
    assert name not in answer(message(text("Hi"), **{name: None}), TERMS, 0.0)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abü", max_size=3), inner, max_size=3),
    max_leaves=5,
)
inputs = st.dictionaries(st.text("abü", max_size=3), json_values, max_size=3)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
citations = st.lists(st.just(CHARS) | st.builds(web, st.just("https://a.example/"), st.none() | words), max_size=2)
blocks = st.one_of(
    st.builds(lambda said, cited: text(said, *cited), words, citations),
    st.builds(thinking, words, st.sampled_from(["sig", ""])),
    st.builds(redacted, words),
    st.builds(tool, words, inputs, words),
    st.just(SEARCH),
    st.just(FOUND),
    st.builds(lambda inner: {"type": "hologram", "inner": inner}, json_values),
)
messages = st.builds(
    lambda content, stop, usage: message(*content, stop=stop, usage=usage),
    st.lists(blocks, max_size=6),
    st.sampled_from([*FINISH, "new", None]),
    st.sampled_from([None, DETAILED, {"input_tokens": 3, "output_tokens": 4}]),
)


@settings(max_examples=200, deadline=None)
@given(messages, st.booleans())
def test_the_native_content_can_be_put_together_again(whole: dict[str, Any], reasoning: bool) -> None:
    members = answer(whole, TERMS._replace(reasoning=reasoning), 0.0)["choices"][0]["message"]
    native = [block for block in whole["content"] if members.get("content_blocks") or block != text("")]
    assert exact(rebuilt(members)) == exact(native)


@settings(max_examples=200, deadline=None)
@given(messages)
def test_a_stored_answer_streams_without_loss(whole: dict[str, Any]) -> None:
    told = answer(whole, SHOWING, 17.0)
    assert exact(fold(unfold(told, usage=True))) == exact(told)


# ---------------------------------------------------------------- what is no message


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "message",
        {},
        {"type": "error", "error": {"type": "api_error", "message": "x"}},
        {"type": "message"},
        {"type": "message", "content": None},
        {"type": "message", "content": "Hi"},
        {"type": "message", "content": [None]},
        {"type": "message", "content": ["Hi"]},
        {"type": "message", "content": [{}]},
        {"type": "message", "content": [{"type": None}]},
        {"type": "message", "content": [{"type": "text"}]},
        {"type": "message", "content": [{"type": "text", "text": None}]},
        {"type": "message", "content": [{"type": "text", "text": ["Hi"]}]},
        {"type": "message", "content": [{"type": "tool_use", "name": "f", "input": {}}]},
        {"type": "message", "content": [{"type": "tool_use", "id": "a", "input": {}}]},
        {"type": "message", "content": [{"type": "tool_use", "id": "a", "name": 4, "input": {}}]},
        {"type": "message", "content": [tool("a", {"x": "\ud800"})]},
        {"id": "chatcmpl-1", "object": "chat.completion", "choices": []},
    ],
)
def test_what_is_no_message_is_not_taken_for_one(broken: Any) -> None:
    with pytest.raises(Unfoldable):
        answer(broken, TERMS, 0.0)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_type_anywhere_breaks_it(data: st.DataObject) -> None:
    whole = json.loads(json.dumps(data.draw(st.sampled_from(list(MESSAGES.values())))))
    spot: Any = whole
    while isinstance(spot, dict | list) and spot:
        key = data.draw(st.sampled_from(list(spot) if isinstance(spot, dict) else list(range(len(spot)))))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.booleans()):
            spot[key] = data.draw(json_values)
            break
        spot = spot[key]
    try:
        told = answer(whole, SHOWING, 0.0)
    except Unfoldable:
        return
    assert fold(unfold(told, usage=True)) == told


def test_names_that_are_missing_are_empty() -> None:
    told = answer(message(text("Hi")) | {"id": None, "model": 4}, TERMS, 0.0)
    assert (told["id"], told["model"]) == ("", "")


def test_restorable_reads_the_order() -> None:
    assert restorable([thinking("a"), redacted(), text("b"), tool("c", {}), tool("d", {})])
    assert not restorable([tool("c", {}), thinking("a")])


# ---------------------------------------------------------------- the official client


@pytest.mark.parametrize("name", MESSAGES)
def test_the_official_client_reads_it(name: str) -> None:
    whole = MESSAGES[name]
    body = json.dumps(answer(whole, SHOWING, 17.0))
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=body, headers=JSON))
    with OpenAI(api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0) as client:
        read = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    type(read).model_validate(json.loads(body) | {"service_tier": None})  # the types fit, strictly
    assert read.id == "msg_01"
    spoken = read.choices[0].message
    calls = [block for block in whole["content"] if block["type"] == "tool_use"]
    assert (spoken.content or "") == "".join(b["text"] for b in whole["content"] if b["type"] == "text")
    assert [json.loads(call.function.arguments) for call in spoken.tool_calls or []] == [b["input"] for b in calls]
    assert read.choices[0].finish_reason in ("stop", "length", "tool_calls", "content_filter")
    if whole["usage"]:
        assert read.usage is not None
        assert read.usage.completion_tokens == whole["usage"]["output_tokens"]


JSON = {"content-type": "application/json"}
