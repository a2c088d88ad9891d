from typing import Any

import msgspec
import pytest

from adapters.outline_facts import ABSENT, PARTITIONS, PLAIN, READERS, facts_of
from adapters.profiles import Profile, profile_of

CLAUDE = profile_of("anthropic", "claude-opus-5")
NEW = profile_of("openai", "gpt-5.6")
DEEPSEEK = profile_of("deepseek", "x")
LOCAL = profile_of("vllm", "x")
CHAT, RESPONSES, MESSAGES = "openai-chat", "openai-responses", "anthropic-messages"


def facts(api: str, profile: Profile, body: dict[str, Any], **seen: bool) -> dict[str, set[str]]:
    """The names of the facts, by level."""
    found = facts_of(body, api, profile, **{"images": False, "citations": False} | seen)
    return {level: set(named) for level, named in found.items()}


# "What invalidates what" of Anthropic's guide (2026-08-21) and "settings that change the prefix" of OpenAI's
# (2026-09-23); each member that breaks something, and what of it is the same as silence.
@pytest.mark.parametrize(
    ("api", "profile", "body", "level", "name"),
    [
        (MESSAGES, CLAUDE, {"model": "m"}, "tools", "model"),
        (MESSAGES, CLAUDE, {"speed": "fast"}, "system", "speed"),
        (MESSAGES, CLAUDE, {"speed": "standard"}, "", ""),
        (MESSAGES, CLAUDE, {"tool_choice": {"type": "any"}}, "messages", "tool_choice"),
        (MESSAGES, CLAUDE, {"tool_choice": "any"}, "messages", "tool_choice"),
        (MESSAGES, CLAUDE, {"tool_choice": {"type": "auto"}}, "", ""),
        (MESSAGES, CLAUDE, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}}, "", ""),
        (
            MESSAGES,
            CLAUDE,
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            "messages",
            "parallel_tool_calls",
        ),
        (MESSAGES, CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "tools", "thinking"),
        (MESSAGES, CLAUDE, {"thinking": {"type": "disabled"}}, "", ""),
        (MESSAGES, CLAUDE, {"thinking": 5}, "", ""),
        (MESSAGES, CLAUDE, {"output_config": {"effort": "low"}}, "tools", "effort"),
        (MESSAGES, CLAUDE, {"output_config": {"effort": "high"}}, "", ""),
        (MESSAGES, CLAUDE, {"output_config": {"format": {"type": "json_schema"}}}, "messages", "text_format"),
        (MESSAGES, CLAUDE, {"max_tokens": 0, "stream": True, "temperature": 0.5, "metadata": {}, "stop": "x"}, "", ""),
        (MESSAGES, CLAUDE, {"tools": [{}], "system": "x", "messages": []}, "", ""),
        (MESSAGES, CLAUDE, {"tools": {"name": "f"}}, "tools", "tools"),
        (CHAT, NEW, {"model": "m"}, "tools", "model"),
        (CHAT, NEW, {"parallel_tool_calls": False}, "tools", "parallel_tool_calls"),
        (CHAT, NEW, {"parallel_tool_calls": True}, "", ""),
        (CHAT, NEW, {"response_format": {"type": "json_object"}}, "tools", "text_format"),
        (CHAT, NEW, {"response_format": {"type": "text"}}, "", ""),
        (CHAT, NEW, {"reasoning_effort": "low"}, "tools", "effort"),
        (CHAT, NEW, {"reasoning": {"effort": "low"}}, "tools", "effort"),
        (CHAT, NEW, {"verbosity": "low"}, "tools", "verbosity"),
        (CHAT, NEW, {"verbosity": "medium"}, "", ""),
        (CHAT, NEW, {"service_tier": "flex"}, "tools", "service_tier"),
        (CHAT, NEW, {"service_tier": "auto"}, "", ""),
        (CHAT, NEW, {"prompt_cache_key": "k"}, "tools", "prompt_cache_key"),
        (CHAT, NEW, {"context_management": [{}]}, "tools", "context_management"),
        (CHAT, NEW, {"functions": [{"name": "f"}]}, "tools", "functions"),
        (CHAT, NEW, {"tool_choice": "required", "n": 3, "seed": 1, "stream_options": {}}, "", ""),
        (CHAT, LOCAL, {"reasoning_effort": "low", "verbosity": "low", "prompt_cache_key": "k"}, "", ""),
        (CHAT, LOCAL, {"cache_salt": "c", "user_id": "u"}, "tools", "cache_salt"),
        (CHAT, DEEPSEEK, {"cache_salt": "c", "user_id": "u"}, "tools", "user_id"),
        (CHAT, NEW, {"cache_salt": "c", "user_id": "u"}, "", ""),
        (CHAT, CLAUDE, {"web_search_options": {}}, "system", "web_search"),
        (CHAT, CLAUDE, {"tool_choice": "required"}, "messages", "tool_choice"),
        (CHAT, CLAUDE, {"tool_choice": "auto"}, "", ""),
        (CHAT, CLAUDE, {"thinking": {"type": "enabled"}}, "tools", "thinking"),
        (RESPONSES, NEW, {"text": {"format": {"type": "json_schema"}}}, "tools", "text_format"),
        (RESPONSES, NEW, {"text": {"format": {"type": "text"}}}, "", ""),
        (RESPONSES, NEW, {"text": {"verbosity": "high"}}, "tools", "verbosity"),
        (RESPONSES, NEW, {"reasoning": {"effort": "low", "summary": "auto"}}, "tools", "effort"),
        (RESPONSES, NEW, {"reasoning": {"summary": "auto"}, "text": 5}, "", ""),
        (RESPONSES, NEW, {"previous_response_id": "r"}, "tools", "previous_response_id"),
        (RESPONSES, LOCAL, {"conversation": "c"}, "tools", "conversation"),
        (RESPONSES, LOCAL, {"prompt": {"id": "p"}}, "tools", "prompt"),
        (RESPONSES, NEW, {"max_output_tokens": 16, "store": False, "prompt_cache_options": {"ttl": "12h"}}, "", ""),
    ],
)
def test_a_fact_stands_at_the_first_level_that_it_breaks(
    api: str, profile: Profile, body: dict[str, Any], level: str, name: str
) -> None:
    assert facts(api, profile, body) == ({level: {name}} if level else {})


