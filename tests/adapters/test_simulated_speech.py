from typing import Any

import pytest

from adapters.openai_chat import OPENAI_CHAT
from adapters.prompt import Billed
from adapters.simulated_caching import Asked, Refusal
from adapters.simulated_responses import objection as refused
from adapters.simulated_speech import ANTHROPIC, OPENAI, Speech, chat, messages, responses
from tests.adapters.standin import STAND_IN

LONG = "The rules of the house are many and every one of them is written here in full. " * 200
MARK = {"type": "ephemeral"}
BREAK = {"prompt_cache_breakpoint": {"mode": "explicit"}}
VERSION = {"anthropic-version": "2026-10-21"}


def bill(
    speech: Speech,
    body: dict[str, Any],
    now: float,
    *,
    first: float | None = None,
    last: float | None = None,
    salt: bytes = b"",
    lag: float = 0.0,
) -> Billed:
    asked = speech.ask(body, salt)
    billed = asked.bill(now)
    begins = now if first is None else first
    asked.write(speech.answer(body, billed), (now, begins, begins if last is None else last), lag)
    return billed


def chatting(text: str, **more: Any) -> dict[str, Any]:
    told = [{"role": "system", "content": LONG}, {"role": "user", "content": text}]
    return {"model": "m", "messages": told, **more}


def marked(text: str, **more: Any) -> dict[str, Any]:
    told = [{"role": "system", "content": [{"type": "text", "text": LONG, **BREAK}]}, {"role": "user", "content": text}]
    return {"model": "gpt-5.6-sol", "messages": told, **more}


def native(text: str, **more: Any) -> dict[str, Any]:
    system = [{"type": "text", "text": LONG, "cache_control": MARK}]
    return {"model": "sim", "max_tokens": 9, "system": system, "messages": [{"role": "user", "content": text}], **more}


def whole(body: Any, *, seed: int, billed: Billed) -> dict[str, Any]:
    return {"id": "r", "seed": seed, "billed": billed}


def no_objection(body: Any) -> None:
    return None


def answering() -> Speech:
    return responses(STAND_IN, 7, objection=no_objection, whole=whole)


def test_chat_prompts_are_read_in_steps_of_128_and_written_for_nothing() -> None:
    speech = chat(OPENAI_CHAT, 0)
    cold, warm = bill(speech, chatting("a"), 0), bill(speech, chatting("b"), 1)
    assert cold.read == 0
    assert warm.read >= 1024
    assert warm.read % 128 == 0
    assert cold.prompt == warm.prompt
    assert cold.written == 0


def test_what_is_being_written_can_not_be_read() -> None:
    bodies = [chatting("a"), chatting("a", model="gemini-2.5-pro"), marked("a")]
    speaking: list[tuple[Speech, dict[str, Any]]] = [(chat(OPENAI_CHAT, 0), body) for body in bodies]
    for speech, body in (*speaking, (messages(STAND_IN, 0), native("a"))):
        assert bill(speech, body, 0, first=5).read == 0
        assert bill(speech, body, 4, first=9).read == 0
        assert bill(speech, body, 6).read >= 1024


def test_a_lag_is_waited_for() -> None:
    for speech, body in ((chat(OPENAI_CHAT, 0), chatting("a")), (messages(STAND_IN, 0), native("a"))):
        assert bill(speech, body, 0, first=5, lag=2).read == 0
        assert [speech.ask(body, b"").bill(now).read > 0 for now in (5, 6.9, 7)] == [False, False, True]


def test_every_route_has_a_cache_of_its_own_and_salts_keep_clients_apart() -> None:
    one, other = messages(STAND_IN, 0), messages(STAND_IN, 0)
    bill(one, native("a"), 0)
    assert bill(other, native("a"), 1).read == 0
    assert bill(one, native("a"), 1, salt=b"x").read == 0
    assert bill(one, native("a"), 1).read > 0


