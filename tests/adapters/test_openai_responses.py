from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import Refused, Unfoldable
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.sse import Frame, Splitter, frame_of
from adapters.usage import Usage
from adapters.vocabulary import Answer

DATA = Path(__file__).parent / "data" / "responses"
BODY: dict[str, Any] = {"model": "m", "input": "hi"}


def refused(raw: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        OPENAI_RESPONSES.parse(raw)
    assert caught.value.status == 400
    assert caught.value.kind == "invalid_request_error"
    return caught.value


def body(**members: Any) -> bytes:
    return json.dumps(BODY | members).encode()


# ---------------------------------------------------------------- parse


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        {"stream": None, "stream_options": None},
        {"input": [], "nobody_knows": {"a": [None]}},
        {"input": [{"role": "user", "content": "hi"}, {"type": "hologram"}, 7]},
        {"input": ""},
        {"input": None, "previous_response_id": "resp_1"},
        {"input": None, "conversation": {"id": "conv_1"}},
        {"input": None, "model": None, "prompt": {"id": "pmpt_1"}},
        {"max_output_tokens": -1, "tools": "all"},
    ],
)
def test_what_the_proxy_does_not_read_is_left_to_the_provider(members: dict[str, Any]) -> None:
    assert OPENAI_RESPONSES.parse(body(**members)) == BODY | members
    given = {name: value for name, value in (BODY | members).items() if value is not None}
    assert OPENAI_RESPONSES.parse(json.dumps(given).encode()) == given


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 4}, "model"),
        ({"model": None, "previous_response_id": "resp_1"}, "model"),
        ({"model": "", "prompt": {"id": "pmpt_1"}}, "model"),
        ({"input": None}, "input"),
        ({"input": None, "previous_response_id": None}, "input"),
        ({"input": {"role": "user"}}, "input"),
        ({"input": 1, "previous_response_id": "resp_1"}, "input"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
    ],
)
def test_clear_errors_are_told_at_once(members: dict[str, Any], param: str) -> None:
    error = refused(body(**members))
    assert error.param == param
    assert f"`{param}`" in error.message


@pytest.mark.parametrize("name", ["model", "input"])
def test_missing_members_are_named(name: str) -> None:
    raw = json.dumps({member: value for member, value in BODY.items() if member != name}).encode()
    assert refused(raw).param == name


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'{"secret":', b'{"model":"secret","model":"m"}', b"\xff"])
def test_what_is_no_body_is_refused_without_repeating_it(raw: bytes) -> None:
    assert "secret" not in refused(raw).message


# ---------------------------------------------------------------- what the client wants


def test_what_the_client_wants() -> None:
    assert OPENAI_RESPONSES.wants_stream({"stream": True})
    for plain in ({}, {"stream": False}, {"stream": None}, {"stream": 1}):
        assert not OPENAI_RESPONSES.wants_stream(plain)
        assert OPENAI_RESPONSES.wants_usage(plain)


