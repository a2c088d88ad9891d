from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.prices import Prices
from adapters.profiles import Profiles, multipliers, profile_of
from adapters.usage import Usage

PRICES = Prices({"free": {"input": 0, "output": 0}})
SHIPPED = files("adapters").joinpath("data/prompt_caches.toml").read_text("utf-8")

BASE = """
[unknown]
source = "none"
as_of = 2026-11-20
writes = "unknown"
boundary = "unknown"
minimum = 0
"""


@pytest.mark.parametrize(
    ("provider", "model", "minimum"),
    [
        # Anthropic's guide of 2026-08-21, and litellm for 5.1 and 5.5
        ("anthropic", "claude-fable-5", 512),
        ("anthropic", "claude-fable-5-1", 512),
        ("anthropic", "claude-mythos-5-1", 512),
        ("anthropic", "claude-opus-5", 512),
        ("anthropic", "claude-opus-5-5", 512),
        ("anthropic", "claude-sonnet-5-5", 512),
        ("anthropic", "claude-haiku-5-5", 512),
        ("anthropic", "claude-opus-4-8", 1024),
        ("anthropic", "claude-sonnet-5", 1024),
        ("anthropic", "claude-sonnet-5-20260101", 1024),
        ("anthropic", "claude-sonnet-4-6", 1024),
        ("anthropic", "claude-sonnet-4-5-20250929", 1024),
        ("anthropic", "claude-sonnet-4-20250514", 1024),
        ("anthropic", "claude-opus-4-20250514", 1024),
        ("anthropic", "claude-opus-4-1", 1024),
        ("anthropic", "claude-opus-4-7", 2048),
        ("anthropic", "claude-mythos-preview", 2048),
        ("anthropic", "claude-3-5-haiku-20241022", 2048),
        ("anthropic", "claude-opus-4-6", 4096),
        ("anthropic", "claude-opus-4-5-20251101", 4096),
        ("anthropic", "claude-haiku-4-5", 4096),
        ("anthropic", "claude-of-tomorrow", 4096),  # the largest known, until usage tells better
        ("ANTHROPIC", "Claude-Opus-5-5", 512),
        # the same elsewhere, under the names of there
        ("bedrock", "us.anthropic.claude-opus-5-5-v1:0", 512),
        ("aws", "anthropic.claude-opus-4-7", 4096),  # where Anthropic says 2,048
        ("vertex", "claude-haiku-4-5@20251001", 4096),
        ("openrouter", "anthropic/claude-opus-5.5", 512),
        ("openrouter", "anthropic/claude-opus-4.7", 2048),
        ("azure", "claude-sonnet-5", 1024),
        ("openai", "gpt-4o", 1024),
        ("openai", "gpt-6.1-sol", 1024),
        ("google", "gemini-3.8-flash", 4096),
        ("gemini", "gemini-2.5-pro", 2048),
        ("vllm", "whatever", 16),
        ("nobody", "claude-opus-5-5", 0),
        ("", "", 0),
    ],
)
def test_minima(provider: str, model: str, minimum: int) -> None:
    assert profile_of(provider, model).minimum == minimum


def test_anthropic() -> None:
    profile = profile_of("anthropic", "claude-opus-5-5")
    assert [(life.name, life.seconds, life.counted) for life in profile.lives] == [
        ("5m", 300, "write_5m"),
        ("1h", 3600, "write_1h"),
    ]
    assert profile.life is profile.lives[0]
    assert (profile.writes, profile.boundary, profile.breakpoints, profile.lookback) == (
        "breakpoints",
        "breakpoint",
        4,
        20,
    )
    assert (profile.life_from, profile.refreshed, profile.best_effort) == ("request_start", True, False)
    assert (profile.readable, profile.readable_documented, profile.isolation) == ("first_content", True, "workspace")
    assert not profile.reads_in_limits
    (warm,) = profile.warm
    assert (warm.api, warm.body, warm.output, warm.breakpoint) == ("messages", {"max_tokens": 0}, 0, True)
    assert {"stream", "thinking.enabled", "tool_choice.any", "output_config.format"} < set(warm.unless)
    assert profile.breaks["tools"] == ("tools", "system", "messages")
    assert profile.breaks["tool_choice"] == ("messages",)
    assert "max_tokens" not in profile.breaks  # may differ between the warm call and the real one
    assert profile.as_of == date(2026, 11, 20)


def test_thinking_that_is_bound_to_what_stands_before_it() -> None:
    bound = {"claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5"}
    for model in (*bound, "claude-haiku-5-5", "claude-opus-5", "claude-sonnet-5", "claude-opus-4-8"):
        assert profile_of("anthropic", model).binds_thinking is (model in bound)


