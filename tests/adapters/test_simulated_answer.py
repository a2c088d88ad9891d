import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prompt import Billed
from adapters.simulated_answer import BODIES, CLOSERS, OPENERS, answer, objection
from adapters.tokens import estimate

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}


def ask(text: Any = "Why is the sky blue at noon but red in the evening?", **more: Any) -> dict[str, Any]:
    return {"model": "sim-small", "messages": [{"role": "user", "content": text}], **more}


def said(body: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    return answer(body, seed=seed, billed=Billed(uncached=100))


def only(body: dict[str, Any]) -> dict[str, Any]:
    (choice,) = said(body)["choices"]
    return choice


def test_the_same_request_gets_the_same_answer_however_it_travels_or_is_paid() -> None:
    plain = said(ask())
    assert said(ask()) == plain
    assert said(ask(stream=True, stream_options={"include_usage": True}, prompt_cache_key="k")) == plain
    dear = answer(ask(), seed=0, billed=Billed(read=4096, uncached=904))
    assert (dear["id"], dear["choices"]) == (plain["id"], plain["choices"])


@pytest.mark.parametrize("other", [ask("Why?"), ask(temperature=0.1), ask(unheard_of=1), ask(model="sim-large")])
def test_another_request_or_seed_gets_another_answer(other: dict[str, Any]) -> None:
    assert said(other)["id"] != said(ask())["id"]
    assert said(other)["choices"] != said(ask())["choices"]
    assert said(ask(), seed=1)["choices"] != said(ask())["choices"]


@settings(max_examples=150)
@given(st.text(max_size=300))
def test_a_text_of_thirty_to_two_hundred_words_that_quotes_the_question(text: str) -> None:
    content = only(ask(text))["message"]["content"]
    assert 30 <= len(content.split()) <= 200
    assert all(word[:30] in content for word in text[:400].split()[:3])


def test_the_longest_text_has_two_hundred_words_at_most() -> None:
    longest = sum(sorted((len(body.split()) for body in BODIES), reverse=True)[:9])
    longest += max(len(opener.split()) for opener in OPENERS) + 5 + max(len(closer.split()) for closer in CLOSERS)
    assert longest <= 200


def test_content_parts_are_read_too() -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    assert "What is this?" in only(ask(parts))["message"]["content"]


def test_several_choices_differ_and_count_together() -> None:
    message = said(ask(n=3))
    texts = [choice["message"]["content"] for choice in message["choices"]]
    assert [choice["index"] for choice in message["choices"]] == [0, 1, 2]
    assert len(set(texts)) == 3
    assert message["usage"]["completion_tokens"] == sum(map(estimate, texts))
    assert message["usage"]["total_tokens"] == 100 + message["usage"]["completion_tokens"]


def test_the_figures_of_the_prompt_are_told() -> None:
    usage = answer(ask(), seed=0, billed=Billed(read=1920, uncached=80))["usage"]
    assert usage["prompt_tokens"] == 2000
    assert usage["prompt_tokens_details"]["cached_tokens"] == 1920


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_token_limit_cuts_the_text(name: str) -> None:
    whole, cut = only(ask()), said(ask(**{name: 10}))
    (choice,) = cut["choices"]
    assert choice["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == estimate(choice["message"]["content"]) == 10
    assert whole["finish_reason"] == "stop"
    assert only(ask(**{name: 5000}))["finish_reason"] == "stop"


def test_reasoning_is_told_apart_and_spends_the_limit_first() -> None:
    message = said(ask(reasoning_effort="high"))
    (choice,) = message["choices"]
    thought = choice["message"]["reasoning_content"]
    assert message["usage"]["completion_tokens_details"]["reasoning_tokens"] == estimate(thought) > 0
    assert message["usage"]["completion_tokens"] == estimate(thought) + estimate(choice["message"]["content"])
    starved = only(ask(reasoning_effort="high", max_completion_tokens=10))
    assert starved["message"]["content"] == ""
    assert starved["finish_reason"] == "length"
    assert "reasoning_content" not in only(ask(reasoning_effort="none"))["message"]


def calls(body: dict[str, Any]) -> list[tuple[str, Any]]:
    choice = only(body)
    called = choice["message"].get("tool_calls", [])
    assert choice["finish_reason"] == ("tool_calls" if called else "stop")
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in called]


PLEASE = "Please use get_weather for Paris"
WEATHER_CALL = ("get_weather", {"city": "Please use get_weather for Paris", "days": 2})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (ask(PLEASE, tools=[WEATHER, CLOCK]), [WEATHER_CALL]),
        (ask("GET_TIME and get_weather", tools=[WEATHER, CLOCK]), ["get_weather", "get_time"]),
        (ask("get_time and get_weather", tools=[WEATHER, CLOCK], parallel_tool_calls=False), ["get_weather"]),
        (ask("hello", tools=[WEATHER, CLOCK]), []),
        (ask(PLEASE, tools=[WEATHER], tool_choice="none"), []),
        (ask(PLEASE), []),
        (ask("hello", tools=[CLOCK, WEATHER], tool_choice="required"), ["get_time"]),
        (
            ask("hi", tools=[WEATHER, CLOCK], tool_choice={"type": "function", "function": {"name": "get_time"}}),
            ["get_time"],
        ),
    ],
)
def test_tools_are_called_when_mentioned_or_forced(body: dict[str, Any], expected: list[Any]) -> None:
    got = calls(body)
    assert [call if isinstance(want, tuple) else call[0] for call, want in zip(got, expected, strict=True)] == expected


def test_what_has_been_called_is_answered_in_words() -> None:
    body = ask(PLEASE, tools=[WEATHER])
    body["messages"] += [only(body)["message"], {"role": "tool", "tool_call_id": "x", "content": "sunny"}]
    assert calls(body) == []


def test_a_limit_cuts_arguments_too() -> None:
    choice = only(ask(PLEASE, tools=[WEATHER], max_tokens=4))
    assert choice["finish_reason"] == "length"
    arguments = choice["message"]["tool_calls"][0]["function"]["arguments"]
    assert arguments
    with pytest.raises(json.JSONDecodeError):
        json.loads(arguments)


def test_structured_answers_are_json() -> None:
    assert json.loads(only(ask("List two", response_format={"type": "json_object"}))["message"]["content"]) == {
        "answer": "List two"
    }
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "sum", "schema": schema, "strict": True}}
    assert json.loads(only(ask("List two", response_format=wanted))["message"]["content"]) == {"total": 1}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": "x"}]}, "model"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages"),
        (ask(n=0), "n"),
        (ask(n=129), "n"),
        (ask(n=True), "n"),
        (ask(max_tokens=0), "max_tokens"),
        (ask(max_completion_tokens="10"), "max_completion_tokens"),
    ],
)
def test_what_a_provider_would_refuse(body: dict[str, Any], param: str) -> None:
    refused = objection(body)
    assert refused is not None
    assert refused[1] == param


def test_a_good_request_is_not_refused() -> None:
    assert objection(ask(n=None, max_tokens=1)) is None