FUNCTION = {"type": "function", "name": "f", "parameters": {}}
CUSTOM = {"type": "custom", "name": "g"}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"store": True}, "store"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"previous_response_id": ""}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"generate": False}, "generate"),
        ({"prompt_cache_options": {"prewarm": True}}, "prewarm"),
        ({"prompt_cache_options": {"comparison_response_id": "resp_1"}}, "comparison_response_id"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "item_reference"),
        ({"input": [{"role": "user", "content": "hi"}, {"id": "msg_1"}]}, "item_reference"),
        ({"input": [{"type": None, "id": "msg_1"}]}, "item_reference"),
        ({"input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}]}, "tool mcp"),
        ({"input": [{"type": "tool_search_output", "tools": [{"type": "file_search"}]}]}, "tool file_search"),
        ({"tools": [FUNCTION, {"type": "web_search"}]}, "tool web_search"),
        ({"tools": [{"type": "web_search_preview_2025_03_11"}]}, "tool web_search_preview_2025_03_11"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "tool file_search"),
        ({"tools": [{"type": "code_interpreter"}]}, "tool code_interpreter"),
        ({"tools": [{"type": "mcp"}]}, "tool mcp"),
        ({"tools": [{"type": "computer"}]}, "tool computer"),
        ({"tools": [{"type": "computer_use_preview"}]}, "tool computer_use_preview"),
        ({"tools": [{"type": "image_generation"}]}, "tool image_generation"),
        ({"tools": [{"type": "programmatic_tool_calling"}]}, "tool programmatic_tool_calling"),
        ({"tools": [{"type": "shell"}]}, "tool shell"),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, "tool shell"),
        ({"tools": [{"type": "tool_search"}]}, "tool tool_search"),
        ({"tools": [{"type": "tool_search", "execution": "server"}]}, "tool tool_search"),
        ({"tools": [{"type": "namespace", "tools": [FUNCTION, {"type": "mcp"}]}]}, "tool mcp"),
        ({"tools": [{"type": 'x"\r\ny'}]}, "unknown tool"),
        ({"tools": [{"type": ["function"]}]}, "unknown tool"),
        ({"tools": [{}]}, "unknown tool"),
        ({"tools": ["web_search"]}, "unknown tool"),
    ],
)
def test_what_must_reach_the_provider(members: dict[str, Any], reason: str) -> None:
    assert OPENAI_RESPONSES.stateful(BODY | members) == reason


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"store": False},
        {"store": None, "previous_response_id": None, "conversation": None, "background": None, "prompt": None},
        {"background": False, "generate": True},
        {"prompt_cache_options": {"prewarm": False, "comparison_response_id": None, "mode": "explicit", "ttl": "12h"}},
        {"prompt_cache_options": "12h"},
        {"tools": []},
        {"tools": "web_search"},
        {"tools": [FUNCTION, CUSTOM, {"type": "local_shell"}, {"type": "apply_patch"}]},
        {
            "tools": [
                {"type": "shell", "environment": {"type": "local"}},
                {"type": "tool_search", "execution": "client"},
            ]
        },
        {"tools": [{"type": "namespace", "name": "n", "tools": [FUNCTION, CUSTOM]}, {"type": "namespace"}]},
        {"input": [{"role": "user", "content": "hi", "id": "msg_1"}, {"type": "reasoning", "id": "rs_1"}, 7]},
        {"input": [{"type": "additional_tools", "tools": [FUNCTION]}]},
        {"include": ["reasoning.encrypted_content"], "context_management": [{"type": "compaction"}]},
    ],
)
def test_what_is_a_function_of_the_request(members: dict[str, Any]) -> None:
    assert OPENAI_RESPONSES.stateful(BODY | members) == ""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(["namespace", "shell"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "tools", "id", "environment", "prewarm"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["model", "input", "tools", "prompt_cache_options", "store", "prompt"]), values))
def test_any_request_can_be_judged(members: dict[str, Any]) -> None:
    assert OPENAI_RESPONSES.stateful(members).isascii()
    with suppress(Refused):
        assert OPENAI_RESPONSES.parse(json.dumps(members).encode()) == members


# ---------------------------------------------------------------- usage


def reported(total: int, output: int, reasoning: int = 0, **details: Any) -> dict[str, Any]:
    return {
        "input_tokens": total,
        "input_tokens_details": details,
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": total + output,
    }


def written(short: Any, long: Any) -> dict[str, Any]:
    return {"ttl_30m_tokens": short, "ttl_12h_tokens": long}


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (reported(10, 3), Usage(uncached=10, output=3)),
        (
            reported(2000, 50, 30, cached_tokens=1024, cache_write_tokens=900),
            Usage(uncached=76, read=1024, write_30m=900, output=50, reasoning=30),
        ),
        (
            reported(
                9000, 3, cached_tokens=4096, cache_write_tokens=4500, cache_write_tokens_details=written(500, 4000)
            ),
            Usage(uncached=404, read=4096, write_30m=500, write_12h=4000, output=3),
        ),
        (  # what the breakdown leaves out has the default lifetime
            reported(1000, 0, cache_write_tokens=900, cache_write_tokens_details=written(0, 500)),
            Usage(uncached=100, write_30m=400, write_12h=500),
        ),
        (reported(1000, 0, cache_write_tokens_details=written(300, 500)), Usage(200, write_30m=300, write_12h=500)),
        (reported(1000, 0, cache_write_tokens=900, cache_write_tokens_details=None), Usage(100, write_30m=900)),
        (  # classes never add up to more than there was
            reported(10, 0, cached_tokens=6, cache_write_tokens=99, cache_write_tokens_details=written(50, 49)),
            Usage(read=6, write_12h=4),
        ),
        (reported(10, 0, cached_tokens=99), Usage(read=10)),
        (reported(0, 5, 9), Usage(output=5, reasoning=5)),
        (reported(-5, 0, cached_tokens="many", cache_write_tokens=[1], cache_write_tokens_details=7), Usage()),
        ({"input_tokens": 10, "input_tokens_details": None, "output_tokens": None}, Usage(uncached=10)),
        ({"output_tokens": 4}, Usage(output=4)),
        ({"input_tokens": "12"}, None),
        ({"prompt_tokens": 12}, None),
        ({}, None),
        (None, None),
        ([], None),
        (7, None),
    ],
)
def test_usage_in_disjoint_classes(told: Any, usage: Usage | None) -> None:
    assert OPENAI_RESPONSES.usage({"usage": told}) == usage
    assert OPENAI_RESPONSES.usage({"type": "response.completed", "response": {"usage": told}}) == usage
    if usage is not None and isinstance(told, dict) and told.get("input_tokens", 0) > 0:
        assert usage.prompt == told["input_tokens"]


