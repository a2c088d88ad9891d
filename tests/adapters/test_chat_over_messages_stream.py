"""Streams as Anthropic sends them, and what a client of chat completions sees of them."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import msgspec
import pytest
from anthropic import Anthropic
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import APIError, OpenAI

from adapters.chat_over_messages_answer import answer
from adapters.chat_over_messages_stream import PING, stream
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_fold import DONE, fold
from adapters.sse import Frame, Splitter, frame_of
from adapters.translation import Terms
from tests.adapters.anthropic_transcripts import (
    DETAILED,
    FOUND,
    MESSAGES,
    REFUSAL,
    SEARCH,
    UNKNOWN_TO_THE_SDK,
    event,
    message,
    redacted,
    stream_of,
    text,
    thinking,
    tool,
    web,
)
from tests.adapters.test_chat_over_messages_answer import json_values, messages

TERMS = Terms("claude-opus-5-5")
SHOWING = TERMS._replace(reasoning=True)
EVENTS = {"content-type": "text/event-stream"}


def turned(frames: list[Frame], terms: Terms = TERMS) -> list[Frame]:
    machine = stream(terms, 17.9)
    return [out for frame in frames for out in machine.feed(frame)]


def spoken(frames: list[Frame], terms: Terms = TERMS) -> list[dict[str, Any]]:
    """The chunks, without comments and without `[DONE]`."""
    return [frame.json() for frame in turned(frames, terms) if frame not in (PING, DONE)]


def deltas(frames: list[Frame], terms: Terms = TERMS) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in spoken(frames, terms) if chunk.get("choices")]


def settled(whole: dict[str, Any]) -> bytes:
    """Canonical JSON; the arguments of tools decoded, because a stream keeps the provider's own spelling of them."""
    copy = msgspec.json.decode(msgspec.json.encode(whole))
    for call in copy["choices"][0]["message"].get("tool_calls", ()):
        call["function"]["arguments"] = msgspec.json.decode(call["function"]["arguments"])
    return msgspec.json.encode(copy, order="deterministic")


def opening(**usage: Any) -> Frame:
    return event("message_start", message=message(usage=usage or {"input_tokens": 3, "output_tokens": 1}, stop=None))


def start(index: int, block: Any) -> Frame:
    return event("content_block_start", index=index, content_block=block)


def more(index: int, kind: str, **members: Any) -> Frame:
    return event("content_block_delta", index=index, delta={"type": f"{kind}_delta", **members})


def stop(index: int) -> Frame:
    return event("content_block_stop", index=index)


def closing(reason: Any = "end_turn", **usage: Any) -> list[Frame]:
    usage = usage or {"output_tokens": 9}
    return [event("message_delta", delta={"stop_reason": reason}, usage=usage), event("message_stop")]


# ---------------------------------------------------------------- whole transcripts


def test_there_are_enough_of_them() -> None:
    assert len(MESSAGES) >= 40


@pytest.mark.parametrize("size", [1, 5, 10**6])
@pytest.mark.parametrize("terms", [TERMS, SHOWING], ids=["hidden", "shown"])
@pytest.mark.parametrize("name", MESSAGES)
def test_the_chunks_fold_into_the_whole_answer(name: str, terms: Terms, size: int) -> None:
    whole = MESSAGES[name]
    frames = turned(stream_of(whole, size), terms)
    assert frames[-1] == DONE
    assert settled(fold(frames)) == settled(answer(whole, terms, 17.9))


@settings(max_examples=150, deadline=None)
@given(messages, st.integers(1, 20), st.booleans())
def test_any_stream_folds_into_the_whole_answer(whole: dict[str, Any], size: int, reasoning: bool) -> None:
    terms = TERMS._replace(reasoning=reasoning)
    assert settled(fold(turned(stream_of(whole, size), terms))) == settled(answer(whole, terms, 17.9))


