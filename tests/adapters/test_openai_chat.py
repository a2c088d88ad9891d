from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import Refused, Unfoldable
from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import Frame, frame_of
from adapters.usage import Usage
from adapters.vocabulary import Answer

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def refused(raw: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        OPENAI_CHAT.parse(raw)
    assert caught.value.status == 400
    assert caught.value.kind == "invalid_request_error"
    assert caught.value.code is None
    return caught.value


def body(**members: Any) -> bytes:
    return json.dumps(BODY | members).encode()


# ---------------------------------------------------------------- parse


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"stream": True, "stream_options": {"include_usage": True}, "n": 2},
        {"stream": None, "stream_options": None, "n": None},
        {"messages": [{"role": "narrator", "content": [{"type": "hologram"}]}], "nobody_knows": {"a": [None]}},
        {"seed": 2**80, "temperature": 1e-7},
    ],
)
def test_what_the_proxy_does_not_read_is_left_to_the_provider(members: dict[str, Any]) -> None:
    assert OPENAI_CHAT.parse(body(**members)) == BODY | members


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 4}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": {"role": "user"}}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{}, {}, {}, "hi"]}, "messages[3]"),
        ({"messages": [None]}, "messages[0]"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"n": 0}, "n"),
        ({"n": 1.0}, "n"),
        ({"n": True}, "n"),
        ({"n": "2"}, "n"),
    ],
)
def test_clear_errors_are_told_at_once(members: dict[str, Any], param: str) -> None:
    error = refused(body(**members))
    assert error.param == param
    assert param.partition("[")[0].rstrip("s") in error.message


@pytest.mark.parametrize("name", ["model", "messages"])
def test_missing_members_are_named(name: str) -> None:
    raw = json.dumps({member: value for member, value in BODY.items() if member != name}).encode()
    assert refused(raw).param == name


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello secret", "not JSON"),
        (b'{"secret": ', "truncated"),
        (b'{"secret": 1,}', "trailing comma"),
        (b'{"secret": NaN}', "NaN"),
        (b'{"secret": -Infinity}', "NaN and Infinity"),
        (b'{"secret": "\xff"}', "UTF-8"),
        (b'{"secret": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"secret":' * 5000, "nested too deeply"),
        (b'["secret"]', "object"),
        (b'"secret"', "object"),
        (b"null", "object"),
        (b'{"secret": 1e999}', "out of range"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ("{}".encode("utf-16"), "not JSON"),
    ],
)
def test_what_is_no_body_is_refused_without_repeating_it(raw: bytes, says: str) -> None:
    error = refused(raw)
    assert says in error.message
    assert "secret" not in error.message
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


# ---------------------------------------------------------------- duplicate members


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","model":"m","messages":[{"role":"user"}]}',
        b'{"model": "m", "messages": [{"role": "user"}], "model": "m"}',
        b'{"model":"m","messages":[{"role":"user"}],"x":[{"y":{"model":1,"model":2}}]}',
        b'{"mod\\u0065l":"a","model":"m","messages":[{"role":"user"}]}',
        # Built to be as long as the encoding of what is left (100.0 for 1E2), or to have as many quotation marks.
        b'{"x":[1E2,1E2,1E2,1E2,1E2],"model":1,"model":"m","messages":[{"role":"user"}]}',
        b'{"model":1,"model":"m","messages":[{"role":"\\u0022\\u0022"}]}',
        b'{"model":"m","messages":[{"role":"user","n":"\\\\u0022\\\\u0022"}],"model":"m"}',
    ],
)
def test_a_member_that_occurs_twice_is_refused_by_name(raw: bytes) -> None:
    assert '"model" occurs twice' in refused(raw).message


def test_a_long_name_is_not_repeated_in_full() -> None:
    name = "k" * 10_000
    assert len(refused(f'{{"{name}":1,"{name}":2}}'.encode()).message) < 200


def test_deep_bodies_are_read_or_refused_whichever_step_gives_up() -> None:
    outcomes = set()
    for depth in range(50, 1500, 25):
        # The escaped backslash makes the exact check necessary.
        raw = json.dumps(BODY)[:-1].encode() + b',"y":"\\\\u0022","x":' + b"[" * depth + b"]" * depth + b"}"
        try:
            outcomes.add(len(OPENAI_CHAT.parse(raw)))
        except Refused as error:
            outcomes.add(error.message)
    assert outcomes == {4, "the request body is nested too deeply"}


