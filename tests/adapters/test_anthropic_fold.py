"""Streams of the Messages API beside the whole messages they amount to, made after the client's types and reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.anthropic_fold import fold, is_end, is_error
from adapters.errors import Unfoldable
from adapters.sse import Frame, Splitter, frame_of

DATA = Path(__file__).parent / "data" / "anthropic"
PAIRS = sorted(path.stem for path in DATA.glob("*.sse"))


def raw_of(name: str) -> bytes:
    return (DATA / f"{name}.sse").read_bytes()


def frames_of(raw: bytes, *sizes: int) -> list[Frame]:
    """All frames, the last of which the splitter may hold back for want of what follows a lone CR."""
    splitter, frames, start, turn = Splitter(), list[Frame](), 0, 0
    while start < len(raw):
        size = sizes[turn % len(sizes)] if sizes else len(raw)
        frames += splitter.feed(raw[start : start + size])
        start, turn = start + size, turn + 1
    rest = splitter.rest()
    return frames + ([Frame(rest)] if rest else [])


def event(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, **members}


def frame(event: dict[str, Any]) -> Frame:
    return frame_of(json.dumps(event).encode(), event.get("type", ""))


def stream(*events: dict[str, Any]) -> list[Frame]:
    return [frame(each) for each in events]


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
START = event("message_start", message=MESSAGE | {"usage": {"input_tokens": 9, "output_tokens": 1}})
ENDED = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 7})
STOP = event("message_stop")


def opened(index: Any = 0, **block: Any) -> dict[str, Any]:
    return event("content_block_start", index=index, content_block=block or {"type": "text", "text": ""})


def delta(kind: str, index: Any = 0, **members: Any) -> dict[str, Any]:
    return event("content_block_delta", index=index, delta={"type": kind, **members})


def closed(index: Any = 0) -> dict[str, Any]:
    return event("content_block_stop", index=index)


def block(start: dict[str, Any], *deltas: dict[str, Any]) -> dict[str, Any]:
    """The one block that these events amount to."""
    folded = fold(stream(START, opened(**start), *deltas, closed(), ENDED, STOP))
    (only,) = folded["content"]
    return only


def unfoldable(*events: dict[str, Any]) -> None:
    with pytest.raises(Unfoldable):
        fold(stream(*events))


def exact(value: Any) -> str:
    """Tells 1 from 1.0 and from true, as `==` does not."""
    return json.dumps(value, sort_keys=True)


# ---------------------------------------------------------------- pairs


def test_the_pairs_are_there() -> None:
    assert len(PAIRS) >= 50


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_folds_into_the_whole_message(name: str) -> None:
    assert exact(fold(frames_of(raw_of(name)))) == exact(json.loads((DATA / f"{name}.json").read_bytes()))


@pytest.mark.parametrize("name", ["text", "tool_use", "thinking", "web_search"])
def test_members_stand_in_the_order_of_a_whole_message(name: str) -> None:
    assert list(fold(frames_of(raw_of(name)))) == list(json.loads((DATA / f"{name}.json").read_bytes()))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PAIRS), st.lists(st.integers(1, 300), min_size=1, max_size=20))
def test_the_fold_does_not_depend_on_where_the_bytes_are_cut(name: str, sizes: list[int]) -> None:
    raw = raw_of(name)
    frames = frames_of(raw, *sizes)
    assert b"".join(frame.raw for frame in frames) == raw
    assert exact(fold(frames)) == exact(fold(frames_of(raw)))


def test_the_fold_does_not_depend_on_single_bytes() -> None:
    for name in ("unicode", "crlf", "lone_cr", "tool_cut_in_escapes"):
        assert exact(fold(frames_of(raw_of(name), 1))) == exact(fold(frames_of(raw_of(name))))


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_that_breaks_off_never_folds(name: str) -> None:
    frames = frames_of(raw_of(name))
    last = next(place for place, each in enumerate(frames) if is_end(each))
    for end in range(last + 1):
        with pytest.raises(Unfoldable):
            fold(frames[:end])


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_that_lost_an_event_does_not_fold_into_the_same(name: str) -> None:
    frames = frames_of(raw_of(name))
    whole = fold(frames)
    for place, lost in enumerate(frames):
        if not lost.data or lost.json()["type"] == "ping" or _says_nothing(lost.json()):
            continue
        try:
            folded = fold(frames[:place] + frames[place + 1 :])
        except Unfoldable:
            continue
        assert folded != whole


def _says_nothing(event: dict[str, Any]) -> bool:
    told = [value for name, value in event.get("delta", {}).items() if name not in ("type", "estimated_tokens")]
    return event["type"] in ("content_block_delta", "message_delta") and not any(told)


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_with_an_error_never_folds(name: str) -> None:
    frames = frames_of(raw_of(name))
    failed = frame(event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    last = next(place for place, each in enumerate(frames) if is_end(each))
    for place in range(last + 1):
        with pytest.raises(Unfoldable):
            fold([*frames[:place], failed, *frames[place:]])


def test_folding_leaves_the_frames_as_they_were() -> None:
    frames = frames_of(raw_of("web_search"))
    before = [json.dumps(frame.json()) for frame in frames]
    assert fold(frames) == fold(frames)
    assert [json.dumps(frame.json()) for frame in frames] == before


def test_what_follows_the_end_is_not_read() -> None:
    assert fold([*stream(START, ENDED, STOP), Frame(b"data: rubbish\n\n")])["stop_reason"] == "end_turn"


# ---------------------------------------------------------------- blocks


def test_texts_are_joined_with_what_the_start_already_says() -> None:
    folded = block({"type": "text", "text": "a"}, delta("text_delta", text="b"), delta("text_delta", text=""))
    assert folded == {"type": "text", "text": "ab"}
    assert block({"type": "text"}, delta("text_delta", text="b")) == {"type": "text", "text": "b"}


@pytest.mark.parametrize("citations", [{}, {"citations": None}, {"citations": []}, {"citations": [{"n": 0}]}])
def test_citations_are_listed(citations: dict[str, Any]) -> None:
    folded = block({"type": "text", "text": "", **citations}, delta("citations_delta", citation={"n": 1}))
    assert folded["citations"] == [*(citations.get("citations") or []), {"n": 1}]


def test_a_signature_comes_once() -> None:
    start = {"type": "thinking", "thinking": "", "signature": ""}
    twice = [delta("signature_delta", signature="s")] * 2
    assert block(start, *twice)["signature"] == "s"
    assert block({"type": "thinking", "thinking": ""}, *twice)["signature"] == "s"
    other = [delta("signature_delta", signature="s"), delta("signature_delta", signature="t")]
    unfoldable(START, opened(**start), *other, closed(), ENDED, STOP)


@pytest.mark.parametrize("pieces", [[], [""], ["", ""]])
@pytest.mark.parametrize("start", [{}, {"a": 1}])
def test_a_tool_without_input_deltas_has_the_input_of_its_start(pieces: list[str], start: dict[str, Any]) -> None:
    deltas = [delta("input_json_delta", partial_json=piece) for piece in pieces]
    assert block({"type": "tool_use", "input": start}, *deltas)["input"] == start


def test_input_may_be_repeated_but_not_contradicted() -> None:
    start = {"type": "tool_use", "input": {"a": 1}}
    assert block(start, delta("input_json_delta", partial_json='{"a": 1}')) == start
    unfoldable(START, opened(**start), delta("input_json_delta", partial_json='{"a":2}'), closed(), ENDED, STOP)


@pytest.mark.parametrize("text", ['{"a": 1', "{'a': 1}", '{"a": NaN}', '{"a":1}{"a":1}', '{"a": 1e999}', "[" * 100_000])
def test_input_that_is_no_json_does_not_fold(text: str) -> None:
    start = opened(type="tool_use", input={})
    unfoldable(START, start, delta("input_json_delta", partial_json=text), closed(), ENDED, STOP)


def test_input_grows_on_any_block_that_has_one() -> None:
    start = {"type": "new_tool_use", "input": {}}
    assert block(start, delta("input_json_delta", partial_json="[1]"))["input"] == [1]
    assert block({"type": "tool_use"}, delta("input_json_delta", partial_json="{}"))["input"] == {}


def test_what_a_delta_says_of_progress_is_left_out_and_null_says_nothing() -> None:
    folded = block(
        {"type": "thinking", "thinking": ""},
        delta("thinking_delta", thinking="a", estimated_tokens=50),
        delta("thinking_delta", thinking="b", estimated_tokens=None, later=None),
    )
    assert folded == {"type": "thinking", "thinking": "ab"}


def test_blocks_come_in_the_order_of_their_indices() -> None:
    events = [opened(2), closed(2), opened(0, type="x"), closed(0)]
    assert [each["type"] for each in fold(stream(START, *events, ENDED, STOP))["content"]] == ["x", "text"]


@pytest.mark.parametrize(
    "events",
    [
        [delta("text_delta", text="a")],
        [opened(), closed(), delta("text_delta", text="a")],
        [opened(), closed(), closed()],
        [opened(), closed(), opened(), closed()],
        [opened()],
        [opened(), delta("text_delta", 1, text="a"), closed()],
        [opened("0"), closed("0")],
        [opened(None), closed(None)],
        [opened(True), closed(True)],
        [opened([0]), closed([0])],
        [opened(), closed([0])],
        [event("content_block_start", index=0), closed()],
        [event("content_block_start", index=0, content_block=[]), closed()],
        [event("content_block_start", index=0, content_block={"text": ""}), closed()],
        [event("content_block_start", index=0, content_block={"type": 1}), closed()],
        [event("content_block_start", index=0, content_block={"type": "x"}, more=1), closed()],
        [opened(), event("content_block_delta", index=0), closed()],
        [opened(), event("content_block_delta", index=0, delta="a"), closed()],
        [opened(), event("content_block_delta", index=0, delta={"text": "a"}), closed()],
        [opened(), event("content_block_delta", index=0, delta={"type": ["text_delta"]}), closed()],
        [opened(), event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"}, x=1), closed()],
        [opened(), delta("hologram_delta", text="a"), closed()],
        [opened(), delta("text_delta", text="a", more="b"), closed()],
        [opened(), delta("text_delta", text=["a"]), closed()],
        [opened(), delta("thinking_delta", thinking="a"), closed()],
        [opened(), delta("input_json_delta", partial_json="{}"), closed()],
        [opened(type="x", text=""), delta("text_delta", text="a"), closed()],
        [opened(type="text", text="", citations="a"), delta("citations_delta", citation={}), closed()],
        [opened(type="tool_use", input="{"), delta("input_json_delta", partial_json="}"), closed()],
    ],
)
def test_blocks_that_nobody_understands_do_not_fold(events: list[dict[str, Any]]) -> None:
    unfoldable(START, *events, ENDED, STOP)


# ---------------------------------------------------------------- the message


def test_the_last_value_of_each_counter_wins_and_what_is_only_in_the_start_stays() -> None:
    classes = {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}
    usage = {"input_tokens": 9, "cache_creation": classes, "cache_read_input_tokens": 4, "service_tier": "standard"}
    events = [
        event("message_start", message=MESSAGE | {"usage": usage}),
        event("message_delta", delta={}, usage={"input_tokens": 10, "output_tokens": 3}),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": None, "output_tokens": 7}),
    ]
    folded = fold(stream(*events, STOP))["usage"]
    assert folded == usage | {"input_tokens": 10, "output_tokens": 7}


@pytest.mark.parametrize("usage", [{}, {"usage": None}])
def test_usage_may_come_with_the_end_alone_or_not_at_all(usage: dict[str, Any]) -> None:
    begun = event("message_start", message=MESSAGE | usage)
    assert fold(stream(begun, ENDED, STOP))["usage"] == {"output_tokens": 7}
    bare = event("message_delta", delta={"stop_reason": "end_turn"})
    assert fold(stream(begun, bare, STOP)) == MESSAGE | usage | {"stop_reason": "end_turn"}


def test_unknown_members_of_the_end_belong_to_the_message_and_may_not_change() -> None:
    ended = event("message_delta", delta={"stop_reason": "end_turn", "new": 1, "none": None}, other=[2])
    folded = fold(stream(START, ended, STOP))
    assert (folded["new"], folded["none"], folded["other"]) == (1, None, [2])
    unfoldable(START, ended, event("message_delta", delta={"new": 2}), STOP)
    unfoldable(START, event("message_delta", delta={"stop_reason": "end_turn", "model": "n"}), STOP)


def test_another_model_that_took_over_is_the_one_that_is_named() -> None:
    taken = opened(type="fallback", to={"model": "n"})
    assert fold(stream(START, taken, closed(), ENDED, STOP))["model"] == "n"
    for to in (None, "n", {"model": None}):
        assert fold(stream(START, opened(type="fallback", to=to), closed(), ENDED, STOP))["model"] == "m"


@pytest.mark.parametrize(
    "events",
    [
        [],
        [STOP],
        [ENDED, STOP],
        [opened(), closed(), START, ENDED, STOP],
        [START, START, ENDED, STOP],
        [START, STOP],
        [START, event("message_delta", delta={"stop_reason": None}), STOP],
        [START, event("message_delta", delta={"stop_reason": 1}), STOP],
        [START, event("message_delta", delta=None), STOP],
        [START, event("message_delta", delta={"stop_reason": "end_turn"}, usage=[1]), STOP],
        [START, event("message_delta", delta={"stop_reason": "end_turn", "content": []}), STOP],
        [START, event("message_delta", delta={"stop_reason": "end_turn"}, content=[]), STOP],
        [START, ENDED, event("message_stop", metrics={"ms": 3})],
        [START, ENDED, event("ping", cost="0.01"), STOP],
        [START, ENDED, event("message_news"), STOP],
        [START, ENDED, {"usage": {}}, STOP],
        [event("message_start"), ENDED, STOP],
        [event("message_start", message=[]), ENDED, STOP],
        [event("message_start", message=MESSAGE, more=1), ENDED, STOP],
        [event("message_start", message=MESSAGE | {"content": [{"type": "text", "text": "a"}]}), ENDED, STOP],
        [event("message_start", message=MESSAGE | {"usage": 3}), ENDED, STOP],
    ],
)
def test_messages_that_nobody_understands_do_not_fold(events: list[dict[str, Any]]) -> None:
    unfoldable(*events)


@pytest.mark.parametrize(
    "raw",
    [
        b"data: rubbish\n\n",
        b"data: [DONE]\n\n",
        b"data: [1]\n\n",
        b"data: null\n\n",
        b'data: {"type":"ping"\n\n',
        b'data: "\xff"\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"event: error\n\n",
        b"event: error\ndata: overloaded\n\n",
        b'data: {"error":{"message":"no"}}\n\n',
        b'event: ping\ndata: {"type":"content_block_stop","index":0}\n\n',
    ],
)
def test_rubbish_never_folds(raw: bytes) -> None:
    frames = stream(START, opened(), closed(), ENDED, STOP)
    assert fold(frames)
    for place in range(len(frames)):
        with pytest.raises(Unfoldable):
            fold([*frames[:place], Frame(raw), *frames[place:]])


def test_an_event_with_two_names_does_not_fold() -> None:
    def named(name: str) -> list[Frame]:
        text = frame_of(json.dumps(delta("text_delta", text="a")).encode(), name)
        return [*stream(START, opened()), text, *stream(closed(), ENDED, STOP)]

    assert fold(named("content_block_delta")) == fold(named(""))
    for name in ("ping", "content_block_deltas", "message"):
        with pytest.raises(Unfoldable):
            fold(named(name))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "text", "tool_use", "text_delta", "error"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "index", "delta", "text", "usage", "message", "input"]), inner)
    ),
    max_leaves=8,
)
KINDS = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "error"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), anything), max_size=4), st.integers(0, 5))
def test_events_of_any_form_fold_or_do_not_but_never_crash(odd: list[tuple[str, Any]], place: int) -> None:
    events = [START, opened(), delta("text_delta", text="a"), closed(), ENDED, STOP]
    names = ("index", "delta", "message", "content_block")
    members = [event(kind, **dict.fromkeys(names, value)) for kind, value in odd]
    whole = [value for _, value in odd if isinstance(value, dict)]
    for frames in (
        stream(*events[:place], *members, *events[place:]),
        stream(*events[:place], *whole, *events[place:]),
    ):
        try:
            fold(frames)
        except Unfoldable:
            continue


# ---------------------------------------------------------------- end and error

TELLING = 'event: message_stop\n\ndata: {"type": "message_stop"} {"type":"error"}'


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_has_one_end_and_no_error(name: str) -> None:
    frames = frames_of(raw_of(name))
    assert [is_end(frame) for frame in frames].count(True) == 1
    assert not any(map(is_error, frames))
    assert is_end(next(frame for frame in reversed(frames) if frame.data))


@pytest.mark.parametrize(
    ("raw", "end"),
    [
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        (b'data: {"type": "message_stop"}\n\n', True),
        (b'event:message_stop\r\ndata:{"type":"message_stop","amazon-bedrock-invocationMetrics":{}}\r\n\r\n', True),
        (b'event: message_stop\ndata: {"index": 1}\n\n', True),
        (b"event: message_stop\n\n", False),
        (b": message_stop\n\n", False),
        (b"event: message_stop\ndata: rubbish\n\n", False),
        (b"event: message_stop\ndata: []\n\n", False),
        (b'event: ping\ndata: {"type":"message_stop"}\n\n', True),
        (b'event: message_stop\ndata: {"type":"ping"}\n\n', False),
        (b'data: {"type":"message_delta","delta":{"type":"message_stop"}}\n\n', False),
        (frame(delta("text_delta", text=TELLING)).raw, False),
        (b"data: [DONE]\n\n", False),
    ],
)
def test_is_end(raw: bytes, end: bool) -> None:
    assert is_end(Frame(raw)) is end


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"o"}}\n\n', True),
        (b'data: {"type": "error"}\n\n', True),
        (b"event: error\ndata: Overloaded\n\n", True),
        (b"event: error\n\n", True),
        (b'data: {"error": {"message": "from a gateway"}}\n\n', True),
        (b'data: {"error": null, "type": "ping"}\n\n', False),
        (b"data: error\n\n", False),
        (b'data: "error"\n\n', False),
        (b'data: ["error"]\n\n', False),
        (b": error\n\n", False),
        (frame(delta("text_delta", text=TELLING)).raw, False),
        (frame(opened(type="x", error={"type": "error"})).raw, False),
    ],
)
def test_is_error(raw: bytes, error: bool) -> None:
    assert is_error(Frame(raw)) is error


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"message_stop", b'"error"', b"event: error"]))
def test_any_bytes_can_be_asked(raw: bytes, word: bytes) -> None:
    answers: list[Callable[[Frame], bool]] = [is_end, is_error]
    for ask in answers:
        assert ask(Frame(b"data: " + raw + word + b"\n\n")) in (True, False)
