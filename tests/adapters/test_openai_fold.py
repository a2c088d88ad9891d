"""Streams as providers send them, beside the whole answers they send for the same request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import Unfoldable
from adapters.openai_fold import fold
from adapters.sse import Frame, Splitter, frame_of

DATA = Path(__file__).parent / "data"
PAIRS = sorted(path.stem for path in DATA.glob("*.sse"))


def frames_of(raw: bytes) -> list[Frame]:
    return Splitter().feed(raw)


def stream(*chunks: Any) -> list[Frame]:
    """Frames of these chunks; a dict without `choices` is the delta of choice 0."""
    return [frame_of(json.dumps(chunk).encode()) for chunk in chunks] + [frame_of(b"[DONE]")]


def delta(finish: str | None = None, *, index: int = 0, choice: dict[str, Any] | None = None, **members: Any) -> Any:
    return {"choices": [{"index": index, "delta": members, "finish_reason": finish, **(choice or {})}]}


def message(*deltas: dict[str, Any]) -> dict[str, Any]:
    folded = fold(stream(*(delta(**members) for members in deltas), delta("stop")))
    return folded["choices"][0]["message"]


def calls(*items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return message(*({"tool_calls": item} for item in items))["tool_calls"]


def part(arguments: str, name: str | None = None, **rest: Any) -> dict[str, Any]:
    return {**rest, "function": {"arguments": arguments} | ({"name": name} if name else {})}


# ---------------------------------------------------------------- recorded pairs


def whole_of(name: str) -> dict[str, Any]:
    """The whole answer, less the empty `annotations` of OpenAI's whole answers, which its streams never mention."""
    whole = json.loads((DATA / f"{name}.json").read_bytes())
    for choice in whole["choices"]:
        if choice["message"].get("annotations") == []:
            del choice["message"]["annotations"]
    return whole


def test_the_pairs_are_there() -> None:
    assert len(PAIRS) >= 14


@pytest.mark.parametrize("name", PAIRS)
def test_a_stream_folds_into_the_whole_answer(name: str) -> None:
    assert fold(frames_of((DATA / f"{name}.sse").read_bytes())) == whole_of(name)


@pytest.mark.parametrize("name", PAIRS)
def test_the_official_client_reads_the_fold(name: str) -> None:
    from openai.types.chat import ChatCompletion

    folded = fold(frames_of((DATA / f"{name}.sse").read_bytes()))
    read = ChatCompletion.model_validate(folded)
    assert [choice.finish_reason for choice in read.choices] == [c["finish_reason"] for c in folded["choices"]]
    assert [choice.message.content for choice in read.choices] == [
        choice["message"].get("content") for choice in folded["choices"]
    ]


def test_members_stand_in_the_order_of_a_whole_answer() -> None:
    folded = fold(frames_of((DATA / "openai_text.sse").read_bytes()))
    names = ["id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint"]
    assert list(folded) == names
    assert list(folded["choices"][0]) == ["index", "message", "logprobs", "finish_reason"]


def test_folding_leaves_the_frames_as_they_were() -> None:
    frames = frames_of((DATA / "openai_logprobs.sse").read_bytes())
    before = [json.dumps(frame.json()) for frame in frames[:-1]]
    assert fold(frames) == fold(frames)
    assert [json.dumps(frame.json()) for frame in frames[:-1]] == before


# ---------------------------------------------------------------- null, empty, absent


@pytest.mark.parametrize(
    ("values", "folded"),
    [
        ([None, None], None),
        ([""], ""),
        ([None, ""], ""),
        (["", None], ""),
        ([None, "a", None, "b"], "ab"),
        (["", "a", ""], "a"),
    ],
)
def test_a_text_is_null_empty_or_joined(values: list[str | None], folded: str | None) -> None:
    for name in ("content", "refusal", "reasoning", "reasoning_content"):
        assert message(*({name: value} for value in values)) == {name: folded}


def test_what_was_never_said_stays_absent() -> None:
    folded = fold(stream(delta("stop", role="assistant")))
    choice = {"index": 0, "message": {"role": "assistant"}, "finish_reason": "stop"}
    assert folded == {"object": "chat.completion", "choices": [choice]}


def test_null_lists_and_objects_stay_null_and_empty_lists_empty() -> None:
    nulls = {"tool_calls": None, "function_call": None, "audio": None, "annotations": None}
    assert message(nulls, nulls) == nulls
    assert message({"tool_calls": []}, {"tool_calls": None}) == {"tool_calls": []}


# ---------------------------------------------------------------- tool calls


def test_parallel_calls_with_interleaved_arguments() -> None:
    assert calls(
        [part("", "f", index=0, id="a", type="function"), part("", "g", index=1, id="b", type="function")],
        [part("[1", index=1)],
        [part('{"x"', index=0), part(",2]", index=1)],
        [part(":1}", index=0)],
    ) == [part('{"x":1}', "f", id="a", type="function"), part("[1,2]", "g", id="b", type="function")]