@pytest.mark.parametrize("name", sorted(set(MESSAGES) - UNKNOWN_TO_THE_SDK))
def test_the_transcripts_are_what_the_official_client_would_read(name: str) -> None:
    """Tests the tests: these streams amount to these messages by the provider's own reckoning."""
    whole = MESSAGES[name]
    body = b"".join(frame.raw for frame in stream_of(whole))
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=body, headers=EVENTS))
    with Anthropic(api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0) as client:
        asked: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        with client.messages.stream(**asked) as events:
            read = events.get_final_message().to_dict()
    empty = (None, [])
    for block, sent in zip(read["content"], whole["content"], strict=True):  # type: ignore[call-overload]
        assert {n: v for n, v in block.items() if v not in empty} == {n: v for n, v in sent.items() if v not in empty}
    assert read["stop_reason"] == whole["stop_reason"]
    usage: Any = read["usage"]
    assert {n: v for n, v in usage.items() if v is not None} == {
        n: v for n, v in whole["usage"].items() if v is not None
    }


@pytest.mark.parametrize("name", MESSAGES)
def test_every_chunk_has_the_shape_of_openais(name: str) -> None:
    from openai.types.chat import ChatCompletionChunk

    frames = turned(stream_of(MESSAGES[name]), SHOWING)
    chunks = [frame for frame in frames if frame not in (PING, DONE)]
    counted = [frame for frame in chunks if OPENAI_CHAT.is_usage_only(frame)]
    assert counted == (chunks[-1:] if MESSAGES[name]["usage"] else [])
    for frame in chunks:
        chunk = frame.json()
        assert list(chunk)[:4] == ["id", "object", "created", "model"]
        assert (chunk["id"], chunk["object"], chunk["created"]) == ("msg_01", "chat.completion.chunk", 17)
        assert chunk["model"] == "claude-opus-5-5"
        assert ("usage" in chunk) == (frame in counted)
        ChatCompletionChunk.model_validate(chunk | {"service_tier": None})
    finished = [chunk["choices"][0]["finish_reason"] for chunk in map(Frame.json, chunks) if chunk["choices"]]
    assert all(reason is None for reason in finished[:-1])
    assert finished[-1]


@pytest.mark.parametrize("name", MESSAGES)
def test_the_official_client_reads_the_stream(name: str) -> None:
    whole = MESSAGES[name]
    body = b"".join(frame.raw for frame in turned(stream_of(whole)))
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=body, headers=EVENTS))
    said, arguments = "", {}
    with OpenAI(api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0) as client:
        chunks = [*client.chat.completions.create(model="m", messages=[], stream=True)]
    for chunk in chunks:
        for choice in chunk.choices:
            said += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                assert call.function is not None
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    assert said == "".join(block["text"] for block in whole["content"] if block["type"] == "text")
    given = [block["input"] for block in whole["content"] if block["type"] == "tool_use"]
    assert [json.loads(arguments[index]) for index in range(len(arguments))] == given
    if whole["usage"]:
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == whole["usage"]["output_tokens"]


# ---------------------------------------------------------------- event by event


HEAD = (
    b'data: {"id":"msg_01","object":"chat.completion.chunk","created":17,"model":"claude-opus-5-5",'
    b'"service_tier":"default","choices":['
)


