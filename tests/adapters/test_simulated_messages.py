import copy
import json
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prompt import Billed
from adapters.simulated_answer import THOUGHTS
from adapters.simulated_messages import answer, digest_of, is_signed, signed, thinks
from adapters.tokens import estimate

MARK = {"type": "ephemeral"}
QUESTION = "Why is the sky blue at noon but red in the evening?"
WEATHER = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city", "days"],
    },
}
CLOCK = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}}
PLEASE = "Please use get_weather for Paris"
SUM = {
    "type": "object",
    "properties": {"total": {"type": "number"}},
    "required": ["total"],
    "additionalProperties": False,
}


def ask(content: Any = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": "sim-small", "max_tokens": 4000, "messages": [{"role": "user", "content": content}], **more}


def said(body: dict[str, Any], seed: int = 0, billed: Billed | None = None) -> dict[str, Any]:
    """The answer, which the official client must accept as it is."""
    message = answer(body, seed=seed, billed=billed or Billed(uncached=100))
    assert Message.model_validate(message, strict=True).to_dict() == message
    return message


def text(body: dict[str, Any]) -> str:
    (block,) = said(body)["content"]
    assert block["type"] == "text"
    return block["text"]  # type: ignore[no-any-return]


def test_a_text_that_quotes_the_question() -> None:
    message = said(ask())
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    assert "Why is the sky blue at" in text(ask())
    assert message["usage"]["output_tokens"] == estimate(text(ask()))
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 0}


def test_the_same_request_gets_the_same_answer_however_it_travels_is_marked_or_is_paid() -> None:
    plain = said(ask(system="Be brief."))
    marked = ask([{"type": "text", "text": QUESTION, "cache_control": MARK}])
    marked["system"] = [{"cache_control": MARK, "type": "text", "text": "Be brief."}]
    assert said(marked) == plain
    unheard = ask(system="Be brief.", stream=True, metadata={"user_id": "u"}, cache_control=MARK, service_tier="auto")
    assert said(unheard) == plain
    dear = said(ask(system="Be brief."), billed=Billed(1, 2, 3, 4))
    assert dear | {"usage": 0} == plain | {"usage": 0}


@pytest.mark.parametrize(
    "other",
    [
        ask("Why?"),
        ask(max_tokens=3999),
        ask(model="sim-large"),
        ask(system="Be brief."),
        ask(tools=[CLOCK]),
        ask(thinking={"type": "adaptive"}),
        ask(temperature=0.5),
        ask(output_config={"effort": "low"}),
    ],
)
def test_another_request_or_seed_gets_another_answer(other: dict[str, Any]) -> None:
    assert said(other)["id"] != said(ask())["id"]
    assert said(other)["content"] != said(ask())["content"]
    assert said(ask(), seed=1)["content"] != said(ask())["content"]


def test_display_is_a_part_of_the_answer() -> None:
    shown, hidden = (ask(thinking={"type": "adaptive", "display": how}) for how in ("summarized", "omitted"))
    assert digest_of(shown, 0) != digest_of(hidden, 0)


@settings(max_examples=100)
@given(st.text(max_size=300))
def test_every_question_is_answered(question: str) -> None:
    assert all(word[:30] in text(ask(f"Say: {question}")) for word in question[:395].split()[:3])


def test_the_bill_is_told_in_full() -> None:
    usage = said(ask(), billed=Billed(read=4000, write_5m=300, write_1h=20, uncached=1))["usage"]
    assert usage["input_tokens"] == 1
    assert usage["cache_read_input_tokens"] == 4000
    assert usage["cache_creation_input_tokens"] == 320
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 20}


def test_a_limit_cuts_the_text() -> None:
    message = said(ask(max_tokens=10))
    assert message["stop_reason"] == "max_tokens"
    assert message["usage"]["output_tokens"] == estimate(message["content"][0]["text"]) == 10


def test_a_limit_of_zero_warms_and_says_nothing() -> None:
    message = said(ask(max_tokens=0, thinking={"type": "adaptive"}), billed=Billed(write_5m=5000))
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")
    assert message["usage"]["output_tokens"] == 0
    assert message["usage"]["cache_creation_input_tokens"] == 5000