def test_messages_are_billed_by_breakpoints() -> None:
    speech = messages(STAND_IN, 0)
    cold = bill(speech, native("a"), 0)
    assert cold.read == 0
    assert cold.write_5m > 1024
    assert bill(speech, native("b"), 299) == Billed(read=cold.write_5m, uncached=cold.uncached)
    assert bill(speech, native("b"), 598).read == cold.write_5m
    assert bill(speech, native("b", model="claude-opus-4-5"), 599) == Billed(uncached=cold.prompt)


def test_the_thinking_of_the_model_itself_reads_what_told_thinking_wrote() -> None:
    speech = messages(STAND_IN, 0)
    told = native("a", model="claude-opus-5", thinking={"type": "adaptive"}, cache_control=MARK)
    silent = native("a", model="claude-opus-5", cache_control=MARK)
    assert bill(speech, told, 0).write_5m == bill(speech, silent, 1).read > 0


def test_gpt_since_5_6_writes_for_money_and_needs_a_breakpoint_to_share() -> None:
    speech = chat(OPENAI_CHAT, 0)
    cold = bill(speech, chatting("a", model="gpt-5.6-sol"), 0)
    assert cold == Billed(write_30m=cold.prompt)
    assert bill(speech, chatting("b", model="gpt-5.6-sol"), 1) == cold
    speech = chat(OPENAI_CHAT, 0)
    assert bill(speech, marked("a"), 0) == cold
    shared = bill(speech, marked("b"), 1)
    assert shared.read > 1024
    assert shared.write_30m == cold.prompt - shared.read > 0
    only = bill(speech, marked("c", prompt_cache_options={"mode": "explicit"}), 1799)
    assert only == Billed(read=shared.read, uncached=shared.write_30m)


def test_a_call_that_ends_with_the_developer_warms_what_follows_in_responses() -> None:
    speech = answering()
    told = {"model": "gpt-6-luna", "input": [{"role": "developer", "content": LONG}]}
    asked = {**told, "input": [*told["input"], {"role": "user", "content": "Hi"}]}
    cold = bill(speech, told | {"prompt_cache_options": {"prewarm": True, "ttl": "12h"}}, 0)
    assert cold == Billed(write_12h=cold.prompt)
    assert bill(speech, asked, 43_199).read == cold.prompt


def test_deepseek_reads_whole_units_after_the_end() -> None:
    speech = chat(OPENAI_CHAT, 0)
    lag = speech.ask(chatting("a", model="deepseek-chat"), b"").profile.lag
    told = [
        bill(speech, chatting(text, model="deepseek-chat"), now, last=now + 3) for now, text in ((0, "a"), (50, "b"))
    ]
    assert [one.read for one in told] == [0, 0]
    third = chatting("c", model="deepseek-chat")
    assert speech.ask(third, b"").bill(52.9 + lag).read == 0
    assert speech.ask(third, b"").bill(53 + lag).read > 1024


def test_deepseek_reads_its_own_answers() -> None:
    speech = chat(OPENAI_CHAT, 0)
    body = chatting("a", model="deepseek-chat", reasoning_effort="low")
    asked = speech.ask(body, b"")
    answer = speech.answer(body, asked.bill(0))
    asked.write(answer, (0, 1, 2), 0)
    said = {name: answer["choices"][0]["message"][name] for name in ("role", "content")}
    more = [*body["messages"], said, {"role": "user", "content": "and then?"}]
    billed = speech.ask(body | {"messages": more}, b"").bill(100)
    assert billed.read > asked.prompt.tokens


def test_models_without_a_cache() -> None:
    for speech, body in (
        (chat(OPENAI_CHAT, 0), chatting("a", model="no-cache")),
        (chat(OPENAI_CHAT, 0), marked("a", model="gpt-5.6-no-cache")),
        (messages(STAND_IN, 0), native("a", model="claude-no-cache")),
        (answering(), {"model": "sim-no-cache", "input": LONG}),
    ):
        for now in (0, 1):
            billed = bill(speech, body, now)
            assert billed == Billed(uncached=billed.prompt)