def test_a_stream_byte_by_byte() -> None:
    machine = stream(TERMS, 17.9)
    tail = b',"logprobs":null,"finish_reason":null}]}\n\n'
    steps: list[tuple[Frame, bytes]] = [
        (
            opening(input_tokens=3, output_tokens=1, service_tier="standard"),
            HEAD + b'{"index":0,"delta":{"role":"assistant","content":null,"refusal":null}' + tail,
        ),
        (start(0, text("")), b""),
        (event("ping"), b": ping\n\n"),
        (more(0, "text", text='"H\u00fc'), HEAD + b'{"index":0,"delta":{"content":"\\"H\xc3\xbc"}' + tail),
        (more(0, "text", text=""), b""),
        (stop(0), b""),
        (
            start(1, tool("toolu_1", {}, name="f")),
            HEAD + b'{"index":0,"delta":{"tool_calls":[{"index":0,"id":"toolu_1","type":"function","function":'
            b'{"name":"f","arguments":""}}]}' + tail,
        ),
        (more(1, "input_json", partial_json=""), b""),
        (
            more(1, "input_json", partial_json='{"a":'),
            HEAD + b'{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":"}}]}' + tail,
        ),
        (
            more(1, "input_json", partial_json=" 1.0}"),
            HEAD + b'{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":" 1.0}"}}]}' + tail,
        ),
        (stop(1), b""),
        (
            closing("tool_use")[0],
            HEAD + b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}]}\n\n',
        ),
        (
            event("message_stop"),
            HEAD + b'],"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12,"prompt_tokens_details":'
            b'{"cached_tokens":0,"cache_write_tokens":0}}}\n\ndata: [DONE]\n\n',
        ),
    ]
    for frame, expected in steps:
        assert b"".join(out.raw for out in machine.feed(frame)) == expected


def test_tool_calls_are_counted_apart_from_blocks() -> None:
    frames = stream_of(message(thinking("Hm"), text("x"), tool("a", {}), SEARCH, tool("b", {"y": 2}), stop="tool_use"))
    indices = [call["index"] for delta in deltas(frames) for call in delta.get("tool_calls", ())]
    assert sorted(set(indices)) == [0, 1]
    assert indices == sorted(indices)