def test_calls_come_in_the_order_of_their_indices() -> None:
    assert [call["id"] for call in calls([part("", "g", index=1, id="b")], [part("", "f", index=0, id="a")])] == [
        "a",
        "b",
    ]


def test_another_id_under_the_same_index_is_another_call() -> None:
    folded = calls(
        [part("{", "f", index=0, id="a")],
        [part("}", index=0)],
        [part("[", "f", index=0, id="b")],
        [part("]", index=0)],
    )
    assert folded == [part("{}", "f", id="a"), part("[]", "f", id="b")]


def test_an_id_repeated_in_every_delta_is_one_call() -> None:
    folded = calls([part("{", "f", index=0, id="a")], [part("}", "f", index=0, id="a")], [part("", index=0, id="")])
    assert folded == [part("{}", "f", id="a")]


def test_an_id_that_comes_late_belongs_to_the_open_call() -> None:
    assert calls([part("{", "f", index=0)], [part("}", index=0, id="a")]) == [part("{}", "f", id="a")]


def test_calls_without_index_are_told_apart_by_id_then_by_name() -> None:
    assert calls([part("{", "f", id="a")], [part("}")], [part("[]", "g", id="b")]) == [
        part("{}", "f", id="a"),
        part("[]", "g", id="b"),
    ]
    assert calls([part("{}", "f", id=""), part("[]", "f", id="")]) == [part("{}", "f", id=""), part("[]", "f", id="")]


def test_a_delta_without_index_goes_on_with_the_call_touched_last() -> None:
    folded = calls([part("{", "f", index=0, id="a"), part("[", "g", index=1, id="b")], [part("]")])
    assert [call["function"]["arguments"] for call in folded] == ["{", "[]"]


def test_the_deprecated_function_call_grows_too() -> None:
    assert message(
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{"}},
        {"function_call": {"arguments": "}"}},
    ) == {"function_call": {"name": "f", "arguments": "{}"}}


# ---------------------------------------------------------------- audio and lists


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        (["QUJD", "REVG"], "QUJDREVG"),
        (["QU", "JDRA", "=="], "QUJDRA=="),  # one encoding, cut anywhere
        (["QQ=", "="], "QQ=="),
        (["QQ==", "QUI="], "QUFC"),  # encodings of their own: A, AB
        (["", "a=b"], "a=b"),  # no base64 at all, but one piece
    ],
)
def test_audio_data_joins(pieces: list[str], joined: str) -> None:
    assert message(*({"audio": {"data": piece}} for piece in pieces)) == {"audio": {"data": joined}}


def test_audio_data_that_cannot_join_is_refused() -> None:
    with pytest.raises(Unfoldable):
        message({"audio": {"data": "QQ=="}}, {"audio": {"data": "!!!!"}})


