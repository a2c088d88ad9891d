"""A replayed stream: it looks like a provider's, and folding it gives the answer back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import Unfoldable
from adapters.openai_fold import DONE, fold
from adapters.openai_unfold import PIECES, cut, unfold
from adapters.sse import Frame, Splitter, frame_of

DATA = Path(__file__).parent / "data"
PAIRS = sorted(path.stem for path in DATA.glob("*.json"))
UNDECLARED = {"openai_custom_tool"}
"""The client's types of a chunk declare no custom tools (it reads them all the same, because it never validates)."""


def whole(message: dict[str, Any] | None = None, **choice: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello there, world!", "refusal": None} | (message or {})
    choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"} | choice]
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 17, "model": "m", "choices": choices}


def chunks(message: dict[str, Any], *, usage: bool = False) -> list[dict[str, Any]]:
    frames = unfold(message, usage=usage)
    assert frames[-1] == DONE
    return [frame.json() for frame in frames[:-1]]


def deltas(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(whole(message))]


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


functions = some({}, {"name": texts, "arguments": texts})
tool_calls = st.lists(
    some({"id": texts, "type": st.just("function"), "function": functions}, {})
    | some({"id": texts, "type": st.just("custom"), "custom": some({}, {"name": texts, "input": texts})}, {})
    | some({}, {"id": texts, "type": texts, "function": st.none()}),
    max_size=3,
)
audio = some(
    {},
    {
        "id": texts,
        "data": st.none() | st.binary(max_size=80).map(lambda raw: msgspec.to_builtins(raw)) | texts,
        "transcript": texts,
        "expires_at": st.none() | st.integers(0, 2**40),
    },
)
citations = st.lists(some({"type": st.just("url_citation")}, {"url_citation": unknown}), max_size=2)
blocks = st.lists(
    some({"type": st.sampled_from(["reasoning.text", "reasoning.encrypted"]), "index": st.just(0)}, {"text": texts}),
    max_size=2,
)
thoughts = st.lists(
    some({"type": st.just("thinking")}, {"thinking": texts, "signature": texts}) | some({"type": texts}, {}), max_size=3
)
messages = some(
    {"role": st.just("assistant")},
    {
        "content": texts,
        "refusal": texts,
        "reasoning_content": texts,
        "reasoning": texts,
        "reasoning_details": st.none() | blocks,
        "tool_calls": st.none() | tool_calls,
        "function_call": st.none() | functions,
        "audio": st.none() | audio,
        "annotations": st.none() | citations,
        "thinking_blocks": st.none() | thoughts,
        "content_blocks": st.none() | st.lists(unknown, max_size=3),
    },
)


@st.composite
def logprobs_of(draw: st.DrawFn, message: dict[str, Any]) -> Any:
    def tokens(text: Any) -> Any:
        text = text or ""
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
        words = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        words += draw(st.lists(st.just("\\xe2"), max_size=1))  # a token that is no whole character
        return [{"token": word, "logprob": -0.5, "bytes": None, "top_logprobs": []} for word in words]

    lists = {name: draw(st.sampled_from([None, [], tokens(message.get(name))])) for name in ("content", "refusal")}
    kept = {name: value for name, value in lists.items() if draw(st.integers(0, 4))}
    return draw(st.none() | st.just(kept | draw(extras)))


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    choices = []
    for index in sorted(draw(st.sets(st.integers(0, 3), min_size=1, max_size=3))):
        message = draw(messages)
        choice = {"index": index, "message": message, "finish_reason": draw(st.sampled_from(["stop", "tool_calls"]))}
        if draw(st.booleans()):
            choice["logprobs"] = draw(logprobs_of(message))
        choices.append(choice | draw(extras))
    optional = {
        "id": texts,
        "created": st.integers(0, 2**33),
        "model": st.text(max_size=9),
        "system_fingerprint": texts,
        "service_tier": texts,
        "usage": st.none() | some({"prompt_tokens": st.integers(0, 99)}, {"prompt_tokens_details": extras}),
        "prompt_filter_results": unknown,
    }
    return draw(some({"object": st.just("chat.completion")}, optional)) | {"choices": choices}


def exact(value: Any) -> bytes:
    """Canonical JSON: tells 1 from 1.0 and from true, as `==` does not."""
    return msgspec.json.encode(value, order="deterministic")


@settings(max_examples=200, deadline=None)
@given(answers())
def test_fold_gives_back_what_was_unfolded(answer: dict[str, Any]) -> None:
    before = exact(answer)
    assert exact(fold(unfold(answer, usage=True))) == before
    without = {name: value for name, value in answer.items() if name != "usage"}
    assert exact(fold(unfold(answer, usage=False))) == exact(without)
    assert exact(answer) == before, "the answer itself is left as it was"


GROWING = ("content", "refusal", "reasoning", "reasoning_content", "arguments", "input", "transcript")


