"""Why Anthropic's Messages API answers 400: everything about a request but its conversation.

The provider takes no member that it does not know, which is what makes this list useful: a translation that forgets to
drop a parameter of its client's dialect is told. Sources (read 2026-11): Anthropic's API reference and prompt caching
guide, SDK 2.11; `additionalProperties` as its users report it (August 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from adapters.body import mapping
from adapters.breakpoint_prompt import MARK, UNMARKABLE, mark_of, marked_blocks
from adapters.simulated_messages_turns import complaints
from adapters.simulated_models import EFFORTS, Traits, traits

MARKS = 4
"""Breakpoints that a request may have, the automatic one among them."""

NO_SAMPLING = "2026-10-21"
"""From this `anthropic-version` on there are no sampling parameters."""

SAMPLING = {"temperature": 1, "top_p": 1, "top_k": None}
"""Parameters with their defaults."""

COUNTED = frozenset(
    {
        "cache_control",
        "messages",
        "model",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "user_profile_id",
    }
)
"""Members of a request to count tokens."""

MADE = frozenset(
    {
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "metadata",
        "service_tier",
        "stop_sequences",
        "stream",
    }
)
"""Members beside these of a request for an answer."""

FORCED = ("any", "tool")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
NESTED = ("properties", "$defs", "definitions")
BRANCHES = ("anyOf", "oneOf", "allOf", "prefixItems")


def objection(
    body: Mapping[str, Any], headers: Mapping[str, str], *, seed: int, counting: bool = False
) -> tuple[str, None] | None:
    """The text of the 400 that the provider would answer, None where it would not. It names no parameter apart.

    `headers` are looked up whatever the letter case. `counting`: whether tokens are to be counted, not made.
    """
    first = next(_complaints(body, headers, seed, counting), None)
    return None if first is None else (first, None)


def _complaints(body: Mapping[str, Any], headers: Mapping[str, str], seed: int, counting: bool) -> Iterator[str]:
    version = headers.get("anthropic-version")
    if not version:
        yield "anthropic-version: header is required"
    if not re.fullmatch(r"20\d\d-\d\d-\d\d", version or ""):
        yield f'anthropic-version: "{version}" is not a valid version'
    for name in body:
        if name not in (COUNTED if counting else COUNTED | MADE | SAMPLING.keys()):
            yield f"{name}: Extra inputs are not permitted"
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield "model: Field required"
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        yield "messages: at least one message is required"
    allowed = traits(body["model"])
    if not counting:
        yield from _limits(body, str(version), allowed)
    yield from _thinking(body, allowed)
    yield from _output(mapping(body.get("output_config")))
    yield from _tools(body)
    yield from _choice(body, allowed)
    yield from complaints(body, allowed, seed)
    yield from _marks(body)
    if not counting and body["max_tokens"] == 0:
        yield from _prewarm(body)


def _limits(body: Mapping[str, Any], version: str, allowed: Traits) -> Iterator[str]:
    limit = body.get("max_tokens")
    if limit is None:
        yield "max_tokens: Field required"
    if type(limit) is not int or limit < 0:
        yield "max_tokens: Input should be greater than or equal to 0"
    for name, default in SAMPLING.items():
        value = body.get(name)
        if value is None:
            continue
        if version >= NO_SAMPLING:
            yield f"{name}: Extra inputs are not permitted"
        if not allowed.sampling and value != default:
            yield f"`{name}` is not supported by this model"
        most = float("inf") if name == "top_k" else 1
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            yield f"{name}: range: 0..1"
    stops = body.get("stop_sequences")
    if stops is not None and not (isinstance(stops, list) and all(isinstance(stop, str) for stop in stops)):
        yield "stop_sequences: Input should be a valid list of strings"
    if any(not stop.strip() for stop in stops or ()):
        yield "stop_sequences: each stop sequence must contain non-whitespace"
    if body.get("stream") is not None and type(body["stream"]) is not bool:
        yield "stream: Input should be a valid boolean"
    if body.get("service_tier") not in (None, "auto", "standard_only"):
        yield "service_tier: Input should be 'auto' or 'standard_only'"
    if body.get("speed") not in (None, "standard", "fast"):
        yield "speed: Input should be 'standard' or 'fast'"
    user = mapping(body.get("metadata")).get("user_id")
    if user is not None and (not isinstance(user, str) or "@" in user):
        yield "metadata.user_id: user_id appears to contain an email address"


def _thinking(body: Mapping[str, Any], allowed: Traits) -> Iterator[str]:
    if body.get("thinking") is None:
        return
    thinking = mapping(body["thinking"])
    kind, budget = thinking.get("type"), thinking.get("budget_tokens")
    if kind not in ("adaptive", "enabled", "disabled", "between_tools"):
        yield f"thinking: Input tag {kind!r} does not match any of the expected tags"
    if kind not in allowed.thinking:
        yield f'"thinking.type.{kind}" is not supported for this model'
    effort = mapping(body.get("output_config")).get("effort")
    if kind in ("disabled", "between_tools") and allowed.thinks and effort in ("xhigh", "max"):
        yield f'"thinking.type.{kind}" is not supported with effort {effort}'
    if kind == "enabled":
        if type(budget) is not int or budget < 1024:
            yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        if body.get("max_tokens") and budget >= body["max_tokens"]:
            yield "`max_tokens` must be greater than `thinking.budget_tokens`"
    elif budget is not None:
        yield f"thinking.{kind}.budget_tokens: Extra inputs are not permitted"
    if thinking.get("display") not in (None, "summarized", "omitted"):
        yield "thinking.display: Input should be 'summarized' or 'omitted'"


def _output(config: Mapping[str, Any]) -> Iterator[str]:
    if config.get("effort") not in (None, *EFFORTS):
        yield f"output_config.effort: Input should be one of {', '.join(EFFORTS)}"
    for name in config:
        if name not in ("effort", "format"):
            yield f"output_config.{name}: Extra inputs are not permitted"
    if config.get("format") is None:
        return
    wanted = mapping(config["format"])
    if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
        yield "output_config.format: Input should be {'type': 'json_schema', 'schema': {...}}"
    for name in wanted:
        if name not in ("type", "schema"):
            yield f"output_config.format.{name}: Extra inputs are not permitted"
    pending = [wanted["schema"]]
    while pending:
        schema = mapping(pending.pop())
        if not schema:
            continue
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            yield "output_config.format.schema: For 'object' type, 'additionalProperties' must be set to false"
        pending += [inner for name in NESTED for inner in mapping(schema.get(name)).values()]
        pending += [inner for name in BRANCHES if isinstance(schema.get(name), list) for inner in schema[name]]
        pending.append(schema.get("items"))


def _tools(body: Mapping[str, Any]) -> Iterator[str]:
    tools = body.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        yield "tools: Input should be a valid list of objects"
    names: set[str] = set()
    for place, tool in enumerate(tools):
        name = tool.get("name")
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            yield f"tools.{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if name in names:
            yield "tools: Tool names must be unique."
        names.add(name)
        if tool.get("type") not in (None, "custom"):
            continue
        if mapping(tool.get("input_schema")).get("type") != "object":
            yield f"tools.{place}.custom.input_schema.type: Field required"
        for member in ("function", "parameters"):
            if member in tool:
                yield f"tools.{place}.custom.{member}: Extra inputs are not permitted"


def _choice(body: Mapping[str, Any], allowed: Traits) -> Iterator[str]:
    if body.get("tool_choice") is None:
        return
    choice, thinking = mapping(body["tool_choice"]), mapping(body.get("thinking")).get("type")
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        yield f"tool_choice: Input tag {kind!r} does not match any of the expected tags"
    if not body.get("tools"):
        yield "tool_choice: may only be specified while providing tools"
    if kind == "tool" and choice.get("name") not in [tool["name"] for tool in body["tools"]]:
        yield "tool_choice.tool.name: Tool not found in provided tools"
    if kind in FORCED and not allowed.forced:
        yield f"tool_choice.{kind}: forced tool use is not supported for this model"
    if kind in FORCED and thinking in ("adaptive", "enabled"):
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _marks(body: Mapping[str, Any]) -> Iterator[str]:
    automatic = body.get(MARK)
    blocks = list(marked_blocks(body))
    explicit = [block for block in blocks if block.get(MARK) is not None]
    if any(block.get("type") in UNMARKABLE for block in explicit):
        yield "cache_control: thinking blocks can not be marked"
    last = blocks[-1].get(MARK)
    controls = [block[MARK] for block in explicit]
    if automatic is not None:
        if last is not None and mark_of(last) != mark_of(automatic):
            yield (
                f"Top-level cache_control has ttl='{mark_of(automatic)}' but the target block already has "
                f"cache_control with ttl='{mark_of(last)}'"
            )
        controls += [] if last is not None else [automatic]
    if any(mapping(control).get("type") != "ephemeral" or not mark_of(control) for control in controls):
        yield "cache_control: Input should be {'type': 'ephemeral'} with a ttl of '5m' or '1h'"
    if len(controls) > MARKS:
        yield f"A maximum of {MARKS} blocks with cache_control may be provided. Found {len(controls)}."
    if ("5m", "1h") in pairwise(map(mark_of, controls)):
        yield "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"


def _prewarm(body: Mapping[str, Any]) -> Iterator[str]:
    """What `max_tokens: 0` can't be combined with (prompt caching guide, 2026-08-21)."""
    for name, there in (
        ("stream", body.get("stream") is True),
        ("thinking.type.enabled", mapping(body.get("thinking")).get("type") == "enabled"),
        ("output_config.format", mapping(body.get("output_config")).get("format") is not None),
        ("tool_choice", mapping(body.get("tool_choice")).get("type") in FORCED),
    ):
        if there:
            yield f"max_tokens: 0 can not be combined with `{name}`"