names = st.sampled_from(["a", "b", '"', "\\", "\\u0022", "é", ""])
values = st.recursive(
    st.none() | st.integers(-5, 5) | st.sampled_from([1e2, 1e22, 1.5]) | names,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(names, inner), max_size=4).map(tuple),
    max_leaves=8,
)


def written(value: Any, style: dict[str, bool]) -> str:
    """JSON in one of the ways that encoders have; a tuple of pairs is an object, repeated members and all."""
    comma, colon = (", ", ": ") if style["spaces"] else (",", ":")
    if isinstance(value, tuple):
        return "{" + comma.join(written(n, style) + colon + written(v, style) for n, v in value) + "}"
    if isinstance(value, list):
        return "[" + comma.join(written(item, style) for item in value) + "]"
    text = json.dumps(value, ensure_ascii=style["ascii"])
    if isinstance(value, str) and style["escaped"]:
        text = '"' + "".join("\\u0022" if c == '"' else json.dumps(c)[1:-1] for c in value) + '"'
    return text.replace("100.0", "1E2") if style["exponents"] else text


def repeats(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(dict(value)) < len(value) or any(repeats(member) for _, member in value)
    return isinstance(value, list) and any(repeats(item) for item in value)


styles = st.fixed_dictionaries({name: st.booleans() for name in ("spaces", "ascii", "escaped", "exponents")})


@settings(max_examples=200)
@given(values, styles)
def test_a_body_is_refused_exactly_if_something_occurs_twice(value: Any, style: dict[str, bool]) -> None:
    raw = (json.dumps(BODY)[:-1] + ',"x":' + written(value, style) + "}").encode()
    if repeats(value):
        assert "occurs twice" in refused(raw).message
    else:
        assert OPENAI_CHAT.parse(raw) == json.loads(raw)


# ---------------------------------------------------------------- what the client wants


def test_what_the_client_wants() -> None:
    assert OPENAI_CHAT.wants_stream({"stream": True})
    for plain in ({}, {"stream": False}, {"stream": None}):
        assert not OPENAI_CHAT.wants_stream(plain)
    assert OPENAI_CHAT.wants_usage({"stream_options": {"include_usage": True}})
    for plain in ({}, {"stream_options": None}, {"stream_options": {}}, {"stream_options": {"include_usage": None}}):
        assert not OPENAI_CHAT.wants_usage(plain)


# ---------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}, Usage(uncached=10, output=3)),
        (
            {
                "prompt_tokens": 2000,
                "completion_tokens": 50,
                "total_tokens": 2050,
                "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 900, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            Usage(uncached=76, read=1024, write_30m=900, output=50, reasoning=30),
        ),
        (
            {"prompt_tokens": 331, "prompt_cache_hit_tokens": 320, "prompt_cache_miss_tokens": 11},
            Usage(uncached=11, read=320),
        ),
        (  # the same 320 tokens under two names
            {"prompt_tokens": 331, "prompt_cache_hit_tokens": 320, "prompt_tokens_details": {"cached_tokens": 320}},
            Usage(uncached=11, read=320),
        ),
        (
            {"prompt_cache_hit_tokens": 320, "prompt_cache_miss_tokens": 11, "completion_tokens": 1},
            Usage(uncached=11, read=320, output=1),
        ),
        ({"prompt_tokens": 50, "cached_tokens": 40}, Usage(uncached=10, read=40)),
        (  # reasoning beside the completion: only the total tells
            {
                "prompt_tokens": 8,
                "completion_tokens": 9,
                "total_tokens": 117,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            Usage(uncached=8, output=109, reasoning=100),
        ),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}}, Usage(read=10)),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 99}},
            Usage(read=6, write_30m=4),
        ),
        (
            {
                "prompt_tokens": 1000,
                "prompt_tokens_details": {
                    "cache_write_tokens": 700,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 400, "ttl_12h_tokens": 300},
                },
            },
            Usage(uncached=300, write_30m=400, write_12h=300),
        ),
        ({"completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 9}}, Usage(output=5, reasoning=5)),
        ({"prompt_tokens": 10, "prompt_tokens_details": None, "completion_tokens": None}, Usage(uncached=10)),
        ({"prompt_tokens": -5, "completion_tokens": "many", "prompt_tokens_details": [1]}, Usage()),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, Usage()),
        ({"prompt_tokens": "12"}, None),
        ({}, None),
        (None, None),
        ([], None),
        (7, None),
    ],
)
def test_usage_in_disjoint_classes(reported: Any, usage: Usage | None) -> None:
    found = OPENAI_CHAT.usage({"usage": reported})
    assert found == usage
    if found is not None and isinstance(reported.get("prompt_tokens"), int) and reported["prompt_tokens"] > 0:
        assert found.prompt == reported["prompt_tokens"]