def test_a_tool_that_was_given_nothing_says_so_when_it_closes() -> None:
    frames = [opening(), start(0, tool("a", {})), more(0, "input_json", partial_json="")]
    before, after = deltas(frames), deltas([*frames, stop(0)])
    assert after[len(before) :] == [{"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}]


def test_a_tool_whose_arguments_came_at_once_gets_them() -> None:
    frames = [opening(), start(0, tool("a", {"x": 1})), stop(0), *closing("tool_use")]
    whole = message(tool("a", {"x": 1}), stop="tool_use", usage={"input_tokens": 3, "output_tokens": 9})
    assert fold(turned(frames)) == answer(whole, TERMS, 17.9)


def test_arguments_keep_the_spelling_of_the_provider() -> None:
    spelt = '{"a" : 1e5, "b":\t1.0,\n "c": 123456789012345678901234567890, "d": "\\u00e9"}'
    frames = [opening(), start(0, tool("a", {})), more(0, "input_json", partial_json=spelt), stop(0)]
    folded = fold(turned([*frames, *closing("tool_use")]))
    assert folded["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == spelt


def test_arguments_cut_at_the_limit_stay_cut() -> None:
    frames = [opening(), start(0, text("")), more(0, "text", text="a"), stop(0), start(1, text("b")), stop(1)]
    frames += [start(2, tool("a", {})), more(2, "input_json", partial_json='{"x": [1,'), stop(2)]
    folded = fold(turned([*frames, *closing("max_tokens")]))
    assert folded["choices"][0]["finish_reason"] == "length"
    said = folded["choices"][0]["message"]
    assert said["tool_calls"][0]["function"]["arguments"] == '{"x": [1,'
    assert said["content"] == "ab"
    assert "content_blocks" not in said  # there is no block with half an input


def test_thinking_is_shown_as_it_comes_and_handed_on_when_it_closes() -> None:
    frames = [opening(), start(0, thinking("", "")), more(0, "thinking", thinking="Hm")]
    assert deltas(frames, SHOWING)[1:] == [{"reasoning_content": "Hm"}]
    assert deltas(frames)[1:] == []
    frames += [more(0, "signature", signature="sig"), stop(0)]
    assert deltas(frames)[1:] == [{"thinking_blocks": [thinking("Hm", "sig")]}]
    frames += [start(1, redacted("x")), stop(1)]
    assert deltas(frames)[2:] == [{"thinking_blocks": [redacted("x")]}]


def test_citations_follow_the_text_they_stand_in() -> None:
    whole = message(text("At "), text("six", web("https://a.example/")))
    assert deltas(stream_of(whole))[1:4] == [
        {"content": "At "},
        {"content": "six"},
        {"annotations": answer(whole, TERMS, 0.0)["choices"][0]["message"]["annotations"]},
    ]


def test_the_native_content_comes_with_the_finish_reason_if_at_all() -> None:
    special = deltas(stream_of(message(SEARCH, FOUND, text("x"))))
    assert special[-1] == {"content_blocks": [SEARCH, FOUND, text("x")]}
    assert not any("content_blocks" in delta for delta in special[:-1])
    assert deltas(stream_of(message(text("x"))))[-1] == {}


def test_a_refusal_comes_before_the_finish() -> None:
    frames = stream_of(message(text("I was"), stop="refusal", stop_details=REFUSAL))
    assert deltas(frames)[-2:] == [{"refusal": REFUSAL["explanation"]}, {}]
    finished = [chunk for chunk in spoken(frames) if chunk["choices"]][-1]["choices"][0]
    assert (finished["finish_reason"], finished["stop_details"]) == ("content_filter", REFUSAL)


# ---------------------------------------------------------------- usage


def test_counts_are_totals_and_what_is_not_repeated_stands() -> None:
    frames = [opening(**DETAILED), *closing(output_tokens=200, cache_read_input_tokens=5000, input_tokens=None)]
    usage = spoken(frames)[-1]["usage"]
    assert usage["completion_tokens"] == 200
    assert usage["prompt_tokens"] == 7 + 300 + 5000
    assert usage["prompt_tokens_details"]["cache_creation"] == DETAILED["cache_creation"]
    assert usage["server_tool_use"] == DETAILED["server_tool_use"]


def test_later_totals_count_although_the_answer_has_finished() -> None:
    first, last = closing("end_turn", output_tokens=5)
    frames = turned([opening(), first, event("message_delta", delta={}, usage={"output_tokens": 7}), last])
    assert frames[-2].json()["usage"]["completion_tokens"] == 7
    assert fold(frames)["choices"][0]["finish_reason"] == "stop"


def test_the_finish_waits_for_its_reason() -> None:
    frames = [opening(), event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 2})]
    assert len(spoken(frames)) == 1
    assert [c["choices"][0]["finish_reason"] for c in spoken([*frames, *closing("max_tokens")])[:-1]] == [
        None,
        "length",
    ]


def test_what_one_delta_says_the_next_need_not_repeat() -> None:
    first = event("message_delta", delta={"stop_reason": None, "stop_sequence": "three"})
    last = event("message_delta", delta={"stop_reason": "stop_sequence", "stop_sequence": None})
    choice = fold(turned([opening(), first, last, event("message_stop")]))["choices"][0]
    assert (choice["native_finish_reason"], choice["stop_sequence"]) == ("stop_sequence", "three")


def test_a_service_tier_that_comes_late_counts() -> None:
    frames = [opening(), *closing("end_turn", output_tokens=2, service_tier="priority")]
    assert fold(turned(frames))["service_tier"] == "priority"
    assert "service_tier" not in spoken(frames)[0]


def test_no_usage_is_made_up() -> None:
    begun = event("message_start", message=message(usage=None, stop=None))
    frames = turned([begun, event("message_delta", delta={"stop_reason": "end_turn"}), event("message_stop")])
    assert frames[-1] == DONE
    assert not any(OPENAI_CHAT.is_usage_only(frame) for frame in frames)


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize("name", MESSAGES)
def test_a_stream_that_breaks_off_never_ends(name: str) -> None:
    frames = turned(stream_of(MESSAGES[name])[:-1])
    assert DONE not in frames
    assert not any(OPENAI_CHAT.is_error(frame) for frame in frames)


def test_a_stream_without_a_last_delta_finishes_at_its_end() -> None:
    frames = [opening(), start(0, text("Hi")), start(1, tool("a", {})), event("message_stop")]
    choice = fold(turned(frames))["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", None)
    assert choice["message"]["content"] == "Hi"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == "{}"


OVERLOADED = {"type": "overloaded_error", "message": "Overloaded"}


@pytest.mark.parametrize("place", range(7))
def test_an_error_ends_the_stream(place: int) -> None:
    frames = stream_of(message(text("Hello")))
    out = turned([*frames[:place], event("error", error=OVERLOADED), *frames[place:]])
    assert out[-1].json() == {
        "error": {"message": "Overloaded", "type": "server_error", "param": None, "code": "overloaded_error"}
    }
    assert OPENAI_CHAT.is_error(out[-1])
    assert DONE not in out
    assert out[:-1] == turned(frames[:place])


def test_an_error_whose_type_a_gateway_left_out_is_one() -> None:
    for frame in (frame_of(b'{"error": {"message": "No."}}'), frame_of(b'{"error": "No."}', "error")):
        out = turned([opening(), frame, event("message_stop")])
        assert OPENAI_CHAT.is_error(out[-1])
        assert DONE not in out


def test_the_official_client_raises_the_error() -> None:
    frames = [*stream_of(message(text("Hello")))[:4], event("error", error=OVERLOADED)]
    body = b"".join(frame.raw for frame in turned(frames))
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=body, headers=EVENTS))
    with OpenAI(api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0) as client:
        chunks = client.chat.completions.create(model="m", messages=[], stream=True)
        with pytest.raises(APIError, match="Overloaded"):
            list(chunks)


