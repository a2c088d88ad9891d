"""The prompt caches behind the simulated provider's routes, and how its answers tell what they were billed.

Which cache a model has follows from its name (`adapters.profiles`, provider `maker`). A name that contains `no-cache`
has none, and one that contains `no-usage` never tells what a request took.

Sources of the shapes (read 2026-11): SDK openai 3.52 (`CompletionUsage`, `ResponseUsage`, `PromptCacheOptions` of both
APIs); api-docs.deepseek.com; vLLM, which has no details where nothing was read.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

from adapters.body import mapping
from adapters.profiles import Profile
from adapters.prompt import Billed, Point, Prompt, PromptCache
from adapters.prompt_caches import Uncached, prompt_cache_of, readable_at
from adapters.unit_cache import UnitCache

NO_CACHE, NO_USAGE = "no-cache", "no-usage"


class Refusal(NamedTuple):
    """Why OpenAI answers 400."""

    message: str
    param: str
    code: str | None = None


class Asked(NamedTuple):
    """One request before the prompt cache of its model."""

    cache: PromptCache
    profile: Profile
    prompt: Prompt
    answered: Callable[[Mapping[str, Any]], Point] | None = None
    """Where the answer will end in the next request of the conversation."""

    def bill(self, now: float) -> Billed:
        """What a request that starts `now` is billed; nothing is written."""
        return self.cache.lookup(self.prompt, now)

    def write(self, answer: Mapping[str, Any], span: tuple[float, float, float], lag: float) -> None:
        """Writes what a request does that began, spoke first and ended at these times; `lag` seconds later than its
        profile says it can be read."""
        begun, first, last = span
        readable = readable_at(self.profile, begun, first, last) + lag
        self.cache.lookup_and_store(self.prompt, begun, readable)
        if isinstance(self.cache, UnitCache) and self.answered is not None:
            self.cache.end(self.answered(answer), begun, readable)


class Caches:
    """The prompt caches of one route: models that are cached in the same way are in one, apart by their digests."""

    def __init__(self) -> None:
        self._none = Uncached()
        self._made: dict[Hashable, PromptCache] = {}

    def of(self, profile: Profile, model: str) -> PromptCache:
        if NO_CACHE in model:
            return self._none
        # Names are free and may be many, ways to be cached are few.
        way = profile.boundary, profile.granularity, profile.lives, profile.lookback, profile.breakpoints
        if way not in self._made:
            self._made[way] = prompt_cache_of(profile)
        return self._made[way]


def chat_usage(profile: Profile, billed: Billed, output: int, reasoning: int) -> dict[str, Any]:
    """`usage` of a chat completion. Claude's classes of writes stand where proxies in front of it put them."""
    usage: dict[str, Any] = {
        "prompt_tokens": billed.prompt,
        "completion_tokens": output,
        "total_tokens": billed.prompt + output,
    }
    if profile.boundary == "unit":
        usage |= {"prompt_cache_hit_tokens": billed.read, "prompt_cache_miss_tokens": billed.prompt - billed.read}
    else:
        details: dict[str, Any] = {"cached_tokens": billed.read, "audio_tokens": 0}
        if profile.boundary in ("message", "breakpoint"):
            details["cache_write_tokens"] = billed.written
        if profile.boundary == "breakpoint":
            lives = {"ephemeral_5m_input_tokens": billed.write_5m, "ephemeral_1h_input_tokens": billed.write_1h}
            details["cache_creation"] = lives
        usage["prompt_tokens_details"] = None if profile.local and not billed.read else details
    return usage | {"completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0}}


def responses_usage(profile: Profile, billed: Billed, output: int, reasoning: int) -> dict[str, Any]:
    """`usage` of a response."""
    details: dict[str, Any] = {"cached_tokens": billed.read, "cache_write_tokens": billed.written}
    if profile.boundary == "message":
        lives = {"ttl_30m_tokens": billed.write_30m, "ttl_12h_tokens": billed.write_12h}
        details["cache_write_tokens_details"] = lives
    return {
        "input_tokens": billed.prompt,
        "input_tokens_details": details,
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": billed.prompt + output,
    }


def applied(body: Mapping[str, Any], profile: Profile) -> dict[str, Any] | None:
    """`prompt_cache_options` of a response; None where the model has no such options."""
    if profile.boundary != "message" or profile.life is None:
        return None
    asked = mapping(body.get("prompt_cache_options"))
    return {"mode": asked.get("mode", "implicit"), "ttl": asked.get("ttl", profile.life.name)}


def objection(body: Mapping[str, Any], *, prewarms: bool, lives: tuple[str, ...]) -> Refusal | None:
    """Why `prompt_cache_options` are refused. `prewarms`: whether the API knows `prewarm`; `lives`: its `ttl`s."""
    options = body.get("prompt_cache_options")
    if options is None:
        return None
    if not isinstance(options, dict):
        return Refusal("Invalid type for 'prompt_cache_options': expected an object.", "prompt_cache_options")
    for name, allowed in (("mode", ("implicit", "explicit")), ("ttl", lives)):
        if name in options and options[name] not in allowed:
            param, supported = f"prompt_cache_options.{name}", " and ".join(f"'{value}'" for value in allowed)
            return Refusal(f"Invalid value for '{param}'. Supported values are: {supported}.", param, "invalid_value")
    if "prewarm" in options and not prewarms:
        param = "prompt_cache_options.prewarm"
        return Refusal(f"Unknown parameter: '{param}'.", param, "unknown_parameter")
    return None
