"""Streams of chunks as streams of Messages: they amount to the very answer that the whole completion amounts to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.messages_over_chat_answer import answer
from adapters.messages_over_chat_ids import invented, outward
from adapters.messages_over_chat_stream import COMMENT, PING, QUIET, stream
from adapters.openai_fold import DONE, fold
from adapters.openai_unfold import unfold
from adapters.sse import Frame, Splitter, frame_of
from adapters.translation import Terms

DATA = Path(__file__).parent / "data"
RECORDED = sorted(DATA.glob("*.sse"))
TERMS, NOW = Terms("gpt-4.1"), 17.5
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "gpt-x"}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 9,
    "total_tokens": 109,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 4},
}


def said(finish: Any = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def called(arguments: Any = None, **members: Any) -> dict[str, Any]:
    """A delta of one tool call; `name` belongs to its function."""
    function = {"name": members.pop("name")} if "name" in members else {}
    if arguments is not None:
        function["arguments"] = arguments
    return said(tool_calls=[{**members, "function": function}])


def frames_of(*chunks: dict[str, Any] | Frame) -> list[Frame]:
    return [chunk if isinstance(chunk, Frame) else frame_of(msgspec.json.encode(HEAD | chunk)) for chunk in chunks]


def turned(frames: list[Frame]) -> list[Frame]:
    machine = stream(TERMS, NOW)
    return [event for frame in frames for event in machine.feed(frame)]


def read(frames: list[Frame]) -> dict[str, Any]:
    """The message that these events amount to; strict about the order in which they come."""
    events = [frame.json() for frame in frames if frame.data]
    assert [frame.event for frame in frames if frame.data] == [event["type"] for event in events]
    events = [event for event in events if event["type"] != "ping"]
    assert [events[0]["type"], events[-2]["type"], events[-1]["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    message: dict[str, Any] = events[0]["message"]
    content: list[dict[str, Any]] = message["content"]
    pieces: list[str] = []
    is_open = False
    for event in events[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == len(content)
                content.append(event["content_block"])
                is_open, pieces = True, []
            case "content_block_delta":
                assert is_open
                assert event["index"] == len(content) - 1
                expected = "text_delta" if content[-1]["type"] == "text" else "input_json_delta"
                assert event["delta"].pop("type") == expected
                pieces += event["delta"].values()
            case "content_block_stop":
                assert is_open
                assert event["index"] == len(content) - 1
                is_open, text = False, "".join(pieces)
                if content[-1]["type"] == "text":
                    assert text.strip()
                    content[-1]["text"] += text
                elif text:
                    content[-1]["input"] = msgspec.json.decode(text)
            case kind:
                raise AssertionError(kind)
    assert not is_open
    return message | events[-2]["delta"] | {"usage": events[-2]["usage"]}


# ---------------------------------------------------------------- recorded streams


@pytest.mark.parametrize("path", RECORDED, ids=[path.stem for path in RECORDED])
def test_a_recorded_stream_amounts_to_its_whole_answer(path: Path):
    whole = msgspec.json.decode(path.with_suffix(".json").read_bytes())
    out = turned(Splitter().feed(path.read_bytes()))
    assert read(out) == answer(whole, TERMS, NOW)
    assert out == turned(Splitter().feed(path.read_bytes()))


def read_by_the_client(frames: list[Frame]) -> dict[str, Any]:
    body = b"".join(frame.raw for frame in frames)
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, headers=headers, content=body))
    with (
        anthropic.Anthropic(
            api_key="k", base_url="http://test.local", max_retries=0, http_client=httpx2.Client(transport=transport)
        ) as client,
        client.messages.stream(model="m", max_tokens=10, messages=[{"role": "user", "content": "Hi"}]) as events,
    ):
        return events.get_final_message().to_dict()


@pytest.mark.parametrize("path", RECORDED, ids=[path.stem for path in RECORDED])
def test_the_official_client_accumulates_the_whole_answer(path: Path):
    whole = msgspec.json.decode(path.with_suffix(".json").read_bytes())
    expected = answer(whole, TERMS, NOW)
    given = read_by_the_client(turned(Splitter().feed(path.read_bytes())))
    # Its accumulator sets the member on every message.
    assert given | {"stop_details": given.get("stop_details")} == {"stop_details": None} | expected


# ---------------------------------------------------------------- constructed streams

ROLE = said(role="assistant", content="")
STOP, CALLED = said("stop"), said("tool_calls")

STREAMS: dict[str, list[dict[str, Any] | Frame]] = {
    "text": [ROLE, said(content="Hel"), said(content="lo"), STOP],
    "text in one chunk": [said("stop", role="assistant", content="Hello")],
    "text in the last chunk": [ROLE, said(content="Hel"), said("stop", content="lo")],
    "nothing": [ROLE, STOP],
    "blank": [said(content=" "), said(content="\n"), STOP],
    "white space first": [said(content="\n\n"), said(content="Hi"), said(content=" "), STOP],
    "unicode": [said(content="👍🏽"), said(content="ü\u2028\x7f"), STOP],
    "the word error": [said(content='an "error" here'), said(content='{"error": 1}'), STOP],
    "the word done": [said(content="[DONE]"), said(content="data: [DONE]\n\n"), STOP],
    "length": [said(content="Hel"), said("length")],
    "filtered": [said(content="Hel"), said("content_filter")],
    "unknown finish": [said(content="Hel"), said("insufficient_system_resource")],
    "refusal": [said(role="assistant", refusal="I "), said(refusal="can't."), STOP],
    "text and refusal": [said(content="Well."), said(refusal="No."), STOP],
    "reasoning_content": [said(reasoning_content="hm"), said(content="4"), STOP],
    "reasoning between": [said(content="4"), said(reasoning="hm"), said(content="2"), STOP],
    "transcript": [said(audio={"transcript": "Good"}), said(audio={"data": "UklG"}), STOP],
    "usage after the finish": [said(content="Hi"), STOP, {"choices": [], "usage": USAGE}],
    "usage with the finish": [said(content="Hi"), STOP | {"usage": USAGE}],
    "usage with every chunk": [said(content="Hi") | {"usage": USAGE}, said(content="!") | {"usage": USAGE}, STOP],
    "usage with a text": [said(content="H"), said(content="i"), said(content="!") | {"usage": USAGE}, STOP],
    "usage of Groq with a text": [said(content="H"), said(content="i") | {"x_groq": {"usage": USAGE}}, STOP],
    "usage null": [said(content="Hi") | {"usage": None}, STOP | {"usage": USAGE}],
    "usage of Groq": [said(content="Hi"), STOP | {"x_groq": {"usage": USAGE}}],
    "first chunk of Azure": [{"choices": [], "id": "", "model": ""}, ROLE, said(content="Hi"), STOP],
    "comments and blank events": [
        Frame(b": hi\n\n"),
        ROLE,
        Frame(b"\n\n"),
        Frame(b"data:\n\n"),
        said(content="a"),
        STOP,
    ],
    "no index": [{"choices": [{"delta": {"content": "Hi"}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}]}],
    "CRLF": [
        Frame(b'data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"index":0,"delta":{"content":"a"}}]}\r\n\r\n'),
        STOP,
    ],
    "call": [
        said(role="assistant", content=None),
        called("", index=0, id="call_1", type="function", name="f"),
        called('{"a":', index=0),
        called("1}", index=0),
        CALLED,
    ],
    "call in one delta": [called('{"a":1}', index=0, id="call_1", name="f"), CALLED],
    "call that finishes with stop": [called('{"a":1}', index=0, id="call_1", name="f"), STOP],
    "call without arguments": [called("", index=0, id="call_1", name="f"), CALLED],
    "call whose arguments never come": [called(index=0, id="call_1", name="f"), CALLED],
    "call with an id of no allowed form": [called("{}", index=0, id="functions.f:0", name="f"), CALLED],
    "call without id": [called("{}", index=0, name="f"), CALLED],
    "call with braces in texts": [called('{"a":"}', index=0, id="c", name="f"), called('{"}', index=0), CALLED],
    "text and call": [said(content="Let me see."), called("{}", index=0, id="c", name="f"), CALLED],
    "text and call in one chunk": [
        said(content="Let me "),
        said(content="see.", tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]),
        CALLED,
    ],
    "text and function_call in one chunk": [
        said(content="Let me "),
        said(content="see.", function_call={"name": "f", "arguments": "{}"}),
        CALLED,
    ],
    "text and refusal in one chunk": [said(content="We"), said(content="ll.", refusal="No."), STOP],
    "text and transcript in one chunk": [said(content="We"), said(content="ll.", audio={"transcript": "No."}), STOP],
    "call that goes on without its index": [called("", index=0, id="a", name="f"), called('{"x":1}'), CALLED],
    "calls one after the other": [
        called("", index=0, id="a", name="f"),
        called('{"x":1}', index=0),
        called("", index=1, id="b", name="g"),
        called('{"y":', index=1),
        called("2}", index=1),
        CALLED,
    ],
    "calls through one another": [
        called("", index=0, id="a", name="f"),
        called("", index=1, id="b", name="g"),
        called('{"x":', index=0),
        called('{"y":', index=1),
        called("1}", index=0),
        called("2}", index=1),
        CALLED,
    ],
    "calls in one chunk": [
        said(
            tool_calls=[
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
                {"index": 1, "id": "b", "function": {"name": "g", "arguments": '{"y":2}'}},
            ]
        ),
        CALLED,
    ],
    "calls all with index 0": [
        called('{"x":1}', index=0, id="a", name="f"),
        called('{"x":2}', index=0, id="b", name="f"),
        CALLED,
    ],
    "calls without index": [called('{"x":1}', id="a", name="f"), called('{"x":2}', id="b", name="f"), CALLED],
    "calls without index and id": [called('{"x":', name="f"), called("1}"), called('{"x":2}', name="f"), CALLED],
    "calls whose first has no arguments": [
        called("", index=0, id="a", name="f"),
        called("{}", index=1, id="b", name="g"),
        CALLED,
    ],
    "the name with every delta": [
        called('{"x":', index=0, id="a", name="f"),
        called("1}", index=0, id="a", name="f"),
        CALLED,
    ],
    "the id before the name": [called(index=0, id="a"), called("{}", index=0, name="f"), CALLED],
    "function_call": [
        said(function_call={"name": "f", "arguments": ""}),
        said(function_call={"arguments": "{}"}),
        said("function_call"),
    ],
}


@pytest.mark.parametrize("chunks", STREAMS.values(), ids=STREAMS)
def test_a_stream_amounts_to_the_answer_of_its_fold(chunks: list[dict[str, Any] | Frame]):
    frames = [*frames_of(*chunks), DONE]
    assert read(turned(frames)) == answer(fold(frames), TERMS, NOW)


def test_there_are_enough_of_them():
    assert len(STREAMS) >= 30


def test_the_very_events_of_a_stream():
    frames = [*frames_of(ROLE, said(content="Hi"), STOP, {"choices": [], "usage": USAGE}), DONE]
    zeros = (
        b'{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0,'
        b'"output_tokens_details":{"thinking_tokens":0}}'
    )
    assert [frame.raw for frame in turned(frames)] == [
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"chatcmpl-1","type":"message",'
        b'"role":"assistant","model":"gpt-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":%b}}\n\n'
        % zeros,
        b"event: content_block_start\n"
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n',
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        b'"usage":{"input_tokens":10,"cache_creation_input_tokens":30,"cache_read_input_tokens":60,"output_tokens":9,'
        b'"output_tokens_details":{"thinking_tokens":4}}}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ]


def test_a_delta_goes_out_at_once():
    machine = stream(TERMS, NOW)
    counts = [len(machine.feed(frame)) for frame in frames_of(ROLE, said(content="a"), said(content="b"), STOP)]
    assert counts == [1, 2, 1, 0]
    assert len(machine.feed(DONE)) == 3


def test_a_second_call_streams_once_the_first_is_complete():
    machine = stream(TERMS, NOW)
    chunks = frames_of(*STREAMS["calls one after the other"])
    assert [len(machine.feed(frame)) for frame in chunks] == [2, 1, 2, 1, 1, 0]


# ---------------------------------------------------------------- where the whole answer is another, or there is none


def test_calls_of_other_names_under_one_index_are_told_apart():
    frames = frames_of(called('{"x":1}', index=0, name="f"), called('{"y":2}', index=0, name="g"), CALLED)
    content = read(turned([*frames, DONE]))["content"]
    assert [(block["name"], block["input"]) for block in content] == [("f", {"x": 1}), ("g", {"y": 2})]
    assert [block["id"] for block in content] == [invented("chatcmpl-1", place) for place in (0, 1)]


def test_an_id_that_comes_after_its_call_was_told_begins_no_other():
    frames = frames_of(called('{"x":', index=0, name="f"), called("1}", index=0, id="late"), CALLED)
    [block] = read(turned([*frames, DONE]))["content"]
    assert (block["input"], block["id"]) == ({"x": 1}, invented("chatcmpl-1", 0))


def test_a_text_after_a_call_stays_behind_it():
    frames = frames_of(said(content="a"), called("{}", index=0, id="c", name="f"), said(content="b"), CALLED)
    content = read(turned([*frames, DONE]))["content"]
    assert [block.get("text") for block in content] == ["a", None, "b"]


def test_a_call_cut_at_the_limit_is_told_as_far_as_it_came():
    frames = frames_of(called('{"a": "unfin', index=0, id="c", name="f"), said("length"))
    events = [frame.json() for frame in turned([*frames, DONE])]
    assert events[2]["delta"]["partial_json"] == '{"a": "unfin'
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"
    assert answer(fold([*frames, DONE]), TERMS, NOW)["content"] == []


def test_arguments_as_an_object():
    [block] = read(turned([*frames_of(called({"a": 1}, index=0, id="c.1", name="f"), CALLED), DONE]))["content"]
    assert block == {"type": "tool_use", "id": outward("c.1"), "name": "f", "input": {"a": 1}}


def test_content_in_parts():
    frames = frames_of(
        said(content=[{"type": "text", "text": "a"}]), said(content=[{"type": "text", "text": "b"}]), STOP
    )
    assert read(turned([*frames, DONE]))["content"] == [{"type": "text", "text": "ab"}]


def test_a_whole_message_in_a_chunk():
    chunk = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
    assert read(turned([*frames_of(chunk), DONE]))["content"] == [{"type": "text", "text": "Hi"}]


def test_an_end_without_a_finish_reason_is_told_as_such():
    out = read(turned([*frames_of(said(content="Hi")), DONE]))
    assert (out["stop_reason"], out["content"]) == (None, [{"type": "text", "text": "Hi"}])


def test_a_stream_without_an_id_gets_one():
    chunks: list[dict[str, Any] | Frame] = [said(content="Hi") | {"id": None, "model": None}, STOP]
    out = read(turned([*frames_of(*chunks), DONE]))
    assert out["id"].startswith("msg_")
    assert out["model"] == "gpt-4.1"
    assert out == read(turned([*frames_of(*chunks), DONE]))


def test_the_first_id_counts_even_if_its_chunk_has_no_choice():
    out = read(turned([*frames_of({"choices": [], "id": "a"}, said(content="Hi") | {"id": ""}, STOP), DONE]))
    assert out["id"] == "a"


# ---------------------------------------------------------------- errors, and ends that are none


def test_a_torn_stream_has_no_end():
    for chunks in STREAMS.values():
        events = [frame.json()["type"] for frame in turned(frames_of(*chunks)) if frame.data]
        assert "message_stop" not in events
        assert "message_delta" not in events


@pytest.mark.parametrize(
    "raw",
    [
        b'data: {"error":{"message":"Slow.","code":429}}\n\n',
        b'event: error\ndata: {"error":{"message":"Slow.","code":"rate_limit_exceeded"}}\n\n',
        b'data: {"object":"error","message":"Slow.","code":429}\n\n',
        b'data: {"choices":[{"delta":{"content":"x"}}],"error":{"message":"Slow.","code":429}}\n\n',
    ],
)
def test_an_error_ends_the_stream_and_nothing_follows(raw: bytes):
    machine = stream(TERMS, NOW)
    for frame in frames_of(ROLE, said(content="a")):
        machine.feed(frame)
    [event] = machine.feed(Frame(raw))
    assert event.event == "error"
    assert event.json()["error"]["type"] == "rate_limit_error"
    assert event.json()["error"]["message"] == "Slow."
    assert [machine.feed(frame) for frame in [*frames_of(said(content="b"), STOP), DONE]] == [[], [], []]


def test_an_error_without_data_is_an_error():
    [event] = stream(TERMS, NOW).feed(Frame(b"event: error\n\n"))
    assert event.event == "error"


@pytest.mark.parametrize(
    "frames",
    [
        [DONE],
        [*frames_of({"choices": [], "usage": USAGE}), DONE],
        [*frames_of(said(content="a")), Frame(b"data: {torn\n\n")],
        [*frames_of(said(content="a")), Frame(b"data: \xff\n\n")],
        [*frames_of(said(content="a")), Frame(b"data: " + b"[" * 100000 + b"\n\n")],
        [*frames_of(called("{}", index=0, id="a"), CALLED), DONE],
    ],
    ids=["nothing", "usage alone", "torn", "no UTF-8", "too deep", "a call without a name"],
)
def test_what_makes_no_answer_ends_with_an_error(frames: list[Frame]):
    machine = stream(TERMS, NOW)
    events = [event for frame in frames for event in machine.feed(frame)]
    assert events[-1].json()["error"]["type"] == "api_error"
    assert [event.event for event in events].count("error") == 1
    assert machine.feed(DONE) == []


def test_nothing_follows_the_end():
    machine = stream(TERMS, NOW)
    for frame in [*frames_of(said(content="a"), STOP), DONE]:
        machine.feed(frame)
    assert [machine.feed(frame) for frame in [*frames_of(said(content="b")), DONE, Frame(b": x\n\n")]] == [[], [], []]


def test_comments_and_reasoning_keep_the_client_waiting():
    machine = stream(TERMS, NOW)
    assert machine.feed(Frame(b": OPENROUTER PROCESSING\n\n")) == [COMMENT]
    machine.feed(frames_of(ROLE)[0])
    events = [event for _ in range(2 * QUIET) for event in machine.feed(frames_of(said(reasoning="hm"))[0])]
    assert events == [PING, PING]


# ---------------------------------------------------------------- properties

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
objects = st.dictionaries(
    texts, texts | st.integers(-(2**60), 2**60) | st.booleans() | st.lists(texts, max_size=2), max_size=3
)
tool_calls = st.lists(
    st.builds(
        lambda name, given: {
            "type": "function",
            "function": {"name": name, "arguments": msgspec.json.encode(given).decode()},
        },
        st.sampled_from(["f", "g"]),
        objects,
    ),
    max_size=4,
).map(lambda calls: [{"id": f"call.{place}", **call} for place, call in enumerate(calls)])
messages = st.builds(
    lambda content, refusal, calls: {
        "role": "assistant",
        "content": content,
        "refusal": refusal,
        **({"tool_calls": calls} if calls else {}),
    },
    st.none() | texts,
    st.none() | texts,
    tool_calls,
)


@settings(max_examples=200)
@given(messages, st.sampled_from(["stop", "length", "tool_calls", "content_filter", "other"]), st.booleans())
def test_an_unfolded_answer_amounts_to_itself(message: dict[str, Any], finish: str, usage: bool):
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    whole = {"id": "i", "object": "chat.completion", "model": "m", "choices": choices} | (
        {"usage": USAGE} if usage else {}
    )
    assert read(turned(unfold(whole, usage=True))) == answer(whole, TERMS, NOW)


@settings(max_examples=200)
@given(tool_calls, st.data())
def test_pieces_of_calls_in_any_order_amount_to_the_same(calls: list[dict[str, Any]], data: st.DataObject):
    """The first piece of each call comes in the order of the calls, as a provider numbers them when they begin."""
    waiting: list[list[dict[str, Any]]] = []
    for index, call in enumerate(calls):
        text = call["function"]["arguments"]
        cut = data.draw(st.integers(0, len(text)))
        more = data.draw(st.integers(cut, len(text)))
        first = called("", index=index, id=call["id"], name=call["function"]["name"])
        waiting.append([first, *(called(piece, index=index) for piece in (text[:cut], text[cut:more], text[more:]))])
    chunks: list[dict[str, Any] | Frame] = [ROLE]
    begun = 0
    while any(waiting):
        ready = [place for place, pieces in enumerate(waiting) if pieces and place <= begun]
        place = data.draw(st.sampled_from(ready))
        begun = max(begun, place + 1)
        chunks.append(waiting[place].pop(0))
    frames = [*frames_of(*chunks, CALLED), DONE]
    assert read(turned(frames)) == answer(fold(frames), TERMS, NOW)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
parts = st.dictionaries(
    st.sampled_from(["index", "id", "function", "custom"]),
    anything | st.dictionaries(st.sampled_from(["name", "arguments", "input"]), anything, max_size=3),
)
deltas = st.dictionaries(
    st.sampled_from(["content", "refusal", "tool_calls", "function_call", "audio", "reasoning"]),
    anything | st.lists(parts, max_size=2),
)
choices = st.dictionaries(st.sampled_from(["index", "delta", "message", "finish_reason"]), anything | deltas)
chunks = st.dictionaries(
    st.sampled_from(["id", "model", "choices", "usage", "x_groq", "error", "object"]),
    anything | st.lists(choices, max_size=2),
)


@settings(max_examples=400)
@given(st.lists(chunks | anything, max_size=5))
def test_any_type_anywhere_is_read_or_ends_the_stream(payloads: list[Any]):
    machine = stream(TERMS, NOW)
    events = [event for payload in payloads for event in machine.feed(frame_of(msgspec.json.encode(payload)))]
    events += machine.feed(DONE)
    assert events[-1].event in ("message_stop", "error")
    assert machine.feed(DONE) == []