def test_reasoning_blocks_go_on_while_type_and_index_agree() -> None:
    def block(index: int, **rest: Any) -> dict[str, Any]:
        return {"reasoning_details": [{"type": "reasoning.text", "index": index, **rest}]}

    encrypted = {"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "x"}]}
    folded = message(block(0, text="a"), block(0, text="b"), block(0, signature="s"), block(1, text="c"), encrypted)
    assert [tuple(item.values()) for item in folded["reasoning_details"]] == [
        ("reasoning.text", 0, "ab", "s"),
        ("reasoning.text", 1, "c"),
        ("reasoning.encrypted", 1, "x"),
    ]
    assert message(encrypted, encrypted)["reasoning_details"] == encrypted["reasoning_details"] * 2


# ---------------------------------------------------------------- top level, usage, unknown members


def test_usage_is_the_last_that_is_not_null_and_never_a_sum() -> None:
    first, second = {"prompt_tokens": 1}, {"prompt_tokens": 2}
    frames = stream(delta() | {"usage": first}, delta("stop") | {"usage": second}, {"choices": [], "usage": None})
    assert fold(frames)["usage"] == second


def test_names_and_time_are_the_first_that_say_something() -> None:
    """Ollama gives every chunk a time of its own, Azure's first and last events none at all."""
    blank = {"choices": [], "id": "", "created": 0, "model": ""}
    named = {"id": "a", "created": 5, "model": "m"}
    folded = fold(stream(blank, delta() | named, delta("stop") | named | {"created": 9}, blank))
    assert {name: folded[name] for name in named} == named


def test_groq_usage_moves_to_its_place_only_if_that_is_free() -> None:
    usage = {"prompt_tokens": 1}
    inside = {"x_groq": {"id": "r", "usage": usage}}
    assert fold(stream(delta("stop") | inside))["usage"] == usage
    both = fold(stream(delta("stop") | inside | {"usage": {"prompt_tokens": 2}}))
    assert both["x_groq"] == {"id": "r", "usage": usage}
    assert both["usage"] == {"prompt_tokens": 2}


def test_unknown_members_are_kept_at_every_level() -> None:
    call = {"index": 0, "id": "a", "n1": 1, "function": {"name": "f", "arguments": "", "n2": [2]}}
    chunk = delta("stop", choice={"c": {"d": None}}, tool_calls=[call], m="x") | {"t": [1]}
    folded = fold(stream(delta(m="") | {"t": [1]}, chunk))
    assert folded["t"] == [1]
    choice = folded["choices"][0]
    assert choice["c"] == {"d": None}
    assert choice["message"]["m"] == "x"
    assert choice["message"]["tool_calls"] == [
        {"id": "a", "n1": 1, "function": {"name": "f", "arguments": "", "n2": [2]}}
    ]


def test_obfuscation_is_dropped() -> None:
    assert "obfuscation" not in fold(stream(delta() | {"obfuscation": "ab"}, delta("stop") | {"obfuscation": "c"}))


@pytest.mark.parametrize(
    "frames",
    [
        stream(delta(x="a"), delta("stop", x="b")),
        stream(delta(x="a"), delta("stop", x="a")),  # repeated, or a piece of "aa"?
        stream(delta() | {"t": 1}, delta("stop") | {"t": 2}),
        stream(delta(choice={"c": 1}), delta("stop", choice={"c": 2})),
        stream(delta(tool_calls=[part("", "f", index=0)]), delta("stop", tool_calls=[part("", "g", index=0)])),
        stream(delta("length"), delta("stop")),
        stream(delta(content="cut off")),
        stream(delta("stop"), delta(index=1, content="cut off")),
        stream({"choices": [], "usage": {}}),
        stream(),
        stream(delta("stop"), {"error": {"message": "overloaded"}}),
        stream(delta("stop"), {"object": "error", "message": "overloaded"}),
        [Frame(b'event: error\ndata: {"message": "overloaded"}\n\n'), *stream(delta("stop"))],
        stream(delta("stop"), [1]),
        [frame_of(b"{not json"), *stream(delta("stop"))],
        [frame_of(b'{"a":"\xff"}'), *stream(delta("stop"))],
        [frame_of(b"[" * 5000), *stream(delta("stop"))],
        stream({"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]}),
        stream({"choices": {"0": {}}}),
        stream({"choices": ["x"]}),
        stream({"choices": [{"index": "0", "delta": {}, "finish_reason": "stop"}]}),
        stream({"choices": [{"delta": {}, "finish_reason": "stop"}, {"delta": {}, "finish_reason": "stop"}]}),
        stream({"choices": [{"index": 0, "delta": ["x"], "finish_reason": "stop"}]}),
        stream(delta("stop", content=["part"])),
        stream(delta("stop", tool_calls={"0": {}})),
        stream(delta("stop", tool_calls=[{"index": "0"}])),
        stream(delta("stop", annotations={"a": 1})),
        stream(delta("stop", thinking_blocks={"type": "thinking"})),
        stream(delta(content_blocks=[1]), delta("stop", content_blocks=[2])),
        stream(delta("stop", choice={"logprobs": [1]})),
    ],
)
def test_what_cannot_be_folded_without_loss_is_refused(frames: list[Frame]) -> None:
    with pytest.raises(Unfoldable):
        fold(frames)


def test_thinking_blocks_are_collected() -> None:
    signed, closed = {"type": "thinking", "thinking": "a", "signature": "s"}, {"type": "redacted_thinking", "data": "b"}
    unsigned = {"type": "thinking", "thinking": "c", "signature": ""}
    folded = message({"thinking_blocks": [signed]}, {"thinking_blocks": [closed, unsigned, signed]})
    assert folded["thinking_blocks"] == [signed, closed, unsigned, signed]


@pytest.mark.parametrize("unsigned", [{}, {"signature": None}, {"signature": ""}])
def test_pieces_of_one_thinking_block_are_not_taken_for_blocks(unsigned: dict[str, Any]) -> None:
    """As LiteLLM sends them."""
    piece = {"type": "thinking", "thinking": "a"} | unsigned
    with pytest.raises(Unfoldable):
        message({"thinking_blocks": [piece]}, {"thinking_blocks": [piece | {"thinking": "", "signature": "s"}]})


def test_the_native_content_may_be_repeated_but_not_changed() -> None:
    assert message({"content_blocks": [{"a": 1}]}, {"content_blocks": [{"a": 1}]})["content_blocks"] == [{"a": 1}]


def test_null_yields_to_a_value_and_repeats_are_fine() -> None:
    folded = fold(stream(delta() | {"t": None}, delta() | {"t": {"a": 1}}, delta("stop") | {"t": {"a": 1}}))
    assert folded["t"] == {"a": 1}


def test_comments_and_empty_events_are_skipped_and_done_ends() -> None:
    frames = [Frame(b": ping\n\n"), Frame(b"event: x\n\n"), Frame(b"data:\n\n"), *stream(delta("stop", content="a"))]
    assert fold([*frames, frame_of(b"junk after the end")]) == fold(frames)


def test_folding_is_linear() -> None:
    """A text of 2 MB in 100,000 pieces: quadratic joining would copy 100 GB and run into the test's time limit."""
    pieces = [frame_of(b'{"choices":[{"index":0,"delta":{"content":"abcdefghijklmnopqrst"}}]}')] * 100_000
    assert len(fold([*pieces, *stream(delta("stop"))])["choices"][0]["message"]["content"]) == 2_000_000
