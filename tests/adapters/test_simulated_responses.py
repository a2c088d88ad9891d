from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

from adapters.chain import chain
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.prompt import Billed
from adapters.simulated_answer import answer
from adapters.simulated_responses import LEAST, chat_body, objection, whole
from adapters.usage import Usage

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK = {"type": "function", "name": "get_time", "parameters": {"type": "object", "properties": {}}}
SCHEMA = {"type": "object", "properties": {"days": {"type": "integer", "minimum": 2}}, "required": ["days"]}


def ask(given: Any = "Why is the sky blue at noon?", /, **more: Any) -> dict[str, Any]:
    return {"model": "sim-small", "input": given, **more}


def said(body: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    assert objection(body) is None
    return whole(body, seed=seed, billed=Billed(read=64, uncached=36))


def text_of(body: dict[str, Any]) -> str:
    return said(body)["output"][-1]["content"][0]["text"]


def test_a_text_is_what_the_chat_would_say() -> None:
    body = ask(instructions="Be brief.")
    message = said(body)
    chat = answer(chat_body(body), seed=0, billed=Billed(read=64, uncached=36))
    (item,) = message["output"]
    assert item["content"] == [
        {
            "type": "output_text",
            "annotations": [],
            "logprobs": [],
            "text": chat["choices"][0]["message"]["content"],
        }
    ]
    assert "Why is the sky blue" in item["content"][0]["text"]
    assert message["usage"]["output_tokens"] == chat["usage"]["completion_tokens"]
    assert OPENAI_RESPONSES.usage(message) == Usage(36, 64, output=chat["usage"]["completion_tokens"])
    assert OPENAI_RESPONSES.objection(message) == ""


@pytest.mark.parametrize(
    "body",
    [
        ask(),
        ask(reasoning={"effort": "high", "summary": "auto"}),
        ask("get_weather and get_time, please", tools=[WEATHER, CLOCK]),
        ask(max_output_tokens=20),
        ask(text={"format": {"type": "json_schema", "name": "s", "schema": SCHEMA}}),
        ask(prompt_cache_options={"prewarm": True}),
    ],
)
def test_the_official_types_and_the_dialect_read_it(body: dict[str, Any]) -> None:
    message = said(body)
    read = Response.model_validate(message, strict=True)
    assert read.model_dump(exclude_unset=True, by_alias=True) == message
    assert OPENAI_RESPONSES.fold(OPENAI_RESPONSES.unfold(message, usage=True)) == message


def test_the_same_request_gets_the_same_answer_however_it_travels_or_is_paid() -> None:
    plain = said(ask())
    others = {"stream": True, "prompt_cache_key": "k", "store": False, "metadata": {"a": "b"}, "include": []}
    for name, value in others.items():
        other = said(ask(**{name: value}))
        assert (other["id"], other["output"]) == (plain["id"], plain["output"])
        assert name not in plain or other[name] == value


@pytest.mark.parametrize(
    "other", [ask("Why?"), ask(temperature=0.1), ask(instructions="x"), ask(unheard_of=1), ask(model="sim-large")]
)
def test_another_request_or_seed_gets_another_answer(other: dict[str, Any]) -> None:
    assert said(other)["id"] != said(ask())["id"]
    assert said(ask(), seed=1)["id"] != said(ask())["id"]


def test_tools_that_are_named_are_called() -> None:
    body = ask("Please use get_weather and get_time", tools=[WEATHER, CLOCK])
    message = said(body)
    assert [item["name"] for item in message["output"]] == ["get_weather", "get_time"]
    assert all(item["type"] == "function_call" for item in message["output"])
    assert len({item["id"] for item in message["output"]} | {item["call_id"] for item in message["output"]}) == 4
    assert set(json.loads(message["output"][0]["arguments"])) == {"city"}
    assert [item["name"] for item in said(body | {"parallel_tool_calls": False})["output"]] == ["get_weather"]
    forced = body | {"tool_choice": {"type": "function", "name": "get_time"}}
    assert [item["name"] for item in said(forced)["output"]] == ["get_time"]
    assert said(body | {"tool_choice": "none"})["output"][0]["type"] == "message"
    assert said(body | {"tools": [{"type": "web_search"}]})["output"][0]["type"] == "message"


def test_an_agent_comes_home() -> None:
    first = ask([{"role": "user", "content": "Please use get_weather"}], tools=[WEATHER])
    (call,) = said(first)["output"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    second = first | {"input": [*first["input"], call, result]}
    assert [message["role"] for message in chat_body(second)["messages"]] == ["user", "assistant", "tool"]
    assert said(second)["output"][-1]["type"] == "message"


def test_thoughts_are_shown_where_a_summary_is_asked_for() -> None:
    hidden, message = said(ask(reasoning={"effort": "low"}))["output"]
    assert hidden["summary"] == []
    shown, same = said(ask(reasoning={"effort": "low", "summary": "auto"}))["output"]
    assert "the user wants" in shown["summary"][0]["text"].lower()
    assert message["type"] == same["type"] == "message"
    assert said(ask(reasoning={"effort": "low"}))["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


def test_a_structured_answer_follows_its_schema() -> None:
    named = {"type": "json_schema", "name": "s", "schema": SCHEMA}
    assert json.loads(text_of(ask(text={"format": named}))) == {"days": 2}
    assert "answer" in json.loads(text_of(ask(text={"format": {"type": "json_object"}})))


def test_an_answer_that_is_cut_is_incomplete() -> None:
    message = said(ask(max_output_tokens=LEAST))
    assert message["status"] == message["output"][-1]["status"] == "incomplete"
    assert message["incomplete_details"] == {"reason": "max_output_tokens"}
    assert message["completed_at"] is None
    assert message["usage"]["output_tokens"] <= LEAST
    thought = said(ask(max_output_tokens=LEAST, reasoning={"effort": "max"}))
    assert [item["type"] for item in thought["output"]] == ["reasoning"]
    assert thought["status"] == "incomplete"
    called = said(ask("get_weather " * 60, tools=[WEATHER], max_output_tokens=LEAST))
    assert called["status"] == "incomplete"


@pytest.mark.parametrize("silent", [{"prompt_cache_options": {"prewarm": True}}, {"generate": False}])
def test_a_prewarm_says_nothing(silent: dict[str, Any]) -> None:
    message = said(ask(max_output_tokens=LEAST, reasoning={"effort": "max"}, **silent))
    assert (message["status"], message["output"]) == ("completed", [])
    assert OPENAI_RESPONSES.usage(message) == Usage(36, 64)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "hi"}, "model"),
        (ask(model=""), "model"),
        ({"model": "m"}, "input"),
        (ask([]), "input"),
        (ask(["hi"]), "input"),
        (ask({"role": "user"}), "input"),
        (ask([{"role": "user", "content": "x"}, {"type": "item_reference", "id": "msg_1"}]), "input[1]"),
        (ask(max_output_tokens=LEAST - 1), "max_output_tokens"),
        (ask(max_output_tokens=True), "max_output_tokens"),
        (ask(max_output_tokens="100"), "max_output_tokens"),
        (ask(previous_response_id="resp_1"), "previous_response_id"),
        (ask(conversation="conv_1"), "conversation"),
        (ask(prompt={"id": "pmpt_1"}), "prompt"),
    ],
)
def test_what_a_provider_refuses(body: dict[str, Any], param: str) -> None:
    refusal = objection(body)
    assert refusal is not None
    assert refusal[1] == param


def test_a_longer_conversation_shares_the_chain_of_its_beginning() -> None:
    """What the prompt cache of the simulated provider goes by."""
    turn = {"role": "user", "content": [{"type": "input_text", "text": "Hello " * 40}]}
    reply = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]}
    short = chain(chat_body(ask([turn], instructions="Be brief.", tools=[WEATHER])))
    long = chain(chat_body(ask([turn, reply, turn], instructions="Be brief.", tools=[WEATHER])))
    assert long[: len(short)] == short
    assert long[-1].tokens > short[-1].tokens > 40


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 40) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "format", "effort", "role", "content", "call_id", "function", "prewarm"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
members = st.sampled_from(
    [
        *("input", "instructions", "max_output_tokens", "reasoning", "text", "tools", "tool_choice", "n", "stream"),
        *("parallel_tool_calls", "prompt_cache_options", "messages", "response_format", "max_tokens"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(members, values))
def test_any_request_is_answered_or_refused(odd: dict[str, Any]) -> None:
    body = ask() | odd
    if objection(body) is None:
        message = said(body)
        assert OPENAI_RESPONSES.fold(OPENAI_RESPONSES.unfold(message, usage=True)) == message