def test_an_answer_without_usage_has_none() -> None:
    assert OPENAI_CHAT.usage({}) is None
    assert OPENAI_CHAT.usage({"x_groq": {"usage": {"prompt_tokens": 3}}}) == Usage(uncached=3)
    assert OPENAI_CHAT.usage({"x_groq": "x"}) is None


def usage_chunk(usage: Any) -> Frame:
    return frame_of(json.dumps({"choices": [], "usage": usage}).encode())


def test_the_usage_of_a_stream_is_the_last_one() -> None:
    done = frame_of(b"[DONE]")
    frames = [usage_chunk({"prompt_tokens": 1}), usage_chunk({"prompt_tokens": 2}), usage_chunk(None), done]
    assert OPENAI_CHAT.stream_usage(frames) == Usage(uncached=2)
    assert OPENAI_CHAT.stream_usage([usage_chunk(None), done]) is None
    assert OPENAI_CHAT.stream_usage([]) is None
    torn = [
        usage_chunk({"prompt_tokens": 1}),
        frame_of(b'{"usage"'),
        frame_of(b'["usage"]'),
        frame_of(b'{"usage":"\xff"}'),
    ]
    assert OPENAI_CHAT.stream_usage(torn) == Usage(uncached=1)


class Unread(Frame):
    __slots__ = ()

    def json(self) -> Any:
        raise AssertionError("an event without usage was parsed")


def test_only_events_with_usage_are_parsed() -> None:
    frames = [usage_chunk({"prompt_tokens": 1}), Unread(b'data: {"content":"my \\"usage\\" is low"}\n\n')]
    assert OPENAI_CHAT.stream_usage(frames) == Usage(uncached=1)


# ---------------------------------------------------------------- events


@pytest.mark.parametrize("raw", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b": x\ndata: [DONE]\r\r"])
def test_the_end_is_known_in_any_spelling(raw: bytes) -> None:
    assert OPENAI_CHAT.is_end(Frame(raw))
    assert not OPENAI_CHAT.is_error(Frame(raw))


@pytest.mark.parametrize("raw", [b": [DONE]\n\n", b'data: {"content":"[DONE]"}\n\n', b"event: [DONE]\n\n"])
def test_the_end_is_nothing_else(raw: bytes) -> None:
    assert not OPENAI_CHAT.is_end(Frame(raw))


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'data: {"error":{"message":"overloaded"}}\n\n', True),
        (b'data: {"id":"x","choices":[],"error":{"code":502}}\n\n', True),
        (b'data: {"error":"overloaded"}\n\n', True),
        (b"event: error\ndata: overloaded\n\n", True),
        (b'data: {"message":"x"}\nevent: error\n\n', True),
        (b'data: {"object":"error","message":"x"}\n\n', True),
        (b'data: {"error":null,"choices":[]}\n\n', False),
        (b'data: {"choices":[{"delta":{"content":"an error"}}]}\n\n', False),
        (b'data: {"choices":[{"delta":{"error":"inside"}}]}\n\n', False),
        (b'data: ["error"]\n\n', False),
        (b'data: {"error"\n\n', False),
        (b": error\n\n", False),
        (b"event: ping\n\n", False),
    ],
)
def test_an_error_event_is_known(raw: bytes, error: bool) -> None:
    assert OPENAI_CHAT.is_error(Frame(raw)) is error


