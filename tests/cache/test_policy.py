"""Which requests the exact cache takes part in, and which answers it keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.errors import Unfoldable
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.sse import frame_of
from adapters.vocabulary import Answer, Call, Dialect
from cache.policy import Policy, semantic_objection

DONE = frame_of(b"[DONE]")


def call_of(dialect: Dialect | None = OPENAI_CHAT, **body: Any) -> Call:
    return Call("POST", "/chat/completions", {}, b"", dialect=dialect, parsed={"model": "m", "messages": []} | body)


@pytest.mark.parametrize(
    ("body", "any_temperature", "at_zero"),
    [
        ({}, True, False),
        ({"temperature": 0}, True, True),
        ({"temperature": 0.0}, True, True),
        ({"temperature": -0.0}, True, True),
        ({"temperature": 1e-9}, True, False),
        ({"temperature": 1}, True, False),
        ({"temperature": None}, True, False),
        ({"temperature": "0"}, True, False),
        ({"temperature": 0, "n": 5, "seed": 1, "stream": True}, True, True),
        # The client wants this very exchange kept by the provider.
        ({"temperature": 0, "store": True}, False, False),
        ({"temperature": 0, "store": False}, True, True),
        ({"temperature": 0, "store": None}, True, True),
    ],
)
def test_a_request_is_cacheable(body: dict[str, Any], any_temperature: bool, at_zero: bool) -> None:
    call = call_of(**body)
    assert Policy().cacheable(call) is any_temperature
    assert Policy(any_temperature=False).cacheable(call) is at_zero


@pytest.mark.parametrize("policy", [Policy(), Policy(any_temperature=False)])
def test_what_no_dialect_reads_is_not_cacheable(policy: Policy) -> None:
    assert not policy.cacheable(call_of(None, temperature=0))


def message(finish: Any = "stop", **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "Paris."} | more
    return {"id": "1", "object": "chat.completion", "choices": [{"index": 0, "message": said, "finish_reason": finish}]}


def tool(arguments: Any) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}


def whole(value: Any) -> Answer:
    return Answer(OPENAI_CHAT, body=value if isinstance(value, bytes) else json.dumps(value).encode())


def streamed(*chunks: Any) -> Answer:
    answer = Answer(OPENAI_CHAT)
    for each in chunks:
        answer.add(frame_of(json.dumps(each).encode()))
    answer.add(DONE)
    return answer


def chunk(content: str = "", finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}


@pytest.mark.parametrize(
    "answer",
    [
        whole(message()),
        whole(message("tool_calls", content=None, tool_calls=[tool('{"a": 1}'), tool("[]")])),
        whole(message(content=None, refusal="No.")),
        streamed(chunk("Par"), chunk("is.", "stop")),
    ],
)
def test_a_complete_answer_is_kept(answer: Answer) -> None:
    assert Policy().objection(answer) == ""


@pytest.mark.parametrize(
    ("answer", "objection"),
    [
        (whole(message("length")), "finish_reason length"),
        (whole(message("content_filter")), "finish_reason content_filter"),
        (whole(message("error")), "finish_reason error"),
        (whole(message(None)), "no finish_reason"),
        (whole(message(content="")), "empty answer"),
        (whole(message(content=None)), "empty answer"),
        (whole(message("tool_calls", tool_calls=[tool('{"a": ')])), "tool arguments do not parse"),
        (whole(message("tool_calls", tool_calls=[tool("{}"), tool(None)])), "tool arguments do not parse"),
        (whole(message("tool_calls")), "no tool calls"),
        (whole({"choices": []}), "no choices"),
        (whole({}), "no choices"),
        (whole({"error": {"message": "x"}, **message()}), "error"),
        (whole(b"<html>"), "no JSON object"),
        (whole(b""), "no JSON object"),
        (whole(b"[]"), "no JSON object"),
        (whole(b'"a"'), "no JSON object"),
        (whole(b'{"a": "\xff"}'), "no JSON object"),
        (whole(b"[" * 100_000), "no JSON object"),
        (streamed(chunk("Par"), chunk("is", "length")), "finish_reason length"),
        (streamed(chunk("", "stop")), "empty answer"),
    ],
)
def test_an_answer_that_would_be_wrong_next_time_is_not_kept(answer: Answer, objection: str) -> None:
    assert Policy().objection(answer) == objection


def test_one_choice_of_several_is_enough_to_object() -> None:
    both = message()
    both["choices"].append({"index": 1, "message": {"content": "Par"}, "finish_reason": "length"})
    assert Policy().objection(whole(both)) == "finish_reason length"


def test_the_largest_answer_is_one_byte_short_of_too_large() -> None:
    body = json.dumps(message()).encode()
    assert Policy(max_answer=len(body)).objection(whole(body)) == ""
    assert Policy(max_answer=len(body) - 1).objection(whole(body)) == f"larger than {len(body) - 1} bytes"


def test_a_stream_is_as_large_as_the_message_that_is_stored() -> None:
    answer = streamed(*[chunk("Paris ") for _ in range(100)], chunk("!", "stop"))
    size = len(answer.body())
    assert Policy(max_answer=size).objection(answer) == ""
    assert Policy(max_answer=size - 1).objection(answer) == f"larger than {size - 1} bytes"


def test_what_was_too_long_to_be_held_is_not_kept() -> None:
    class Short(Answer):
        LIMIT = 100

    answer = Short(OPENAI_CHAT)
    for _ in range(10):
        answer.add(frame_of(json.dumps(chunk("Paris ")).encode()))
    assert Policy().objection(answer) == "too long to be held"


def unfoldable(finish: str | None) -> Answer:
    """Two choices of which nobody can tell which is which."""
    choices = [{"delta": {"content": "Paris."}, "finish_reason": finish}] * 2
    answer = streamed({"choices": choices})
    with pytest.raises(Unfoldable):
        answer.message()
    return answer


@pytest.mark.parametrize(
    ("finish", "objection"),
    [("stop", ""), ("length", "finish_reason length"), (None, "no choices")],
)
def test_a_stream_that_does_not_fold_is_judged_by_its_frames(finish: str | None, objection: str) -> None:
    assert Policy().objection(unfoldable(finish)) == objection


def test_a_stream_that_does_not_fold_may_not_be_larger_either() -> None:
    answer = unfoldable("stop")
    size = sum(len(frame.raw) for frame in answer.frames)
    assert Policy(max_answer=size).objection(answer) == ""
    assert Policy(max_answer=size - 1).objection(answer) == f"larger than {size - 1} bytes"


# Of an answer that another question is to get


def of(dialect: Dialect, **message: Any) -> Answer:
    return Answer(dialect, body=json.dumps(message).encode())


def claude(reason: str, *blocks: dict[str, Any]) -> Answer:
    return of(ANTHROPIC_MESSAGES, type="message", stop_reason=reason, content=list(blocks))


def responses(status: str, *output: dict[str, Any], **more: Any) -> Answer:
    return of(OPENAI_RESPONSES, status=status, output=list(output), **more)


WORDS = {"type": "text", "text": "Paris."}
SAID = {"type": "message", "content": [{"type": "output_text", "text": "Paris."}]}


@pytest.mark.parametrize(
    "answer",
    [
        whole(message()),
        whole(message(reasoning_content="Hm.", tool_calls=None, annotations=[])),
        streamed(chunk("Par"), chunk("is.", "stop")),
        claude("end_turn", WORDS),
        claude("stop_sequence", {"type": "thinking", "thinking": "Hm."}, WORDS),
        responses("completed", {"type": "reasoning"}, SAID),
    ],
)
def test_a_text_may_be_given_to_another_question(answer: Answer) -> None:
    assert semantic_objection(answer) == ""
    assert Policy().objection(answer) == ""


SEVERAL = message() | {"choices": message()["choices"] * 2}


@pytest.mark.parametrize(
    ("answer", "objection"),
    [
        (whole(message("length")), "finish_reason length"),
        (whole(message("tool_calls", content=None, tool_calls=[tool("{}")])), "finish tool_calls"),
        (whole(message("tool_calls", tool_calls=[tool("{}")])), "finish tool_calls"),
        (whole(message("stop", tool_calls=[tool("{}")])), "more than a text"),
        (whole(message(content=None, refusal="No.")), "more than a text"),
        (whole(message(content=" ")), "more than a text"),
        (whole(message(content=None, reasoning_content="Hm.")), "more than a text"),
        (whole(message(annotations=[{"type": "url_citation"}])), "more than a text"),
        (whole(message(audio={"id": "1"})), "more than a text"),
        (whole(message() | {"citations": ["https://example.org"]}), "more than a text"),
        (whole(SEVERAL), "unknown or several finish reasons"),
        (whole({"error": {}}), "error"),
        (whole(b"<html>"), "does not fold"),
        (claude("tool_use", {"type": "tool_use", "input": {}}), "finish tool_use"),
        (claude("max_tokens", WORDS), "stop_reason max_tokens"),
        (claude("refusal", WORDS), "stop_reason refusal"),
        (claude("pause_turn", WORDS), "stop_reason pause_turn"),
        (claude("end_turn", WORDS | {"citations": [{}]}), "more than a text"),
        (claude("end_turn", {"type": "thinking", "thinking": "Hm."}), "empty answer"),
        (responses("completed", {"type": "function_call", "arguments": "{}"}), "more than a text"),
        (responses("completed", {"type": "web_search_call"}, SAID), "more than a text"),
        (responses("incomplete", SAID, incomplete_details={"reason": "max_output_tokens"}),
         "status incomplete: max_output_tokens"),
        (of(OPENAI_EMBEDDINGS, data=[{"index": 0, "embedding": [0.5]}]), "unknown or several finish reasons"),
    ],
)  # fmt: skip
def test_an_answer_that_is_more_or_less_than_a_text_is_for_its_own_question_only(
    answer: Answer, objection: str
) -> None:
    assert semantic_objection(answer) == objection


def test_a_stream_that_does_not_fold_is_for_its_own_question_only() -> None:
    assert Policy().objection(unfoldable("stop")) == ""
    assert semantic_objection(unfoldable("stop")) == "does not fold"


def test_an_objection_may_stand_in_a_header_line() -> None:
    made_up = whole(message("stop")).body().replace(b'"stop"', b'"stop\\r\\nSet-Cookie: a"')
    assert semantic_objection(whole(made_up)) == "unknown finish_reason"
