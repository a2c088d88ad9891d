"""Which request warms a prefix, and what of the real request stands against it.

The rule: ten tokens. Where ten are refused, or the model would spend them on reasoning, or act while it speaks, the
form without output if its provider documents one and nothing in the request forbids it; else sixteen, or what the
profile has; else none, and the first real request has to warm.

Sources (read 2026-11): the profiles (`adapters.profiles`); types of openai 3.52 for `max_completion_tokens` and
`prewarm`; OpenAI's error for `max_output_tokens` below 16, which OpenRouter passes on for chat completions to OpenAI's
models, too (users' reports, 2025-09 to 2026-07).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from adapters.body import mapping
from adapters.capabilities import capabilities_of
from adapters.profiles import Profile, Warm
from adapters.prompt_blocks import CHAT, MESSAGES, RESPONSES

PROMISED, LEAST = 10, 16
"""Tokens of output of a warm call, and where OpenAI's Responses stand behind the API."""

KINDS = {MESSAGES: "messages", CHAT: "chat", RESPONSES: "responses"}

CAPS = ("max_completion_tokens", "max_tokens")
"""The two names that chat completions have for a cap; only one may be there."""

OPENAI = re.compile(r"(?:^|/)(?:chatgpt-|gpt-(?!oss)|o\d)")
"""OpenAI's own models: they want `max_completion_tokens`, the others' servers may not know it."""

DIRECT = frozenset({"openai", "azure", "maker"})
"""Where chat completions to these models are not translated to Responses on the way."""

REASONING = re.compile(r"(?:^|/)(?:o\d|gpt-(?:[5-9]|\d\d)(?!.*chat)|gpt-oss)|reason|thinking|[-/]r1\b")
"""Models that think before they speak, as far as their names tell."""

OWN_TOOLS = re.compile(
    r"function|custom|local_shell|apply_patch|(bash|text_editor|computer|memory|browser)_(toolset_)?\d.*"
)
"""Types of tools that the client runs; every other one the provider may run while it answers."""


ACTING = ("mcp_servers", "container", "plugins")
"""Members that have the provider, or a gateway, do something."""

SEARCHING = re.compile(r"search-(preview|api)|:online$")
"""Names of models that search the web whatever the request says."""


class Refusal(NamedTuple):
    """There is no warm call for this request."""

    why: str


class Form(NamedTuple):
    body: dict[str, Any]
    """Members to set."""
    output: int
    """Tokens that it may be billed for at most."""
    breakpoint: bool
    truncated: bool
    """Whether nothing may stand behind the prefix."""
    why: str


def form_of(parsed: Mapping[str, Any], api: str, profile: Profile, model: str, thinks: str) -> Form | Refusal:
    """`thinks`: the type of thinking that the model has where the request names none; empty to go by its name."""
    kind = KINDS.get(api)
    forms = [form for form in profile.warm if form.api == kind]
    breakpoint_ = any(form.breakpoint for form in forms or profile.warm)
    if not profile.warm or kind is None or (breakpoint_ and not forms):
        return Refusal("no form is known" if kind is None or not profile.warm else f"no form is known for {kind}")
    if state := next(_state(parsed), ""):
        return Refusal(state)
    against = [_against(form, parsed, api) for form in forms]
    fit = [form for form, hit in zip(forms, against, strict=True) if not hit]
    silent = next((form for form in fit if not form.output), None)
    reasons, acts = _reasons(parsed, api, model, thinks), _acts(parsed, model)
    if silent is not None and (reasons or acts or api == RESPONSES):
        told = " ".join(f"{name} {value}" for name, value in _flat(silent.body))
        return Form(silent.body, 0, silent.breakpoint, silent.truncated, told)
    if _budgeted(parsed, api) and (api == MESSAGES or any("thinking.enabled" in form.unless for form in forms)):
        return Refusal("thinking.enabled")
    if acts:
        return Refusal("server tools")
    spoken = next((form for form in fit if form.output), None)
    cap, why = _cap(api, profile, model, spoken.output if spoken is not None and reasons else 0)
    name = _cap_name(parsed, api, model, spoken)
    refused = next((f": no less with {hit}" for hit in against if hit), "")
    truncated = any(form.truncated for form in forms or profile.warm)
    return Form({name: cap}, cap, breakpoint_, truncated, f"{name} {cap}{refused or why}")


