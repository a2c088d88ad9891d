"""Streams of the Responses API as they are sent, beside the whole answers that are sent for the same request."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import openai.types.responses
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import Unfoldable
from adapters.openai_responses_fold import EVENTS, fold, is_end, is_error, read
from adapters.sse import Frame, Splitter, frame_of

DATA = Path(__file__).parent / "data" / "responses"
PAIRS = sorted(path.stem for path in DATA.glob("*.sse"))
UNFOLDABLE = sorted(path.stem for path in (DATA / "unfoldable").glob("*.sse"))
ERRORS = {"error_nested", "error_flat", "error_at_once", "error_then_completed", "gateway_error"}
ENDLESS = {"cut_off", "only_done", "no_response", *ERRORS} - {"error_then_completed"}


def raw_of(name: str) -> bytes:
    return (DATA / f"{name}.sse").read_bytes()


def frames_of(raw: bytes) -> list[Frame]:
    splitter = Splitter()
    frames = splitter.feed(raw)
    assert not splitter.rest()
    return frames


def whole_of(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_bytes())


def event(kind: str, **members: Any) -> Frame:
    return frame_of(json.dumps({"type": kind, **members}).encode(), kind)


def done(index: Any, item: Any) -> Frame:
    return event("response.output_item.done", output_index=index, item=item)


def completed(**response: Any) -> Frame:
    return event("response.completed", response={"status": "completed", **response})


def call(name: str, arguments: str = "{}") -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{name}",
        "call_id": f"call_{name}",
        "name": name,
        "arguments": arguments,
    }


# ---------------------------------------------------------------- constructed pairs


def test_the_pairs_are_there() -> None:
    assert len(PAIRS) >= 30
    assert len(UNFOLDABLE) >= 12
    assert set(UNFOLDABLE) >= ERRORS | ENDLESS


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_folds_into_the_whole_answer(name: str) -> None:
    frames = frames_of(raw_of(name))
    assert fold(frames) == whole_of(name)
    (end,) = [place for place, frame in enumerate(frames) if is_end(frame)]
    assert [frame.data for frame in frames[end + 1 :]] in ([], [b"[DONE]"])
    assert not any(map(is_error, frames))


@pytest.mark.parametrize("name", UNFOLDABLE)
def test_what_contradicts_itself_or_breaks_off_does_not_fold(name: str) -> None:
    frames = frames_of(raw_of(f"unfoldable/{name}"))
    with pytest.raises(Unfoldable):
        fold(frames)
    assert any(map(is_error, frames)) is (name in ERRORS)
    assert any(map(is_end, frames)) is (name not in ENDLESS)


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_cut_anywhere_before_its_end_does_not_fold(name: str) -> None:
    frames = frames_of(raw_of(name))
    end = next(place for place, frame in enumerate(frames) if is_end(frame))
    for cut in range(end):
        with pytest.raises(Unfoldable):
            fold(frames[:cut])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PAIRS), st.lists(st.integers(1, 300), min_size=1, max_size=30))
def test_any_split_of_the_bytes_gives_the_same_answer(name: str, sizes: list[int]) -> None:
    raw, splitter, frames, start, turn = raw_of(name), Splitter(), list[Frame](), 0, 0
    while start < len(raw):
        size = sizes[turn % len(sizes)]
        frames += splitter.feed(raw[start : start + size])
        start, turn = start + size, turn + 1
    assert fold(frames) == whole_of(name)


@pytest.mark.parametrize("name", ["openai_text", "gateway_data_only"])
def test_a_terminal_event_that_is_torn_is_none(name: str) -> None:
    """At the end of a body the upstream's reader adds a blank line to what is left, and asks."""
    end = next(frame for frame in frames_of(raw_of(name)) if is_end(frame))
    torn = end.raw.rstrip()
    assert is_end(Frame(torn + b"\n\n"))
    for size in range(len(torn)):
        assert not is_end(Frame(torn[:size] + b"\n\n"))


# ---------------------------------------------------------------- events


