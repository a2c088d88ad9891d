"""Event frames: what was fed comes out byte for byte, however it was cut."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sse import Frame, Splitter, frame_of

EOLS = (b"\n", b"\r\n", b"\r")
lines = st.lists(
    st.sampled_from([b"data: {}", b"data:", b"data", b": comment", b"event: error", b"id: 1", b"data:  x", b"junk"])
    | st.binary(max_size=12).filter(
        lambda line: line.strip(b"\r\n") == line and b"\n" not in line and b"\r" not in line
    ),
    min_size=1,
    max_size=4,
).map(lambda found: [line or b":" for line in found])
events = st.lists(lines, min_size=1, max_size=8)


def fed(raw: bytes, sizes: list[int]) -> tuple[list[Frame], bytes]:
    splitter, frames, start, turn = Splitter(), list[Frame](), 0, 0
    while start < len(raw):
        size = sizes[turn % len(sizes)]
        frames += splitter.feed(raw[start : start + size])
        start, turn = start + size, turn + 1
    return frames, splitter.rest()


@settings(max_examples=200)
@given(events, st.sampled_from(EOLS), st.lists(st.integers(1, 9), min_size=1, max_size=9), st.binary(max_size=20))
def test_nothing_is_lost_and_cuts_do_not_matter(
    written: list[list[bytes]], eol: bytes, sizes: list[int], tail: bytes
) -> None:
    raw = b"".join(eol.join(event) + eol + eol for event in written) + tail
    frames, rest = fed(raw, sizes)
    assert b"".join(frame.raw for frame in frames) + rest == raw
    assert (frames, rest) == fed(raw, [len(raw)])


@settings(max_examples=100)
@given(events, st.sampled_from(EOLS), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_a_blank_line_ends_an_event(written: list[list[bytes]], eol: bytes, sizes: list[int]) -> None:
    frames, rest = fed(b"".join(eol.join(event) + eol + eol for event in written) + b":", sizes)
    assert [frame.raw for frame in frames] == [eol.join(event) + eol + eol for event in written]
    assert rest == b":"


@given(st.binary(max_size=60), st.lists(st.integers(1, 5), min_size=1))
def test_any_bytes_at_all_come_out_as_they_went_in(raw: bytes, sizes: list[int]) -> None:
    frames, rest = fed(raw, sizes)
    assert b"".join(frame.raw for frame in frames) + rest == raw


def test_line_ends_may_be_mixed() -> None:
    frames, rest = fed(b"data: 1\r\n\ndata: 2\n\r\ndata: 3\r\rdata: 4\n\n", [100])
    assert [frame.data for frame in frames] == [b"1", b"2", b"3", b"4"]
    assert rest == b""


def test_a_line_feed_after_a_cut_carriage_return_belongs_to_it() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\r\n\r") == []
    assert splitter.feed(b"\ndata: 2\r\n\r\n") == [Frame(b"data: 1\r\n\r\n"), Frame(b"data: 2\r\n\r\n")]


def test_an_event_is_delivered_as_soon_as_it_is_complete() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\n") == []
    assert splitter.feed(b"\n") == [Frame(b"data: 1\n\n")]
    assert splitter.feed(b"data: 2\r\n\r\n") == [Frame(b"data: 2\r\n\r\n")]


def test_the_torn_tail_is_told_once() -> None:
    splitter = Splitter()
    splitter.feed(b"data: 1\n\ndata: 2")
    assert splitter.rest() == b"data: 2"
    assert splitter.rest() == b""


def test_an_endless_event_is_refused() -> None:
    splitter = Splitter(limit=10)
    assert len(splitter.feed(b"data: 1\n\ndata: 2\n\ndata: 3\n\n")) == 3
    with pytest.raises(ValueError, match="10 bytes"):
        splitter.feed(b"data: 12345")


def test_feeding_byte_by_byte_is_linear_in_searches() -> None:
    """A frame of 200 kB in pieces of 10 bytes: searching it from its start each time would take minutes."""
    raw = b"data: " + b"x" * 200_000 + b"\n\n"
    frames, _ = fed(raw, [10])
    assert frames == [Frame(raw)]


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\n\n", b"x"),
        (b"data:  x \n\n", b" x "),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data: a\r\ndata: b\r\n\r\n", b"a\nb"),
        (b"data: a\rid: 1\rdata\r\r", b"a\n"),
        (b"\xef\xbb\xbfdata: x\n\n", b"x"),
        (b": comment\n\n", None),
        (b"event: ping\n\n", None),
        (b"data\n\n", b""),
        (b"database: x\n\n", None),
        (b"event: e\ndata: x\n\n", b"x"),
    ],
)
def test_data_is_read_as_the_standard_says(raw: bytes, data: bytes | None) -> None:
    frame = Frame(raw)
    assert frame.data == data
    assert frame.data == data, "also when it is asked again"


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        (b"data: x\n\n", ""),
        (b"event: error\ndata: x\n\n", "error"),
        (b"data: x\nevent: error\n\n", "error"),
        (b"data: x\revent: error\r\r", "error"),
        (b"event: a\nevent: b\ndata: x\n\n", "b"),
        (b'data: {"event": "no"}\n\n', ""),
        (b"\xef\xbb\xbfevent: error\n\n", "error"),
    ],
)
def test_event_is_the_last_that_was_named(raw: bytes, event: str) -> None:
    assert Frame(raw).event == event


def test_json_is_the_decoded_data() -> None:
    assert frame_of(b'{"a":[1]}').json() == {"a": [1]}
    for raw in (b"data: {\n\n", b": comment\n\n"):
        with pytest.raises(msgspec.DecodeError):
            Frame(raw).json()


def test_a_written_event_reads_back() -> None:
    frame = frame_of(b'{"a":1}', event="error")
    assert frame.raw == b'event: error\ndata: {"a":1}\n\n'
    assert (frame.event, frame.data) == ("error", b'{"a":1}')
    assert Splitter().feed(frame.raw) == [frame]


def test_frames_are_equal_by_their_bytes() -> None:
    assert len({Frame(b"data: 1\n\n"), frame_of(b"1"), frame_of(b"2")}) == 2
    assert Frame(b"x") != b"x"