def _cap(api: str, profile: Profile, model: str, least: int) -> tuple[int, str]:
    """`least`: what the profile has for a model that reasons; 0 where it does not, or none is known."""
    if api == RESPONSES:
        return max(LEAST, least), ": less is refused"
    if api == CHAT and OPENAI.search(model) and profile.provider not in DIRECT:
        return LEAST, ": less may be refused behind a gateway"
    return (least, ": more would go into reasoning as well") if least else (PROMISED, "")


def _cap_name(parsed: Mapping[str, Any], api: str, model: str, form: Warm | None) -> str:
    """As the client names it, who knows the server; else as the profile does; else by the model."""
    if api != CHAT:
        return "max_tokens" if api == MESSAGES else "max_output_tokens"
    named = [name for name in CAPS if parsed.get(name) is not None]
    if len(named) == 1:
        return named[0]
    known = next((name for name in CAPS if form is not None and name in form.body), "")
    return known or CAPS[0 if OPENAI.search(model) else 1]


def _against(form: Warm, parsed: Mapping[str, Any], api: str) -> str:
    """The first thing in the request that makes the form an error. `stream` is ours to leave out, and nothing here is
    in a batch."""
    return next((name for name in form.unless if name not in ("stream", "batch") and _has(parsed, name, api)), "")


def _has(parsed: Mapping[str, Any], name: str, api: str) -> bool:
    """`tool_choice.any`: a member of that name whose `type` is the second, or that has such a member."""
    if name == "thinking.enabled":
        return _budgeted(parsed, api)
    outer, _, inner = name.partition(".")
    value = parsed.get(outer)
    if not inner:
        return value not in (None, False)
    held = mapping(value)
    return held.get("type") == inner or held.get(inner) is not None


def _budgeted(parsed: Mapping[str, Any], api: str) -> bool:
    """Whether a budget of thinking stands in the request, which any cap must exceed. In chat completions a gateway may
    make one of `reasoning` and of an effort."""
    if mapping(parsed.get("thinking")).get("type") == "enabled":
        return True
    reasoning = mapping(parsed.get("reasoning"))
    wanted = reasoning.get("max_tokens") is not None or reasoning.get("enabled") is True
    return api == CHAT and (wanted or _effort(reasoning.get("effort")) or _effort(parsed.get("reasoning_effort")))


def _effort(value: Any) -> bool:
    return value not in (None, "none")


def _reasons(parsed: Mapping[str, Any], api: str, model: str, thinks: str) -> bool:
    """Whether the model would think before it says anything."""
    if api == MESSAGES:
        kind = mapping(parsed.get("thinking")).get("type")
        return kind != "disabled" if kind is not None else bool(thinks) or capabilities_of(model).thinks
    effort = parsed.get("reasoning_effort") or mapping(parsed.get("reasoning")).get("effort")
    return effort != "none" and (bool(REASONING.search(model.lower())) or _budgeted(parsed, CHAT))


def _acts(parsed: Mapping[str, Any], model: str) -> bool:
    """Whether the provider itself could do something while it answers, which must not happen for nobody."""
    if parsed.get("web_search_options") is not None or any(parsed.get(name) for name in ACTING):
        return True
    tools = parsed.get("tools")
    kinds = [mapping(tool).get("type") for tool in tools] if isinstance(tools, list) else []
    return SEARCHING.search(model) is not None or any(
        kind is not None and not (isinstance(kind, str) and OWN_TOOLS.fullmatch(kind)) for kind in kinds
    )


def _state(parsed: Mapping[str, Any]) -> Iterator[str]:
    """What would change by a call that nobody asked for, or cost more than a warm call may."""
    for name in ("conversation", "thread", "compaction"):
        if parsed.get(name):
            yield name
    managed = parsed.get("context_management")
    edits = mapping(managed).get("edits") if isinstance(managed, dict) else managed
    for edit in edits if isinstance(edits, list) else ():
        if str(mapping(edit).get("type")).startswith("compact"):
            yield "compaction"


def _flat(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", told) for inner, told in _flat(value))
        else:
            yield name, str(value).lower()