counts = st.integers(-3, 2000) | st.none() | st.booleans() | st.text(max_size=2)


@given(counts, counts, counts, counts, counts, counts)
def test_no_class_is_counted_twice(total: Any, read: Any, all_: Any, short: Any, long: Any, out: Any) -> None:
    details = {"cached_tokens": read, "cache_write_tokens": all_, "cache_write_tokens_details": written(short, long)}
    usage = OPENAI_RESPONSES.usage(
        {"usage": {"input_tokens": total, "input_tokens_details": details, "output_tokens": out}}
    )
    if usage is not None:
        assert usage.prompt == (total if type(total) is int and total > 0 else 0)
        assert min(usage) >= 0


def test_an_answer_without_usage_has_none() -> None:
    for odd in ({}, {"response": None}, {"response": [1]}, {"response": {"usage": None}}):
        assert OPENAI_RESPONSES.usage(odd) is None


def event(kind: str, **members: Any) -> Frame:
    return frame_of(json.dumps({"type": kind, **members}).encode(), kind)


def test_the_usage_of_a_stream_is_the_last_one() -> None:
    frames = [
        event("response.in_progress", response={"usage": reported(1, 1)}),
        event("response.completed", response={"usage": reported(2, 2)}),
        event("response.future", response={"usage": None}),
        frame_of(b'{"usage":'),
        frame_of(b"[DONE]"),
    ]
    assert OPENAI_RESPONSES.stream_usage(frames) == Usage(uncached=2, output=2)
    assert OPENAI_RESPONSES.stream_usage(frames[:1]) == Usage(uncached=1, output=1)
    assert OPENAI_RESPONSES.stream_usage(frames[2:]) is None
    assert not any(map(OPENAI_RESPONSES.is_usage_only, frames))


# ---------------------------------------------------------------- what may be kept


def answer(*output: Any, **members: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "status": "completed", "output": list(output), **members}


