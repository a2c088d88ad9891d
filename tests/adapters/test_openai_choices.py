"""Several completions as one: numbering, sums, and that streams and whole answers are joined to the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Unfoldable
from adapters.openai_choices import OPENAI_CHOICES, Merger, merged, summed
from adapters.openai_fold import DONE, fold
from adapters.openai_unfold import unfold
from adapters.sse import Frame, frame_of
from tests.fakes import completion


def feed(streams: list[list[Frame]], order: list[int]) -> list[Frame]:
    """The joined stream, when the streams take turns in this order and the rest comes one behind the other."""
    merger, waiting, out = Merger(len(streams)), [list(stream) for stream in streams], list[Frame]()
    for place in (*order, *(place for place, stream in enumerate(streams) for _ in stream)):
        if waiting[place]:
            out += merger.feed(place, waiting[place].pop(0))
    return out


def test_choices_are_numbered_anew_and_the_answer_is_the_first_ones() -> None:
    whole = merged([completion("A", id="a"), completion("B", id="b", model="other", finish="length")])
    assert [(choice["index"], choice["message"]["content"]) for choice in whole["choices"]] == [(0, "A"), (1, "B")]
    assert [choice["finish_reason"] for choice in whole["choices"]] == ["stop", "length"]
    assert (whole["id"], whole["model"], whole["object"]) == ("a", "gpt-4o-2024-08-06", "chat.completion")


def test_usage_is_the_sum_because_the_prompt_is_billed_for_each() -> None:
    assert merged([completion(), completion(), completion()])["usage"] == {
        "prompt_tokens": 6000,
        "completion_tokens": 300,
        "total_tokens": 6300,
        "prompt_tokens_details": {"cached_tokens": 3072},
    }


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        ([{"a": 1}, {"a": 2, "b": 3}], {"a": 3, "b": 3}),
        ([{"a": {"b": 1}}, {"a": {"b": 2, "c": None}}], {"a": {"b": 3, "c": None}}),
        ([{"a": None}, {"a": 5}], {"a": 5}),
        ([{"a": 1}, {"a": None}], {"a": 1}),
        ([{"tier": "x", "f": True}, {"tier": "y", "f": True}], {"tier": "x", "f": True}),
        ([{"a": 1}, {"a": {"b": 1}}], {"a": 1}),
        ([{"cost": 0.5}, {"cost": 0.25}], {"cost": 0.75}),
        ([{"a": 1}, None], None),
        ([{"a": 1}, {}], None),
        ([{"a": 1}, 7], None),
        ([], None),
    ],
)
def test_sums(usages: list[Any], expected: Any) -> None:
    assert summed(usages) == expected


def test_what_one_answer_does_not_tell_is_not_made_up() -> None:
    silent = {name: value for name, value in completion().items() if name != "usage"}
    assert merged([completion(), silent])["usage"] is None
    assert "usage" not in merged([silent, silent])


@pytest.mark.parametrize("choices", [None, [], {}, "x", [1], [None]])
def test_what_is_no_answer_can_not_be_joined(choices: Any) -> None:
    with pytest.raises(Unfoldable):
        merged([completion(), completion(choices=choices)])


answers = st.lists(
    st.builds(
        lambda text, finish: completion(text, finish=finish),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
        st.sampled_from(["stop", "length"]),
    ),
    min_size=2,
    max_size=4,
)


@given(answers, st.data())
def test_joined_streams_are_the_stream_of_the_joined_answer(messages: list[dict[str, Any]], data: Any) -> None:
    streams = [unfold(message, usage=True) for message in messages]
    order = data.draw(st.lists(st.integers(0, len(streams) - 1), max_size=60))
    out = feed(streams, order)
    assert fold(out) == merged(messages)
    assert out[-1] == DONE
    assert out.count(DONE) == 1
    last: Any = out[-2].json()
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 2000 * len(messages)
    assert not any(event.get("usage") for event in map(Frame.json, out[:-2]))


def test_without_usage_there_is_no_event_of_it() -> None:
    streams = [unfold(completion("A"), usage=False), unfold(completion("B"), usage=True)]
    out = feed(streams, [0, 1, 1, 1])
    assert not any(b'"usage":{' in frame.raw for frame in out)
    assert [choice["message"]["content"] for choice in fold(out)["choices"]] == ["A", "B"]


def test_usage_that_comes_with_the_last_choice_is_kept_back_too() -> None:
    def event(place: int) -> Frame:
        choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
        return frame_of(json.dumps({"id": f"c{place}", "choices": [choice], "usage": {"n": 1 + place}}).encode())

    merger = Merger(2)
    out = [*merger.feed(0, event(0)), *merger.feed(1, event(1)), *merger.feed(1, DONE), *merger.feed(0, DONE)]
    told: list[Any] = [frame.json() for frame in out[:-1]]
    assert [each["usage"] for each in told] == [None, None, {"n": 3}]
    assert [each["id"] for each in told] == ["c0"] * 3
    assert [each["choices"][0]["index"] for each in told[:2]] == [0, 1]


def test_the_end_comes_when_all_have_ended_and_once() -> None:
    merger = Merger(2)
    assert merger.feed(1, DONE) == []
    assert merger.feed(1, DONE) == []
    assert merger.feed(0, DONE) == [DONE]
    assert merger.feed(0, DONE) == []


@pytest.mark.parametrize(
    "raw",
    [b": ping\n\n", b"data: 7\n\n", b"data: {torn\n\n", b'event: error\ndata: {"error":{"message":"x"},"id":"q"}\n\n'],
)
def test_what_is_no_chunk_passes_as_it_is(raw: bytes) -> None:
    merger = Merger(2)
    assert merger.feed(0, frame_of(b'{"id":"c","choices":[]}'))
    assert merger.feed(1, Frame(raw)) == [Frame(raw)]


def test_more_choices_than_were_asked_for_stay_apart() -> None:
    merger, seen = Merger(2), list[Any]()
    for place, index in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 1), (1, None), (0, "x")):
        chunk = json.dumps({"choices": [{"index": index, "delta": {}}]}).encode()
        seen += [frame.json()["choices"][0]["index"] for frame in merger.feed(place, frame_of(chunk))]
    assert seen == [0, 2, 1, 3, 2, 1, 0]


@pytest.mark.parametrize("choices", [None, {}, "x", [7, None]])
def test_choices_of_any_kind_pass(choices: Any) -> None:
    chunk = {"id": "c", "choices": choices}
    assert [frame.json() for frame in Merger(2).feed(1, frame_of(json.dumps(chunk).encode()))] == [chunk]


def test_the_dialects_two_functions_stand_together() -> None:
    assert OPENAI_CHOICES.merged([completion(), completion()])["choices"][1]["index"] == 1
    assert isinstance(OPENAI_CHOICES.stream(2), Merger)
