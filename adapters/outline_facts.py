"""What of a request, besides its text, decides which cached prefixes it can read.

Which change breaks which level is the profile's to say (`Profile.breaks`); here stands where each such fact is written
in each API, and which value of it counts like its absence, where that is documented (types of OpenAI's client 3.52 and
Anthropic's prompt caching guide of 2026-08-21, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.body import mapping
from adapters.profiles import Level, Profile

Facts = dict[Level, dict[str, Any]]
"""By the first level that each breaks. What is as if it were absent is not in it."""

Reader = Callable[[Mapping[str, Any]], Any]
"""From a body to a fact; None where nothing is said or the default is."""

TEXT = frozenset({"tools", "system", "messages", "web_search"})
"""What the points themselves tell. Web search is a tool; only chat completions have a member for it."""

UNNAMED: dict[str, dict[str, Level]] = {"anthropic-messages": {"text_format": "messages"}}
"""What breaks a level though no profile says so: the format of the answer is written into the prompt."""

ABSENT: dict[str, tuple[str, ...]] = {
    "openai-chat": ("functions",),
    "openai-responses": ("previous_response_id", "conversation", "prompt"),
}
"""Members that put something in front of the prompt which is not in the outline."""

PLAIN = frozenset(
    {
        "model",
        "messages",
        "system",
        "tools",
        "input",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "temperature",
        "top_p",
        "stop",
        "n",
        "seed",
        "user",
        "metadata",
        "store",
    }
)
"""Members that are no facts anywhere: nearly all requests have no others, and cost next to nothing."""

PARTITIONS = ("user_id", "cache_salt")
"""Members by which a request asks for a cache of its own, where the profile's `isolation` names them."""


def facts_of(body: Mapping[str, Any], api: str, profile: Profile, *, images: bool, citations: bool) -> Facts:
    """`images`, `citations`: whether the prompt has any; who walks through it knows."""
    if body.keys() <= PLAIN and not (images or citations) and type(body.get("tools", [])) is list:
        return (
            {"tools": {"model": body["model"]}} if "model" in profile.breaks and body.get("model") is not None else {}
        )
    found: Facts = {}
    readers = READERS[api]
    seen = {"images": images or None, "citations": citations or None}
    breaks = profile.breaks
    for name, level in UNNAMED.get(api, {}).items():
        if name not in breaks:
            _note(found, level, name, readers[name](body))
    for name, levels in breaks.items():
        reader = readers.get(name)
        if name in seen:
            value = seen[name]
        elif reader is not None:
            value = reader(body)
        else:
            value = None if name in TEXT else body.get(name)
        if value is not None and levels:
            _note(found, levels[0], name, value)
    apart = [name for name in PARTITIONS if name in profile.isolation]
    for name in (*ABSENT.get(api, ()), *apart):
        _note(found, "tools", name, body.get(name))
    if not isinstance(body.get("tools"), list):
        _note(found, "tools", "tools", body.get("tools"))
    return found


def _note(found: Facts, level: Level, name: str, value: Any) -> None:
    if value is not None:
        found.setdefault(level, {})[name] = value


def _member(name: str, default: Any = None) -> Reader:
    def read(body: Mapping[str, Any]) -> Any:
        value = body.get(name)
        return None if value is default or value == default else value

    return read


def _within(outer: str, name: str, default: Any = None) -> Reader:
    def read(body: Mapping[str, Any]) -> Any:
        value = mapping(body.get(outer)).get(name)
        return None if value == default else value

    return read


def _thinking(body: Mapping[str, Any]) -> Any:
    thinking = mapping(body.get("thinking"))
    kind = thinking.get("type", "")
    return None if kind in ("", "disabled") else [kind, thinking.get("budget_tokens")]


def _effort(body: Mapping[str, Any]) -> Any:
    effort = mapping(body.get("output_config")).get("effort") or "high"
    return None if effort == "high" else effort


def _choice(body: Mapping[str, Any]) -> Any:
    """Whether calls may be parallel stands in the same object, and is a fact of its own."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = {name: value for name, value in choice.items() if name != "disable_parallel_tool_use"}
    return None if choice == {"type": "auto"} else choice


def _one_by_one(body: Mapping[str, Any]) -> Any:
    return mapping(body.get("tool_choice")).get("disable_parallel_tool_use") or None


def _speed(body: Mapping[str, Any]) -> Any:
    return None if body.get("speed") in (None, "standard") else True


def _reasoning(body: Mapping[str, Any]) -> Any:
    """OpenAI's member, or the object that OpenRouter knows."""
    told = (body.get("reasoning_effort"), body.get("reasoning"))
    return None if told == (None, None) else told


_OPENAI: dict[str, Reader] = {
    "model": _member("model"),
    "parallel_tool_calls": _member("parallel_tool_calls", True),
    "service_tier": _member("service_tier", "auto"),
    "tool_choice": _member("tool_choice", "auto"),
    "speed": _speed,
}

READERS: dict[str, dict[str, Reader]] = {
    "anthropic-messages": {
        "model": _member("model"),
        "speed": _speed,
        "tool_choice": _choice,
        "parallel_tool_calls": _one_by_one,
        "thinking": _thinking,
        "effort": _effort,
        "text_format": _within("output_config", "format"),
    },
    "openai-chat": {
        **_OPENAI,
        "text_format": _member("response_format", {"type": "text"}),
        "effort": _reasoning,
        "verbosity": _member("verbosity", "medium"),
        "web_search": _member("web_search_options"),
    },
    "openai-responses": {
        **_OPENAI,
        "text_format": _within("text", "format", {"type": "text"}),
        "effort": _within("reasoning", "effort"),
        "verbosity": _within("text", "verbosity", "medium"),
    },
}