@pytest.mark.parametrize(
    ("raw", "end"),
    [
        (b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n', True),
        (b'data: {"type":"response.incomplete", "response": {}}\n\n', True),
        (b'data: {"type":"response.incomplete"}\n\n', False),
        (b'data: {"type":"response.incomplete","response":null}\n\n', False),
        (b'data:{"response":{},"type":"response.failed"}\r\n\r\n', True),
        (b'event: response.cancelled\ndata: {"response":{}}\n\n', True),
        (b'event: message\ndata: {"type":"response.completed","response":{}}\n\n', True),
        (b"event: response.completed\n\n", False),
        (b"event: response.completed\ndata: {}\n\n", False),
        (b'event: response.completed\ndata: {"type":"response.output_text.delta","response":{}}\n\n', False),
        (b'data: {"type":"response.output_text.delta","delta":"response.completed","response":{}}\n\n', False),
        (b'data: {"type":"response.output_text.delta","delta":"response.completed"}\n\n', False),
        (b'data: {"type":"response.web_search_call.completed"}\n\n', False),
        (b'data: {"type":["response.completed"],"response":{}}\n\n', False),
        (b'data: ["response.completed", "response"]\n\n', False),
        (b'data: "response.completed"\n\n', False),
        (b": response.completed\n\n", False),
        (b"data: [DONE]\n\n", False),
        (b'data: {"type":"response.completed","response":{},"x":"\xff"}\n\n', False),
    ],
)
def test_the_end_is_a_terminal_event_and_nothing_else(raw: bytes, end: bool) -> None:
    assert is_end(Frame(raw)) is end
    assert not is_error(Frame(raw))


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'event: error\ndata: {"type":"error","code":"x","message":"no","param":null,"sequence_number":3}\n\n', True),
        (b'data: {"type":"error","code":"x","message":"no"}\n\n', True),
        (b'data: {"type":"error","error":{"message":"no"}}\n\n', True),
        (b'data: {"error":{"message":"no"}}\n\n', True),
        (b'data: {"error":"overloaded"}\n\n', True),
        (b"event: error\ndata: overloaded\n\n", True),
        (b'data: {"object":"error","message":"x"}\n\n', True),
        (b'data: {"type":"response.created","response":{"error":null}}\n\n', False),
        (b'data: {"type":"response.failed","response":{"error":{"code":"x"}}}\n\n', False),
        (b'data: {"type":"response.output_text.delta","delta":"an \\"error\\""}\n\n', False),
        (b'data: {"error":null}\n\n', False),
        (b'data: ["error"]\n\n', False),
        (b'data: {"error"\n\n', False),
        (b": error\n\n", False),
    ],
)
def test_an_error_event_is_known(raw: bytes, error: bool) -> None:
    assert is_error(Frame(raw)) is error
    assert is_end(Frame(raw)) is (b"response.failed" in raw)


class Unread(Frame):
    __slots__ = ()

    def json(self) -> Any:
        raise AssertionError("a delta was decoded")

    @property
    def data(self) -> bytes | None:
        raise AssertionError("a delta was decoded")


def test_deltas_are_never_decoded() -> None:
    delta = Unread(b'data: {"type":"response.output_text.delta","output_index":0,"delta":"Hello"}\n\n')
    assert not is_end(delta)
    assert not is_error(delta)
    item = call("a")
    assert fold([delta, completed(output=[item])])["output"] == [item]


# ---------------------------------------------------------------- the output, where the terminal event lacks it


@pytest.mark.parametrize("output", [{"output": []}, {"output": None}, {}])
def test_items_that_were_done_fill_an_empty_output_in_their_order(output: dict[str, Any]) -> None:
    frames = [done(1, call("b")), done(0, call("a")), done(3, call("d")), completed(**output, id="r")]
    assert fold(frames) == {"status": "completed", "id": "r", "output": [call("a"), call("b"), call("d")]}


def test_an_item_that_is_done_twice_counts_as_said_last() -> None:
    frames = [done(0, call("a", "{")), done(0, call("a", "{}")), completed(output=[])]
    assert fold(frames)["output"] == [call("a", "{}")]


@pytest.mark.parametrize("index", [0, None, "0", [1], True])
def test_items_are_told_apart_where_indices_are_not(index: Any) -> None:
    frames = [done(index, call("a")), done(index, call("b")), completed(output=[])]
    assert fold(frames)["output"] == [call("a"), call("b")]