def test_nothing_follows_the_end() -> None:
    frames = stream_of(message(text("Hello")))
    assert turned([*frames, *frames, event("error", error=OVERLOADED)]) == turned(frames)


# ---------------------------------------------------------------- what nobody knows, and what nobody can read


def test_unknown_events_and_deltas_give_nothing() -> None:
    frames = stream_of(message(text("Hello")))
    strange = [
        event("telemetry", index="x", delta=4),
        frame_of(b'{"no": "type"}'),
        frame_of(b'{"type": ["text"]}'),
        Frame(b": comment\n\n"),
        Frame(b"event: content_block_delta\n\n"),
        frame_of(b'{"type": "telemetry", "index": 0}', "content_block_delta"),
    ]
    mixed = [out for frame in frames for out in (frame, *strange)]
    assert turned(mixed) == turned(frames)
    assert turned([*frames[:3], more(0, "hologram", shape=1), *frames[3:]]) == turned(frames)


def test_a_block_with_an_unknown_delta_is_not_handed_on_as_if_it_were_whole() -> None:
    frames = [opening(), start(0, thinking("", "")), more(0, "thinking", thinking="Hm"), more(0, "hologram", shape=1)]
    frames += [more(0, "signature", signature="sig"), stop(0), start(1, text("a")), stop(1), start(2, text("b"))]
    said = fold(turned([*frames, stop(2), *closing()]))["choices"][0]["message"]
    assert said == {"role": "assistant", "content": "ab", "refusal": None}


def test_deltas_of_unknown_blocks_are_kept_for_the_native_content() -> None:
    frames = [opening(), start(0, {"type": "hologram", "text": "a"}), more(0, "text", text="b"), stop(0), *closing()]
    assert deltas(frames)[-1] == {"content": "", "content_blocks": [{"type": "hologram", "text": "ab"}]}


