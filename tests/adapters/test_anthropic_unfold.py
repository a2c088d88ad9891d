"""A replayed stream: it looks like Anthropic's, and folding it gives the message back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.anthropic_fold import fold, is_end, is_error
from adapters.anthropic_unfold import unfold
from adapters.errors import Unfoldable
from adapters.openai_unfold import PIECES
from adapters.sse import Frame, Splitter, frame_of

DATA = Path(__file__).parent / "data" / "anthropic"
PAIRS = sorted(path.stem for path in DATA.glob("*.json"))

USAGE = {"input_tokens": 9, "output_tokens": 17}


def recorded(name: str) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((DATA / f"{name}.json").read_bytes())
    return whole


def whole(*content: Any, **members: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": list(content)}
    return message | {"stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE} | members


def events(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [frame.json() for frame in unfold(message, usage=True)]


def deltas(block: dict[str, Any]) -> list[dict[str, Any]]:
    return [event["delta"] for event in events(whole(block)) if event["type"] == "content_block_delta"]


def start(block: dict[str, Any]) -> dict[str, Any]:
    (event,) = [event for event in events(whole(block)) if event["type"] == "content_block_start"]
    started: dict[str, Any] = event["content_block"]
    return started


def exact(value: Any) -> bytes:
    """Canonical JSON: tells 1 from 1.0 and from true, as `==` does not."""
    return msgspec.json.encode(value, order="deterministic")


# ---------------------------------------------------------------- the property

texts = st.none() | st.text(max_size=60)
unknown = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
extras = st.dictionaries(st.sampled_from(["u_one", "u_two", "häufig", ""]), unknown, max_size=2)


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of these members, with unknown ones."""
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda members, more: members | more, known, extras)