def test_a_stop_sequence_ends_the_text_before_itself() -> None:
    # The body is part of the digest, so what stops is sought in every text there can be.
    message = said(ask(stop_sequences=["never said", ".", "!"]))
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", ".")
    assert "." not in message["content"][0]["text"]
    assert message["usage"]["output_tokens"] == estimate(message["content"][0]["text"])
    cut = said(ask(stop_sequences=["."], max_tokens=3))
    assert (cut["stop_reason"], cut["stop_sequence"]) == ("max_tokens", None)
    nothing = said(ask(stop_sequences=[*"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]))
    assert (nothing["content"], nothing["stop_reason"]) == ([], "stop_sequence")


def test_structured_answers_are_json() -> None:
    wanted = {"format": {"type": "json_schema", "schema": SUM}}
    assert json.loads(text(ask("List two", output_config=wanted))) == {"total": 1}


def calls(body: dict[str, Any]) -> list[Any]:
    message = said(body)
    called = [block for block in message["content"] if block["type"] == "tool_use"]
    assert message["stop_reason"] == ("tool_use" if called else "end_turn")
    assert len({block["id"] for block in called}) == len(called)
    return [(block["name"], block["input"]) for block in called]


WEATHER_CALL = ("get_weather", {"city": "Please use get_weather for Paris", "days": 2})
BOTH = [WEATHER, CLOCK]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (ask(PLEASE, tools=BOTH), ["get_weather"]),
        (ask("GET_TIME and get_weather", tools=BOTH), ["get_weather", "get_time"]),
        (
            ask("get_time, get_weather", tools=BOTH, tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
            ["get_weather"],
        ),
        (ask("hello", tools=BOTH), []),
        (ask(PLEASE, tools=[WEATHER], tool_choice={"type": "none"}), []),
        (ask(PLEASE), []),
        (ask("hello", tools=[CLOCK, WEATHER], tool_choice={"type": "any"}), ["get_time"]),
        (ask("hello", tools=BOTH, tool_choice={"type": "tool", "name": "get_time"}), ["get_time"]),
        (ask("bash and web_search", tools=[{"type": "bash_20250124", "name": "bash"}]), []),
    ],
)
def test_tools_are_called_when_mentioned_or_forced(body: dict[str, Any], names: list[str]) -> None:
    assert [name for name, _ in calls(body)] == names


def test_the_input_fits_the_schema() -> None:
    assert calls(ask(PLEASE, tools=[WEATHER])) == [WEATHER_CALL]
    odd = {"name": "odd", "input_schema": {"type": "object", "const": 5}}
    assert calls(ask("odd", tools=[odd])) == [("odd", {})]


def test_many_calls_have_many_ids() -> None:
    tools = [{"name": f"tool_{n:03}", "input_schema": {"type": "object"}} for n in range(90)]
    assert len(calls(ask(" ".join(tool["name"] for tool in tools), tools=tools))) == 90


def after(body: dict[str, Any], *blocks: dict[str, Any]) -> dict[str, Any]:
    content = said(body)["content"]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "sunny"}
        for block in content
        if block["type"] == "tool_use"
    ]
    turns = [{"role": "assistant", "content": content}, {"role": "user", "content": [*results, *blocks]}]
    return copy.deepcopy(body) | {"messages": [*body["messages"], *turns]}


def test_what_has_been_called_is_answered_in_words_about_the_question() -> None:
    body = ask(PLEASE, tools=BOTH)
    assert "Please use get_weather for Paris" in text(after(body))
    assert calls(after(body, {"type": "text", "text": "and get_time"})) == [("get_time", {})]
    forced = after(body) | {"tool_choice": {"type": "tool", "name": "get_weather"}}
    assert calls(forced) == [WEATHER_CALL]


def test_a_limit_cuts_calls_too() -> None:
    message = said(ask(PLEASE, tools=[WEATHER], max_tokens=4))
    assert message["stop_reason"] == "max_tokens"
    assert [block["input"] for block in message["content"]] == [{}]