def split_at(value: Any, place: int) -> tuple[Any, Any]:
    """A delta as two that amount to it: growing texts are cut, everything else goes with the first."""
    if isinstance(value, dict):
        left, right = {}, {}
        for name, member in value.items():
            if name in (*GROWING, "data") and isinstance(member, str):
                left[name], right[name] = member[: place % (len(member) + 1)], member[place % (len(member) + 1) :]
            elif name in ("function", "custom", "function_call", "audio") and isinstance(member, dict):
                left[name], right[name] = split_at(member, place)
            elif name == "tool_calls" and member:
                halves = [split_at(call, place) for call in member]
                left[name] = [half for half, _ in halves]
                right[name] = [{"index": call["index"], **half} for call, (_, half) in zip(member, halves, strict=True)]
            else:
                left[name] = member
        return left, right
    return value, None


@settings(max_examples=150, deadline=None)
@given(answers(), st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_the_fold_does_not_depend_on_where_texts_are_cut(answer: dict[str, Any], places: list[int]) -> None:
    frames = unfold(answer, usage=True)
    cut_up: list[Frame] = []
    for number, frame in enumerate(frames[:-1]):
        chunk = frame.json()
        if not chunk["choices"]:
            cut_up.append(frame)
            continue
        (choice,) = chunk["choices"]
        left, right = split_at(choice["delta"], places[number % len(places)])
        cut_up.append(frame_of(exact(chunk | {"choices": [choice | {"delta": left}]})))
        bare = {"index": choice["index"], "delta": right, "finish_reason": None}
        cut_up.append(frame_of(exact({"object": "chat.completion.chunk", "choices": [bare]})))
    assert exact(fold([*cut_up, DONE])) == exact(fold(frames))


@settings(max_examples=100, deadline=None)
@given(answers(), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_the_bytes_survive_any_cut(answer: dict[str, Any], eol: bytes, sizes: list[int]) -> None:
    frames = unfold(answer, usage=True)
    raw = b"".join(frame.raw for frame in frames).replace(b"\n", eol)
    splitter, read, start, turn = Splitter(), list[Frame](), 0, 0
    while start < len(raw):
        size = sizes[turn % len(sizes)]
        read += splitter.feed(raw[start : start + size])
        start, turn = start + size, turn + 1
    rest = splitter.rest()  # after a lone CR the splitter has to wait whether a line feed follows
    read += [Frame(rest)] if rest else []
    assert [frame.data for frame in read] == [frame.data for frame in frames]
    assert exact(fold(read)) == exact(answer)


@pytest.mark.parametrize("name", PAIRS)
def test_a_provider_s_whole_answer_comes_back(name: str) -> None:
    answer = json.loads((DATA / f"{name}.json").read_bytes())
    assert exact(fold(unfold(answer, usage=True))) == exact(answer)


@pytest.mark.parametrize("name", sorted(set(PAIRS) - UNDECLARED))
def test_the_official_client_reads_the_replay(name: str) -> None:
    from openai.types.chat import ChatCompletionChunk

    answer = json.loads((DATA / f"{name}.json").read_bytes())
    read = [ChatCompletionChunk.model_validate(chunk) for chunk in chunks(answer, usage=True)]
    for number, choice in enumerate(answer["choices"]):
        parts = [c for chunk in read for c in chunk.choices if c.index == number]
        assert "".join(c.delta.content or "" for c in parts) == (choice["message"].get("content") or "")
        assert [c.finish_reason for c in parts if c.finish_reason] == [choice["finish_reason"]]


# ---------------------------------------------------------------- the shape of the stream


def test_every_chunk_repeats_the_header_and_unknown_members_travel_once() -> None:
    header = {"service_tier": "default", "system_fingerprint": None}
    read = chunks(whole() | header | {"x_new": [1]})
    assert len(read) > 3
    for chunk in read:
        assert list(chunk)[:6] == ["id", "object", "created", "model", "service_tier", "system_fingerprint"]
        assert chunk["object"] == "chat.completion.chunk"
    assert [chunk.get("x_new") for chunk in read] == [[1]] + [None] * (len(read) - 1)


def test_role_first_then_text_then_finish() -> None:
    first, *middle, last = chunks(whole())
    assert first["choices"] == [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": "", "refusal": None},
            "logprobs": None,
            "finish_reason": None,
        }
    ]
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in middle) == "Hello there, world!"
    assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]


def test_reasoning_comes_before_content() -> None:
    order = [next(iter(part)) for part in deltas({"reasoning_content": "Hm. Hm."})[1:-1]]
    assert order == sorted(order, key=["reasoning_content", "content"].index)
    assert set(order) == {"reasoning_content", "content"}