def test_two_ages_of_openai() -> None:
    for model in ("gpt-4o", "gpt-4.1-mini", "o3", "gpt-5", "gpt-5-2025-08-07", "gpt-5.4", "my-deployment", ""):
        old = profile_of("azure", model)
        assert (old.writes, old.breakpoints, old.granularity, old.per_minute) == ("automatic", 0, 128, 15)
        assert old.best_effort
        assert {life.counted for life in old.lives} == {"uncached"}
    assert profile_of("openai", "gpt-5.5").granularity == 2048
    for model in ("gpt-5.6-sol", "gpt-6-astra", "gpt-6.1-terra", "gpt-7"):
        new = profile_of("openai", model)
        assert (new.writes, new.breakpoints, new.granularity, new.boundary) == ("both", 4, 1, "message")
        assert [(life.name, life.seconds) for life in new.lives] == [("30m", 1800), ("12h", 43200)]
        assert [(warm.api, warm.breakpoint) for warm in new.warm] == [("responses", True), ("chat", True)]
    assert (profile_of("azure", "gpt-5.6-sol").isolation, profile_of("azure", "claude-opus-5").isolation) == (
        "subscription",
        "workspace",
    )


def test_caps_of_warm_calls_are_legal() -> None:
    """OpenAI's Responses refuse less than 16, OpenRouter less than 1; zero is confirmed for Anthropic and Foundry."""
    names = ("openai", "azure", "bedrock", "google", "openrouter", "deepseek", "xai", "mistral", "groq")
    models = ("", "gpt-4o", "gpt-5.6-sol", "claude-opus-5-5", "anthropic/claude-opus-5.5")
    profiles = [
        profile_of(name, model) for name in names for model in models if name != "azure" or "claude" not in model
    ]
    for warm in [warm for profile in profiles for warm in profile.warm]:
        assert warm.body.get("max_output_tokens", 16) >= 16
        assert warm.body.get("max_tokens", 1) >= 1
        assert "stream" not in warm.body
    assert profile_of("deepseek", "deepseek-flash").warm[0].truncated


@pytest.mark.parametrize("engine", ["vllm", "sglang", "llama.cpp", "ollama"])
def test_engines_of_ones_own_are_not_warmed(engine: str) -> None:
    profile = profile_of(engine, "any")
    assert profile.local
    assert profile.warm == profile.lives == ()
    assert profile.life is None


def test_of_the_unknown_nothing_is_believed() -> None:
    profile = profile_of("my-gateway", "gpt-4o")
    assert (profile.provider, profile.writes, profile.warm, profile.readable) == ("unknown", "unknown", (), "unknown")


def test_conflicts_of_the_sources_are_told() -> None:
    assert "4,096" in profile_of("anthropic", "claude-opus-4-7").note
    assert "80" in profile_of("openai", "gpt-6-sol").note
    assert "not confirmed" in profile_of("bedrock", "us.anthropic.claude-opus-5-5").note
    assert "thinking" in profile_of("bedrock", "us.anthropic.claude-opus-5-5").note  # what it inherits, too
    assert "\n" not in profile_of("openai", "gpt-6-sol").note
    # A row that inherits from elsewhere does so in its provider's place.
    assert "As Anthropic" not in profile_of("bedrock", "openai.gpt-5.6-sol").note
    assert "As OpenAI" not in profile_of("azure", "claude-opus-5-5").note


def test_no_multiple_of_a_price_stands_in_the_data() -> None:
    def numbers(value: Any) -> list[float]:
        if isinstance(value, dict):
            return [number for item in value.values() for number in numbers(item)]
        if isinstance(value, list):
            return [number for item in value for number in numbers(item)]
        return [value] if isinstance(value, float) else []

    assert numbers(tomllib.loads(SHIPPED)) == []


def test_multiples_follow_from_the_prices() -> None:
    def told(model: str, prompt: int = 0, provider: str = "") -> list[float] | None:
        found = multipliers(PRICES, model, prompt, provider)
        return None if found is None else [round(each, 9) for each in found]

    #                                   uncached, read, 5m, 1h, 30m, 12h, output
    assert told("claude-opus-5-5") == [1, 0.05, 1.25, 2, 1.25, 2.5, 5]
    assert told("claude-fable-5-1") == [1, 0.025, 1.25, 2, 1.25, 2.5, 5]
    assert told("gpt-4o") == [1, 0.5, 1, 1, 1, 1, 4]
    assert told("gpt-5.6-sol", 272_001) == [1, 0.1, 1.25, 2, 1.25, 2.5, 3.75]
    assert told("deepseek-flash") == [1, 0.02, 1, 1, 1, 1, 4]
    assert told("sonar", 0, "perplexity") == [1, 1, 1, 1, 1, 1, 1]
    assert told("nobodys") is None
    assert told("free") is None


