"""What is a request for embeddings, and what an answer must have to be kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.embeddings import items_of
from adapters.errors import Refused, Unfoldable
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_embeddings import MOST_ITEMS, OPENAI_EMBEDDINGS
from adapters.sse import Frame
from adapters.usage import Usage

BODY: dict[str, Any] = {"model": "text-embedding-3-small", "input": "hi"}
ITEM: dict[str, Any] = {"object": "embedding", "index": 0, "embedding": [0.5, -1]}


def body(**members: Any) -> bytes:
    return json.dumps(BODY | members).encode()


def data(*items: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "model": "m"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=6,
)

# ---------------------------------------------------------------- parse


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"input": ["a", "b"]},
        {"input": " "},
        {"input": list(range(MOST_ITEMS + 1))},
        {"input": [[1, 2], [3]]},
        {"input": ["a"] * MOST_ITEMS},
        {"encoding_format": "base64", "dimensions": 256, "user": "u"},
        {"encoding_format": None},
        {"encoding_format": "int8", "dimensions": "many", "input_type": ["query"]},
        {"stream": True},
    ],
)
def test_what_the_proxy_does_not_read_is_left_to_the_provider(members: dict[str, Any]) -> None:
    assert OPENAI_EMBEDDINGS.parse(body(**members)) == BODY | members


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 4}, "model"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": 1}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["a"] * (MOST_ITEMS + 1)}, "input"),
        ({"input": [[1]] * (MOST_ITEMS + 1)}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 1]}, "input[1]"),
        ({"input": ["a", [1]]}, "input[1]"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": [1, "a"]}, "input[0]"),
        ({"input": [1, 1.0]}, "input[0]"),
        ({"input": [True]}, "input[0]"),
        ({"input": [None]}, "input[0]"),
        ({"input": [{"text": "a"}]}, "input[0]"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": [[1], [2, "a"]]}, "input[1]"),
        ({"input": [[1], [2, True]]}, "input[1]"),
        ({"input": [[1], "a"]}, "input[1]"),
        ({"input": [[[1]]]}, "input[0]"),
        ({"encoding_format": 1}, "encoding_format"),
        ({"encoding_format": ["float"]}, "encoding_format"),
    ],
)
def test_clear_errors_are_told_at_once(members: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as caught:
        OPENAI_EMBEDDINGS.parse(body(**members))
    error = caught.value
    assert (error.status, error.kind, error.param) == (400, "invalid_request_error", param)
    assert param.partition("[")[0] in error.message


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"input":"a","input":"b"}', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        OPENAI_EMBEDDINGS.parse(raw)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_whatever_is_accepted_has_items(value: Any) -> None:
    try:
        parsed = OPENAI_EMBEDDINGS.parse(body(input=value))
    except Refused:
        return
    items = items_of(parsed)
    assert items
    assert all(items)


# ---------------------------------------------------------------- there are no streams


def test_nothing_is_a_stream() -> None:
    assert not OPENAI_EMBEDDINGS.wants_stream(BODY | {"stream": True})
    assert not OPENAI_EMBEDDINGS.wants_usage(BODY | {"stream_options": {"include_usage": True}})
    with pytest.raises(Unfoldable):
        OPENAI_EMBEDDINGS.fold([])
    with pytest.raises(Unfoldable):
        OPENAI_EMBEDDINGS.unfold(data(ITEM), usage=True)
    usage = Frame(b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n')
    assert OPENAI_EMBEDDINGS.stream_usage([usage]) is None
    assert not OPENAI_EMBEDDINGS.is_usage_only(usage)
    assert OPENAI_EMBEDDINGS.frames_objection([usage])
    assert OPENAI_EMBEDDINGS.finish(data(ITEM)) == ""
    assert OPENAI_EMBEDDINGS.stateful(BODY | {"store": True}) == ""


def test_errors_are_those_of_chat() -> None:
    told = {"kind": "k", "param": "p", "code": "c"}
    assert OPENAI_EMBEDDINGS.error("m", **told) == OPENAI_CHAT.error("m", **told)
    assert OPENAI_EMBEDDINGS.error_frame("m", kind="k").raw == OPENAI_CHAT.error_frame("m", kind="k").raw
    assert OPENAI_EMBEDDINGS.is_error(OPENAI_CHAT.error_frame("m", kind="k"))
    assert OPENAI_EMBEDDINGS.is_end(Frame(b"data: [DONE]\n\n"))


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(uncached=8)),
        ({"prompt_tokens": 8}, Usage(uncached=8)),
        ({"total_tokens": 8}, Usage(uncached=8)),
        ({"prompt_tokens": 0, "total_tokens": 0}, Usage()),
        ({"prompt_tokens": -8}, Usage()),
        ({"prompt_tokens": "8"}, None),
        ({"prompt_tokens": True}, None),
        ({"prompt_tokens": 8.0}, None),
        ({}, None),
        ([], None),
        (8, None),
        (None, None),
    ],
)
def test_usage(usage: Any, counted: Usage | None) -> None:
    assert OPENAI_EMBEDDINGS.usage({"usage": usage}) == counted


def test_an_answer_without_usage_has_none() -> None:
    assert OPENAI_EMBEDDINGS.usage({}) is None


@pytest.mark.parametrize(
    "message",
    [
        data(ITEM),
        data(ITEM | {"index": 1}, ITEM | {"index": 2}, ITEM),
        data(ITEM | {"embedding": "AACAPw=="}),
        data({"index": 0, "embedding": [1], "more": None}),
        data(ITEM) | {"error": None},
    ],
)
def test_what_may_be_kept(message: dict[str, Any]) -> None:
    assert OPENAI_EMBEDDINGS.objection(message) == ""


@pytest.mark.parametrize(
    ("message", "objection"),
    [
        (data(ITEM) | {"error": {"message": "m"}}, "error"),
        ({}, "no embeddings"),
        (data(), "no embeddings"),
        ({"data": {"0": ITEM}}, "no embeddings"),
        ({"data": "x"}, "no embeddings"),
        (data(1), "embeddings are not numbered"),
        (data(ITEM, ITEM), "embeddings are not numbered"),
        (data(ITEM | {"index": 1}), "embeddings are not numbered"),
        (data(ITEM | {"index": -1}, ITEM), "embeddings are not numbered"),
        (data(ITEM | {"index": "0"}), "embeddings are not numbered"),
        (data(ITEM | {"index": 0.0}), "embeddings are not numbered"),
        (data(ITEM | {"index": False}), "embeddings are not numbered"),
        (data(ITEM | {"index": [0]}), "embeddings are not numbered"),
        (data({"embedding": [1]}), "embeddings are not numbered"),
        (data(ITEM, None), "embeddings are not numbered"),
        (data(ITEM, ITEM | {"index": 1, "embedding": []}), "no vector"),
        (data(ITEM | {"embedding": None}), "no vector"),
        (data(ITEM | {"embedding": ""}), "no vector"),
        (data(ITEM | {"embedding": [0.5, None]}), "no vector"),
        (data(ITEM | {"embedding": [0.5, True]}), "no vector"),
        (data(ITEM | {"embedding": [[0.5]]}), "no vector"),
        (data(ITEM | {"embedding": {"0": 1}}), "no vector"),
        (data({"index": 0}), "no vector"),
    ],
)
def test_what_may_not(message: dict[str, Any], objection: str) -> None:
    assert OPENAI_EMBEDDINGS.objection(message) == objection


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["data", "usage", "error", "model"]), JSON))
def test_nothing_that_a_provider_says_breaks_it(message: dict[str, Any]) -> None:
    assert isinstance(OPENAI_EMBEDDINGS.objection(message), str)
    OPENAI_EMBEDDINGS.usage(message)
