"""Usage as providers and clients wrote it down, in disjoint classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.usage import Usage, count, writes


def usage_of(raw: Any) -> Usage | None:
    """Usage in disjoint classes, from any of the shapes found in recordings; None where it is of none of them.

    Anthropic and pi count cached tokens *beside* the input; OpenAI (both APIs), DeepSeek and LiteLLM *inside* it.
    """
    if not isinstance(raw, Mapping):
        return None
    if "input_tokens" in raw and "input_tokens_details" not in raw:
        return _beside(raw, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    if "cacheRead" in raw or "cacheWrite" in raw:
        return _beside(raw, "input", "cacheRead", "cacheWrite", "output")
    if "prompt_tokens" in raw:
        return _inside(raw, "prompt_tokens", "completion_tokens")
    if "input_tokens" in raw:
        return _inside(raw, "input_tokens", "output_tokens")
    return None


def _beside(raw: Mapping[str, Any], uncached: str, read: str, write: str, output: str) -> Usage:
    detail = _object(raw, "cache_creation")
    hour = count(detail, "ephemeral_1h_input_tokens")
    short = max(count(raw, write) - hour, count(detail, "ephemeral_5m_input_tokens"))
    thinking = count(_object(raw, "output_tokens_details"), "thinking_tokens")
    return Usage(count(raw, uncached), count(raw, read), short, hour, count(raw, output), thinking)


def _inside(raw: Mapping[str, Any], prompt: str, output: str) -> Usage:
    details = _object(raw, f"{prompt}_details")
    read = count(details, "cached_tokens") or count(raw, "prompt_cache_hit_tokens")
    read = min(read or count(raw, "cache_read_input_tokens"), count(raw, prompt))
    left = count(raw, prompt) - read
    short, hour, half_hour, half_day = writes(details, left)
    if not short + hour + half_hour + half_day:
        # Under these names gateways tell of Anthropic's writes without their classes.
        told = count(details, "cache_creation_tokens") or count(raw, "cache_creation_input_tokens")
        short = min(told, left)
    left -= half_hour + half_day
    reasoning = count(_object(raw, f"{output}_details"), "reasoning_tokens")
    return Usage(
        left - short - hour,
        read,
        short,
        hour,
        count(raw, output),
        reasoning,
        write_30m=half_hour,
        write_12h=half_day,
    )


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}