# ---------------------------------------------------------------- what may be kept


def answer(finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish}]}


def call(arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}]}


CUSTOM = {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "select 1"}}]}


@pytest.mark.parametrize(
    ("message", "objection"),
    [
        (answer(content="hi"), ""),
        (answer(content=None, refusal="no"), ""),
        (answer(content=None, audio={"id": "x"}), ""),
        (answer(content="", reasoning_content="hm"), ""),
        (answer("tool_calls", content=None, **call("{}")), ""),
        (answer("stop", content=None, **call('{"a":[1]}')), ""),
        (answer("tool_calls", content=None, **CUSTOM), ""),
        (answer(content="hi") | {"error": None}, ""),
        (answer(content="hi") | {"error": {"message": "x"}}, "error"),
        ({}, "no choices"),
        ({"choices": []}, "no choices"),
        ({"choices": {"0": {}}}, "no choices"),
        ({"choices": [None]}, "no finish_reason"),
        (answer("length", content="hi"), "finish_reason length"),
        (answer("content_filter", content="hi"), "finish_reason content_filter"),
        (answer("function_call", content="hi"), "finish_reason function_call"),
        (answer("error", content="hi"), "finish_reason error"),
        (answer(None, content="hi"), "no finish_reason"),
        (answer([], content="hi"), "no finish_reason"),
        (answer("tool_calls", content=None, **call("")), "tool arguments do not parse"),
        (answer("tool_calls", content=None, **call('{"a":')), "tool arguments do not parse"),
        (answer("stop", content="hi", **call("{")), "tool arguments do not parse"),
        (answer("tool_calls", content=None, **call({"a": 1})), "tool arguments do not parse"),
        (answer("tool_calls", content=None, **call("[" * 5000)), "tool arguments do not parse"),
        (answer("tool_calls", content=None, tool_calls=["x"]), "tool arguments do not parse"),
        (answer("tool_calls", content=None, tool_calls="x"), "tool arguments do not parse"),
        (answer("tool_calls", content="I would call f"), "no tool calls"),
        (answer(content=""), "empty answer"),
        (answer(content=None, tool_calls=[], refusal=None), "empty answer"),
        ({"choices": [{"finish_reason": "stop", "message": None}]}, "empty answer"),
    ],
)
def test_what_may_be_kept(message: dict[str, Any], objection: str) -> None:
    assert OPENAI_CHAT.objection(message) == objection


def test_one_bad_choice_is_enough() -> None:
    both = {"choices": answer(content="hi")["choices"] + answer("length", content="hi")["choices"]}
    assert OPENAI_CHAT.objection(both) == "finish_reason length"
    assert OPENAI_CHAT.finish(both) == "stop,length"


def test_finish_of_anything() -> None:
    assert OPENAI_CHAT.finish(answer("stop")) == "stop"
    for odd in ({}, {"choices": None}, {"choices": [None, {"finish_reason": None}]}):
        assert OPENAI_CHAT.finish(odd) == ""


# ---------------------------------------------------------------- errors, and the answer as the layers see it


def test_errors_have_the_form_that_clients_know() -> None:
    told = OPENAI_CHAT.error("no", kind="invalid_request_error", param="n", code="c")
    assert json.loads(told) == {"error": {"message": "no", "type": "invalid_request_error", "param": "n", "code": "c"}}
    frame = OPENAI_CHAT.error_frame("broke off", kind="upstream_error")
    assert frame.raw.startswith(b'data: {"error":{"message":"broke off"')
    assert OPENAI_CHAT.is_error(frame)


def test_an_answer_folds_through_the_dialect() -> None:
    message = answer(content="Hello there") | {"object": "chat.completion", "usage": {"prompt_tokens": 4}}
    streamed = Answer(OPENAI_CHAT, frames=OPENAI_CHAT.unfold(message, usage=True))
    assert streamed.message() == message
    assert streamed.usage() == Usage(uncached=4)
    torn = Answer(OPENAI_CHAT, frames=OPENAI_CHAT.unfold(message, usage=True)[:2])
    with pytest.raises(Unfoldable):
        torn.message()