def test_thinking_comes_before_content_and_the_native_content_last() -> None:
    native = [{"type": "hologram"}]
    blocks = [{"type": "thinking", "thinking": "a"}, {"type": "redacted_thinking", "data": "b"}]
    streamed = deltas({"content_blocks": native, "thinking_blocks": blocks, "content": "ab"})
    assert streamed[0] == {"role": "assistant", "content": "", "refusal": None}
    assert streamed[1] == {"thinking_blocks": blocks}
    assert streamed[-2:] == [{"content_blocks": native}, {}]


def test_usage_is_a_chunk_of_its_own_if_asked() -> None:
    answer = whole() | {"usage": {"prompt_tokens": 3}}
    *ordinary, last = chunks(answer, usage=True)
    assert all(chunk["usage"] is None for chunk in ordinary)
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3}
    assert all("usage" not in chunk for chunk in chunks(answer, usage=False))
    assert all("usage" not in chunk for chunk in chunks(whole(), usage=True))


@given(st.text(max_size=500), st.sampled_from([1, 4]))
def test_a_text_is_cut_into_a_few_pieces(text: str, step: int) -> None:
    pieces = cut(text, step)
    assert "".join(pieces) == text
    assert len(pieces) <= PIECES
    assert all(pieces)
    assert len(pieces) >= (2 if len(text) > step else 1 if text else 0)
    assert all(len(piece) % step == 0 for piece in pieces[:-1])


def test_a_text_with_log_probabilities_is_cut_at_tokens() -> None:
    tokens = [{"token": token, "logprob": -1.0} for token in ("Hello", " there", ",", " world", "!")]
    read = chunks(whole(logprobs={"content": tokens, "refusal": None}))
    assert read[0]["choices"][0]["logprobs"] == {"content": [], "refusal": None}
    pieces = [chunk["choices"][0] for chunk in read[1:-1]]
    assert [piece["delta"]["content"] for piece in pieces] == [token["token"] for token in tokens]
    assert [piece["logprobs"] for piece in pieces] == [{"content": [token], "refusal": None} for token in tokens]


def test_tokens_that_do_not_make_up_the_text_go_with_its_first_piece() -> None:
    tokens = [{"token": "\\xf0"}, {"token": "\\x9f"}]
    read = chunks(whole(logprobs={"content": tokens}))
    assert [bool(c["choices"][0]["logprobs"]) for c in read[1:]] == [True] + [False] * (len(read) - 2)
    assert read[1]["choices"][0]["logprobs"] == {"content": tokens}


def test_tool_calls_name_themselves_once_and_number_every_delta() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"city":"Bilbao"}'}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "select 1"}},
    ]
    read = [part["tool_calls"][0] for part in deltas({"content": None, "tool_calls": calls})[1:-1]]
    heads = [part for part in read if "id" in part]
    assert heads == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 1, "id": "b", "type": "custom", "custom": {"name": "g", "input": ""}},
    ]
    rest = [part for part in read if "id" not in part]
    assert len(rest) >= 4
    assert "".join(part["function"]["arguments"] for part in rest if part["index"] == 0) == '{"city":"Bilbao"}'
    assert "".join(part["custom"]["input"] for part in rest if part["index"] == 1) == "select 1"


def test_audio_pieces_can_be_decoded_one_by_one() -> None:
    message = {"content": None, "audio": {"id": "x", "data": "QUJDREVGRw==", "expires_at": 9}}
    assert [part["audio"] for part in deltas(message)[1:-1]] == [
        {"id": "x", "data": ""},
        {"data": "QUJD"},
        {"data": "REVG"},
        {"data": "Rw=="},
        {"expires_at": 9},
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"error": {"message": "no"}} | whole(),
        whole() | {"object": "response"},
        whole() | {"choices": []},
        whole() | {"choices": {"0": {}}},
        whole() | {"choices": ["x"]},
        whole() | {"choices": whole()["choices"] * 2},
        whole(index="0"),
        whole(index=None),
        whole(index=True),
        whole(finish_reason=None),
        whole(delta={}),
        whole({"content": ["part"]}),
        whole({"content": 1}),
        whole({"refusal": {}}),
        whole({"tool_calls": {"0": {}}}),
        whole({"tool_calls": ["x"]}),
        whole({"tool_calls": [{"index": 3}]}),
        whole({"tool_calls": [{"function": "f"}]}),
        whole({"tool_calls": [{"function": {"arguments": {"a": 1}}}]}),
        whole({"function_call": "f"}),
        whole({"audio": "x"}),
        whole({"annotations": "x"}),
        whole({"thinking_blocks": {"type": "thinking"}}),
        whole({"content_blocks": "x"}),
        whole(logprobs=[1]),
        whole(logprobs={"content": "x"}),
        whole({"content": "\ud800"}),
    ],
)
def test_what_is_no_chat_completion_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(Unfoldable):
        unfold(answer, usage=True)


def test_a_message_that_is_no_object_is_refused() -> None:
    for message in (None, "x", []):
        with pytest.raises(Unfoldable):
            unfold(whole() | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}, usage=False)
