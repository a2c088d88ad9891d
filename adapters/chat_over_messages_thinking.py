"""How long the model may answer and how much it thinks: `max_tokens`, `thinking`, `output_config`.

Three generations of models are told in three ways (effort and thinking pages, read 2026-11): a budget of tokens up to
4.5, `adaptive` thinking and an effort for 4.6 to 4.8, an effort alone for those that think anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from adapters.capabilities import EFFORTS, Capabilities
from adapters.chat_over_messages_notes import Notes
from adapters.errors import Refused

LEAST_BUDGET = 1024
"""Tokens that `thinking.budget_tokens` must be at least; it must also be less than `max_tokens`."""

BUDGETS = {"low": LEAST_BUDGET, "medium": 4096, "high": 16_384, "xhigh": 32_768, "max": 32_768}
"""Tokens to think for. Beyond 32,768 the provider advises batches (extended thinking page, read 2026-08)."""


class Thinking(NamedTuple):
    thinking: dict[str, Any] | None
    effort: str | None


def limit_of(body: Mapping[str, Any], known: Capabilities, configured: int | None) -> int:
    """`max_tokens`: what the client names, what the configuration says, or the most that the model can."""
    for name in ("max_completion_tokens", "max_tokens"):
        named = body.get(name)
        if named is None:
            continue
        if type(named) is not int or named < 1:
            raise Refused(400, f"`{name}` must be an integer, 1 or more", param=name)
        return named
    limit = configured or known.max_output
    budget = _native(body).get("budget_tokens")
    if type(budget) is int and limit <= budget < known.max_output:
        return min(budget + limit, known.max_output)  # nobody asked for a limit that leaves no room for the answer
    return limit


def thinking_of(
    body: Mapping[str, Any], known: Capabilities, notes: Notes, limit: int, *, unable: str, shown: bool
) -> Thinking:
    """`unable` says why thinking can't be `enabled` in this conversation, empty where it can; `shown`, whether thoughts
    are wanted as text."""
    native = _native(body)
    level = _level(body)
    effort = _effort(level, known, notes)
    if native:
        if native.get("type") == "enabled" and unable:
            notes.warn("thinking", f"dropped, {unable}")
            return Thinking(None, effort)
        return Thinking(native, effort)
    if level == "none":
        return Thinking(_off(known), None)
    if "adaptive" in known.thinking and (shown or (level and not known.thinks)):
        return Thinking(_adaptive(known, asked=bool(level), shown=shown), effort)
    if level and not known.thinks and "enabled" in known.thinking:
        return Thinking(_enabled(effort or level, notes, limit, unable), effort)
    if level and effort is None:
        notes.warn("reasoning_effort", "dropped")
    return Thinking(None, effort)


def _native(body: Mapping[str, Any]) -> dict[str, Any]:
    """Anthropic's own parameter, which a client of chat completions may send as it is."""
    native = body.get("thinking")
    if not isinstance(native, dict | None):
        raise Refused(400, "`thinking` must be an object", param="thinking")
    return native or {}


def _level(body: Mapping[str, Any]) -> str:
    level = body.get("reasoning_effort")
    if level is None:
        return ""
    if not isinstance(level, str) or level not in ("none", "minimal", *EFFORTS):
        raise Refused(400, "`reasoning_effort` must be none, minimal, low, ..., max", param="reasoning_effort")
    return "low" if level == "minimal" else level


def _effort(level: str, known: Capabilities, notes: Notes) -> str | None:
    """The strongest that the model has and that is not more than was asked for."""
    if level in ("", "none") or not known.efforts:
        return None
    if level in known.efforts:
        return level
    less = [effort for effort in known.efforts if EFFORTS.index(effort) < EFFORTS.index(level)]
    effort = less[-1] if less else known.efforts[0]
    notes.warn("reasoning_effort", f"{level} {'lowered' if less else 'raised'} to {effort}")
    return effort


def _off(known: Capabilities) -> dict[str, Any] | None:
    """A model that does not think unasked is told nothing: some of them refuse `disabled` on some platforms."""
    if not known.thinks:
        return None
    if "disabled" in known.thinking:
        return {"type": "disabled"}
    if "between_tools" in known.thinking:
        return {"type": "between_tools"}
    raise Refused(400, "this model can't answer without thinking", param="reasoning_effort")


def _adaptive(known: Capabilities, *, asked: bool, shown: bool) -> dict[str, Any] | None:
    # From 4.7 on, the models that do not take `enabled`, thoughts come back empty unless their summary is asked for.
    if shown and "enabled" not in known.thinking and (asked or known.thinks):
        return {"type": "adaptive", "display": "summarized"}
    return {"type": "adaptive"} if asked and not known.thinks else None


def _enabled(level: str, notes: Notes, limit: int, unable: str) -> dict[str, Any] | None:
    if limit <= LEAST_BUDGET:
        unable = f"max_tokens leaves no room for {LEAST_BUDGET} tokens of thinking"
    if unable:
        notes.warn("reasoning_effort", f"dropped, {unable}")
        return None
    # At least half of the limit stays for the answer, as far as the least budget allows.
    return {"type": "enabled", "budget_tokens": min(BUDGETS[level], max(LEAST_BUDGET, limit // 2))}