def thought(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    message = said(body)
    return message["content"][0], message


@pytest.mark.parametrize("thinking", [{"type": "adaptive"}, {"type": "enabled", "budget_tokens": 2000}])
def test_thinking_comes_first_signed_and_counted(thinking: dict[str, Any]) -> None:
    block, message = thought(ask(thinking=thinking))
    details = message["usage"]["output_tokens_details"]
    assert block["type"] == "thinking"
    assert is_signed(block["thinking"], block["signature"], 0)
    assert details["thinking_tokens"] == estimate(block["thinking"]) > 20
    spoken = estimate(message["content"][1]["text"])
    assert message["usage"]["output_tokens"] == details["thinking_tokens"] + spoken


def test_effort_and_budget_bound_the_thinking() -> None:
    low, _ = thought(ask(thinking={"type": "adaptive"}, output_config={"effort": "low"}))
    high, _ = thought(ask(thinking={"type": "adaptive"}, output_config={"effort": "high"}))
    assert low["thinking"] == high["thinking"][: len(low["thinking"])]
    assert high["thinking"].endswith(THOUGHTS[5])
    short, message = thought(ask(thinking={"type": "enabled", "budget_tokens": 8}))
    assert estimate(short["thinking"]) == 8
    assert message["stop_reason"] == "end_turn"
    for limit in range(1, 120):
        starved, message = thought(ask(max_tokens=limit, thinking={"type": "adaptive"}))
        if starved["thinking"] != high["thinking"]:
            assert (len(message["content"]), message["stop_reason"]) == (1, "max_tokens")
            assert message["usage"]["output_tokens"] <= limit
    assert limit > estimate(high["thinking"]) > 8


def test_thinking_that_is_not_shown_is_signed_and_paid_all_the_same() -> None:
    block, message = thought(ask(thinking={"type": "adaptive", "display": "omitted"}))
    other, _ = thought(ask("Another question", thinking={"type": "adaptive", "display": "omitted"}))
    assert block["thinking"] == other["thinking"] == ""
    assert block["signature"] != other["signature"]
    assert is_signed("", block["signature"], 0)
    assert message["usage"]["output_tokens_details"]["thinking_tokens"] > 20


def test_thinking_and_calls_go_together() -> None:
    kinds = [block["type"] for block in said(ask(PLEASE, tools=[WEATHER], thinking={"type": "adaptive"}))["content"]]
    assert kinds == ["thinking", "tool_use"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ask(), ""),
        (ask(thinking={"type": "disabled"}), ""),
        (ask(thinking={"type": "between_tools"}), "between_tools"),
        (ask(model="claude-opus-5-5"), "adaptive"),
        (ask(model="claude-opus-5", thinking={"type": "disabled"}), ""),
        (ask(model="claude-opus-4-8"), ""),
        (ask(thinking={"type": 5}), ""),
    ],
)
def test_how_a_request_has_its_model_think(body: dict[str, Any], kind: str) -> None:
    assert thinks(body) == kind
    if kind in ("", "adaptive"):
        assert (said(body)["content"][0]["type"] == "thinking") == bool(kind)


@settings(max_examples=100)
@given(st.text(), st.text(), st.integers(0, 9))
def test_a_signature_holds_for_its_own_text_and_seed_only(text: str, other: str, seed: int) -> None:
    for shown in (text, ""):
        signature = signed(text, shown, seed)
        assert is_signed(shown, signature, seed)
        assert is_signed(other, signature, seed) == (other == shown)
        assert not is_signed(shown, signature, seed + 1)
        assert not is_signed(shown, signature[:-4], seed)
        assert not is_signed(shown, signature.swapcase(), seed)


@pytest.mark.parametrize("signature", [None, "", "x", "é", 5, ["x"], "AAAA" * 11])
def test_what_is_no_signature(signature: Any) -> None:
    assert not is_signed("", signature, 0)
    assert not is_signed(None, signed("", "", 0), 0)