def test_an_item_that_is_begun_but_never_done_is_missed_only_where_the_output_lacks_it() -> None:
    begun = event("response.output_item.added", output_index=1, item=call("b", ""))
    frames = [done(0, call("a")), begun]
    with pytest.raises(Unfoldable):
        fold([*frames, completed(output=[])])
    whole = [call("a"), call("b")]
    assert fold([*frames, completed(output=whole)])["output"] == whole
    empty = event("response.output_item.added", output_index=1, item=None)
    assert fold([done(0, call("a")), empty, completed(output=[])])["output"] == [call("a")]


def test_a_failure_keeps_its_empty_output() -> None:
    failed = event("response.failed", response={"status": "failed", "output": [], "error": {"code": "x"}})
    assert fold([done(0, call("a")), failed])["output"] == []


def test_no_output_is_believed_only_where_nothing_was_said_about_one() -> None:
    assert fold([completed(output=[])]) == {"status": "completed", "output": []}
    delta = event("response.output_text.delta", output_index=0, delta="x")
    with pytest.raises(Unfoldable):
        fold([delta, completed(output=[])])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([call("a", '{"x":1}')], [call("a")]),
        ([call("a"), call("b")], [call("a")]),
        ([call("a"), call("a")], [call("a")]),
        ([{"type": "message", "content": [{"text": "Hello"}]}], [{"type": "message", "content": [{"text": "lo"}]}]),
        ([{"type": "message", "content": [{"refusal": "No"}]}], [{"type": "message", "content": []}]),
        ([{"type": "reasoning", "summary": [{"text": "a"}]}], [{"type": "reasoning", "summary": []}]),
        ([{"type": "custom_tool_call", "input": "a"}], [{"type": "custom_tool_call", "input": "b"}]),
        ([{"type": "hologram"}], ["hologram"]),
    ],
)
def test_a_terminal_event_that_contradicts_the_items_is_not_believed(said: list[Any], told: list[Any]) -> None:
    frames = [done(place, item) for place, item in enumerate(said)]
    with pytest.raises(Unfoldable, match="contradicts"):
        fold([*frames, completed(output=told)])
    assert fold([*frames, completed(output=said)])["output"] == said


def test_order_ids_and_ciphers_may_differ() -> None:
    one, other = call("a"), {"type": "reasoning", "id": "rs_1", "encrypted_content": "x", "summary": []}
    told = [other | {"encrypted_content": "y", "status": "completed"}, one | {"id": None}]
    assert fold([done(0, one), done(1, other), completed(output=told)])["output"] == told


def test_the_answer_belongs_to_whoever_gets_it() -> None:
    frames = [completed(output=[call("a")])]
    assert is_end(frames[0])
    fold(frames)["output"].clear()
    assert fold(frames)["output"] == [call("a")]


# ---------------------------------------------------------------- anything anywhere

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
kinds = st.sampled_from(
    ["response.completed", "response.output_item.done", "response.output_item.added", "error", "response.failed", ""]
)
names = st.sampled_from(["response", "item", "output_index", "output", "status", "error", "content", "type"])


@st.composite
def events(draw: st.DrawFn) -> Frame:
    members: dict[str, Any] = {"type": draw(kinds | values)}
    for name in ("response", "item", "output_index", "error"):
        inner = st.dictionaries(names, values | st.lists(st.dictionaries(names, values, max_size=3), max_size=2))
        if draw(st.booleans()):
            members[name] = draw(values | inner)
    return frame_of(json.dumps(members).encode(), draw(st.sampled_from(["", "response.completed", "error"])))


@settings(max_examples=300, deadline=None)
@given(st.lists(events(), max_size=4))
def test_nothing_that_is_sent_breaks_the_fold(frames: list[Frame]) -> None:
    streamed = read(frames)
    try:
        folded = fold(frames)
    except Unfoldable:
        return
    assert streamed.response is not None
    assert folded.items() >= {name: value for name, value in streamed.response.items() if name != "output"}.items()


def test_every_event_of_the_official_client_is_known() -> None:
    folder = Path(openai.types.responses.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*_event.py")]
    named = {name for text in texts for name in re.findall(r'type: Literal\["(response\.[a-z_.]+|error)"\]', text)}
    sent_by_clients = {name for name in named if name.count(".") == 1} - EVENTS
    assert len(named) > 40
    assert named - EVENTS == sent_by_clients <= {"response.create", "response.steer"}