def test_what_the_walk_has_seen() -> None:
    assert facts(MESSAGES, CLAUDE, {}, images=True, citations=True) == {"messages": {"images"}, "system": {"citations"}}
    assert facts(CHAT, NEW, {}, images=True, citations=True) == {"messages": {"images"}}
    assert facts(CHAT, LOCAL, {}, images=True, citations=True) == {}


def test_values_count_not_only_their_presence() -> None:
    def of(effort: str) -> Any:
        return facts_of({"reasoning_effort": effort}, CHAT, NEW, images=False, citations=False)

    assert of("low") != of("high")


def test_a_profile_may_name_what_nobody_here_has_heard_of() -> None:
    profile = msgspec.structs.replace(LOCAL, breaks={"mood": ("system", "messages"), "speed": ()})
    assert facts(CHAT, profile, {"mood": "good", "speed": "fast", "model": "m"}) == {"system": {"mood"}}


@pytest.mark.parametrize("api", [MESSAGES, CHAT, RESPONSES])
@pytest.mark.parametrize("value", [None, 0, True, "x", [], {}, [[]], {"type": {}}, {"type": ["x"], "ttl": 1}])
def test_members_of_any_type(api: str, value: Any) -> None:
    names = [
        "model",
        "thinking",
        "output_config",
        "tool_choice",
        "text",
        "reasoning",
        "speed",
        "response_format",
        "tools",
    ]
    for profile in (CLAUDE, NEW, LOCAL):
        facts_of(dict.fromkeys(names, value), api, profile, images=False, citations=False)


def test_members_that_are_no_facts_are_facts_nowhere() -> None:
    told = {"model", "tools", "system", "messages"}
    named = {name for readers in READERS.values() for name in readers} | set(PARTITIONS)
    named |= {name for names in ABSENT.values() for name in names}
    for provider in ("anthropic", "openai", "google", "deepseek", "xai", "mistral", "vllm", "unknown"):
        named |= set(profile_of(provider, "gpt-6-sol").breaks)
    assert named & PLAIN == told
