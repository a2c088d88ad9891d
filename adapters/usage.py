"""Token counts of one answer in disjoint classes: money is computed without knowing whose shape they had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from adapters.body import mapping


class Usage(NamedTuple):
    """Tokens, each counted in exactly one class, except `reasoning`, which is the part of `output` nobody saw.

    OpenAI, DeepSeek and Gemini count cached tokens *inside* the prompt, Anthropic *beside* it; here they are apart.
    """

    uncached: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False
    """True where no provider reported these figures."""
    write_30m: int = 0
    write_12h: int = 0
    """OpenAI's classes of writes. They stand last because stored usage is a list: new members only ever follow."""

    @property
    def prompt(self) -> int:
        return self.uncached + self.read + self.write_5m + self.write_1h + self.write_30m + self.write_12h

    def classes(self) -> list[tuple[str, int]]:
        """Tokens of every class that has any, each counted once: `output` without its reasoning."""
        prompt = [("uncached", self.uncached), ("read", self.read)]
        if self.prompt > self.uncached + self.read:
            prompt += [("write_5m", self.write_5m), ("write_1h", self.write_1h)]
            prompt += [("write_30m", self.write_30m), ("write_12h", self.write_12h)]
        told = [*prompt, ("output", self.output - self.reasoning), ("reasoning", self.reasoning)]
        return [each for each in told if each[1]]


MOST = 2**53
"""A count above this is nonsense: no float holds it exactly, and a larger one may fit into none."""


def count(holder: Mapping[str, Any], name: str) -> int:
    """A token count, 0 where it is absent, null or nonsense."""
    value = holder.get(name)
    return value if type(value) is int and 0 < value <= MOST else 0


def openai_writes(details: Mapping[str, Any], most: int) -> tuple[int, int]:
    """Tokens written for 30 minutes and for 12 hours, of `prompt_tokens_details` (or `input_tokens_details`).

    What is not said to live for 12 hours lives for 30 minutes, OpenAI's default. Together never more than `most`, what
    the prompt has left. Source: openai 3.52.0, `ResponseUsage.input_tokens_details` (2026-11).
    """
    if not details or ("cache_write_tokens" not in details and "cache_write_tokens_details" not in details):
        return 0, 0  # nearly all answers there are
    lives = mapping(details.get("cache_write_tokens_details"))
    long, short = count(lives, "ttl_12h_tokens"), count(lives, "ttl_30m_tokens")
    written = min(max(count(details, "cache_write_tokens"), long + short), most)
    long = min(long, written)
    return written - long, long


def writes(details: Mapping[str, Any], most: int) -> tuple[int, int, int, int]:
    """Tokens written for 5 minutes, an hour, 30 minutes and 12 hours, of an OpenAI-shaped answer.

    An answer of Anthropic's in translation tells its own classes beside OpenAI's total: as `cache_creation` ours, as
    `cache_creation_token_details` LiteLLM's. They are the same tokens, at other prices.
    """
    lives = mapping(details.get("cache_creation") or details.get("cache_creation_token_details")) if details else {}
    hour, short = count(lives, "ephemeral_1h_input_tokens"), count(lives, "ephemeral_5m_input_tokens")
    if not hour + short:
        return 0, 0, *openai_writes(details, most)
    told = max(count(details, "cache_write_tokens"), count(details, "cache_creation_tokens"), hour + short)
    written = min(told, most)
    hour = min(hour, written)
    return written - hour, hour, 0, 0