@pytest.mark.parametrize(
    "frame",
    [
        Frame(b"data: {\n\n"),
        Frame(b"data: \xff\n\n"),
        Frame(b"event: content_block_delta\ndata: {\n\n"),
        Frame(b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{\n\n'),
        frame_of(b"[]"),
        frame_of(b"null"),
        frame_of(b"[" * 100_000),
        opening(),
        start(1, None),
        start(1, "text"),
        start(1, {}),
        start(1, {"type": "text"}),
        start(1, {"type": "text", "text": 4}),
        start(1, {"type": "tool_use", "id": 4, "name": "f", "input": {}}),
        event("content_block_start", content_block=text("")),
        event("content_block_start", index="0", content_block=text("")),
        more(0, "text"),
        more(0, "text", text=None),
        more(0, "text", text=["x"]),
        more(0, "thinking", thinking=4),
        more(0, "input_json", partial_json={}),
        more(7, "text", text="x"),
        more(7, "hologram"),
        event("content_block_delta", index=0, delta=None),
        event("content_block_delta", index=0, delta={"type": 4}),
        event("content_block_delta", index=True, delta={"type": "text_delta", "text": "x"}),
        event("content_block_delta", delta={"type": "text_delta", "text": "x"}),
        event("content_block_stop", index=None),
    ],
)
def test_an_event_that_cannot_be_read_ends_the_stream_with_an_error(frame: Frame) -> None:
    begun = [opening(), start(0, text("")), more(0, "text", text="Hi")]
    out = turned([*begun, frame, more(0, "text", text="!"), stop(0), *closing()])
    assert out[:-1] == turned(begun)
    assert OPENAI_CHAT.is_error(out[-1])
    assert out[-1].json()["error"]["code"] == "upstream_unreadable"


@pytest.mark.parametrize(
    "frame",
    [
        start(0, text("Hi")),
        more(0, "text", text="Hi"),
        stop(0),
        *closing(),
        event("message_start"),
        event("message_start", message=[]),
        event("message_start", message={"type": "error"}),
        event("message_start", message=message(text("Hi"))),
    ],
)
def test_a_stream_that_does_not_begin_is_none(frame: Frame) -> None:
    (out,) = turned([frame, *stream_of(message(text("Hi")))])
    assert OPENAI_CHAT.is_error(out)


def test_a_block_that_nobody_closed_makes_room() -> None:
    frames = [opening(), start(0, tool("a", {})), start(0, text("Hi")), stop(0), stop(0), stop(5), *closing()]
    said = fold(turned(frames))["choices"][0]["message"]
    assert said["tool_calls"][0]["function"]["arguments"] == "{}"
    assert said["content"] == "Hi"


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
@pytest.mark.parametrize("head", [b"", b"event: x\n", b"id: 4\n"])
def test_the_framing_does_not_matter(end: bytes, head: bytes) -> None:
    frames = stream_of(message(text("Hello"), tool("a", {"x": 1}), stop="tool_use"))
    raw = b"".join(head + frame.raw for frame in frames).replace(b"\n", end)
    splitter = Splitter()
    assert turned([*splitter.feed(raw), *(Frame(rest) for rest in [splitter.rest()] if rest)]) == turned(frames)


def test_data_on_several_lines_is_one_event() -> None:
    payload = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,\ndata: "delta":'
    split = Frame(payload + b'{"type":"text_delta","text":"Hi"}}\n\n')
    assert deltas([opening(), start(0, text("")), split])[1:] == [{"content": "Hi"}]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_type_anywhere_breaks_it(data: st.DataObject) -> None:
    frames = stream_of(data.draw(st.sampled_from(list(MESSAGES.values()))))
    place = data.draw(st.integers(0, len(frames) - 1))
    broken: Any = json.loads(frames[place].data or b"")
    spot = broken
    while isinstance(spot, dict | list) and spot:
        key = data.draw(st.sampled_from(list(spot) if isinstance(spot, dict) else list(range(len(spot)))))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.booleans()):
            spot[key] = data.draw(json_values)
            break
        spot = spot[key]
    frames[place] = frame_of(json.dumps(broken).encode(), data.draw(st.sampled_from(["", "content_block_delta"])))
    out = turned(frames, SHOWING)
    for frame in out:
        assert frame in (PING, DONE) or isinstance(frame.json(), dict)
    failed = [OPENAI_CHAT.is_error(frame) for frame in out]
    assert not any(failed[:-1])
    assert not (DONE in out and failed[-1])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_order_of_events_breaks_it(data: st.DataObject) -> None:
    frames = stream_of(data.draw(st.sampled_from(list(MESSAGES.values()))))
    out = turned(data.draw(st.lists(st.sampled_from(frames), max_size=30)))
    assert not any(OPENAI_CHAT.is_error(frame) for frame in out[:-1])
