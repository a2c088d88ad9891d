from typing import Any

import pytest

from adapters.openai_chat import OPENAI_CHAT
from adapters.prompt import Billed
from adapters.simulated_speech import ANTHROPIC, OPENAI, Due, Speech, chat, messages, responses
from tests.adapters.standin import STAND_IN

LONG = "The rules of the house are many and every one of them is written here in full. " * 200
MARK = {"type": "ephemeral"}
VERSION = {"anthropic-version": "2026-10-21"}


def after(seconds: float) -> Due:
    return lambda unread: seconds


def bill(speech: Speech, body: dict[str, Any], now: float, *, first: float | None = None, salt: bytes = b"") -> Billed:
    return speech.bill(body, salt, now, after(now if first is None else first))


def chatting(text: str, **more: Any) -> dict[str, Any]:
    told = [{"role": "system", "content": LONG}, {"role": "user", "content": text}]
    return {"model": "m", "messages": told, **more}


def native(text: str, **more: Any) -> dict[str, Any]:
    system = [{"type": "text", "text": LONG, "cache_control": MARK}]
    return {"model": "sim", "max_tokens": 9, "system": system, "messages": [{"role": "user", "content": text}], **more}


def whole(body: Any, *, seed: int, prompt: int, cached: int) -> dict[str, Any]:
    return {"id": "r", "seed": seed, "prompt": prompt, "cached": cached}


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
    assert cold.write_5m == cold.write_1h == 0


def test_what_is_being_written_can_not_be_read() -> None:
    for speech, body in ((chat(OPENAI_CHAT, 0), chatting("a")), (messages(STAND_IN, 0), native("a"))):
        assert bill(speech, body, 0, first=5).read == 0
        assert bill(speech, body, 4, first=9).read == 0
        assert bill(speech, body, 6).read >= 1024


def test_the_time_of_the_first_token_follows_from_what_has_to_be_read() -> None:
    for speech, body in ((chat(OPENAI_CHAT, 0), chatting("a")), (messages(STAND_IN, 0), native("a"))):
        unread: list[int] = []

        def due(tokens: int, seen: list[int] = unread) -> float:
            seen.append(tokens)
            return 0.0

        told = [speech.bill(body, b"", now, due) for now in (0, 1)]
        assert unread == [one.prompt - one.read for one in told]


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
    assert answering().answer({}, billed) == {"id": "r", "seed": 7, "prompt": 200, "cached": 128}
    for make in (chat, messages):
        said = [make(STAND_IN, seed).answer(native("a"), billed)["id"] for seed in (0, 1)]
        assert said[0] != said[1]


def test_objections() -> None:
    assert chat(OPENAI_CHAT, 0).objection({"messages": []}, {}) is not None
    assert messages(STAND_IN, 0).objection(native("a"), VERSION) is None
    assert messages(STAND_IN, 0).objection(native("a"), {}) == ("anthropic-version: header is required", None)
    assert answering().objection({}, {}) is None


@pytest.mark.parametrize("given", ["Hello", [{"role": "user", "content": "Hello"}], None, 5, [5]])
def test_responses_are_billed_by_prefix(given: Any) -> None:
    speech = answering()
    body = {"model": "m", "instructions": LONG, "input": given}
    assert bill(speech, body, 0).read == 0
    assert bill(speech, body, 1).read >= 1024
    assert bill(speech, {**body, "instructions": LONG + "!"}, 2).read == 0
    assert bill(speech, {"model": "m", "input": given}, 3).prompt < 20


def test_both_manners_fail_in_the_same_ways() -> None:
    assert OPENAI.faults.keys() == ANTHROPIC.faults.keys()
    for manner in (OPENAI, ANTHROPIC):
        waiting = [name for name, fault in manner.faults.items() if fault.headers]
        assert waiting == ["error-429"]
        assert manner.models()["data"][0] == manner.model(manner.models()["data"][0]["id"])