def test_a_life_names_a_class_that_has_a_price() -> None:
    found = multipliers(PRICES, "gpt-5.6-sol")
    lives = [life for model in ("gpt-4o", "gpt-5.6-sol") for life in profile_of("openai", model).lives]
    assert [round(getattr(found, life.counted), 9) for life in lives] == [1, 1, 1.25, 2.5]
    assert {life.counted for life in lives} <= set(Usage._fields)


def test_the_longest_pattern_wins_and_rows_lie_over_each_other() -> None:
    profiles = Profiles(
        BASE
        + """
[a]
aliases = ["b"]
source = "s"
as_of = 2026-01-02
writes = "automatic"
boundary = "block"
minimum = 10
granularity = 8
note = "of a."
[[a.model]]
match = ["x*"]
minimum = 20
source = "t"
note = "of x."
[[a.model]]
match = ["x-y*", "z"]
minimum = 30
source = "s"
[c]
inherits = "a"
source = "u"
as_of = 2026-03-04
minimum = 40
"""
    )
    assert [profiles.of("a", model).minimum for model in ("w", "x", "x-z", "x-y-z", "z", "zz")] == [
        10,
        20,
        20,
        30,
        30,
        10,
    ]
    x = profiles.of("B", "X")
    assert (x.provider, x.source, x.note, x.granularity) == ("a", "s; t", "of a. of x.", 8)
    assert profiles.of("a", "z").source == "s"
    c = profiles.of("c", "x")
    assert (c.minimum, c.source, c.as_of, c.granularity) == (40, "s; t; u", date(2026, 3, 4), 8)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "unknown: is missing"),
        ("x = 1", "x: must be a table"),
        ("[unknown", "[Ee]xpected"),
        (BASE + 'colour = "red"', r"unknown: .*colour"),
        (BASE.replace("minimum = 0", "minimum = -1"), r"unknown: .*>= 0"),
        (BASE.replace("minimum = 0", 'minimum = "few"'), r"unknown: .*\$.minimum"),
        (BASE.replace('"unknown"\nboundary', '"by hand"\nboundary'), r"unknown: .*by hand"),
        (BASE.replace('source = "none"', ""), "unknown: has no source"),
        (BASE + 'lives = [{ name = "5m", seconds = 300, counted = "write_6m" }]', r"unknown: .*write_6m"),
        (BASE + 'lives = [{ name = "5m", seconds = 0, counted = "write_5m" }]', r"unknown: .*>= 1"),
        (BASE + 'inherits = "nobody"', "can't inherit from `nobody`"),
        (BASE + 'inherits = "unknown"', "unknown: can't inherit from `unknown`"),
        (BASE + "aliases = [1]", "unknown.aliases: must be an array of names"),
        (BASE + "model = 3", "unknown.model: must be an array of tables"),
        (BASE + "[[unknown.model]]\nminimum = 3", r"unknown.model\[0\].match: is missing"),
        (BASE + '[[unknown.model]]\nmatch = "x"', r"unknown.model\[0\].match: must be an array"),
        (BASE + '[[unknown.model]]\nmatch = ["x"]', r"unknown.model\[0\]: has no source"),
        (BASE + '[[unknown.model]]\nmatch = ["x"]\nsource = "s"\nminimum = 0.5', r"unknown.model\[0\]: .*\$.minimum"),
        (
            BASE + '[[unknown.model]]\nmatch = ["x*"]\nsource = "s"\n[[unknown.model]]\nmatch = ["x*"]\nsource = "s"',
            r"unknown.model\[0\]: another row goes before `x\*`",
        ),
    ],
)
def test_what_is_wrong_with_the_data_is_said_and_where(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Profiles(text)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_name_has_a_profile(provider: str, model: str) -> None:
    assert profile_of(provider, model).minimum >= 0
    assert profile_of("openrouter", model) == profile_of("OpenRouter", model.lower())


def test_names_of_clients_do_not_fill_the_memory() -> None:
    profiles = Profiles(SHIPPED)
    for number in range(1500):
        profiles.of("openai", f"gpt-4o-{number}")
    assert len(profiles._known) <= 1024
    assert profiles.of("anthropic", "claude-opus-5-5" + "x" * 10_000).minimum == 4096
    assert max(len(model) for _, model in profiles._known) < 300