def test_models_that_are_cached_alike_are_still_apart() -> None:
    speech = chat(OPENAI_CHAT, 0)
    one, other = (speech.ask(chatting("a", model=model), b"") for model in ("gpt-4o", "gpt-4o-mini"))
    assert one.cache is other.cache
    assert bill(speech, chatting("a", model="gpt-4o"), 0).read == 0
    assert bill(speech, chatting("a", model="gpt-4o-mini"), 1).read == 0


def test_tokens_are_counted_as_they_are_billed() -> None:
    speech = messages(STAND_IN, 0)
    assert speech.counting is not None
    body = native("a")
    del body["max_tokens"]
    assert speech.counting.objection(body, VERSION) is None
    assert speech.counting.objection(native("a"), VERSION) is not None
    assert speech.counting.answer(body) == {"input_tokens": bill(speech, native("a"), 0).prompt}


def test_answers_carry_the_bill_and_the_seed() -> None:
    billed = Billed(read=128, uncached=72)
    usage = chat(OPENAI_CHAT, 0).answer(chatting("a"), billed)["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (200, 128)
    assert messages(STAND_IN, 0).answer(native("a"), billed)["usage"]["cache_read_input_tokens"] == 128
    assert answering().answer({}, billed) == {"id": "r", "seed": 7, "billed": billed}
    for make in (chat, messages):
        said = [make(STAND_IN, seed).answer(native("a"), billed)["id"] for seed in (0, 1)]
        assert said[0] != said[1]


def test_what_reasoning_models_think_is_not_shown_in_a_chat() -> None:
    hidden = chat(OPENAI_CHAT, 0).answer(chatting("a", model="gpt-5.5"), Billed(uncached=9))
    shown = chat(OPENAI_CHAT, 0).answer(chatting("a", reasoning_effort="medium"), Billed(uncached=9))
    spent = [each["usage"]["completion_tokens_details"]["reasoning_tokens"] for each in (hidden, shown)]
    assert spent[0] == spent[1] > 0
    assert "reasoning_content" not in hidden["choices"][0]["message"]
    assert shown["choices"][0]["message"]["reasoning_content"]


def test_objections() -> None:
    assert chat(OPENAI_CHAT, 0).objection({"messages": []}, {}) is not None
    assert messages(STAND_IN, 0).objection(native("a"), VERSION) is None
    assert messages(STAND_IN, 0).objection(native("a"), {}) == ("anthropic-version: header is required", None)
    assert answering().objection({}, {}) is None
    speech = responses(STAND_IN, 0, objection=refused, whole=whole)
    refusal = speech.objection({"model": "m", "input": "x", "max_output_tokens": 10}, {})
    assert isinstance(refusal, Refusal)
    assert refusal.code == "integer_below_min_value"


@pytest.mark.parametrize("given", ["Hello", [{"role": "user", "content": "Hello"}], None, 5, [5]])
def test_responses_are_billed_by_prefix(given: Any) -> None:
    speech = answering()
    body = {"model": "m", "instructions": LONG, "input": given}
    assert bill(speech, body, 0).read == 0
    assert bill(speech, body, 1).read >= 1024
    assert bill(speech, {**body, "instructions": "!" + LONG}, 2).read == 0
    assert bill(speech, {"model": "m", "input": given}, 3).prompt < 20


def test_asking_alone_changes_nothing() -> None:
    speech = chat(OPENAI_CHAT, 0)
    asked = speech.ask(chatting("a"), b"")
    assert isinstance(asked, Asked)
    assert asked.bill(0) == asked.bill(1) == Billed(uncached=asked.prompt.tokens)


def test_both_manners_fail_in_the_same_ways() -> None:
    assert OPENAI.faults.keys() == ANTHROPIC.faults.keys()
    for manner in (OPENAI, ANTHROPIC):
        waiting = [name for name, fault in manner.faults.items() if fault.headers]
        assert waiting == ["error-429"]
        assert manner.models()["data"][0] == manner.model(manner.models()["data"][0]["id"])
