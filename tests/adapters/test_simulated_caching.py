from typing import Any

import pytest
from openai.types import CompletionUsage
from openai.types.responses import ResponseUsage

from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.profiles import Profile, profile_of
from adapters.prompt import Billed, Point, Prompt
from adapters.prompt_caches import Uncached
from adapters.simulated_caching import Asked, Caches, applied, chat_usage, objection, responses_usage
from adapters.usage import Usage


def of(model: str) -> Profile:
    return profile_of("maker", model)


def prompt(*names: str) -> Prompt:
    return Prompt(tuple(Point(name.encode(), 2000 * n, edge="message") for n, name in enumerate(names, 1)), 0)


FREE = Billed(read=1024, uncached=976)
HALF_HOUR = Billed(read=1024, write_30m=500, write_12h=400, uncached=76)
ANTHROPIC = Billed(read=1024, write_5m=500, write_1h=400, uncached=76)


@pytest.mark.parametrize(
    ("model", "billed", "members"),
    [
        ("gpt-4o", FREE, {"prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0}}),
        ("gemini-3.8", FREE, {"prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0}}),
        ("vllm", FREE, {"prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0}}),
        ("vllm", Billed(uncached=2000), {"prompt_tokens_details": None}),
        ("deepseek-chat", FREE, {"prompt_cache_hit_tokens": 1024, "prompt_cache_miss_tokens": 976}),
        (
            "gpt-5.6-sol",
            HALF_HOUR._replace(write_30m=900, write_12h=0),
            {"prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0, "cache_write_tokens": 900}},
        ),
        (
            "claude-opus-5",
            ANTHROPIC,
            {
                "prompt_tokens_details": {
                    "cached_tokens": 1024,
                    "audio_tokens": 0,
                    "cache_write_tokens": 900,
                    "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 400},
                }
            },
        ),
    ],
)
def test_the_usage_of_a_chat_in_the_shape_of_its_provider(model: str, billed: Billed, members: dict[str, Any]) -> None:
    usage = chat_usage(of(model), billed, 30, 20)
    counted = {"prompt_tokens": 2000, "completion_tokens": 30, "total_tokens": 2030}
    assert usage == counted | members | {"completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0}}
    CompletionUsage.model_validate(usage, strict=True)
    expected = Usage(**billed._asdict(), output=30, reasoning=20)
    assert OPENAI_CHAT.usage({"usage": usage}) == expected


@pytest.mark.parametrize(("model", "billed"), [("gpt-4o", FREE), ("gpt-5.6-sol", HALF_HOUR)])
def test_the_usage_of_a_response(model: str, billed: Billed) -> None:
    usage = responses_usage(of(model), billed, 30, 20)
    ResponseUsage.model_validate(usage, strict=True)
    assert (usage["input_tokens"], usage["total_tokens"]) == (2000, 2030)
    assert ("cache_write_tokens_details" in usage["input_tokens_details"]) is (model == "gpt-5.6-sol")
    assert OPENAI_RESPONSES.usage({"usage": usage}) == Usage(**billed._asdict(), output=30, reasoning=20)


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        (None, "", None),
        ({}, "", None),
        ({"mode": "explicit", "ttl": "30m"}, "", None),
        ("explicit", "prompt_cache_options", None),
        ({"mode": "automatic"}, "prompt_cache_options.mode", "invalid_value"),
        ({"mode": None}, "prompt_cache_options.mode", "invalid_value"),
        ({"ttl": {"a": []}}, "prompt_cache_options.ttl", "invalid_value"),
        ({"ttl": "12h"}, "prompt_cache_options.ttl", "invalid_value"),
        ({"prewarm": True}, "prompt_cache_options.prewarm", "unknown_parameter"),
    ],
)
def test_options_that_chat_completions_refuse(options: Any, param: str, code: str | None) -> None:
    refusal = objection({"prompt_cache_options": options}, prewarms=False, lives=("30m",))
    assert ((refusal.param, refusal.code) if refusal else ("", None)) == (param, code)


def test_options_that_responses_know() -> None:
    body = {"prompt_cache_options": {"mode": "implicit", "ttl": "12h", "prewarm": True}}
    assert objection(body, prewarms=True, lives=("30m", "12h")) is None
    assert applied(body, of("gpt-5.6-sol")) == {"mode": "implicit", "ttl": "12h"}
    assert applied({}, of("gpt-5.6-sol")) == {"mode": "implicit", "ttl": "30m"}
    assert applied(body, of("gpt-5.5")) is None


def test_models_that_are_cached_alike_share_a_cache_and_others_do_not() -> None:
    caches = Caches()
    alike = {id(caches.of(of(model), model)) for model in ("gpt-4o", "gpt-4.1", "o3", "sim-small")}
    others = ("gpt-5.5", "gpt-5.6", "deepseek-chat", "claude-opus-5", "gemini-3", "mistral-large", "vllm")
    assert len(alike) == 1
    assert len({id(caches.of(of(model), model)) for model in others} | alike) == 1 + len(others)
    assert isinstance(caches.of(of("gpt-5.6-no-cache"), "gpt-5.6-no-cache"), Uncached)


def test_a_request_is_billed_before_it_writes_and_read_when_its_profile_says() -> None:
    for model, moment in (("gpt-5.6", 2.0), ("vllm", 1.0), ("deepseek-chat", 5.0 + of("deepseek-chat").lag)):
        asked = Asked(Caches().of(of(model), model), of(model), prompt("a"))
        assert asked.bill(1.0).read == 0
        asked.write({}, (1.0, 2.0, 5.0), 0.5)
        assert [asked.bill(now).read for now in (moment + 0.49, moment + 0.5)] == [0, 2000]


def test_where_an_answer_ends_is_a_unit() -> None:
    cache = Caches().of(of("deepseek-chat"), "deepseek-chat")
    asked = Asked(cache, of("deepseek-chat"), prompt("a"), lambda answer: prompt("a", answer["text"]).points[-1])
    asked.write({"text": "said"}, (0, 1, 2), 0)
    assert cache.lookup(prompt("a", "said", "b"), 100).read == 4000
    assert cache.lookup(prompt("a", "else", "b"), 100).read == 2000
