"""Which form a warm call takes: surface by surface, model by model, and what of a request stands against it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from adapters.profiles import profile_of
from adapters.prompt_blocks import CHAT, MESSAGES, RESPONSES
from adapters.warm_call_form import Form, Refusal, form_of
from tests.adapters.conversations import CALM, ODD

FORCED = {"tool_choice": {"type": "any"}}
FORMAT = {"output_config": {"format": {"type": "json_schema", "schema": {}}}}
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
PREWARM = {"prompt_cache_options": {"prewarm": True}}
SEARCH = {"tools": [{"type": "web_search_20260318", "name": "web_search"}]}

OPUS, GPT = "claude-opus-5-5", "gpt-5.6-sol"

TABLE: list[tuple[str, str, str, dict[str, Any], dict[str, Any] | str]] = [
    # Anthropic: nothing is generated, unless the request is of the few kinds that this is refused for.
    (MESSAGES, "anthropic", OPUS, {}, {"max_tokens": 0}),
    (MESSAGES, "anthropic", OPUS, {"stream": True, "thinking": {"type": "adaptive"}}, {"max_tokens": 0}),
    (MESSAGES, "anthropic", OPUS, SEARCH, {"max_tokens": 0}),
    (MESSAGES, "anthropic", "claude-opus-4-6", FORMAT, {"max_tokens": 10}),
    (MESSAGES, "anthropic", "claude-opus-4-6", FORCED, {"max_tokens": 10}),
    (MESSAGES, "anthropic", "claude-opus-4-6", {"tool_choice": {"type": "tool", "name": "f"}}, {"max_tokens": 10}),
    (MESSAGES, "anthropic", "claude-opus-4-6", {"tool_choice": {"type": "auto"}}, {"max_tokens": 10}),
    (MESSAGES, "anthropic", "claude-opus-4-6", {"output_config": {"effort": "low"}}, {"max_tokens": 10}),
    (MESSAGES, "anthropic", "claude-opus-4-5", BUDGET, "thinking.enabled"),
    (MESSAGES, "anthropic", "claude-opus-4-5", FORMAT | BUDGET, "thinking.enabled"),
    (MESSAGES, "anthropic", "claude-opus-4-6", FORMAT | SEARCH, "server tools"),
    (MESSAGES, "azure", OPUS, {}, {"max_tokens": 0}),
    # Where that is not confirmed: ten, or the one token of the profile where the model would think.
    (MESSAGES, "bedrock", "us.anthropic.claude-opus-4-6-v1:0", {}, {"max_tokens": 10}),
    (MESSAGES, "bedrock", "us.anthropic.claude-opus-4-6-v1:0", {"thinking": {"type": "adaptive"}}, {"max_tokens": 1}),
    (MESSAGES, "bedrock", "us.anthropic.claude-opus-5-5-v1:0", {}, {"max_tokens": 1}),
    (MESSAGES, "bedrock", "us.anthropic.claude-opus-5-v1:0", {"thinking": {"type": "disabled"}}, {"max_tokens": 10}),
    (MESSAGES, "bedrock", "us.anthropic.claude-opus-4-5-v1:0", BUDGET, "thinking.enabled"),
    (MESSAGES, "google", "claude-opus-4-6", SEARCH, "server tools"),
    # OpenAI's Responses.
    (RESPONSES, "openai", GPT, {}, PREWARM),
    (RESPONSES, "openai", GPT, {"tools": [{"type": "web_search"}]}, PREWARM),
    (RESPONSES, "azure", "gpt-6-sol", {"text": {"format": {"type": "json_schema"}}}, PREWARM),
    (RESPONSES, "openai", "gpt-5.5", {}, {"max_output_tokens": 16}),
    (RESPONSES, "openai", "gpt-4.1", {"max_output_tokens": 900}, {"max_output_tokens": 16}),
    (RESPONSES, "openai", "gpt-5.5", {"tools": [{"type": "code_interpreter"}]}, "server tools"),
    (RESPONSES, "openai", "gpt-5.5", {"tools": [{"type": "function"}, {"type": "custom"}]}, {"max_output_tokens": 16}),
    (RESPONSES, "xai", "grok-4.7", {}, {"max_output_tokens": 16}),
    # Chat completions.
    (CHAT, "openai", "gpt-4.1", {}, {"max_completion_tokens": 10}),
    (CHAT, "openai", "gpt-4.1", {"max_tokens": 5}, {"max_tokens": 10}),
    (CHAT, "openai", "gpt-4o-search-preview", {"web_search_options": {}}, "server tools"),
    (CHAT, "openai", "gpt-4o-mini-search-preview", {}, "server tools"),
    (CHAT, "openrouter", "openai/gpt-4.1:online", {}, "server tools"),
    (CHAT, "openrouter", "openai/gpt-4.1", {"plugins": [{"id": "web"}]}, "server tools"),
    (CHAT, "openai", GPT, {}, {"max_completion_tokens": 16}),
    (CHAT, "openai", GPT, {"reasoning_effort": "none"}, {"max_completion_tokens": 10}),
    (CHAT, "openai", "o3", {}, {"max_completion_tokens": 16}),
    (CHAT, "deepseek", "deepseek-chat", {}, {"max_tokens": 10}),
    (CHAT, "deepseek", "deepseek-reasoner", {}, {"max_tokens": 1}),
    (CHAT, "mistral", "mistral-large-2", {}, {"max_tokens": 10}),
    (CHAT, "google", "gemini-2.5-flash", {}, {"max_tokens": 10}),
    (CHAT, "openrouter", "openai/gpt-4.1", {}, {"max_tokens": 16}),
    (CHAT, "openrouter", "anthropic/claude-opus-4.6", {}, {"max_tokens": 10}),
    (CHAT, "openrouter", "anthropic/claude-opus-4.6", {"reasoning": {"max_tokens": 2000}}, "thinking.enabled"),
    (CHAT, "openrouter", "anthropic/claude-opus-4.6", {"reasoning": {"effort": "high"}}, "thinking.enabled"),
    (CHAT, "openrouter", "anthropic/claude-opus-4.6", {"reasoning_effort": "low"}, "thinking.enabled"),
    (CHAT, "openrouter", "anthropic/claude-opus-4.6", {"reasoning": {"effort": "none"}}, {"max_tokens": 10}),
    (CHAT, "bedrock", "openai.gpt-5.6", {"reasoning_effort": "none"}, {"max_completion_tokens": 10}),
    # Where there is nothing to warm, or nobody knows how.
    (CHAT, "vllm", "m", {}, "no form is known"),
    (CHAT, "unknown", "m", {}, "no form is known"),
    (CHAT, "anthropic", OPUS, {}, "no form is known for chat"),
    (RESPONSES, "bedrock", "openai.gpt-5.6", {}, "no form is known for responses"),
    ("openai-embeddings", "openai", "text-embedding-3", {}, "no form is known"),
    # What would change by it.
    (RESPONSES, "openai", GPT, {"conversation": "conv_1"}, "conversation"),
    (RESPONSES, "openai", GPT, {"context_management": [{"type": "compaction"}]}, "compaction"),
    (MESSAGES, "anthropic", OPUS, {"context_management": {"edits": [{"type": "compact_20260112"}]}}, "compaction"),
    (MESSAGES, "anthropic", OPUS, {"context_management": {"edits": [{"type": "clear_x"}]}}, {"max_tokens": 0}),
]


@pytest.mark.parametrize(("api", "provider", "model", "fields", "expected"), TABLE)
def test_the_form(api: str, provider: str, model: str, fields: dict[str, Any], expected: dict[str, Any] | str) -> None:
    form = form_of(fields, api, profile_of(provider, model), model, "")
    if isinstance(expected, str):
        assert form == Refusal(expected)
        return
    assert isinstance(form, Form)
    assert form.body == expected
    assert form.output == next((value for value in expected.values() if type(value) is int), 0)


@pytest.mark.parametrize(
    ("provider", "model", "api", "breakpoint_", "truncated"),
    [
        ("anthropic", OPUS, MESSAGES, True, False),
        ("openai", GPT, RESPONSES, True, False),
        ("openai", GPT, CHAT, True, False),
        ("openai", "gpt-5.5", CHAT, False, False),
        ("openrouter", "anthropic/claude-opus-5.5", CHAT, True, False),
        ("deepseek", "deepseek-chat", CHAT, False, True),
    ],
)
def test_what_the_profile_demands(provider: str, model: str, api: str, breakpoint_: bool, truncated: bool) -> None:
    form = form_of({}, api, profile_of(provider, model), model, "")
    assert isinstance(form, Form)
    assert (form.breakpoint, form.truncated) == (breakpoint_, truncated)


def test_thinking_is_told_from_outside_where_the_name_does_not_tell() -> None:
    profile = profile_of("bedrock", "claude-in-house")
    for thinks, cap in (("", 10), ("adaptive", 1)):
        form = form_of({}, MESSAGES, profile, "claude-opus-4-6", thinks)
        assert isinstance(form, Form)
        assert form.output == cap


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "max_tokens 10"),
        ({"thinking": {"type": "adaptive"}}, "max_tokens 0"),
        (FORMAT, "max_tokens 10: no less with output_config.format"),
    ],
)
def test_it_says_why(fields: dict[str, Any], why: str) -> None:
    form = form_of(fields, MESSAGES, profile_of("anthropic", "claude-opus-4-6"), "claude-opus-4-6", "")
    assert isinstance(form, Form)
    assert form.why == why


@given(fields=ODD)
@CALM
def test_whatever_stands_anywhere(fields: dict[str, Any]) -> None:
    for api, provider, model in (
        (MESSAGES, "anthropic", OPUS),
        (CHAT, "openrouter", "anthropic/x"),
        (RESPONSES, "openai", GPT),
    ):
        form_of(fields, api, profile_of(provider, model), model, "")