def of_type(*kinds: str, **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return some({"type": st.sampled_from(kinds)}, optional)


objects = st.dictionaries(st.text(max_size=6), unknown, max_size=4)
citations = st.none() | st.lists(some({"type": st.just("char_location")}, {"cited_text": texts}) | unknown, max_size=3)
blocks = (
    of_type("text", text=texts | unknown, citations=citations | unknown)
    | of_type("thinking", thinking=texts | unknown, signature=texts | unknown)
    | of_type("tool_use", "server_tool_use", "mcp_tool_use", id=texts, name=texts, input=objects | unknown)
    | of_type("redacted_thinking", "web_search_tool_result", "compaction", data=texts, content=unknown, text=texts)
    | of_type("fallback", to=st.none() | st.just({"model": 1}))
    | st.builds(lambda kind, rest: {"type": kind, **rest}, st.text(max_size=9), objects)
)
counters = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
parts = ["cache_creation", "output_tokens_details", "server_tool_use", "iterations", "fallback_credit"]
optional_counters = dict.fromkeys(counters, st.none() | st.integers(0, 2**40)) | dict.fromkeys(parts, unknown)
others = ["container", "stop_details", "stop_sequence", "diagnostics", "context_management", "input_transformations"]
messages = some(
    {
        "content": st.lists(blocks, max_size=4),
        "stop_reason": st.text(max_size=12),
        "usage": some({}, optional_counters),
    },
    {"id": texts, "type": st.just("message"), "role": texts, "model": texts} | dict.fromkeys(others, unknown),
)


@settings(max_examples=400, deadline=None)
@given(messages)
def test_fold_gives_back_what_was_unfolded(message: dict[str, Any]) -> None:
    before = exact(message)
    assert exact(fold(unfold(message, usage=True))) == before
    assert unfold(message, usage=False) == unfold(message, usage=True)
    assert exact(message) == before, "the message itself is left as it was"


@settings(max_examples=100, deadline=None)
@given(messages, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_the_bytes_survive_any_cut(message: dict[str, Any], eol: bytes, sizes: list[int]) -> None:
    frames = unfold(message, usage=True)
    raw = b"".join(frame.raw for frame in frames).replace(b"\n", eol)
    splitter, read, begin, turn = Splitter(), list[Frame](), 0, 0
    while begin < len(raw):
        size = sizes[turn % len(sizes)]
        read += splitter.feed(raw[begin : begin + size])
        begin, turn = begin + size, turn + 1
    rest = splitter.rest()  # after a lone CR the splitter has to wait whether a line feed follows
    read += [Frame(rest)] if rest else []
    assert [frame.data for frame in read] == [frame.data for frame in frames]
    assert exact(fold(read)) == exact(message)


GROWING = ("text", "thinking", "partial_json")


@settings(max_examples=100, deadline=None)
@given(messages, st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_the_fold_does_not_depend_on_where_texts_are_cut(message: dict[str, Any], places: list[int]) -> None:
    cut_up: list[Frame] = []
    for number, frame in enumerate(unfold(message, usage=True)):
        event = frame.json()
        name = next((name for name in GROWING if name in event.get("delta", {})), None)
        if event["type"] != "content_block_delta" or name is None:
            cut_up.append(frame)
            continue
        text = event["delta"][name]
        place = places[number % len(places)] % (len(text) + 1)
        for piece in (text[:place], text[place:]):
            cut_up.append(frame_of(exact(event | {"delta": event["delta"] | {name: piece}})))
    assert exact(fold(cut_up)) == exact(message)


# ---------------------------------------------------------------- pairs


@pytest.mark.parametrize("name", PAIRS)
def test_every_recorded_message_survives(name: str) -> None:
    frames = unfold(recorded(name), usage=True)
    assert exact(fold(frames)) == exact(recorded(name))
    assert [is_end(frame) for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert not any(map(is_error, frames))


@pytest.mark.parametrize("name", PAIRS)
def test_the_official_client_reads_the_replay_as_it_reads_the_message(name: str) -> None:
    import anthropic
    import httpx2

    message = recorded(name)
    replay = b"".join(frame.raw for frame in unfold(message, usage=True))

    def answer(request: httpx2.Request) -> httpx2.Response:
        if json.loads(request.content).get("stream"):
            return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, content=replay)
        return httpx2.Response(200, json=message)

    asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = anthropic.Anthropic(api_key="k", base_url="http://a.test", http_client=http, max_retries=0)
        at_once = client.beta.messages.create(**asked)
        with client.beta.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()
    assert _read(streamed) == _read(at_once)


def _read(message: Any) -> dict[str, Any]:
    """What the client has read, less what it adds: members of its own, and nulls for what was not said."""

    def said(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: said(each) for name, each in value.items() if each is not None and name != "parsed_output"}
        return [said(each) for each in value] if isinstance(value, list) else value

    told: dict[str, Any] = said(message.model_dump(mode="json", by_alias=True, warnings=False))
    return told


# ---------------------------------------------------------------- the shape of the stream


def test_events_come_in_the_order_of_the_provider_and_carry_their_name_twice() -> None:
    frames = unfold(whole({"type": "text", "text": "Hi there"}, {"type": "x"}), usage=True)
    assert [frame.event for frame in frames] == [
        "message_start",
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_stop"),
        "message_delta",
        "message_stop",
    ]
    for frame in frames:
        assert frame.json()["type"] == frame.event
        assert frame.raw.startswith(b"event: ")
    assert [frame.json()["index"] for frame in frames[1:-2]] == [0, 0, 0, 0, 1, 1]


def test_the_start_has_neither_content_nor_end() -> None:
    ending = {"stop_sequence": "X", "stop_details": {"type": "refusal"}, "container": {"id": "c"}}
    message = whole({"type": "text", "text": "a"}, **ending, x_new=[1], stop_reason="stop_sequence")
    first, *_, last, _ = events(message)
    silent = dict.fromkeys(ending)
    assert first["message"] == message | silent | {
        "content": [],
        "stop_reason": None,
        "usage": USAGE | {"output_tokens": 1},
    }
    assert last == {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", **ending}, "usage": USAGE}


def test_counters_are_where_the_provider_has_them() -> None:
    usage = {
        "input_tokens": 9,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": None,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 17,
        "output_tokens_details": {"thinking_tokens": 4},
        "iterations": None,
        "service_tier": "standard",
    }
    first, *_, last, _ = events(whole(usage=usage))
    later = ("output_tokens_details",)
    assert first["message"]["usage"] == {n: v for n, v in usage.items() if n not in later} | {"output_tokens": 1}
    assert last["usage"] == {
        "input_tokens": 9,
        "cache_creation_input_tokens": 30,
        "output_tokens": 17,
        "output_tokens_details": {"thinking_tokens": 4},
    }


def test_a_text_comes_in_several_pieces_but_not_too_many() -> None:
    assert deltas({"type": "text", "text": ""}) == []
    assert deltas({"type": "text", "text": "a"}) == [{"type": "text_delta", "text": "a"}]
    assert [each["text"] for each in deltas({"type": "text", "text": "ab"})] == ["a", "b"]
    assert len(deltas({"type": "text", "text": "a" * 10_000})) <= PIECES


def test_citations_come_after_their_text_one_by_one() -> None:
    cited = [{"type": "char_location", "cited_text": word} for word in "ab"]
    block = {"type": "text", "text": "hi", "citations": cited, "x": 1}
    assert start(block) == {"type": "text", "text": "", "citations": [], "x": 1}
    assert [each["type"] for each in deltas(block)] == ["text_delta"] * 2 + ["citations_delta"] * 2
    assert [each["citation"] for each in deltas(block)[2:]] == cited
    odd = {"type": "text", "text": "", "citations": [None, "a"]}
    assert start(odd) == odd


def test_thinking_comes_before_its_signature() -> None:
    block = {"type": "thinking", "thinking": "hmm", "signature": "s"}
    assert start(block) == {"type": "thinking", "thinking": "", "signature": ""}
    assert [each["type"] for each in deltas(block)] == ["thinking_delta", "thinking_delta", "signature_delta"]
    assert deltas(block)[-1] == {"type": "signature_delta", "signature": "s"}


@pytest.mark.parametrize("kind", ["tool_use", "server_tool_use", "mcp_tool_use"])
@pytest.mark.parametrize("value", [{}, {"a": [1, 2.5, "é", None]}])
def test_input_comes_as_pieces_of_json(kind: str, value: dict[str, Any]) -> None:
    block = {"type": kind, "id": "t", "name": "f", "input": value}
    assert start(block) == block | {"input": {}}
    pieces = [each["partial_json"] for each in deltas(block)]
    assert len(pieces) > 1
    assert json.loads("".join(pieces)) == value
    assert " " not in "".join(pieces)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "web_search_tool_result", "content": [{"title": "t"}]},
        {"type": "hologram", "text": "abc", "thinking": "abc", "input": {"a": 1}},
        {"type": "text", "text": ["abc"], "citations": [{}]},
        {"type": "thinking", "thinking": None, "signature": "s"},
        {"type": "tool_use", "input": "abc"},
        {"type": "tool_use"},
    ],
)
def test_what_is_of_no_known_form_travels_whole(block: dict[str, Any]) -> None:
    assert start(block) == block
    assert deltas(block) == []


@pytest.mark.parametrize(
    "members",
    [
        {"stop_reason": None},
        {"stop_reason": 1},
        {"usage": None},
        {"usage": [1]},
        {"content": None},
        {"content": {}},
        {"content": "hi"},
        {"content": ["hi"]},
        {"content": [{"text": "hi"}]},
        {"content": [{"type": None}]},
        {"content": [{"type": "fallback", "to": {"model": "n"}}]},
        {"content": [{"type": "text", "text": "\ud800"}]},
        {"content": [{"type": "tool_use", "input": {"a": "\ud800"}}]},
        {"type": "error"},
        {"type": None},
        {"error": {"type": "api_error"}},
    ],
)
def test_what_has_no_place_in_a_stream_does_not_unfold(members: dict[str, Any]) -> None:
    with pytest.raises(Unfoldable):
        unfold(whole() | members, usage=True)


@pytest.mark.parametrize("name", ["stop_reason", "usage", "content"])
def test_what_a_stream_needs_must_be_there(name: str) -> None:
    message = whole()
    del message[name]
    with pytest.raises(Unfoldable):
        unfold(message, usage=True)


def test_nesting_without_end_does_not_crash() -> None:
    nested: Any = {}
    for _ in range(100_000):
        nested = {"a": nested}
    calls: list[Callable[[], Any]] = [
        lambda: unfold(whole({"type": "x", "nested": nested}), usage=True),
        lambda: unfold(whole({"type": "tool_use", "input": nested}), usage=True),
    ]
    for call in calls:
        with pytest.raises(Unfoldable):
            call()