def message(text: Any = "hi", **members: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_1", "type": "message", "status": "completed", "content": [part]} | members


def call(arguments: Any, **members: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments} | members


REFUSAL = message(content=[{"type": "refusal", "refusal": "no"}])
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
MAX = {"reason": "max_output_tokens"}


@pytest.mark.parametrize(
    ("told", "objection"),
    [
        (answer(message()), ""),
        (answer(message(), error=None, incomplete_details=None), ""),
        (answer(REFUSAL), ""),
        (answer(REASONING, message()), ""),
        (answer(REASONING, call("{}")), ""),
        (answer(message(""), call('{"a":[1]}')), ""),
        (answer({"type": "custom_tool_call", "input": "{not json"}), ""),
        (answer({"type": "custom_tool_call", "input": ""}), ""),
        (answer({"type": "hologram"}), ""),
        (answer(message(), error={"code": "server_error"}), "error"),
        (answer(message(), status="incomplete", incomplete_details=MAX), "status incomplete: max_output_tokens"),
        (answer(message(), status="incomplete"), "status incomplete"),
        (answer(message(), status="incomplete", incomplete_details={"reason": 'a"\r\nb'}), "status incomplete"),
        (answer(message(), status="failed"), "status failed"),
        (answer(message(), status="queued"), "status queued"),
        (answer(message(), status=None), "no status"),
        (answer(message(), status='x"\r\ny'), "unknown status"),
        (answer(message(), status=["completed"]), "unknown status"),
        ({}, "no status"),
        (answer(), "no output"),
        (answer(output=None), "no output"),
        (answer(output={"0": message()}), "no output"),
        (answer("hi"), "unknown output item"),
        (answer({"type": []}), "unknown output item"),
        (answer(message(), message(status="incomplete")), "item status incomplete"),
        (answer(message(status="in_progress")), "item status in_progress"),
        (answer(message(status=7)), "item unknown status"),
        (answer(call("")), "tool arguments do not parse"),
        (answer(call('{"a":')), "tool arguments do not parse"),
        (answer(message(), call({"a": 1})), "tool arguments do not parse"),
        (answer(call("[" * 5000)), "tool arguments do not parse"),
        (answer({"type": "custom_tool_call", "input": {"a": 1}}), "tool arguments do not parse"),
        (answer(message("")), "empty answer"),
        (answer(message(content=[])), "empty answer"),
        (answer(message(content="hi")), "empty answer"),
        (answer(message(content=[None])), "empty answer"),
        (answer(REASONING), "empty answer"),
    ],
)
def test_what_may_be_kept(told: dict[str, Any], objection: str) -> None:
    assert OPENAI_RESPONSES.objection(told) == objection


@pytest.mark.parametrize(
    ("told", "finish"),
    [
        (answer(), "completed"),
        (answer(status="incomplete", incomplete_details=MAX), "incomplete,max_output_tokens"),
        (answer(status="failed", incomplete_details="x"), "failed"),
        (answer(status='a"\nb'), ""),
        (answer(status=None), ""),
        ({}, ""),
    ],
)
def test_finish_of_anything(told: dict[str, Any], finish: str) -> None:
    assert OPENAI_RESPONSES.finish(told) == finish


OBJECTIONS = {
    "vllm_last_token": "",
    "gateway_fewer_items": "",
    "deltas_only": "no output",
    "never_done": "unfinished output",
    "no_response": "no terminal event",
    "cut_off": "no terminal event",
    "only_done": "no terminal event",
    "output_no_list": "",
    "error_nested": "error",
    "error_flat": "error",
    "error_at_once": "error",
    "error_then_completed": "error",
    "gateway_error": "error",
}


@pytest.mark.parametrize("name", sorted(path.stem for path in (DATA / "unfoldable").glob("*.sse")))
def test_a_stream_that_does_not_fold_is_judged_by_its_frames(name: str) -> None:
    frames = Splitter().feed((DATA / "unfoldable" / f"{name}.sse").read_bytes())
    assert OPENAI_RESPONSES.frames_objection(frames) == OBJECTIONS[name]


def test_every_item_that_is_told_of_counts() -> None:
    whole = answer(message("lo"))
    for item, objection in ((call("{"), "tool arguments do not parse"), (message(status="incomplete"), "incomplete")):
        done = event("response.output_item.done", output_index=0, item=item)
        frames = [done, event("response.completed", response=whole)]
        assert objection in OPENAI_RESPONSES.frames_objection(frames)
    frames = [event("response.incomplete", response=answer(status="incomplete", incomplete_details=MAX))]
    assert OPENAI_RESPONSES.frames_objection(frames) == "status incomplete: max_output_tokens"


# ---------------------------------------------------------------- errors, and the answer as the layers see it


def test_errors_have_the_form_that_clients_know() -> None:
    told = OPENAI_RESPONSES.error("no", kind="invalid_request_error", param="n", code="c")
    assert json.loads(told) == {"error": {"message": "no", "type": "invalid_request_error", "param": "n", "code": "c"}}
    frame = OPENAI_RESPONSES.error_frame("broke off", kind="api_error", code="upstream_torn")
    assert frame.event == "error"
    told = frame.json()
    assert {name: told[name] for name in ("type", "code", "message", "param", "sequence_number")} == {
        "type": "error",
        "code": "upstream_torn",
        "message": "broke off",
        "param": None,
        "sequence_number": 0,
    }
    assert OPENAI_RESPONSES.is_error(frame)
    assert not OPENAI_RESPONSES.is_end(frame)


def test_the_official_client_raises_for_the_error_event() -> None:
    whole = answer(message("Hello there, world!"))
    frames = OPENAI_RESPONSES.unfold(whole, usage=True)[:4]
    raw = b"".join(
        frame.raw for frame in [*frames, OPENAI_RESPONSES.error_frame("broke off", kind="api_error", code="torn")]
    )

    def answered(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)

    transport = httpx2.Client(transport=httpx2.MockTransport(answered))
    with openai.OpenAI(api_key="sk-test", base_url="http://proxy.test/v1", http_client=transport) as sdk:
        with pytest.raises(openai.APIError, match="broke off") as caught:
            list(sdk.responses.create(model="m", input="hi", stream=True))
        assert caught.value.code == "torn"


def test_an_answer_folds_through_the_dialect() -> None:
    whole = answer(message("Hello there"), usage=reported(4, 2))
    frames = OPENAI_RESPONSES.unfold(whole, usage=True)
    streamed = Answer(OPENAI_RESPONSES, frames=frames)
    assert streamed.message() == whole
    assert streamed.usage() == Usage(uncached=4, output=2)
    torn = Answer(OPENAI_RESPONSES, frames=frames[:-1])
    with pytest.raises(Unfoldable):
        torn.message()
